"""Weighted cumulative incidence of one of several competing events (Aalen–Johansen), and its difference between two arms.

With S the Kaplan–Meier curve of any event, d_jk the weighted events of cause j and Y_k the weighted patients at risk at t_k,

    F_j(t) = Σ_{t_k ≤ t} S(t_{k−1}) d_jk / Y_k.

Its variance is that of the infinitesimal jackknife. The influence of patient i is the derivative along w_i, times w_i: through S, whose
influence on log S the module ``survival`` gives, through the events d_jk and through those at risk Y_k. Every sum is a running sum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from parallax.errors import StatisticsError
from parallax.statistics.arms import ArmDifference, ArmPair
from parallax.statistics.domain import BoolArray, FloatArray, IntArray, check_times, check_vector, check_weights
from parallax.statistics.steps import Steps, evaluate_arms


@dataclass(frozen=True, slots=True)
class IncidenceCurve:
    """A cumulative incidence curve: time zero, then every distinct time observed; all arrays (k,).

    ``incidence``; ``std_error`` by the infinitesimal jackknife; ``lower`` and ``upper`` the pointwise 95 % band on the log(−log) scale.
    """

    times: FloatArray
    incidence: FloatArray
    std_error: FloatArray
    lower: FloatArray
    upper: FloatArray


def cumulative_incidence(time: ArrayLike, event_type: ArrayLike, cause: int, *, weights: ArrayLike | None = None) -> IncidenceCurve:
    """Aalen–Johansen estimate of the probability of an event of ``cause`` by each time (Aalen & Johansen 1978, eq. 2.1 for competing risks).

    Assumption: independent censoring; the other causes are events, never censoring. ``time`` (n,) above zero; ``event_type`` (n,) whole
    numbers, 0 for censoring; ``cause`` above zero; ``weights`` (n,) at least zero, taken as known. With a single cause it is one minus
    Kaplan–Meier. A cause without events has incidence and standard error zero.
    Raises StatisticsError for arguments outside the domain.
    """
    t = check_times("time", time)
    kinds = _check_causes(event_type, cause, size=t.size)
    w = check_weights(weights, size=t.size)
    steps = Steps.of(t, kinds > 0, w)
    of_cause = kinds[w > 0.0] == cause
    parts = _Parts.of(steps, of_cause)
    alive, gone = parts.while_followed, parts.afterwards(steps)
    # Σ over patients of (fixed + moving · F)² for those whose follow-up is over, in powers of F
    fixed, moving = gone - steps.weight * steps.own * parts.incidence[steps.rank], steps.weight * steps.own
    squares = [np.cumsum(np.bincount(steps.rank, weights=values)) for values in (fixed**2, 2 * fixed * moving, moving**2)]
    followed = np.bincount(steps.rank, weights=steps.weight**2)
    variance = alive**2 * (followed.sum() - np.cumsum(followed)) + squares[0] + squares[1] * parts.incidence + squares[2] * parts.incidence**2
    error, incidence = np.sqrt(variance.clip(min=0.0)), parts.incidence
    inside = (incidence > 0.0) & (incidence < 1.0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        stretch = np.exp(ndtri(0.975) * error / np.abs(incidence * np.log(incidence)))
        lower, upper = incidence**stretch, incidence ** (1.0 / stretch)
    return IncidenceCurve(
        *(
            np.concatenate([[0.0], values])
            for values in (steps.times, incidence, error, np.where(inside, lower, incidence), np.where(inside, upper, incidence))
        )
    )


def cumulative_incidences(
    time: ArrayLike, event_type: ArrayLike, treated: ArrayLike, horizon: float, cause: int, *, weights: ArrayLike | None = None
) -> ArmPair:
    """Cumulative incidences of ``cause`` by the horizon in the treated and the comparators.

    Assumption and arguments as for :func:`cumulative_incidence`; ``treated`` (n,) 0/1. Raises NotEstimable when an arm is empty or is followed
    for less than the horizon.
    """
    kinds = _check_causes(event_type, cause, size=check_vector("time", time).size)

    def evaluate(steps: Steps, patients: IntArray) -> tuple[float, FloatArray]:
        parts = _Parts.of(steps, kinds[patients] == cause)
        last = int(np.searchsorted(steps.times, horizon, side="right")) - 1
        if last < 0:
            return 0.0, np.zeros(steps.weight.size)
        total = parts.incidence[last]
        over = parts.afterwards(steps) + steps.weight * steps.own * (total - parts.incidence[steps.rank])
        return float(total), np.where(steps.rank > last, steps.weight * parts.while_followed[last], over)

    return evaluate_arms(evaluate, time, kinds > 0, treated, horizon, weights)


def cumulative_incidence_difference(
    time: ArrayLike, event_type: ArrayLike, treated: ArrayLike, horizon: float, cause: int, *, weights: ArrayLike | None = None
) -> ArmDifference:
    """Difference of the cumulative incidences; see :func:`cumulative_incidences`. Raises NotEstimable also when there is no variation."""
    return cumulative_incidences(time, event_type, treated, horizon, cause, weights=weights).difference()


@dataclass(frozen=True, slots=True)
class _Parts:
    """Incidence (k,), and the two parts of a patient's influence: per time while followed, and at the own time through the own event."""

    incidence: FloatArray
    while_followed: FloatArray
    at_own_time: FloatArray

    @classmethod
    def of(cls, steps: Steps, of_cause: BoolArray) -> _Parts:
        before = np.append(1.0, steps.survival[:-1])
        growth_before = np.append(0.0, steps.growth[:-1])
        events = np.bincount(steps.rank, weights=steps.weight * of_cause, minlength=steps.times.size)
        increments = before * events / steps.at_risk
        through = np.cumsum(increments * growth_before - increments / steps.at_risk)
        return cls(np.cumsum(increments), through, np.where(of_cause, (before / steps.at_risk)[steps.rank], 0.0))

    def afterwards(self, steps: Steps) -> FloatArray:
        """Influence (n,) at the end of each patient's own follow-up."""
        influence: FloatArray = steps.weight * (self.while_followed[steps.rank] + self.at_own_time)
        return influence


def _check_causes(event_type: ArrayLike, cause: int, *, size: int) -> IntArray:
    kinds = check_vector("event_type", event_type, size=size)
    odd = int(np.count_nonzero((kinds < 0.0) | (kinds != np.floor(kinds))))
    if odd:
        raise StatisticsError(f"event_type: {odd} of {size} values are no whole number of at least zero; 0 is censoring, 1, 2, … are causes")
    if cause < 1:
        raise StatisticsError(f"cause: found {cause}; allowed is a number above zero, since 0 is censoring")
    return kinds.astype(np.int64)
