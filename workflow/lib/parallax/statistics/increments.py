"""The increments of several hazards under which a group of patients leaves the risk set at stated shares."""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_STEPS: Final = 50
_TOLERANCE: Final = 1e-12


@njit(cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def solve_increments(risk: FloatArray, which: NDArray[np.int64], share: FloatArray) -> FloatArray:
    """The increment h_k (K,) of each step, in order, with which the share of those left that leave at step k is ``share[k]``.

    Assumption: patient i of the group leaves at step k with probability 1 − exp(−r_i h_k), r_i = ``risk[which[k], i]`` (Q, M) the relative
    risk in the hazard and interval of the step. With a_i the probability of being left before step k,

        Σ a_i {1 − exp(−r_i h_k)} = share_k Σ a_i,

    solved by Newton's method from below (the left side is concave in h). A share of one has an infinite increment; steps after everybody
    has left have that of a patient of mean risk.
    """
    steps, patients = which.size, risk.shape[1]
    left = np.ones(patients)
    increments = np.empty(steps)
    for k in range(steps):
        r = risk[which[k]]
        total, weighted = 0.0, 0.0
        for i in range(patients):
            total += left[i]
            weighted += left[i] * r[i]
        if share[k] >= 1.0:
            increments[k] = np.inf
            left[:] = 0.0
            continue
        if weighted <= 1e-300:
            increments[k] = -np.log1p(-share[k]) * patients / r.sum()
            continue
        target = share[k] * total
        h = share[k] * total / weighted
        for _ in range(_STEPS):
            gone, slope = 0.0, 0.0
            for i in range(patients):
                stays = left[i] * np.exp(-r[i] * h)
                gone += left[i] - stays
                slope += r[i] * stays
            step = (target - gone) / slope
            h += step
            if abs(step) <= _TOLERANCE + 1e-10 * h:
                break
        increments[k] = h
        for i in range(patients):
            left[i] *= np.exp(-r[i] * h)
    return increments
