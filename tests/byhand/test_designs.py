"""Weights, matching and balance on a handful of patients."""

from __future__ import annotations

from fractions import Fraction
from math import inf, isnan, sqrt

import numpy as np
import pytest

from parallax.statistics.balance import (
    c_statistic,
    effective_sample_size,
    equipoise_share,
    ks_statistics,
    standardised_differences,
    variance_ratios,
)
from parallax.statistics.matching import Matching, match_nearest, pooled_within_sd
from parallax.statistics.weighting import propensity_weights

PROPENSITY = np.array([0.25, 0.5, 0.8, 0.2])
ARM = np.array([True, False, True, False])


@pytest.mark.parametrize(
    ("estimand", "stabilised", "expected"),
    [
        ("ATE", False, [4, 2, Fraction(5, 4), Fraction(5, 4)]),
        ("ATE", True, [2, 1, Fraction(5, 8), Fraction(5, 8)]),
        ("ATT", True, [1, 1, 1, Fraction(1, 4)]),
        ("ATC", True, [3, 1, Fraction(1, 4), 1]),
        ("ATO", True, [Fraction(3, 4), Fraction(1, 2), Fraction(1, 5), Fraction(1, 5)]),
        ("ATM", True, [1, 1, Fraction(1, 4), Fraction(1, 4)]),
    ],
)
def test_weights(estimand: str, stabilised: bool, expected: list[float]) -> None:
    assert propensity_weights(PROPENSITY, ARM, estimand, stabilised=stabilised) == pytest.approx([float(value) for value in expected])


#            treated 5, 3, 1; comparators 4, 2.5, 0
SCORE = np.array([1.0, 5.0, 3.0, 4.0, 2.5, 0.0])
CHOOSES = np.array([True, True, True, False, False, False])


def sets(matching: Matching) -> list[int]:
    assert matching.matched_set is not None
    return matching.matched_set.tolist()


def test_matching_goes_down_the_scores() -> None:
    # 5 takes 4; 3 takes 2.5; 1 takes 0
    found = match_nearest(SCORE, CHOOSES, caliper=None)
    assert sets(found) == [2, 0, 1, 0, 1, 2]
    assert found.focal.tolist() == [1, 2, 0]
    assert found.match.tolist() == [3, 4, 5]
    assert found.weights.tolist() == [1] * 6
    assert found.ties_decided_by_row_order == 0


def test_matching_up_the_scores() -> None:
    # 1 takes 0; 3 takes 2.5; 5 takes 4 – and from 2, 1 is taken before 3, since those still to choose are higher
    assert sets(match_nearest(SCORE, CHOOSES, caliper=None, order="ascending")) == [0, 2, 1, 2, 1, 0]
    assert sets(match_nearest([2.0, 1.0, 3.0], [True, False, False], caliper=None, order="ascending")) == [0, 0, -1]


def test_matching_within_a_caliper() -> None:
    # a distance equal to the caliper counts
    assert sets(match_nearest(SCORE, CHOOSES, caliper=0.5)) == [-1, -1, 0, -1, 0, -1]
    assert sets(match_nearest(SCORE, CHOOSES, caliper=1.0)) == [2, 0, 1, 0, 1, 2]


def test_matching_takes_the_higher_of_two_equally_near() -> None:
    assert sets(match_nearest([2.0, 1.0, 3.0], [True, False, False], caliper=None)) == [0, -1, 0]


def test_matching_leaves_the_lowest_treated_when_comparators_run_out() -> None:
    assert sets(match_nearest([2.0, 1.0, 3.0], [True, True, False], caliper=None)) == [0, -1, 0]


def test_matching_in_rounds_and_its_weights() -> None:
    # treated 5 and 4; comparators 4.9, 4.8, 3: first 5–4.9 and 4–4.8, then 5–3 is beyond the caliper and 4–3 is not
    found = match_nearest([5, 4, 4.9, 4.8, 3], [1, 1, 0, 0, 0], caliper=1.5, ratio=2)
    assert list(zip(found.focal.tolist(), found.match.tolist(), strict=True)) == [(0, 2), (1, 3), (1, 4)]
    assert sets(found) == [0, 1, 0, 1, 1]
    # shares 1, ½, ½ times 3/2
    assert found.weights.tolist() == [1, 1, 1.5, 0.75, 0.75]


def test_matching_with_replacement_and_its_weights() -> None:
    # 5 takes 4.9 and 4.8, 4 takes 4.8 and then 4.9: shares 1 and 1
    found = match_nearest([5, 4, 4.9, 4.8, 3], [1, 1, 0, 0, 0], caliper=0.95, ratio=2, replace=True)
    assert list(zip(found.focal.tolist(), found.match.tolist(), strict=True)) == [(0, 2), (0, 3), (1, 3), (1, 2)]
    assert found.weights.tolist() == [1, 1, 1, 1, 0]
    assert found.matched_set is None
    # 5 takes 4.9, 4 takes 4.8, 4.7 takes 4.8: shares 1 and 2, times 2/3
    found = match_nearest([5, 4, 4.7, 4.9, 4.8], [1, 1, 1, 0, 0], caliper=None, replace=True)
    assert found.weights == pytest.approx([1, 1, 1, 2 / 3, 4 / 3])


