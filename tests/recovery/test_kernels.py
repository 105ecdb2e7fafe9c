"""The kernels on simulated patients whose truth is known: bias, and coverage of the 95 % interval."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.special import expit

from parallax.statistics.cox import fit_cox
from parallax.statistics.intervals import normal_interval
from parallax.statistics.logistic import fit_logistic
from parallax.statistics.survival import restricted_mean_difference, survival_difference

pytestmark = pytest.mark.slow
REPETITIONS = 2000
#: three Monte-Carlo standard errors of a coverage of 95 %, and half a point for the finite sample
COVERAGE = 0.95 + np.array([-1, 1]) * (3 * np.sqrt(0.95 * 0.05 / REPETITIONS) + 0.005)


def assert_recovers(estimate: Callable[[np.random.Generator], tuple[float, float]], truth: float) -> None:
    rng = np.random.default_rng(2026)
    found = np.array([estimate(rng) for _ in range(REPETITIONS)])
    bounds = [normal_interval(value, std_error) for value, std_error in found]
    covered = np.mean([lower <= truth <= upper for lower, upper in bounds])
    spread = found[:, 0].std()
    assert COVERAGE[0] <= covered <= COVERAGE[1]
    assert abs(found[:, 0].mean() - truth) < 4 * spread / np.sqrt(REPETITIONS) + 0.02 * spread
    assert np.sqrt(np.mean(found[:, 1] ** 2)) == pytest.approx(spread, rel=0.06)


def draw_arms(rng: np.random.Generator, n: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Exponential times, hazard 0.1 and 0.06 of the treated, uniform censoring, weights that say nothing about the outcome."""
    treated = rng.random(n) < 0.5
    event_time, censored = rng.exponential(1 / np.where(treated, 0.06, 0.1)), rng.uniform(2, 30, n)
    return np.minimum(event_time, censored), event_time <= censored, treated, rng.lognormal(0, 0.7, n)


def test_weighted_cox_with_robust_variance() -> None:
    def estimate(rng: np.random.Generator) -> tuple[float, float]:
        time, event, treated, weight = draw_arms(rng)
        fit = fit_cox(time, event, treated[:, None], weights=weight)
        return fit.coefficients[0], np.sqrt(fit.covariance_robust[0, 0])

    assert_recovers(estimate, np.log(0.6))


def test_weighted_risk_difference() -> None:
    def estimate(rng: np.random.Generator) -> tuple[float, float]:
        time, event, treated, weight = draw_arms(rng)
        found = survival_difference(time, event, treated, 8.0, weights=weight)
        return found.estimate, found.std_error

    assert_recovers(estimate, np.exp(-0.8) - np.exp(-0.48))


def test_weighted_restricted_mean_difference() -> None:
    def estimate(rng: np.random.Generator) -> tuple[float, float]:
        time, event, treated, weight = draw_arms(rng)
        found = restricted_mean_difference(time, event, treated, 8.0, weights=weight)
        return found.estimate, found.std_error

    assert_recovers(estimate, (1 - np.exp(-0.48)) / 0.06 - (1 - np.exp(-0.8)) / 0.1)


@pytest.mark.parametrize("measure", [survival_difference, restricted_mean_difference])
def test_matched_sets(measure) -> None:
    # pairs share a gamma frailty of shape 1, so S(t) = 1/(1 + λt); only the clustered variance covers
    def estimate(rng: np.random.Generator) -> tuple[float, float]:
        sets = np.repeat(np.arange(200), 2)
        treated = np.tile([True, False], 200)
        hazard = np.where(treated, 0.06, 0.1) * np.repeat(rng.exponential(size=200), 2)
        event_time, censored = rng.exponential(1 / hazard), rng.uniform(2, 30, 400)
        found = measure(np.minimum(event_time, censored), event_time <= censored, treated, 8.0)
        return found.estimate, found.clustered_std_error(sets)

    risk = 1 / (1 + 0.8) - 1 / (1 + 0.48)
    mean = np.log(1 + 0.48) / 0.06 - np.log(1 + 0.8) / 0.1
    assert_recovers(estimate, risk if measure is survival_difference else mean)


def test_logistic() -> None:
    def estimate(rng: np.random.Generator) -> tuple[float, float]:
        x = rng.normal(size=400)
        fit = fit_logistic(np.column_stack([np.ones(400), x]), rng.random(400) < expit(-0.5 + 0.4 * x))
        return fit.coefficients[1], np.sqrt(fit.covariance[1, 1])

    assert_recovers(estimate, 0.4)
