"""Renard's preferred numbers (ISO 3, series R10), on which a time is told that is one patient's own."""

from __future__ import annotations

from math import isfinite, log10
from typing import Final

#: to a factor of ten, evenly on the logarithmic scale
STEPS: Final = 10


def nearest_step(days: float) -> float | None:
    """The nearest of ten steps to a factor of ten (…, 50.1, 63.1, 79.4, 100, 126, …), to three digits; None for what is no time.

    Off by a factor of 10^(1/20) = 1.12 at most, so that weeks, the unit nearest to days, keep 5.6 of their 7 beside an exact number.
    """
    if not (isfinite(days) and days > 0):
        return None
    return float(f"{10.0 ** (round(STEPS * log10(days)) / STEPS):.3g}")
