"""Optimal, Mahalanobis and coarsened exact matching on a handful of patients."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from parallax.errors import NotEstimable, StatisticsError
from parallax.statistics.coarsened_matching import match_coarsened
from parallax.statistics.mahalanobis_matching import match_mahalanobis
from parallax.statistics.matching import Matching, match_nearest
from parallax.statistics.optimal_matching import match_optimal


def pairs(matching: Matching) -> set[tuple[int, int]]:
    return set(zip(matching.focal.tolist(), matching.match.tolist(), strict=True))


def test_optimal_beats_greedy() -> None:
    # treated 4 and 3, comparators 3.1 and 5.5: greedily 4–3.1 and 3–5.5, 3.4 in all; together 4–5.5 and 3–3.1, 1.6
    score, treated = np.array([4, 3, 3.1, 5.5]), np.array([True, True, False, False])
    assert pairs(match_nearest(score, treated, caliper=5)) == {(0, 2), (1, 3)}
    found = match_optimal(score, treated, caliper=5)
    assert pairs(found) == {(0, 3), (1, 2)}
    assert found.weights.tolist() == [1, 1, 1, 1]
    # within 2 the greedy matching leaves 3 alone; the optimal one matches both
    assert pairs(match_nearest(score, treated, caliper=2)) == {(0, 2)}
    assert pairs(match_optimal(score, treated, caliper=2)) == {(0, 3), (1, 2)}
    assert pairs(match_optimal(score, treated, caliper=5, exact=[1, 2, 1, 1])) == {(0, 2)}


def test_optimal_counts_patients_who_could_change_places() -> None:
    assert match_optimal([1, 2, 1, 1], [1, 1, 0, 0], caliper=2).ties_decided_by_row_order == 2
    assert match_optimal([1, 2, 1, 3], [1, 1, 0, 0], caliper=2).ties_decided_by_row_order == 0
    assert match_optimal(np.zeros(4), [1, 1, 0, 0], caliper=1).ties_decided_by_row_order == 2


def test_optimal_names_bad_input() -> None:
    with pytest.raises(NotEstimable, match="one arm is empty"):
        match_optimal([1.0], [1], caliper=1)
    with pytest.raises(StatisticsError, match="caliper: found inf"):
        match_optimal([1.0, 2.0], [1, 0], caliper=np.inf)
    with pytest.raises(StatisticsError, match="score: 1 of 2 values are NaN"):
        match_optimal([1.0, np.nan], [1, 0], caliper=1)
    assert pairs(match_optimal([1.0, 5.0], [1, 0], caliper=1)) == set()


#                     treated, comparators: one near on the score, one on the covariate
COLUMNS = np.array([[0.0], [9], [3], [0], [1], [8]])
TREATED = np.array([True, True, False, False, False, False])


def test_mahalanobis_prefers_covariates_within_the_caliper() -> None:
    score = np.array([0, 1, 0, 0.9, 0.4, 1.1])
    # the first of the treated would take row 3 but for the caliper on the score
    assert pairs(match_mahalanobis(COLUMNS, TREATED, score=score, caliper=None)) == {(1, 5), (0, 3)}
    assert pairs(match_mahalanobis(COLUMNS, TREATED, score=score, caliper=0.5)) == {(1, 5), (0, 4)}
    assert pairs(match_mahalanobis(COLUMNS, TREATED, score=score, caliper=0.5, exact=[0, 0, 0, 0, 1, 1])) == {(1, 3), (0, 2)}


def test_mahalanobis_takes_the_first_row_and_counts() -> None:
    found = match_mahalanobis([[0.0], [1], [1], [3], [2]], [1, 0, 0, 0, 1], score=[5, 0, 0, 0, 1], caliper=None)
    # the first has two at a distance of one, the second then one at either side
    assert pairs(found) == {(0, 1), (4, 2)}
    assert found.ties_decided_by_row_order == 2


def test_mahalanobis_names_bad_input() -> None:
    with pytest.raises(NotEstimable, match="collinear") as fault:
        match_mahalanobis(np.column_stack([COLUMNS, 2 * COLUMNS]), TREATED, score=np.zeros(6), caliper=None)
    assert fault.value.columns == (1,)
    with pytest.raises(NotEstimable, match="one arm is empty"):
        match_mahalanobis([[1.0]], [1], score=[0.0], caliper=None)
    with pytest.raises(StatisticsError, match="caliper: found -1"):
        match_mahalanobis(COLUMNS, TREATED, score=np.zeros(6), caliper=-1)


def test_coarsened_strata_and_weights() -> None:
    age, sex = [10, 19, 20, 35, 12, 18, 36, 50], [0, 0, 0, 1, 0, 0, 1, 1]
    treated = [1, 0, 1, 1, 0, 0, 0, 0]
    found = match_coarsened(np.column_stack([age, sex]), treated, bins={0: [20, 40]})
    # strata: below 20 and sex 0 (1 treated, 3 comparators), 20 to 40 and sex 0 (1, 0), 20 to 40 and sex 1 (1, 1), 40 on (0, 1)
    assert found.stratum.tolist() == [0, 0, -1, 1, 0, 0, 1, -1]
    # two treated, four comparators: 1/3 · 2 and 1 · 2
    third = Fraction(2, 3)
    assert found.weights == pytest.approx([1, third, 0, 1, third, third, 2, 0])


def test_coarsened_bins() -> None:
    x = np.array([[0.0], [1], [2], [3], [4], [5], [6], [8]])
    treated = np.arange(8) % 2
    # eight patients: four bins of two, the last with its end
    assert match_coarsened(x, treated).stratum.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert match_coarsened(x, treated, bins={0: 1}).stratum.tolist() == [0] * 8
    assert match_coarsened(x[[0, 0, 1, 1]], [0, 1, 0, 1], bins={0: np.unique(x)}).stratum.tolist() == [0, 0, 1, 1]


def test_coarsened_names_bad_input() -> None:
    with pytest.raises(NotEstimable, match="no stratum holds patients of both arms"):
        match_coarsened([[0.0], [1.0]], [0, 1])
    with pytest.raises(NotEstimable, match="one arm is empty"):
        match_coarsened([[0.0]], [1])
    with pytest.raises(StatisticsError, match="bins of column 0: found 0"):
        match_coarsened([[0.0], [1.0]], [0, 1], bins={0: 0})
    with pytest.raises(StatisticsError, match="bins of column 0: allowed are finite cut-points"):
        match_coarsened([[0.0], [1.0]], [0, 1], bins={0: [3, 2]})
