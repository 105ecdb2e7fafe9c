"""The pieces of the survival-aware generator on a handful of patients."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from parallax.protocol import Covariates, OutcomesSection
from parallax.synthesis.copula import CovariateCopula, _score, _solve_correlation
from parallax.synthesis.generator import Context
from parallax.synthesis.hazards import IntervalHazard
from parallax.synthesis.predictors import Predictors
from parallax.synthesis.records import FollowUp, Grid, RecordForm


def test_the_score_of_an_even_question_is_the_mean_of_half_a_normal():
    scores, coefficients = _score(np.array([0, 1, 0, 1]))
    np.testing.assert_allclose(scores, [-np.sqrt(2 / np.pi), np.sqrt(2 / np.pi)], rtol=1e-14)
    np.testing.assert_allclose(coefficients[:3], [2 / np.pi, 0, -2 / np.pi / np.sqrt(6)], atol=1e-14)


def test_two_even_questions_that_agree_in_two_thirds_have_the_correlation_one_half():
    # P(both) = 1/4 + arcsin(ρ)/2π (Sheppard 1899), and 1/3 = 1/4 + arcsin(1/2)/2π
    first = np.array([0, 0, 0, 1, 1, 1])
    second = np.array([0, 0, 1, 0, 1, 1])
    of_answer, coefficients = _score(first)
    covariance = np.mean(of_answer[first] * of_answer[second])
    solved = _solve_correlation(np.full((2, 2), covariance), np.vstack([coefficients, coefficients]))
    assert solved[0, 1] == pytest.approx(0.5, abs=1e-8)


def test_levels_missing_values_and_numbers_are_read_back_in_their_shares():
    context = Context(Covariates(numeric=("x",), categorical=("c",)), OutcomesSection.of({}))
    cohort = pd.DataFrame({"x": [1.0, 1.0, 5.0, np.nan] * 4, "c": pd.array(["a"] * 8 + ["b"] * 4 + [None] * 4, dtype="string")})
    copula = CovariateCopula.fit(cohort, context)
    drawn = pd.DataFrame(copula.draw(40_000, rng=np.random.default_rng(0)))
    assert drawn["c"].value_counts(normalize=True, dropna=False).to_dict() == pytest.approx({"a": 0.5, "b": 0.25, None: 0.25}, abs=0.01)
    assert drawn["x"].isna().mean() == pytest.approx(0.25, abs=0.01)
    assert (drawn["x"] == 1.0).sum() / drawn["x"].notna().sum() == pytest.approx(2 / 3, abs=0.02)


def test_without_covariate_effects_survival_is_the_product_limit():
    # deaths on days 1, 2 and 4, one patient lost on day 2: 3/4, 3/4 · 2/3, and 0 when the last one dies
    days, event, column = np.array([1.0, 2.0, 2.0, 4.0]), np.array([True, True, False, True]), np.array([[1.0], [-1.0], [1.0], [-1.0]])
    (interval,) = IntervalHazard.fit(days, event, column, edges=(), ridge=1e12).intervals
    np.testing.assert_array_equal(interval.times, [1.0, 2.0, 4.0])
    np.testing.assert_allclose(np.exp(-interval.cumulative), [3 / 4, 1 / 2, 0], atol=1e-9)


def test_each_interval_starts_with_those_still_at_risk():
    # day 2 is the edge and belongs to the first interval: 1/4, 1/3 there, then 1/2 and 1
    days, event, column = np.array([1.0, 2.0, 3.0, 4.0]), np.ones(4, dtype=bool), np.array([[1.0], [-1.0], [1.0], [-1.0]])
    first, second = IntervalHazard.fit(days, event, column, edges=(2.0,), ridge=1e12).intervals
    np.testing.assert_allclose(np.exp(-first.cumulative), [3 / 4, 1 / 2], atol=1e-9)
    np.testing.assert_allclose(np.exp(-second.cumulative), [1 / 2, 0], atol=1e-9)


def test_times_are_drawn_in_the_shares_of_the_product_limit():
    days, event, column = np.array([1.0, 2.0, 2.0, 4.0]), np.array([True, True, False, False]), np.array([[1.0], [-1.0], [1.0], [-1.0]])
    hazard = IntervalHazard.fit(days, event, column, edges=(1.0,), ridge=1e12)
    times = hazard.draw(np.zeros((40_000, 1)), rng=np.random.default_rng(1))
    assert {time: np.mean(times == time) for time in (1.0, 2.0, np.inf)} == pytest.approx({1.0: 1 / 4, 2.0: 1 / 4, np.inf: 1 / 2}, abs=0.01)


def test_grids():
    whole = Grid.of(np.array([1.0, 1.0, 2.0, 9.0, 9.0]))
    np.testing.assert_array_equal(whole.nearest(np.array([0.2, 2.4, np.nan, 40.0])), [1, 2, np.nan, 9])
    np.testing.assert_array_equal(whole.above(np.array([-3.0, 0.0, 0.1, 2.0, 2.1, 40.0])), [1, 1, 1, 2, 3, 9])
    assert (whole.unit, whole.before(9.0)) == (1.0, 8.0)
    tenths = Grid.of(np.array([0.5, 0.5, 0.7, 1.1, 1.1]))
    np.testing.assert_allclose(tenths.nearest(np.array([0.64, 0.66])), [0.6, 0.7])
    np.testing.assert_allclose(tenths.above(np.array([0.61, 0.7, 0.0])), [0.7, 0.7, 0.1])
    listed = Grid.of(np.array([0.5, 0.5, 0.75, 0.75, 2.25, 2.25]))
    np.testing.assert_array_equal(listed.nearest(np.array([0.6, 0.7, 1.6])), [0.5, 0.75, 2.25])


def test_a_range_ends_before_the_value_that_one_patient_has():
    # 1 | 4.5 → 5 | 8 … 20 | 26.5 → 26 | 33
    whole = Grid.of(np.array([1.0, 8.0, 9.0, 20.0, 33.0]))
    np.testing.assert_array_equal(whole.nearest(np.array([1.0, 3.0, 8.0, 25.9, 33.0, 40.0])), [5, 5, 8, 26, 26, 26])
    fine = Grid.of(np.array([0.25, 0.5, 1.0, 1.75]))
    np.testing.assert_allclose(fine.nearest(np.array([0.0, 2.0])), [0.38, 1.37])  # of 0.375 and 1.375 inwards
    irrational = Grid.of(np.sqrt([2.0, 3.0, 5.0, 7.0]))
    assert (irrational.lower, irrational.upper) == pytest.approx(((2**0.5 + 3**0.5) / 2, (5**0.5 + 7**0.5) / 2))


@pytest.mark.parametrize(
    ("values", "lower", "upper"),
    [
        ([1, 1, 1, 2, 2, 3, 3, 4, 5], 1, 3),  # 5, then 4 are one patient's
        ([1, 2, 4, 4, 5, 8], 3, 6),  # 1, then 2; below 4 is 3, and below 8 the half of 5 and 8, downwards
        ([1, 2, 3, 3, 4, 5], 3, 3),
        ([1, 2, 5, 6], 3, 4),  # both ends stop between 2 and 5
        ([2, 9], 5, 6),
        ([0] * 9 + [57], 0, 28),
        ([0, 57, 57, 57], 29, 57),
        ([0] * 9 + [1], 0, 0),
        ([0.2, 0.2, 0.3, 0.4], 0.2, 0.2),  # 0.3 is no exact fraction
        ([2, 2, 5], 2, 3),
        # every whole number is one patient's: no other is there
        ([1, 2, 3, 4, 5], 2, 4),
        ([2, 3], 2, 3),
        ([7], 7, 7),
    ],
)
def test_a_range_goes_on_inwards_to_what_no_single_patient_has(values: list[float], lower: float, upper: float) -> None:
    grid = Grid.of(np.array(values, dtype=float))
    assert (grid.lower, grid.upper) == (lower, upper)
    mirrored = Grid.of(-np.array(values, dtype=float))
    assert (mirrored.lower, mirrored.upper) == (-upper, -lower)
    assert grid.without_list().nearest(np.array([-1000.0, 1000.0])).tolist() == [lower, upper]


def test_two_irrational_numbers_become_their_middle() -> None:
    grid = Grid.of(np.sqrt([2.0, 3.0]))
    assert grid.lower == grid.upper == pytest.approx((2**0.5 + 3**0.5) / 2)


def test_gaps_are_filled_with_a_number_that_no_single_patient_has() -> None:
    assert Grid.of(np.array([1.0, 1.0, 1.0, 4.0])).middle == 1  # three have the median
    assert Grid.of(np.array([1.0, 2.0, 5.0, 9.0])).middle == 3.5  # nobody has
    assert Grid.of(np.array([1.0, 2.0, 5.0, 8.0, 9.0])).middle == 7  # 5 is one patient's, and 6.5 is rounded up
    assert Grid.of(np.array([1.0, 2.0, 5.0, 6.0, 6.0])).middle == 6


def test_a_value_that_one_patient_has_is_not_on_the_list():
    listed = Grid.of(np.array([1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 9.0]))
    np.testing.assert_array_equal(listed.nearest(np.array([1.0, 2.0, 9.0])), [1, 2, 2])


def test_a_level_that_one_patient_has_becomes_the_commonest():
    outcomes = OutcomesSection.of({"cured": {"type": "binary", "value": "c", "contrasts": ["risk_difference"]}})
    cohort = pd.DataFrame({"treated": [True, False] * 3, "code": ["A"] * 3 + ["B"] * 2 + ["rare"], "cured_value": [0.0, 1] * 3})
    drawn = {"treated": [True] * 4, "code": ["A", "B", "rare", None], "cured_value": [1.0] * 4}
    restored = RecordForm.of(cohort, Context(Covariates(categorical=("code",)), outcomes)).restore(drawn)
    assert restored["code"].fillna("-").tolist() == ["A", "B", "A", "-"]


def test_a_time_that_one_patient_has_is_spread_among_its_neighbours():
    seen = np.append(np.arange(10.0, 210.0, 10.0), 55.0)  # 10, 20 … 200, and 55
    form = FollowUp.of(np.append(seen, 55.0), np.ones(22, dtype=bool))
    days = form.spread(np.repeat([120.0, 10.0, 200.0, 55.0, 7.5], 10_000), rng=np.random.default_rng(1)).reshape(5, -1)
    for drawn, (low, high) in zip(days[:3], ((70.0, 170.0), (0.0, 55.0), (150.0, 200.0)), strict=True):
        assert ((low < drawn) & (drawn <= high)).all()
        assert drawn.mean() == pytest.approx((low + high) / 2, abs=1.5)
    assert (days[3] == 55).all()  # of two patients
    assert (days[4] == 7.5).all()  # no time seen


def test_the_study_ends_on_the_last_day_where_at_least_one_in_a_hundred_are_followed_so_far():
    days = np.append(np.arange(1.0, 199.0), [250.0, 250.0])
    assert FollowUp.of(days, np.zeros(200, dtype=bool)).administrative == 250
    assert FollowUp.of(np.append(days, 3.0), np.zeros(201, dtype=bool)).administrative is None
    assert FollowUp.of(days, days == 250).administrative is None
    assert FollowUp.of(days[150:-1], np.zeros(49, dtype=bool)).administrative is None  # one patient alone is no study's end


def test_counts_may_take_every_whole_number_between_the_real_ones():
    outcomes = OutcomesSection.of({"falls": {"type": "count", "value": "n", "person_days": "t", "contrasts": ["rate_ratio"]}})
    context = Context(Covariates(numeric=("x",)), outcomes)
    cohort = pd.DataFrame({"treated": [True, False] * 3, "x": 1.0, "falls_value": [0.0, 0, 0, 5, 5, 5], "falls_person_days": [30.0, 365] * 3})
    drawn = {"treated": [True] * 3, "x": [1.0] * 3, "falls_value": [2.0, 3.4, 9.0], "falls_person_days": [-4.0, 40.0, 400.0]}
    restored = RecordForm.of(cohort, context).restore(drawn)
    assert restored["falls_value"].tolist() == [2, 3, 5]
    assert restored["falls_person_days"].tolist() == [30, 30, 365]


def test_regression_columns():
    context = Context(Covariates(numeric=("x",), categorical=("c",)), OutcomesSection.of({}))
    cohort = pd.DataFrame({"x": [1.0, 3.0, np.nan, 5.0], "c": pd.array(["a", "a", "b", None], dtype="string")})
    columns = Predictors.fit(cohort, context, squares=True).standardise(cohort)
    # x, its gap filled with the median 3 (mean 3, variance 2); the gap; x squared (mean 2, variance 4); missing c; level b
    gap = np.array([-1, -1, 3, -1]) / np.sqrt(3)
    missing, level = np.array([-1, -1, -1, 3]) / np.sqrt(3), np.array([-1, -1, 3, -1]) / np.sqrt(3)
    expected = np.column_stack([np.array([-2, 0, 0, 2]) / np.sqrt(2), gap, [1, -1, -1, 1], missing, level])
    np.testing.assert_allclose(columns, expected, atol=1e-12)
