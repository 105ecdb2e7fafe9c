"""Two routes to one number: the restricted likelihood and conditioning on summaries, each also from the normal distribution itself."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose
from scipy.linalg import null_space
from scipy.stats import multivariate_normal

from parallax.statistics.autocorrelation import Correlation, _restricted_likelihood, profile_scales
from parallax.statistics.conditioning import condition_series
from parallax.statistics.series import summarise_series


def irregular(rng: np.random.Generator, patients: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    return np.sort(rng.uniform(-30, 0, (patients, length)), axis=1), rng.normal(50, 10, (patients, length))


def test_restricted_likelihood_is_that_of_the_contrasts_free_of_the_line() -> None:
    """log density of Kᵀy ~ N(0, σ̂²KᵀRK), K orthonormal and orthogonal to X, differs from the formula by terms free of R."""
    times, values = irregular(np.random.default_rng(1), 6, 8)
    found = []
    for correlation in (Correlation(0.0, 1.0), Correlation(0.75, 3.0), Correlation(1.0, 20.0)):
        scales, direct = profile_scales(times, values, correlation), 0.0
        for patient in range(len(times)):
            line = np.column_stack([np.ones(8), times[patient] - times[patient].mean()])
            contrasts = null_space(line.T)
            covariance = scales[patient] ** 2 * contrasts.T @ correlation.between(times[patient]) @ contrasts
            direct += multivariate_normal(np.zeros(6), covariance).logpdf(contrasts.T @ values[patient])
        found.append((direct, _restricted_likelihood(times, values, correlation)))
    direct, formula = np.array(found).T
    assert_allclose(np.diff(direct), np.diff(formula), rtol=1e-9)


def test_conditioning_moves_draws_to_the_conditional_distribution() -> None:
    """Mean and covariance of many moved draws are the textbook's: RAᵀ(ARAᵀ)⁻¹b and R − RAᵀ(ARAᵀ)⁻¹AR."""
    rng, days = np.random.default_rng(2), np.array([-9.0, -4.0, -3.0, 0.0])
    covariance = Correlation(0.8, 3.0).between(days)
    rows, targets = np.array([[0.25] * 4, [0.0, 0.0, 0.0, 1.0]]), np.array([0.5, -1.0])
    gain = covariance @ rows.T @ np.linalg.inv(rows @ covariance @ rows.T)
    draws = 200_000
    drawn = rng.multivariate_normal(np.zeros(4), covariance, draws)
    wide = {"lower": np.full(draws, -np.inf), "upper": np.full(draws, np.inf)}
    moved = condition_series(
        drawn, np.broadcast_to(rows, (draws, 2, 4)), np.broadcast_to(targets, (draws, 2)), np.broadcast_to(covariance, (draws, 4, 4)), **wide
    )
    error = 5 / np.sqrt(draws)
    assert_allclose(moved.mean(axis=0), gain @ targets, atol=error)
    assert_allclose(np.cov(moved.T), covariance - gain @ rows @ covariance, atol=error)


def test_slope_is_that_of_least_squares() -> None:
    rng = np.random.default_rng(3)
    times, values = irregular(rng, 5, 7)
    order = rng.permutation(35)
    patient = np.repeat(np.arange(5), 7)[order]
    found = summarise_series(patient, times.ravel()[order], values.ravel()[order], patients=5)
    assert_allclose(found["slope"], [np.polyfit(times[row], values[row], 1)[0] for row in range(5)])
    assert_allclose(found["last"], values[:, -1])
    assert_allclose(found["minimum"], values.min(axis=1))
