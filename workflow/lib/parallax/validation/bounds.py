"""A number of an attack with its bounds, and the bound of a share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from scipy.special import ndtri

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
