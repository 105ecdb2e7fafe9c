"""Several answers at once: p-values of a family of hypotheses, and whether the effects of independent groups differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc

from parallax.errors import NotEstimable, StatisticsError
from parallax.statistics.domain import FloatArray, check_vector


@dataclass(frozen=True, slots=True)
class Heterogeneity:
    """Cochran's Q, its degrees of freedom, and the p-value of equal effects."""

    statistic: float
    df: int
    p_value: float


def adjust_holm(p_values: ArrayLike) -> FloatArray:
    """Holm's step-down adjusted p-values (Holm 1979, §3): max_{j ≤ i} min{1, (m − j + 1) p_(j)}.

    Assumption: none on dependence. ``p_values`` (m,) in [0, 1]; NaN is no hypothesis, leaves the family and stays NaN.
    """
    p: FloatArray = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1 or np.any((p < 0.0) | (p > 1.0)):
        raise StatisticsError("p_values: allowed are numbers from 0 to 1, or NaN")
    adjusted = np.full(p.size, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(order.size, 0, -1)), 1.0)
    return adjusted


def heterogeneity(estimates: ArrayLike, std_errors: ArrayLike) -> Heterogeneity:
    """Q = Σ w (θ − θ̄)², w = 1/SE², against χ² with G − 1 degrees of freedom (Cochran 1954, §3); of two groups the squared z of their difference.

    Assumption: independent groups with normal estimates. ``estimates`` and ``std_errors`` (G,). Raises NotEstimable below two groups.
    """
    theta = check_vector("estimates", estimates)
    error = check_vector("std_errors", std_errors, size=theta.size)
    if theta.size < 2:
        raise NotEstimable("fewer than two groups: there is nothing to compare")
    if np.any(error <= 0.0):
        raise StatisticsError("std_errors: allowed are numbers above zero")
    weight = error**-2.0
    statistic = float(weight @ (theta - np.average(theta, weights=weight)) ** 2)
    return Heterogeneity(statistic, theta.size - 1, float(chdtrc(theta.size - 1, statistic)))
