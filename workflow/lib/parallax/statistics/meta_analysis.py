"""Estimates of independent studies pooled: one effect for all, or effects that vary between the studies.

Notation: study i of k has the estimate y_i of variance v_i, both on the analysis scale; w_i(τ²) = 1/(v_i + τ²). Variances are taken as known.
One study alone says nothing of the variance between studies, and with two that variance is all but unknown: the intervals say so.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, nan, sqrt
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import chdtri

from parallax.errors import NotEstimable, StatisticsError
from parallax.statistics.domain import FloatArray, check_vector
from parallax.statistics.intervals import t_interval
from parallax.statistics.multiplicity import heterogeneity

#: how the standard error of a mean of varying effects is taken (:func:`pool_random`)
Interval = Literal["wald", "hartung_knapp", "hartung_knapp_untruncated"]


@dataclass(frozen=True, slots=True)
class Pooled:
    """A pooled estimate, its standard error, the degrees of freedom of its t interval (infinite: normal), and each study's share of it (k,)."""

    estimate: float
    std_error: float
    df: float
    shares: FloatArray


@dataclass(frozen=True, slots=True)
class Spread:
    """How far the studies' effects differ.

    ``q`` Cochran's statistic with ``df`` = k − 1 and ``p_value``; ``tau2`` the variance between studies; ``i2`` its share of all variance; both
    with 95 % bounds, NaN where the studies differ less than chance alone would have it and no value is in the interval.
    """

    q: float
    df: int
    p_value: float
    tau2: float
    tau2_lower: float
    tau2_upper: float
    i2: float
    i2_lower: float
    i2_upper: float


def pool_fixed(estimates: ArrayLike, std_errors: ArrayLike) -> Pooled:
    """One effect for all studies: θ = Σ w_i y_i / Σ w_i with w_i = 1/v_i and variance 1/Σ w_i; normal (Cochran 1954, §3).

    Assumption: independent studies of the same effect, normal estimates. ``estimates`` and ``std_errors`` (k,); one study is its own answer.
    Raises NotEstimable for a standard error that is zero or infinite: such a study would be the whole answer or none of it.
    """
    y, v = _check(estimates, std_errors, least=1)
    return _pool(y, v, 0.0)


def pool_random(estimates: ArrayLike, std_errors: ArrayLike, *, interval: Interval = "hartung_knapp") -> Pooled:
    """The mean of effects that vary between studies, N(θ, τ²), with τ² by DerSimonian and Laird (1986, eq. 8).

    Formula
        θ = Σ w_i(τ²) y_i / Σ w_i(τ²). Variance: ``wald`` 1/Σ w_i(τ²), normal; ``hartung_knapp`` the same times max(s, 1),
        s = Σ w_i(τ²)(y_i − θ)²/(k − 1), with t of k − 1 degrees of freedom (Hartung & Knapp 2001, eq. 5; the bound of 1 by Knapp & Hartung
        2003, eq. 8); ``hartung_knapp_untruncated`` without that bound.
    Which
        The bound is the default: with few studies that happen to agree, s lies far below 1 and the unbounded interval is shorter than that of
        one common effect, which no variation between studies can justify (Röver, Knapp & Friede 2015, §4).
    Errors
        NotEstimable for one study, for a standard error that is zero or infinite, and without the bound where all estimates are equal.
    """
    y, v = _check(estimates, std_errors, least=2)
    pooled = _pool(y, v, _tau2(y, v))
    if interval == "wald":
        return pooled
    if interval not in ("hartung_knapp", "hartung_knapp_untruncated"):
        raise StatisticsError(f"interval: found {interval!r}; allowed are wald, hartung_knapp, hartung_knapp_untruncated")
    scale = _generalised_q(y, v, _tau2(y, v)) / (y.size - 1)
    if interval == "hartung_knapp":
        scale = max(scale, 1.0)
    elif scale <= (1e-12 * np.abs(y).max()) ** 2:
        raise NotEstimable("the estimates of all studies are equal: without a lower bound Hartung and Knapp's variance is zero")
    return Pooled(pooled.estimate, pooled.std_error * sqrt(scale), float(y.size - 1), pooled.shares)


