"""Combining rules on three replicates."""

from __future__ import annotations

from fractions import Fraction
from math import exp, inf, isnan, log, nan, sqrt

import numpy as np
import pandas as pd
import pytest

from parallax.errors import NotEstimable, StatisticsError
from parallax.validation.combining import combine, take_real
from parallax.validation.rules import combine_by
from validation_tables import estimate_rows


@pytest.mark.parametrize(
    ("synthetic", "variance", "df"),
    [
        (100, Fraction(4, 3), 32),  # v k/n = 1, b/m = 1/3: 2 (1 + 3)²
        (50, Fraction(5, 6), Fraction(25, 2)),  # v k/n = 1/2: 2 (1 + 3/2)²
        (200, Fraction(7, 3), 98),  # v k/n = 2: 2 (1 + 6)²
    ],
)
def test_partial_rule(synthetic: int, variance: Fraction, df: float) -> None:
    combined = combine_by("partial", [1.0, 2.0, 3.0], [Fraction(1, 2), 1, Fraction(3, 2)], patients=100, synthetic=synthetic)
    assert combined.estimate == 2.0
    assert combined.std_error == pytest.approx(sqrt(variance), rel=1e-14)
    assert combined.df == pytest.approx(float(df), rel=1e-14)


def test_equal_replicates_leave_the_within_variance_and_a_normal_interval() -> None:
    combined = combine_by("partial", [2.0, 2.0], [9.0, 9.0], patients=10, synthetic=10)
    assert (combined.estimate, combined.std_error, combined.df) == (2.0, 3.0, inf)


@pytest.mark.parametrize(("q", "v"), [([1.0], [1.0]), ([1.0, 1.0], [0.0, 0.0])])
def test_one_replicate_or_no_variance_cannot_be_combined(q: list[float], v: list[float]) -> None:
    with pytest.raises(NotEstimable):
        combine_by("partial", q, v, patients=10, synthetic=10)


@pytest.mark.parametrize(("q", "v"), [([], []), ([1.0, 2.0], [1.0]), ([1.0, nan], [1.0, 1.0]), ([1.0, 2.0], [1.0, -1.0])])
def test_bad_arguments(q: list[float], v: list[float]) -> None:
    with pytest.raises(StatisticsError):
        combine_by("partial", q, v, patients=10, synthetic=10)


def test_ratios_are_combined_on_the_log_scale_and_given_back_as_ratios() -> None:
    ratios = estimate_rows([1.0, 2.0, 4.0], [0.3, 0.3, 0.3], contrast="hazard_ratio")
    stacked = estimate_rows([2.5], [0.1], contrast="hazard_ratio")
    table = combine(ratios, stacked=stacked, patients=50, synthetic=50).set_index("rule")
    partial = table.loc["partial"]
    assert list(table.index) == ["partial", "single_fit", "naive", "stacked"]
    assert partial["estimate"] == pytest.approx(2.0)  # the geometric mean
    between = log(2) ** 2 / 3  # logs −log 2, 0, log 2 about log 2: variance log² 2
    assert partial["std_error"] == pytest.approx(sqrt(0.09 + between))
    assert partial["lower"] * partial["upper"] == pytest.approx(4.0)  # symmetric about log 2
    assert partial["df"] == pytest.approx(2 * (1 + 0.09 / between) ** 2)
    assert partial["n_treated"] == 11.0
    assert list(table["replicates"]) == [3, 3, 1, 3]
    assert (table.loc["naive", "estimate"], table.loc["stacked", "estimate"]) == (1.0, 2.5)
    # two-sided 95 % t interval: T⁻¹(0.975; df) is between the normal quantile and that of df = 2
    half = log(partial["upper"] / partial["estimate"]) / partial["std_error"]
    assert 1.96 < half < 4.3027


def test_a_replicate_that_is_not_estimable_makes_the_combination_so() -> None:
    table = combine(estimate_rows([0.1, nan, 0.2], [0.1, nan, 0.1]), patients=50, synthetic=50).set_index("rule")
    assert table.loc["partial", "status"] == "not_estimable"
    assert table.loc["partial", "reason"] == "1 of 3 replicates not estimable: no events in the treated arm"
    assert isnan(table.loc["partial", "estimate"])
    assert table.loc["partial", "effective_estimand"] == "ATO"
    assert table.loc["naive", "status"] == "ok"


def test_a_missing_replicate_counts_as_not_estimable() -> None:
    other = estimate_rows([0.1, 0.2, 0.3], [0.1, 0.1, 0.1], horizon_days=np.nan)
    table = combine(pd.concat([other, estimate_rows([0.1, 0.2], [0.1, 0.1])], ignore_index=True), patients=50, synthetic=50)
    status = table[table["rule"] == "partial"].set_index("horizon_days")["status"]
    assert status.loc[30.0] == "not_estimable"
    assert list(status) == ["ok", "not_estimable"]


def test_the_real_estimates_are_taken_as_they_are() -> None:
    table = take_real(estimate_rows([exp(0.5)], [0.2], contrast="hazard_ratio"))
    assert list(table["rule"]) == ["none"]
    assert table.loc[0, "estimate"] == exp(0.5)
    with pytest.raises(StatisticsError):
        take_real(estimate_rows([0.1, 0.2], [0.1, 0.1]))


def test_replicates_that_answer_for_different_patients_are_not_combined() -> None:
    rows = estimate_rows([1.0, 2.0], [0.3, 0.3], contrast="risk_difference")
    mixed = rows.assign(effective_estimand=["ATT among the matched", "ATC among the matched"])
    partial = combine(mixed, patients=50, synthetic=50).set_index("rule").loc["partial"]
    assert partial["status"] == "not_estimable"
    assert partial["reason"] == "the replicates answer for different patients: ATC and ATT"
    alike = rows.assign(effective_estimand=["ATO", "ATO among the comparable"])
    assert combine(alike, patients=50, synthetic=50).set_index("rule").loc["partial", "status"] == "ok"
