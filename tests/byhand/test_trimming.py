"""Trimming and truncation on a handful of patients."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from parallax.errors import NotEstimable, StatisticsError
from parallax.statistics.trimming import trim_crump, trim_sturmer, trim_symmetric
from parallax.statistics.weighting import truncate_weights

SCORE = np.array([0.05, 0.1, 0.5, 0.9, 0.95, 0.3])
ARM = np.array([True, True, True, False, False, False])


def test_symmetric_keeps_the_cut_points() -> None:
    trim = trim_symmetric(SCORE, ARM)
    assert trim.kept.tolist() == [False, True, True, True, False, True]
    assert (trim.lower, trim.upper, trim.excluded_treated, trim.excluded_comparator) == (0.1, 0.9, 1, 1)
    assert trim_symmetric(SCORE, ARM, alpha=0.0).kept.all()


def test_sturmer_cuts_the_treated_from_below_and_the_comparators_from_above() -> None:
    # a quarter of the four gaps of five patients: the second from below, the second from above
    treated, comparator = np.array([0.15, 0.4, 0.6, 0.7, 0.95]), np.array([0.05, 0.2, 0.5, 0.8, 0.85])
    trim = trim_sturmer(np.concatenate([treated, comparator]), np.repeat([True, False], 5), percentile=0.25)
    assert (trim.lower, trim.upper) == (0.4, 0.8)
    assert trim.kept.tolist() == [False, True, True, True, False, False, False, True, True, False]
    assert (trim.excluded_treated, trim.excluded_comparator) == (2, 3)


def test_crump_keeps_everyone_where_scores_are_alike() -> None:
    # g = 4 and 100/21: the largest is below twice the mean
    trim = trim_crump([0.5, 0.3, 0.7, 0.5], [1, 0, 1, 0])
    assert trim.kept.all()
    assert (trim.lower, trim.upper) == (0.0, 1.0)


def test_crump_by_hand() -> None:
    # g = 4, 4, 4 and 1/(0.01 · 0.99) ≈ 101: the three are kept, γ = 2 · 4 = 8, α = ½ − √(¼ − ⅛)
    trim = trim_crump([0.5, 0.5, 0.01, 0.5], [1, 0, 1, 0])
    assert trim.kept.tolist() == [True, True, False, True]
    assert trim.lower == pytest.approx(0.5 - sqrt(1 / 8))
    assert trim.upper == pytest.approx(0.5 + sqrt(1 / 8))


def test_a_trim_that_empties_an_arm() -> None:
    with pytest.raises(NotEstimable, match="empty after the trim"):
        trim_symmetric([0.05, 0.5], [1, 0])
    with pytest.raises(NotEstimable, match="empty after the trim"):
        trim_sturmer([0.9, 0.8, 0.1, 0.2], [1, 1, 0, 0])


@pytest.mark.parametrize("trim", [trim_symmetric, trim_crump, trim_sturmer])
def test_trims_name_bad_input(trim) -> None:
    with pytest.raises(NotEstimable, match="one arm is empty"):
        trim([0.5], [1])
    with pytest.raises(NotEstimable, match="positivity: some propensity scores"):
        trim([0.5, 1.0], [1, 0])
    with pytest.raises(StatisticsError, match="propensity: 1 of 2 values are NaN"):
        trim([0.5, np.nan], [1, 0])


def test_trims_allow_less_than_half() -> None:
    with pytest.raises(StatisticsError, match=r"alpha: found 0\.5"):
        trim_symmetric(SCORE, ARM, alpha=0.5)
    with pytest.raises(StatisticsError, match=r"percentile: found -0\.1"):
        trim_sturmer(SCORE, ARM, percentile=-0.1)


#                    treated                comparators, the last outside the design
WEIGHTS = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 3.0, 4.0, 9.0, 0.0])
TREATED = np.arange(11) < 5


def test_truncation_within_the_arm() -> None:
    # quartiles of 1, 2, 3, 4, 9
    found = truncate_weights(WEIGHTS, TREATED, quantiles=(0.25, 0.75))
    assert found.weights.tolist() == [1, 1, 1, 1, 1, 2, 2, 3, 4, 4, 0]
    assert np.flatnonzero(found.truncated).tolist() == [5, 9]
    assert found.cut_points.tolist() == [[2, 4], [1, 1]]
    above = truncate_weights(WEIGHTS, TREATED, quantiles=(0.0, 0.5))
    assert above.weights.tolist() == [1, 1, 1, 1, 1, 1, 2, 3, 3, 3, 0]


def test_truncation_does_not_mind_stabilisation() -> None:
    scale = np.where(TREATED, 0.2, 0.8)
    one, other = (truncate_weights(w, TREATED, quantiles=(0.1, 0.6)).weights for w in (WEIGHTS * scale, WEIGHTS))
    assert one == pytest.approx(other * scale)


def test_truncation_names_bad_input() -> None:
    with pytest.raises(StatisticsError, match=r"quantiles: found 0\.9 and 0\.1"):
        truncate_weights(WEIGHTS, TREATED, quantiles=(0.9, 0.1))
    with pytest.raises(StatisticsError, match="weights: 1 of 11 values are negative"):
        truncate_weights(np.where(WEIGHTS == 9.0, -1.0, WEIGHTS), TREATED, quantiles=(0.0, 0.9))
    with pytest.raises(NotEstimable, match="one arm is empty"):
        truncate_weights(WEIGHTS * TREATED, TREATED, quantiles=(0.0, 0.9))
