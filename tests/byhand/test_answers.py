"""Means, rates, tests and robustness on a few patients and numbers, worked by hand."""

from __future__ import annotations

from math import exp, log, pi, sqrt

import numpy as np
import pytest

from parallax.errors import NotEstimable
from parallax.statistics.arm_means import weighted_means, weighted_rates
from parallax.statistics.e_values import approximate_risk_ratio, e_value, e_values
from parallax.statistics.empirical_calibration import (
    Null,
    bound_null,
    calibrate_interval,
    calibrate_p,
    compare_nulls,
    expected_absolute_systematic_error,
    fit_null,
)
from parallax.statistics.log_rank import compare_hazards
from parallax.statistics.multiplicity import adjust_holm, heterogeneity
from parallax.statistics.proportional_hazards import measure_trend


def test_weighted_means_and_their_contrasts() -> None:
    # treated 1 of weight 3 and 0 of weight 1: 3/4; comparators 1 and 0: 1/2
    pair = weighted_means([1, 0, 1, 0], [1, 1, 0, 0], weights=[3, 1, 1, 1])
    assert (pair.treated, pair.comparator) == (3 / 4, 1 / 2)
    assert pair.influence_treated == pytest.approx([3 * (1 / 4) / 4, -(3 / 4) / 4, 0, 0])
    assert pair.difference().estimate == 1 / 4
    assert pair.log_ratio().estimate == pytest.approx(log(3 / 2))
    assert pair.log_odds_ratio().estimate == pytest.approx(log(3))
    # unweighted comparators: variance of a mean of two, p(1 − p)/2
    assert pair.difference().std_error == pytest.approx(sqrt(2 * (3 / 16) ** 2 + 1 / 8))


def test_rates_count_person_time() -> None:
    pair = weighted_rates([2, 1, 0, 3], [10, 20, 30, 10], [1, 1, 0, 0])
    assert (pair.treated, pair.comparator) == pytest.approx((3 / 30, 3 / 40))
    assert pair.log_ratio().estimate == pytest.approx(log(4 / 3))


def test_what_cannot_be_a_ratio_says_so() -> None:
    with pytest.raises(NotEstimable, match="above zero in the comparator arm"):
        weighted_means([1, 0, 0, 0], [1, 1, 0, 0]).log_ratio()
    with pytest.raises(NotEstimable, match="below one in the treated arm"):
        weighted_means([1, 1, 0, 1], [1, 1, 0, 0]).log_odds_ratio()
    with pytest.raises(NotEstimable, match="no variation"):
        weighted_means([1, 1, 1, 1], [1, 1, 0, 0]).difference()
    with pytest.raises(NotEstimable, match="comparator arm is empty"):
        weighted_means([1, 0], [1, 1])


def test_log_rank_of_four_patients() -> None:
    # deaths at 1 (treated; 2 of 4 at risk treated), 2 (comparator; 1 of 3), 3 (treated; 1 of 2)
    found = compare_hazards([1, 2, 3, 4], [1, 1, 1, 0], [1, 0, 1, 0])
    variance = 1 / 4 + 2 / 9 + 1 / 4
    assert (found.observed, found.expected) == pytest.approx((2, 1 / 2 + 1 / 3 + 1 / 2))
    assert found.log_ratio == pytest.approx((2 - 4 / 3) / variance)
    assert found.statistic == pytest.approx((2 / 3) ** 2 / variance)
    assert found.influence.sum() == pytest.approx(found.log_ratio)


def test_log_rank_needs_an_event_with_both_arms_at_risk() -> None:
    with pytest.raises(NotEstimable, match="both arms are at risk"):
        compare_hazards([1, 2, 3], [0, 0, 1], [1, 1, 0])


def test_a_trend_needs_two_event_times() -> None:
    with pytest.raises(NotEstimable, match="one time only"):
        measure_trend([1, 1, 2, 2, 3, 3], [1, 1, 0, 0, 0, 0], [1, 0, 1, 0, 1, 0])


def test_e_values_of_the_paper() -> None:
    # VanderWeele & Ding (2017, p. 270): 3.9 (1.8 to 8.7) has E-values 7.26 and 3.0
    found = e_values(3.9, 1.8, 8.7)
    assert (found.estimate, found.bound) == pytest.approx((7.26, 3.0), abs=0.005)
    assert e_value(1 / 3.9) == pytest.approx(e_value(3.9))
    assert e_values(1.2, 0.9, 1.6).bound == 1
    assert e_values(0.5, 0.3, 0.8).bound == pytest.approx(1.25 + sqrt(1.25 * 0.25))
    assert e_value(1) == 1


