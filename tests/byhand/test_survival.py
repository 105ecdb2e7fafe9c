"""Kaplan–Meier curves and differences on a handful of patients, answers as fractions."""

from __future__ import annotations

from fractions import Fraction
from math import exp, log, sqrt

import numpy as np
import pytest

from parallax.errors import NotEstimable
from parallax.statistics.survival import kaplan_meier, restricted_mean_difference, survival_difference

# 1 event, 2 censored, 3 two events of which one patient is censored at 3 too, 5 censored
TIME = np.array([1, 2, 3, 3, 3, 5], dtype=float)
EVENT = np.array([1, 0, 1, 1, 0, 0])


def test_curve_with_ties_and_censoring() -> None:
    curve = kaplan_meier(TIME, EVENT)
    assert curve.times.tolist() == [0, 1, 2, 3, 5]
    assert curve.at_risk.tolist() == [6, 6, 5, 4, 1]
    assert curve.events.tolist() == [0, 1, 0, 2, 0]
    assert curve.survival == pytest.approx([1, Fraction(5, 6), Fraction(5, 6), Fraction(5, 12), Fraction(5, 12)])
    # Greenwood: Σ d/(Y(Y−d)) = 1/30, then + 2/(4·2)
    first, later = float(Fraction(5, 6)) * sqrt(Fraction(1, 30)), float(Fraction(5, 12)) * sqrt(Fraction(1, 30) + Fraction(1, 4))
    assert curve.std_error == pytest.approx([0, first, first, later, later])
    stretch = exp(1.959963984540054 * sqrt(1 / 30 + 1 / 4) / -log(5 / 12))
    assert (curve.lower[3], curve.upper[3]) == pytest.approx(((5 / 12) ** stretch, (5 / 12) ** (1 / stretch)))
    assert (curve.lower[0], curve.upper[0]) == (1, 1)


def test_lookup_between_and_beyond_the_steps() -> None:
    assert kaplan_meier(TIME, EVENT).at([0, 0.5, 1, 2.9, 3, 99]) == pytest.approx([1, 1, 5 / 6, 5 / 6, 5 / 12, 5 / 12])


def test_weighted_curve() -> None:
    # weights 2 and 1: S(1) = 1 − 2/3; influences on log S(1): the event 2·(−1/3), the survivor 1·2/(3·1)
    curve = kaplan_meier([1.0, 2.0], [1, 0], weights=[2.0, 1.0])
    assert curve.survival == pytest.approx([1, Fraction(1, 3), Fraction(1, 3)])
    assert curve.std_error[1] == pytest.approx(1 / 3 * sqrt(2 * (2 / 3) ** 2))
    assert curve.at_risk.tolist() == [3, 3, 1]


def test_curve_that_reaches_zero_has_no_band_there() -> None:
    curve = kaplan_meier([1.0, 2.0], [1, 1])
    assert curve.survival.tolist() == [1, 0.5, 0]
    assert curve.std_error[2] == 0
    assert np.isnan(curve.lower[2])
    assert np.isnan(curve.upper[2])


def test_curve_without_events_stays_at_one() -> None:
    curve = kaplan_meier([1.0, 2.0], [0, 0])
    assert curve.survival.tolist() == curve.lower.tolist() == curve.upper.tolist() == [1, 1, 1]


# treated: events at 1 and 3 of 4, all followed to 4; comparators: an event at 2 of 3, one censored at 1
ARM_TIME = np.array([1, 3, 4, 4, 2, 1, 4], dtype=float)
ARM_EVENT = np.array([1, 1, 0, 0, 1, 0, 0])
TREATED = np.array([1, 1, 1, 1, 0, 0, 0], dtype=bool)


def test_risk_difference() -> None:
    # treated 1 − S(3) = 1/2 with variance (1/2)²/4; comparator 1 − S(3) = 1/2 with Greenwood (1/2)²·1/(2·1)
    found = survival_difference(ARM_TIME, ARM_EVENT, TREATED, 3.0)
    assert found.estimate == pytest.approx(0, abs=1e-15)
    assert found.std_error == pytest.approx(sqrt(Fraction(1, 16) + Fraction(1, 8)))


def test_risk_difference_before_the_first_event_of_one_arm() -> None:
    found = survival_difference(ARM_TIME, ARM_EVENT, TREATED, 1.0)
    assert found.estimate == pytest.approx(1 / 4)
    assert found.std_error == pytest.approx(sqrt(3 / 64))


def test_restricted_mean_difference() -> None:
    # to day 3: treated 1 + 2·3/4 = 5/2, variance of min(T, 3) = {1, 3, 3, 3} is 3/4, over 4; comparators 2 + 1/2, influence of the event at 2
    # is −∫₂³ S/Y = −1/2·1/2 and of the survivor the opposite, 1/4 each: 2·(1/4)²
    found = restricted_mean_difference(ARM_TIME, ARM_EVENT, TREATED, 3.0)
    assert found.estimate == pytest.approx(5 / 2 - 5 / 2, abs=1e-15)
    assert found.std_error == pytest.approx(sqrt(Fraction(3, 16) + Fraction(1, 8)))


def test_clusters_pair_the_arms() -> None:
    # two pairs with the same course in both arms: the influences cancel, and nothing varies
    time, event, treated = [1.0, 1.0, 2.0, 2.0], [1, 1, 0, 0], [1, 0, 1, 0]
    assert survival_difference(time, event, treated, 1.0).std_error == pytest.approx(sqrt(2 * 1 / 8))
    assert survival_difference(time, event, treated, 1.0).clustered_std_error([0, 1, 1, 0]) == pytest.approx(sqrt(2 * (1 / 2) ** 2))
    with pytest.raises(NotEstimable, match="no variation"):
        survival_difference(time, event, treated, 1.0).clustered_std_error([0, 0, 1, 1])


def test_an_arm_may_die_out_before_the_horizon() -> None:
    # treated all dead at 2: S₁(3) = 0, RMST 3/2; comparators S₀(3) = 1/2, RMST (1 + 3)/2
    time, event, treated = [1.0, 2.0, 1.0, 3.0], [1, 1, 1, 0], [1, 1, 0, 0]
    assert survival_difference(time, event, treated, 3.0).estimate == pytest.approx(1 / 2)
    found = restricted_mean_difference(time, event, treated, 3.0)
    assert found.estimate == pytest.approx(-1 / 2)
    assert found.std_error == pytest.approx(sqrt(Fraction(1, 4) / 2 + Fraction(1, 1) / 2))
