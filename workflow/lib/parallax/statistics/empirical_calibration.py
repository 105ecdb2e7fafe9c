"""Systematic error as negative controls show it, and estimates calibrated by it.

Each control's log estimate y_i, of standard error s_i and true effect zero, is y_i ~ N(μ, σ² + s_i²): μ and σ describe the systematic error of
the method on these data (Schuemie et al. 2014, §2.2). An estimate of interest is taken to have an error from the same distribution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtri, ndtr, ndtri

from parallax.errors import NotEstimable, StatisticsError
from parallax.statistics.domain import FloatArray, check_vector
from parallax.statistics.intervals import t_interval
from parallax.statistics.meta_analysis import profile_variance

#: each narrows σ² by a factor of 32
_REFINEMENTS: Final = 9


@dataclass(frozen=True, slots=True)
class Null:
    """The distribution N(``mean``, ``sd``²) of the systematic error of log estimates."""

    mean: float
    sd: float


@dataclass(frozen=True, slots=True)
class NullBounds:
    """95 % intervals of a null's mean and standard deviation: (lower, upper)."""

    mean: tuple[float, float]
    sd: tuple[float, float]


@dataclass(frozen=True, slots=True)
class NullDifference:
    """One null's ``mean`` and ``sd`` less another's of the same controls; 95 % interval of the former, NaN below three controls."""

    mean: float
    lower: float
    upper: float
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

    For a given σ, μ is the mean weighted by 1/(σ² + s²); the profile likelihood of σ² is searched on a grid that is refined about its best point.
    ``log_estimates`` and ``std_errors`` (k,). Raises NotEstimable below two controls.
    """
    y = check_vector("log_estimates", log_estimates) if np.size(log_estimates) else np.empty(0)
    if y.size < 2:
        raise NotEstimable("fewer than two negative controls could be estimated")
    s = check_vector("std_errors", std_errors, size=y.size)
    if np.any(s <= 0.0):
        raise StatisticsError("std_errors: allowed are numbers above zero")

    def losses(variances: FloatArray) -> FloatArray:
        total = variances[:, None] + s**2
        centre = np.sum(y / total, axis=1) / np.sum(1.0 / total, axis=1)
        found: FloatArray = np.sum(np.log(total) + (y - centre[:, None]) ** 2 / total, axis=1)
        return found

    grid = np.append(0.0, np.geomspace(1e-6, 4.0, 60) * max(float(np.var(y)), float(np.min(s**2))))
    for _ in range(_REFINEMENTS):
        best = int(np.argmin(losses(grid)))
        grid = np.linspace(grid[max(best - 1, 0)], grid[min(best + 1, grid.size - 1)], 65)
    variance = float(grid[np.argmin(losses(grid))])
    return Null(_centre(y, variance + s**2), float(np.sqrt(variance)))


def bound_null(null: Null, log_estimates: ArrayLike, std_errors: ArrayLike) -> NullBounds:
    """95 % intervals of the μ and σ that :func:`fit_null` found of these controls.

    Assumption
        The y_i are independent and normal about μ. Controls of the same patients share some of their sampling error; a strong tie between
        them makes both intervals too narrow.
    Formula
        μ ± t(0.975; k − 1)·√{max(1, q)/Σw_i}, w_i = 1/(σ² + s_i²), q = Σw_i(y_i − μ)²/(k − 1): Knapp & Hartung (2003, eqs. 6 and 8, with
        the larger of the two variances). σ² from the two solutions of Q(σ²) = Σ{y_i − μ(σ²)}²/(σ² + s_i²) = χ²(0.975; k − 1) and
        χ²(0.025; k − 1), which is exact (Viechtbauer 2007, eq. 5); a bound is zero where Q(0) lies below its quantile.
    Shapes
        log_estimates and std_errors (k,), k ≥ 2, as ``fit_null`` checked them.
    """
    y, s = np.asarray(log_estimates, dtype=np.float64), np.asarray(std_errors, dtype=np.float64)
    weight = 1.0 / (null.sd**2 + s**2)
    spread = float(np.sum(weight * (y - null.mean) ** 2)) / (y.size - 1)
    mean = t_interval(null.mean, float(np.sqrt(max(1.0, spread) / np.sum(weight))), y.size - 1.0)
    return NullBounds(mean, (_solve_sd(y, s, 0.975), _solve_sd(y, s, 0.025)))


def compare_nulls(log_estimates: ArrayLike, std_errors: ArrayLike, others: ArrayLike, other_errors: ArrayLike) -> NullDifference:
    """The null of the first estimates less that of the ``others``, the same controls in the same order.

    Assumption
        Controls are exchangeable; what the two estimates of a control share cancels in their difference, so that the two need not be independent.
    Formula
        d = μ₁ − μ₂ with d ± t(0.975; k − 1)·√{(k − 1)/k Σ(d₍₋ᵢ₎ − mean d₍₋ᵢ₎)²}, d₍₋ᵢ₎ without control i (Efron & Stein 1981, eq. 1.1: the
        jackknife); with equal standard errors it is the paired t interval. σ₁ − σ₂ has none: the jackknife fails where σ touches zero.
    Shapes
        all (k,), k ≥ 2; raises NotEstimable below.
    """
    first, second = (np.column_stack([y, s]).astype(np.float64) for y, s in ((log_estimates, std_errors), (others, other_errors)))
    nulls = [fit_null(*side.T) for side in (first, second)]
    mean, sd = nulls[0].mean - nulls[1].mean, nulls[0].sd - nulls[1].sd
    k = len(first)
    if k < 3:
        return NullDifference(mean, np.nan, np.nan, sd)
    without = np.array([fit_null(*np.delete(first, i, 0).T).mean - fit_null(*np.delete(second, i, 0).T).mean for i in range(k)])
    error = float(np.sqrt((k - 1) / k * np.sum((without - without.mean()) ** 2)))
    return NullDifference(mean, *t_interval(mean, error, k - 1.0), sd)


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


def _solve_sd(y: FloatArray, s: FloatArray, probability: float) -> float:
    """The σ at which Q(σ²) is the χ² quantile; zero where none is."""
    variance = profile_variance(y, s**2, float(chdtri(y.size - 1, 1.0 - probability)))
    return 0.0 if np.isnan(variance) else float(np.sqrt(variance))
