"""Intervals and two-sided p-values for estimates that are normal, or t, on their analysis scale.

NaN in gives NaN out. A standard error of zero has the estimate as its interval and no p-value (NaN).
"""

from __future__ import annotations

import math

from scipy.special import ndtr, ndtri, stdtr, stdtrit

from parallax.errors import StatisticsError


def normal_interval(estimate: float, std_error: float, *, level: float = 0.95) -> tuple[float, float]:
    """Estimate ± z SE, z the (1 + level)/2 quantile of the standard normal distribution."""
    return t_interval(estimate, std_error, math.inf, level=level)


def normal_p_value(estimate: float, std_error: float) -> float:
    """Two-sided p-value 2 Φ(−|estimate| / SE) of the null value zero."""
    return t_p_value(estimate, std_error, math.inf)


def t_interval(estimate: float, std_error: float, df: float, *, level: float = 0.95) -> tuple[float, float]:
    """Estimate ± t SE, t the (1 + level)/2 quantile of Student's t with ``df`` > 0 degrees of freedom (infinite: normal)."""
    _check(std_error, df)
    if not 0.0 < level < 1.0:
        raise StatisticsError(f"level: found {level}; allowed is a number between 0 and 1")
    tail = 0.5 * (1.0 + level)
    half = float(ndtri(tail) if math.isinf(df) else stdtrit(df, tail)) * std_error
    return estimate - half, estimate + half


def t_p_value(estimate: float, std_error: float, df: float) -> float:
    """Two-sided p-value of the null value zero under Student's t with ``df`` > 0 degrees of freedom (infinite: normal)."""
    _check(std_error, df)
    if std_error == 0.0:
        return math.nan
    ratio = -abs(estimate / std_error)
    return 2.0 * float(ndtr(ratio) if math.isinf(df) else stdtr(df, ratio))


def wilson_interval(successes: int, size: int) -> tuple[float, float]:
    """Wilson's two-sided 95 % interval of a share (Wilson 1927); NaN where nobody was counted."""
    if not 0 <= successes <= size:
        raise StatisticsError(f"wilson_interval: found {successes} of {size}; allowed are 0 to {size}")
    if size == 0:
        return math.nan, math.nan
    z2, share = float(ndtri(0.975)) ** 2, successes / size
    centre, half = share + z2 / (2 * size), math.sqrt(z2 * (share * (1 - share) + z2 / (4 * size)) / size)
    lower, upper = ((centre + sign * half) / (1 + z2 / size) for sign in (-1, 1))
    return max(lower, 0.0), min(upper, 1.0)


def _check(std_error: float, df: float) -> None:
    if std_error < 0.0:
        raise StatisticsError("std_error: found a negative value; a standard error is at least zero")
    if df <= 0.0:
        raise StatisticsError("df: found zero or a negative value; degrees of freedom are above zero")
