"""Systematic error as negative controls show it, and estimates calibrated by it.

Each control's log estimate y_i, of standard error s_i and true effect zero, is y_i ~ N(μ, σ² + s_i²): μ and σ describe the systematic error of
the method on these data (Schuemie et al. 2014, §2.2). An estimate of interest is taken to have an error from the same distribution.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from parallax.errors import NotEstimable, StatisticsError
from parallax.statistics.domain import FloatArray, check_vector


@dataclass(frozen=True, slots=True)
class Null:
    """The distribution N(``mean``, ``sd``²) of the systematic error of log estimates."""

    mean: float
    sd: float


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A log estimate with its systematic error taken out of the estimate and into the interval (95 %)."""

    estimate: float
    std_error: float
    lower: float
    upper: float


def fit_null(log_estimates: ArrayLike, std_errors: ArrayLike) -> Null:
    """Maximum likelihood of μ and σ ≥ 0 (Schuemie et al. 2014, eq. 1).

    For a given σ, μ is the mean weighted by 1/(σ² + s²); the profile likelihood of σ² is searched on a grid and then by golden section.
    ``log_estimates`` and ``std_errors`` (k,). Raises NotEstimable below two controls.
    """
    y = check_vector("log_estimates", log_estimates) if np.size(log_estimates) else np.empty(0)
    if y.size < 2:
        raise NotEstimable("fewer than two negative controls could be estimated")
    s = check_vector("std_errors", std_errors, size=y.size)
    if np.any(s <= 0.0):
        raise StatisticsError("std_errors: allowed are numbers above zero")

    def loss(variance: float) -> float:
        total = variance + s**2
        return float(np.sum(np.log(total) + (y - _centre(y, total)) ** 2 / total))

    grid = np.append(0.0, np.geomspace(1e-6, 4.0, 60) * max(float(np.var(y)), float(np.min(s**2))))
    best = int(np.argmin([loss(variance) for variance in grid]))
    low, high = float(grid[max(best - 1, 0)]), float(grid[min(best + 1, grid.size - 1)])
    golden = (np.sqrt(5.0) - 1.0) / 2.0
    while high - low > 1e-14 + 1e-12 * high:
        left, right = high - golden * (high - low), low + golden * (high - low)
        low, high = (low, right) if loss(left) <= loss(right) else (left, high)
    variance = min((0.0, (low + high) / 2.0), key=loss)
    return Null(_centre(y, variance + s**2), float(np.sqrt(variance)))


def calibrate_p(null: Null, log_estimate: float, std_error: float) -> float:
    """Two-sided p-value of no effect under the empirical null: 2 min{Φ(z), 1 − Φ(z)}, z = (y − μ)/√(σ² + s²) (Schuemie et al. 2014, eq. 2)."""
    z = (log_estimate - null.mean) / np.hypot(null.sd, std_error)
    return float(2.0 * ndtr(-abs(z)))


def calibrate_interval(null: Null, log_estimate: float, std_error: float) -> Calibrated:
    """y − μ ± 1.96 √(σ² + s²): the systematic error model of Schuemie et al. (2018, eq. 2) that negative controls alone determine, in which the
    error does not depend on the effect's size."""
    error = float(np.hypot(null.sd, std_error))
    estimate = log_estimate - null.mean
    half = float(ndtri(0.975)) * error
    return Calibrated(estimate, error, estimate - half, estimate + half)


def expected_absolute_systematic_error(null: Null) -> float:
    """E|N(μ, σ²)| = σ √(2/π) exp(−μ²/2σ²) + μ {1 − 2 Φ(−μ/σ)}, the mean of a folded normal distribution (Leone et al. 1961, eq. 5)."""
    if null.sd == 0.0:
        return abs(null.mean)
    ratio = null.mean / null.sd
    return float(null.sd * np.sqrt(2.0 / np.pi) * np.exp(-(ratio**2) / 2.0) + null.mean * (1.0 - 2.0 * ndtr(-ratio)))


def _centre(y: FloatArray, variance: FloatArray) -> float:
    return float(np.average(y, weights=1.0 / variance))
