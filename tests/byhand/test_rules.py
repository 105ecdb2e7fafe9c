"""Every combining rule on three replicates, in fractions, and on one."""

from __future__ import annotations

from fractions import Fraction
from math import inf, nan, sqrt

import pytest

from parallax.errors import NotEstimable, StatisticsError
from parallax.validation.combining import combine, select_answers
from parallax.validation.rules import COMBINING_RULES, choose_rule, combine_by, made_by, rules_beside
from validation_tables import estimate_rows

#: q = 2, b = 1, v = 1/2
ESTIMATES = [1.0, 2.0, 3.0]
VARIANCES = [0.25, 0.5, 0.75]


@pytest.mark.parametrize(
    ("rule", "synthetic", "variance", "df"),
    [
        ("partial", 100, Fraction(5, 6), Fraction(25, 2)),  # 1/2 + 1/3; 2 (1 + 3/2)²
        ("single_fit", 100, Fraction(2, 3), inf),  # 1/2 (1 + 1/3)
        ("single_fit", 50, Fraction(5, 12), inf),  # 1/2 (1/2 + 1/3)
        ("bootstrap_fit", 100, Fraction(5, 6), inf),  # 1/2 (1 + 2/3)
        ("bootstrap_fit", 50, Fraction(1, 2), inf),  # 1/4 (1 + 3/3)
        ("bootstrap_fit", 200, Fraction(3, 2), inf),  # 1 (1 + (1/2 + 1)/3)
        ("posterior", 100, Fraction(5, 6), Fraction(25, 32)),  # 4/3 − 1/2; 2 (1 − 3/8)²
        ("posterior", 50, Fraction(5, 6), Fraction(25, 32)),  # k is in v alone
    ],
)
def test_three_replicates(rule: str, synthetic: int, variance: Fraction, df: float) -> None:
    found = combine_by(rule, ESTIMATES, VARIANCES, patients=100, synthetic=synthetic)
    assert found.estimate == 2.0
    assert found.std_error == pytest.approx(sqrt(variance), rel=1e-14)
    assert found.df == pytest.approx(float(df), rel=1e-14)


def test_one_replicate_has_the_rules_of_its_fit_alone() -> None:
    assert combine_by("single_fit", [1.0], [0.5], patients=10, synthetic=10).std_error == 1.0  # 1/2 (1 + 1)
    assert combine_by("bootstrap_fit", [1.0], [0.5], patients=10, synthetic=10).std_error == pytest.approx(sqrt(1.5))  # 1/2 (1 + 2)
    for rule in ("partial", "posterior"):
        with pytest.raises(NotEstimable, match="at least two"):
            combine_by(rule, [1.0], [0.5], patients=10, synthetic=10)


def test_a_posterior_variance_below_zero_is_not_estimable() -> None:
    with pytest.raises(NotEstimable, match="not positive"):
        combine_by("posterior", [1.0, 1.1], [1.0, 1.0], patients=10, synthetic=10)


@pytest.mark.parametrize("rule", COMBINING_RULES)
def test_faults(rule: str) -> None:
    for q, v, patients in (([], [], 10), ([1.0, nan], [1.0, 1.0], 10), ([1.0, 2.0], [1.0, -1.0], 10), ([1.0, 2.0], [1.0, 1.0], 0)):
        with pytest.raises(StatisticsError):
            combine_by(rule, q, v, patients=patients, synthetic=10)
    with pytest.raises(NotEstimable):
        combine_by(rule, [1.0, 1.0], [0.0, 0.0], patients=10, synthetic=10)
    with pytest.raises(StatisticsError, match="allowed are partial"):
        combine_by("stacked", ESTIMATES, VARIANCES, patients=10, synthetic=10)


