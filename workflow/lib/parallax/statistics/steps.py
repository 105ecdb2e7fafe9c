"""The sums behind weighted curves of one arm, and what is made of them in either arm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from parallax.errors import NotEstimable, StatisticsError
from parallax.statistics.arms import ArmPair
from parallax.statistics.domain import BoolArray, FloatArray, IntArray, check_binary, check_times, check_weights


@dataclass(frozen=True, slots=True)
class Steps:
    """The sums behind one curve, per distinct time (k,) and per patient of positive weight (n,)."""

    times: FloatArray
    at_risk: FloatArray
    events: FloatArray
    survival: FloatArray
    growth: FloatArray
    rank: IntArray
    weight: FloatArray
    own: FloatArray

    @classmethod
    def of(cls, time: FloatArray, event: BoolArray, weight: FloatArray) -> Steps:
        """The sums of these patients; those of weight zero are left out."""
        kept = weight > 0.0
        time, event, weight = time[kept], event[kept], weight[kept]
        times, rank = np.unique(time, return_inverse=True)
        events = np.bincount(rank, weights=weight * event).astype(np.float64)
        at_risk = np.cumsum(np.bincount(rank, weights=weight).astype(np.float64)[::-1])[::-1]
        # where all at risk have the event survival is zero and stays so: no growth, and what remains is their own share
        spared = np.where(events < at_risk, at_risk - events, np.inf)
        growth = np.cumsum(events / (at_risk * spared))
        own = growth[rank] - event / np.where(np.isinf(spared), at_risk, spared)[rank]
        survival = np.cumprod(1.0 - events / at_risk, dtype=np.float64)
        return cls(times, at_risk, events, survival, growth, rank, weight, own)


def evaluate_arms(
    evaluate: Callable[[Steps, IntArray], tuple[float, FloatArray]],
    time: ArrayLike,
    event: ArrayLike,
    treated: ArrayLike,
    horizon: float,
    weights: ArrayLike | None,
) -> ArmPair:
    """What ``evaluate`` finds up to the horizon in either arm.

    ``evaluate`` takes the sums of an arm and the rows of its patients of positive weight, and returns a value and the influence of each of
    these patients on it. Raises NotEstimable when an arm is empty or is followed for less than the horizon.
    """
    t = check_times("time", time)
    d = check_binary("event", event, size=t.size)
    arm = check_binary("treated", treated, size=t.size)
    w = check_weights(weights, size=t.size)
    if not 0.0 < horizon < np.inf:
        raise StatisticsError(f"horizon: found {horizon}; allowed is a finite time above zero")
    values, influences = [], []
    for name, members in (("treated", arm), ("comparator", ~arm)):
        patients = np.flatnonzero(members & (w > 0.0))
        if not patients.size:
            raise NotEstimable(f"the {name} arm is empty")
        steps = Steps.of(t[patients], d[patients], w[patients])
        if steps.times[-1] < horizon and steps.survival[-1] > 0.0:
            raise NotEstimable(f"follow-up of the {name} arm ends before the horizon of {horizon:g}")
        value, moved = evaluate(steps, patients)
        influence = np.zeros(t.size)
        influence[patients] = moved
        values.append(value)
        influences.append(influence)
    return ArmPair(values[0], values[1], influences[0], influences[1])
