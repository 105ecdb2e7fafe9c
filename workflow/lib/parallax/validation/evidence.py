"""When a pass of the agreement gate is evidence: what simulated studies must show of it."""

from __future__ import annotations

import math
from typing import Final

from scipy.special import ndtri

_Z: Final = float(ndtri(0.975))


def is_evidence(lower: float, undecided: float, *, threshold: float, allowed: float) -> bool:
    """Whether the gate was shown to catch enough flat copulas.

    ``lower`` is where Wilson's 95 % interval of the share caught begins, of the studies that the gate could judge; it must not lie below the
    ``threshold``. ``undecided`` is the share that it could not judge, of all: beyond ``allowed`` those judged no longer speak for the others.
    """
    return undecided <= allowed and lower >= threshold


def share_to_show(threshold: float, studies: int) -> float:
    """The share that must be caught in so many studies for the interval to begin at the threshold t: t + z√{t(1 − t)/R}.

    Wilson's interval holds the shares that the score test does not reject, so that its end at t is where the test of t just rejects.
    """
    return threshold + _Z * math.sqrt(threshold * (1.0 - threshold) / studies)


def studies_to_show(threshold: float, share: float) -> int | None:
    """The fewest studies in which catching this share p has the interval begin at the threshold t: z²t(1 − t)/(p − t)²; None: p is not above t."""
    if share <= threshold:
        return None
    return math.ceil(_Z**2 * threshold * (1.0 - threshold) / (share - threshold) ** 2)