def test_the_rule_follows_from_how_the_replicates_were_made() -> None:
    assert (choose_rule("single", 10), choose_rule("bootstrap", 2)) == ("partial", "partial")
    assert (choose_rule("single", 1), choose_rule("bootstrap", 1)) == ("single_fit", "bootstrap_fit")
    assert rules_beside("bootstrap", 10) == ("partial", "bootstrap_fit")
    assert rules_beside("single", 1) == ("single_fit",)
    one = combine(estimate_rows([0.3], [0.1]), patients=50, synthetic=50, fit="bootstrap")
    assert list(one["rule"]) == ["bootstrap_fit", "naive"]
    assert list(select_answers(one)["rule"]) == ["bootstrap_fit"]
    assert list(select_answers(combine(estimate_rows([0.3, 0.1], [0.1, 0.1]), patients=50, synthetic=50))["rule"]) == ["partial"]


def test_replicates_left_out_are_counted_up_to_what_is_allowed() -> None:
    rows = estimate_rows([1.0, nan, 3.0, 2.0], [1.0, nan, 1.0, 1.0])
    left_out = select_answers(combine(rows, patients=50, synthetic=50, not_estimable=0.25)).iloc[0]
    assert (left_out["replicates"], left_out["not_estimable"], left_out["estimate"]) == (4, 1, 2.0)
    assert left_out["std_error"] == pytest.approx(sqrt(1 + 1 / 3))  # v = 1, b = 1 of the three that are left
    assert left_out["reason"] == "1 of 4 replicates not estimable: no events in the treated arm; they are left out"
    strict = select_answers(combine(rows, patients=50, synthetic=50, not_estimable=0.2)).iloc[0]
    assert (strict["status"], strict["not_estimable"]) == ("not_estimable", 1)


def test_replicates_of_a_subgroup_differ_in_size() -> None:
    # of n = 40 real patients; k = 20, 40, 80: v·k/n is (1/4·1/2 + 1/2·1 + 3/4·2)/3 = 17/24
    sizes = [20, 40, 80]
    for rule, variance in (("partial", Fraction(17, 24) + Fraction(1, 3)), ("single_fit", Fraction(17, 24) + Fraction(1, 6))):
        assert combine_by(rule, ESTIMATES, VARIANCES, patients=40, synthetic=sizes).std_error == pytest.approx(sqrt(variance), rel=1e-14)
    partial = combine_by("partial", ESTIMATES, VARIANCES, patients=40, synthetic=sizes)
    assert partial.df == pytest.approx(float(2 * (1 + Fraction(17, 24) * 3) ** 2), rel=1e-14)
    bootstrap = combine_by("bootstrap_fit", ESTIMATES, VARIANCES, patients=40, synthetic=sizes)
    assert bootstrap.std_error == pytest.approx(sqrt(Fraction(17, 24) * Fraction(4, 3) + Fraction(1, 6)), rel=1e-14)
    with pytest.raises(StatisticsError, match="one size, or one for each"):
        combine_by("partial", ESTIMATES, VARIANCES, patients=40, synthetic=[20, 40])


def test_a_replicate_that_is_left_out_takes_its_size_with_it() -> None:
    rows = estimate_rows([0.3, nan, 0.1], [0.1, nan, 0.3])
    found = select_answers(combine(rows, patients=20, synthetic={0: 20, 1: 1000, 2: 40}, not_estimable=0.5)).iloc[0]
    # (1/100·1 + 9/100·2)/2 = 19/200; b/m = (1/50)/2 = 1/100
    assert found["std_error"] == pytest.approx(sqrt(21 / 200))
    nobody = select_answers(combine(rows, patients=0, synthetic=20, not_estimable=0.5)).iloc[0]
    assert (nobody["status"], nobody["reason"]) == ("not_estimable", "no real patient is in it")


def test_how_replicates_were_made_is_what_their_fits_recorded() -> None:
    assert made_by({"fits": [{"fit": "single"}]}) == "single"
    assert made_by({"fits": [{"fit": "bootstrap"}, {"fit": "bootstrap"}]}) == "bootstrap"
    for records in ([], [{}], [{"fit": "single"}, {"fit": "bootstrap"}]):
        with pytest.raises(StatisticsError, match=r"model\.json: found fits of kind"):
            made_by({"fits": records})