def test_common_outcomes_are_taken_to_risk_ratios_first() -> None:
    assert approximate_risk_ratio(4.0, "odds_ratio", rare=False) == 2
    assert approximate_risk_ratio(4.0, "odds_ratio", rare=True) == 4
    assert approximate_risk_ratio(4.0, "hazard_ratio", rare=False) == pytest.approx((1 - 0.25) / (1 - sqrt(0.5)))
    assert approximate_risk_ratio(1.0, "hazard_ratio", rare=False) == 1


def test_negative_controls_of_equal_precision() -> None:
    # with one s for all, μ is the mean and σ² the variance (over k) less s²
    null = fit_null([0.1, 0.3, 0.5], [0.1, 0.1, 0.1])
    assert (null.mean, null.sd**2) == pytest.approx((0.3, 0.08 / 3 - 0.01), abs=1e-9)
    assert fit_null([0.1, 0.12], [0.5, 0.5]).sd == 0
    with pytest.raises(NotEstimable, match="fewer than two"):
        fit_null([0.1], [0.1])


def test_bounds_of_three_controls_of_equal_precision() -> None:
    y, s = [0.1, 0.3, 0.5], [0.1, 0.1, 0.1]
    bounds = bound_null(fit_null(y, s), y, s)
    # Σ(y − μ)² = 0.08: the t interval of a mean of three; χ² of two degrees of freedom has the quantiles −2 log(1 − p)
    assert bounds.mean == pytest.approx((0.3 - 4.302653 * sqrt(0.04 / 3), 0.3 + 4.302653 * sqrt(0.04 / 3)), abs=1e-6)
    assert bounds.sd == pytest.approx(tuple(sqrt(0.08 / (-2 * log(tail)) - 0.01) for tail in (0.025, 0.975)), abs=1e-9)
    # they scatter less than their errors: no interval of σ, and that of μ is no narrower than the errors allow
    close = bound_null(Null(0.3, 0.0), [0.3, 0.3, 0.3], s)
    assert close.sd == (0.0, 0.0)
    assert close.mean == pytest.approx((0.3 - 4.302653 * 0.1 / sqrt(3), 0.3 + 4.302653 * 0.1 / sqrt(3)), abs=1e-6)


def test_the_difference_of_two_nulls_is_paired() -> None:
    y, s = np.array([0.1, 0.3, 0.8]), [0.1, 0.1, 0.1]
    added = np.array([0.2, 0.0, 0.1])
    found = compare_nulls(y + added, s, y, s)
    # equal errors: the paired t interval of 0.2, 0, 0.1, whose variance is 0.01
    half = 4.302653 * sqrt(0.01 / 3)
    assert (found.mean, found.lower, found.upper) == pytest.approx((0.1, 0.1 - half, 0.1 + half), abs=1e-6)
    assert found.sd == pytest.approx(fit_null(y + added, s).sd - fit_null(y, s).sd)
    two = compare_nulls([0.2, 0.4], [0.1, 0.1], [0.1, 0.1], [0.1, 0.1])
    assert two.mean == pytest.approx(0.2)
    assert np.isnan(two.lower)
    with pytest.raises(NotEstimable, match="fewer than two"):
        compare_nulls([0.2], [0.1], [0.1], [0.1])


def test_calibration_moves_and_widens() -> None:
    null = Null(0.3, 0.4)
    found = calibrate_interval(null, 1.0, 0.3)
    assert (found.estimate, found.std_error) == pytest.approx((0.7, 0.5))
    assert (found.lower, found.upper) == pytest.approx((0.7 - 1.959964 * 0.5, 0.7 + 1.959964 * 0.5), abs=1e-6)
    assert calibrate_p(null, 0.3, 0.3) == 1
    assert calibrate_p(null, 0.3 + 1.959964 * 0.5, 0.3) == pytest.approx(0.05, abs=1e-6)
    assert expected_absolute_systematic_error(Null(0.0, 0.4)) == pytest.approx(0.4 * sqrt(2 / pi))
    assert expected_absolute_systematic_error(Null(-0.3, 0.0)) == 0.3
    assert expected_absolute_systematic_error(Null(10.0, 0.4)) == pytest.approx(10)


def test_holm_by_hand_and_who_leaves_the_family() -> None:
    assert adjust_holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert np.isnan(adjust_holm([np.nan, 0.04]))[0]
    assert adjust_holm([np.nan, 0.04])[1] == 0.04


def test_two_groups_differ_by_the_squared_z() -> None:
    found = heterogeneity([log(2), log(1)], [0.3, 0.4])
    assert found.statistic == pytest.approx((log(2) / 0.5) ** 2)
    assert found.df == 1
    assert exp(-found.statistic / 2) > 0
    with pytest.raises(NotEstimable, match="fewer than two groups"):
        heterogeneity([1.0], [1.0])