def measure_spread(estimates: ArrayLike, std_errors: ArrayLike) -> Spread:
    """Q, τ² (DerSimonian & Laird 1986, eq. 8) and I² = max(0, (Q − (k − 1))/Q) (Higgins & Thompson 2002, eq. 10), with 95 % bounds.

    Bounds: those τ² at which Q(τ²) = Σ w_i(τ²)(y_i − θ(τ²))² has the 97.5 % and 2.5 % points of χ² with k − 1 degrees of freedom (Viechtbauer
    2007, §3.1: exact where the variances are known), and I² = τ²/(τ² + s²), s² = (k − 1) Σw_i/{(Σw_i)² − Σw_i²} a typical variance (Higgins &
    Thompson 2002, eq. 9). Raises NotEstimable below two studies, and as :func:`pool_fixed`.
    """
    y, v = _check(estimates, std_errors, least=2)
    cochran, tau2 = heterogeneity(y, np.sqrt(v)), _tau2(y, v)
    lower, upper = (profile_variance(y, v, float(chdtri(cochran.df, tail))) for tail in (0.025, 0.975))
    if np.isnan(upper):
        lower = nan
    elif np.isnan(lower):
        lower = 0.0
    w = 1.0 / v
    typical = cochran.df * w.sum() / (w.sum() ** 2 - (w**2).sum())
    shares = [bound / (bound + typical) for bound in (tau2, lower, upper)]
    return Spread(cochran.statistic, cochran.df, cochran.p_value, tau2, lower, upper, *map(float, shares))


def prediction_interval(estimates: ArrayLike, std_errors: ArrayLike) -> tuple[float, float]:
    """Where the effect in one more study lies: θ ± t √(τ² + SE²), t of k − 2 degrees of freedom (Higgins, Thompson & Spiegelhalter 2009, eq. 12).

    θ and SE as ``pool_random`` with ``interval="wald"``. Raises NotEstimable below three studies.
    """
    y, v = _check(estimates, std_errors, least=3)
    tau2 = _tau2(y, v)
    pooled = _pool(y, v, tau2)
    return t_interval(pooled.estimate, sqrt(tau2 + pooled.std_error**2), float(y.size - 2))


def profile_variance(y: FloatArray, v: FloatArray, quantile: float) -> float:
    """The τ² ≥ 0 at which Q(τ²) = Σ w_i(τ²)(y_i − θ(τ²))², which falls, is a ``quantile`` of χ² (Viechtbauer 2007, eq. 5).

    NaN where Q(0) lies below it. Estimates and variances (k,) as checked.
    """
    if _generalised_q(y, v, 0.0) < quantile:
        return nan
    high = max(float(v.max()), float(np.var(y)), 1e-12)
    while _generalised_q(y, v, high) > quantile:
        high *= 4.0
    return float(brentq(lambda tau2: _generalised_q(y, v, tau2) - quantile, 0.0, high, xtol=1e-15, rtol=1e-13))


def _check(estimates: ArrayLike, std_errors: ArrayLike, *, least: int) -> tuple[FloatArray, FloatArray]:
    if np.size(estimates) < least:
        raise NotEstimable(f"fewer than {('one', 'two', 'three')[least - 1]} independent estimate{'s' if least > 1 else ''}")
    y = check_vector("estimates", estimates)
    error: FloatArray = np.asarray(std_errors, dtype=np.float64)
    if error.shape != y.shape or np.isnan(error).any() or (error < 0.0).any():
        raise StatisticsError("std_errors: allowed is one number of at least zero for each estimate")
    if (error == 0.0).any() or np.isinf(error).any():
        raise NotEstimable("a study's standard error is zero or infinite")
    return y, error**2


def _pool(y: FloatArray, v: FloatArray, tau2: float) -> Pooled:
    w = 1.0 / (v + tau2)
    shares: FloatArray = w / w.sum()
    return Pooled(float(shares @ y), float(w.sum() ** -0.5), inf, shares)


def _generalised_q(y: FloatArray, v: FloatArray, tau2: float) -> float:
    w = 1.0 / (v + tau2)
    return float(w @ (y - np.average(y, weights=w)) ** 2)


def _tau2(y: FloatArray, v: FloatArray) -> float:
    w = 1.0 / v
    excess = _generalised_q(y, v, 0.0) - (y.size - 1)
    return max(0.0, excess / float(w.sum() - (w**2).sum() / w.sum()))
