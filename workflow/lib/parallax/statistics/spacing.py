"""How regular the times of a series are: a symmetric Dirichlet distribution of the intervals' shares of the time between first and last."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

FloatArray = NDArray[np.float64]

#: from one interval that takes all to intervals that are all the same
RANGE: Final = (0.02, 1e4)


def fit_regularity(squares: FloatArray, intervals: FloatArray) -> float:
    """The concentration a that makes the mean of Σ share² what it is: Σᵢ (a + 1)/(kᵢa + 1) = Σᵢ ``squares``ᵢ, by moments.

    ``squares`` are Σ share², or :func:`measure_pairs`, of series with ``intervals`` k ≥ 2 of them. Of shares, 1 is what times at random give
    (a Poisson process), and large is regular. Without a series 1; beyond 0.02 or 10,000 the bound.
    """
    if squares.size == 0:
        return 1.0

    def excess(log_a: float) -> float:
        a = np.exp(log_a)
        return float(((a + 1.0) / (intervals * a + 1.0) - squares).sum())

    lowest, highest = np.log(RANGE)
    if excess(highest) >= 0.0:
        return RANGE[1]
    return RANGE[0] if excess(lowest) <= 0.0 else float(np.exp(brentq(excess, lowest, highest, xtol=1e-6)))


def measure_pairs(steps: FloatArray) -> FloatArray:
    """Σ x(x − 1)/(E(E − 1)) of whole steps x (B, k) with sums E ≥ 2: the mean is (a + 1)/(ka + 1) where steps fall one by one into shares."""
    total = steps.sum(axis=1)
    pairs: FloatArray = (steps * (steps - 1.0)).sum(axis=1) / (total * (total - 1.0))
    return pairs


def draw_shares(series: int, intervals: int, *, regularity: float, rng: np.random.Generator) -> FloatArray:
    """Shares (``series``, ``intervals``) that sum to one."""
    parts = rng.standard_gamma(regularity, size=(series, intervals)) + np.finfo(np.float64).tiny
    shares: FloatArray = parts / parts.sum(axis=1, keepdims=True)
    return shares