def test_matching_on_exact_variables() -> None:
    # 5 may not take 4
    assert sets(match_nearest(SCORE, CHOOSES, caliper=None, exact=[7, 7, 2, 2, 7, 7])) == [1, 0, 2, 2, 0, 1]


def test_the_first_row_is_taken_and_counted() -> None:
    # two comparators as good, for one treated
    found = match_nearest([1.0, 1.5, 1.5], [True, False, False], caliper=None)
    assert sets(found) == [0, 0, -1]
    assert found.ties_decided_by_row_order == 1
    # two treated as good, for one comparator
    found = match_nearest([1.0, 1.0, 1.5], [True, True, False], caliper=None)
    assert sets(found) == [0, -1, 0]
    assert found.ties_decided_by_row_order == 1
    # all tied: the last pair had no alternative
    found = match_nearest(np.zeros(6), [1, 0, 1, 0, 1, 0], caliper=0.0)
    assert sets(found) == [0, 0, 1, 1, 2, 2]
    assert found.ties_decided_by_row_order == 2


def test_a_matching_without_a_pair() -> None:
    found = match_nearest([0.0, 5.0], [True, False], caliper=1.0)
    assert sets(found) == [-1, -1]
    assert found.weights.tolist() == [0, 0]


def test_pooled_standard_deviation() -> None:
    # treated 1, 5, 3: variance 4; comparators 4, 2.5, 0: variance 49/12
    assert pooled_within_sd(SCORE, CHOOSES) == pytest.approx(sqrt((4 + 49 / 12) / 2))


#   numeric, binary, constant, constant within arms only
COLUMNS = np.array([[1, 1, 7, 1], [3, 0, 7, 1], [2, 1, 7, 0], [2, 1, 7, 0], [5, 0, 7, 0]], dtype=float)
TREATED = np.array([True, True, False, False, False])


def test_standardised_differences() -> None:
    # means 2 and 3, variances 2 and 3; shares 1/2 and 2/3, variances 1/2 and 1/3
    found = standardised_differences(COLUMNS, TREATED)
    assert found[:2] == pytest.approx([-1 / sqrt(5 / 2), -(1 / 6) / sqrt(5 / 12)])
    assert found[2:].tolist() == [0, inf]


def test_standardised_differences_keep_the_unweighted_spread() -> None:
    # the treated weigh 1 and 3: mean 5/2
    assert standardised_differences(COLUMNS, TREATED, [1, 3, 1, 1, 1])[0] == pytest.approx(-(1 / 2) / sqrt(5 / 2))


def test_variance_ratios() -> None:
    found = variance_ratios(COLUMNS, TREATED)
    assert found[:2] == pytest.approx([2 / 3, 3 / 2])
    assert isnan(found[2])
    # the treated weigh 1 and 3: Σw(x−5/2)² = 3, times Σw/((Σw)² − Σw²) = 4/6
    assert variance_ratios(COLUMNS, TREATED, [1, 3, 1, 1, 1])[0] == pytest.approx(2 / 3)


def test_kolmogorov_smirnov() -> None:
    # numeric: at 1 the treated are at 1/2, the comparators at 0; at 2: 1/2 and 2/3
    assert ks_statistics(COLUMNS, TREATED) == pytest.approx([1 / 2, 1 / 6, 0, 1])
    # the treated weigh 1 and 3: at 2 they are at 1/4, the comparators at 2/3
    assert ks_statistics(COLUMNS, TREATED, [1, 3, 1, 1, 1])[0] == pytest.approx(5 / 12)


def test_effective_sample_size() -> None:
    assert effective_sample_size([1, 1, 1, 1]) == pytest.approx(4)
    assert effective_sample_size([3, 1, 0]) == pytest.approx(16 / 10)


def test_c_statistic() -> None:
    # pairs: 2 beats 1, ties 2, beats 0; 0.5 loses twice, beats 0
    assert c_statistic([2, 0.5, 1, 2, 0], [1, 1, 0, 0, 0]) == pytest.approx(3.5 / 6)
    # the first of the ones weighs 2
    assert c_statistic([2, 0.5, 1, 2, 0], [1, 1, 0, 0, 0], [2, 1, 1, 1, 1]) == pytest.approx(6 / 9)


def test_equipoise() -> None:
    # half are treated, so the preference score is the propensity score
    assert equipoise_share(PROPENSITY, ARM) == pytest.approx(1 / 4)
    # a quarter is treated: odds times 3, hence preferences 1/2, 3/4, 12/13, 3/7
    assert equipoise_share(PROPENSITY, [True, False, False, False]) == pytest.approx(1 / 2)
