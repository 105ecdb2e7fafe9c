"""Weighted Kaplan–Meier curves, and differences of survival and of restricted mean survival time between two arms.

All variances are those of the infinitesimal jackknife. With d_k the weighted events and Y_k the weighted patients at risk at t_k,
G(t) = Σ_{t_k ≤ t} d_k / (Y_k (Y_k − d_k)), the influence of patient i on log S(t) is

    w_i G(t)                               while t < t_i,
    w_i {G(t_i) − δ_i / (Y − d)(t_i)}      from t_i on,

the derivative of Σ log(1 − d_k/Y_k) along w_i, times w_i. Without weights the sum of squares is Greenwood's variance exactly; with
weights it is the robust variance of R's ``survfit`` (Therneau & Grambsch 2000, §5; Reid 1981). Every sum is a running sum over sorted times.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from parallax.errors import StatisticsError
from parallax.statistics.arms import ArmDifference, ArmPair
from parallax.statistics.domain import FloatArray, IntArray, check_binary, check_times, check_weights
from parallax.statistics.steps import Steps, evaluate_arms


@dataclass(frozen=True, slots=True)
class SurvivalCurve:
    """A Kaplan–Meier curve: time zero, then every distinct time observed; all arrays (k,).

    ``std_error`` of the survival (infinitesimal jackknife, see the module: Greenwood's without weights); ``lower`` and ``upper`` the
    pointwise 95 % band on the log(−log S) scale, NaN where S is zero; ``at_risk`` weighted number just before the time; ``events``
    weighted number at it.
    """

    times: FloatArray
    survival: FloatArray
    std_error: FloatArray
    lower: FloatArray
    upper: FloatArray
    at_risk: FloatArray
    events: FloatArray

    def at(self, times: ArrayLike) -> FloatArray:
        """Survival at the given times (any shape, at least zero); beyond the last time observed its last value is carried on."""
        index = np.searchsorted(self.times, np.asarray(times, dtype=np.float64), side="right") - 1
        if np.any(index < 0):
            raise StatisticsError("times: found a negative value; survival is defined from time zero")
        survival: FloatArray = self.survival[index]
        return survival


def kaplan_meier(time: ArrayLike, event: ArrayLike, *, weights: ArrayLike | None = None) -> SurvivalCurve:
    """Kaplan–Meier estimate S(t) = Π_{t_k ≤ t} (1 − d_k/Y_k) (Kaplan & Meier 1958, eq. 2b), with weights.

    Assumption: independent censoring. ``time`` (n,) above zero, ``event`` (n,) 0/1, ``weights`` (n,) at least zero; patients of weight zero
    are left out. A patient censored at t_k is at risk there. Without events the curve stays at one.
    """
    t = check_times("time", time)
    steps = Steps.of(t, check_binary("event", event, size=t.size), check_weights(weights, size=t.size))
    squares = np.bincount(steps.rank, weights=steps.weight**2)
    own = np.bincount(steps.rank, weights=(steps.weight * steps.own) ** 2)
    log_error = np.sqrt(steps.growth**2 * (squares.sum() - np.cumsum(squares)).clip(min=0.0) + np.cumsum(own))
    survival = steps.survival
    with np.errstate(divide="ignore", invalid="ignore"):
        stretch = np.exp(ndtri(0.975) * log_error / -np.log(survival))
        lower, upper = survival**stretch, survival ** (1.0 / stretch)
    flat = np.where(survival > 0.0, 1.0, np.nan)
    open_band = (survival > 0.0) & (survival < 1.0)
    return SurvivalCurve(
        times=np.concatenate([[0.0], steps.times]),
        survival=np.concatenate([[1.0], survival]),
        std_error=np.concatenate([[0.0], survival * log_error]),
        lower=np.concatenate([[1.0], np.where(open_band, lower, flat)]),
        upper=np.concatenate([[1.0], np.where(open_band, upper, flat)]),
        at_risk=np.concatenate([steps.at_risk[:1], steps.at_risk]),
        events=np.concatenate([[0.0], steps.events]),
    )


def risks(time: ArrayLike, event: ArrayLike, treated: ArrayLike, horizon: float, *, weights: ArrayLike | None = None) -> ArmPair:
    """Risks 1 − S₁(h) and 1 − S₀(h) by the horizon h, S the weighted Kaplan–Meier curves of treated and comparators.

    Assumption: independent censoring within arms; weights taken as known. The influence of a patient is −S(h)·(influence on log S(h)).
    Arguments as for :func:`kaplan_meier`, ``treated`` (n,). Raises NotEstimable when an arm is empty or is followed for less than the horizon.
    """

    def evaluate(steps: Steps, _patients: IntArray) -> tuple[float, FloatArray]:
        last = int(np.searchsorted(steps.times, horizon, side="right")) - 1
        if last < 0:
            return 0.0, np.zeros(steps.weight.size)
        survival = float(steps.survival[last])
        return 1.0 - survival, -survival * steps.weight * np.where(steps.rank > last, steps.growth[last], steps.own)

    return evaluate_arms(evaluate, time, event, treated, horizon, weights)


def restricted_means(time: ArrayLike, event: ArrayLike, treated: ArrayLike, horizon: float, *, weights: ArrayLike | None = None) -> ArmPair:
    """Restricted mean survival times ∫₀ʰ S₁ and ∫₀ʰ S₀, in the unit of time (Royston & Parmar 2013, eq. 1).

    The influence of a patient is ∫₀ʰ S(t)·(influence on log S(t)) dt. Assumptions, arguments and errors as for :func:`risks`.
    """

    def evaluate(steps: Steps, _patients: IntArray) -> tuple[float, FloatArray]:
        knots = np.append(steps.times, np.inf).clip(max=horizon)
        areas = steps.survival * np.diff(knots)
        to_come = np.cumsum(areas[::-1])[::-1]
        gone = np.cumsum(areas * steps.growth) - areas * steps.growth
        return float(knots[0] + to_come[0]), steps.weight * (gone[steps.rank] + steps.own * to_come[steps.rank])

    return evaluate_arms(evaluate, time, event, treated, horizon, weights)


def survival_difference(time: ArrayLike, event: ArrayLike, treated: ArrayLike, horizon: float, *, weights: ArrayLike | None = None) -> ArmDifference:
    """Risk difference at the horizon, treated minus comparator; see :func:`risks`. Raises NotEstimable also when there is no variation."""
    return risks(time, event, treated, horizon, weights=weights).difference()


def restricted_mean_difference(
    time: ArrayLike, event: ArrayLike, treated: ArrayLike, horizon: float, *, weights: ArrayLike | None = None
) -> ArmDifference:
    """Difference of restricted mean survival times; see :func:`restricted_means`. Raises NotEstimable also when there is no variation."""
    return restricted_means(time, event, treated, horizon, weights=weights).difference()
