"""A number of an attack with its bounds, and the bounds of a share and of a quantile."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from scipy.special import bdtr, bdtrc, ndtri

CONFIDENCE: Final = 0.95


@dataclass(frozen=True, slots=True)
class Bounded:
    """A value with its lower and its upper one-sided 95 % bound."""

    value: float
    lower: float
    upper: float


def wilson_bound(share: float, size: int, *, upper: bool) -> float:
    """Wilson's one-sided 95 % bound of a share (Wilson 1927)."""
    z = float(ndtri(CONFIDENCE))
    centre = share + z**2 / (2 * size)
    half = z * math.sqrt(share * (1 - share) / size + z**2 / (4 * size**2))
    return min(1.0, max(0.0, (centre + (half if upper else -half)) / (1 + z**2 / size)))


def rank_below_quantile(size: int, beyond: float) -> int:
    """The r-th largest of ``size`` numbers lies below the quantile that a share ``beyond`` exceeds, with 95 % confidence.

    The smallest r with P(Binomial(size, beyond) < r) ≥ 0.95; above ``size`` where even the smallest number is not surely low enough.
    """
    return next((r for r in range(1, size + 1) if bdtr(r - 1, size, beyond) >= CONFIDENCE), size + 1)


def rank_above_quantile(size: int, beyond: float) -> int:
    """The r-th largest lies above it: the largest r with P(Binomial(size, beyond) ≥ r) ≥ 0.95; 0 where even the largest is not surely high enough."""
    rank = 0
    while bdtrc(rank, size, beyond) >= CONFIDENCE:
        rank += 1
    return rank
