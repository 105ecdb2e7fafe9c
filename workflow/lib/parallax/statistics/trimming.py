"""Patients at the ends of the propensity score left out, and what that makes of the estimand.

Each rule keeps the patients whose score lies between two cut-points, both included, so patients with one score stay or go together. The
answer is about those kept: an effective estimand that the record can tell. Estimate the score anew among them (Stürmer et al. 2021).
Throughout ``propensity`` is (n,) strictly between 0 and 1 and ``treated`` (n,). NotEstimable is raised when an arm is empty, before or
after the trim, or when a score is 0 or 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from parallax.errors import NotEstimable, StatisticsError
from parallax.statistics.domain import BoolArray, FloatArray, check_binary
from parallax.statistics.weighting import check_propensity


@dataclass(frozen=True, slots=True)
class Trim:
    """Who is kept: ``kept`` (n,) those with ``lower`` ≤ e ≤ ``upper``; patients left out by arm, for the report."""

    kept: BoolArray
    lower: float
    upper: float
    excluded_treated: int
    excluded_comparator: int


def trim_symmetric(propensity: ArrayLike, treated: ArrayLike, *, alpha: float = 0.1) -> Trim:
    """Keep α ≤ e ≤ 1 − α; α = 0.1 is the rule of thumb of Crump et al. 2009. ``alpha`` from 0 to below ½."""
    score, arm = _check(propensity, treated)
    if not 0.0 <= alpha < 0.5:
        raise StatisticsError(f"alpha: found {alpha}; allowed is a number from 0 to below 0.5")
    return _keep(score, arm, alpha, 1.0 - alpha)


def trim_crump(propensity: ArrayLike, treated: ArrayLike) -> Trim:
    """Keep α ≤ e ≤ 1 − α with the α for which the average effect among the kept is estimated most precisely (Crump et al. 2009).

    Assumption: the outcome varies equally in both arms and over the covariates. With g = 1/{e(1 − e)}: α = 0 if max g ≤ 2 mean g, otherwise
    α = ½ − √(¼ − 1/γ) with γ = 2 mean(g | g ≤ γ) (corollary 1). In a sample several γ may solve this; the one of the smallest variance,
    Σg/(number kept)² over the kept (theorem 1), is taken.
    """
    score, arm = _check(propensity, treated)
    cost = np.sort(1.0 / (score * (1.0 - score)))
    number = np.arange(1, cost.size + 1)
    total = np.cumsum(cost)
    bound = 2.0 * total / number
    if cost[-1] <= bound[-1]:
        return _keep(score, arm, 0.0, 1.0)
    solves = (cost[:-1] <= bound[:-1]) & (bound[:-1] < cost[1:])
    gamma = bound[np.argmin(np.where(solves, total[:-1] / number[:-1] ** 2, np.inf))]
    alpha = 0.5 - float(np.sqrt(0.25 - 1.0 / gamma))
    return _keep(score, arm, alpha, 1.0 - alpha)


def trim_sturmer(propensity: ArrayLike, treated: ArrayLike, *, percentile: float = 0.05) -> Trim:
    """Keep from the lower percentile of e among the treated to the upper percentile of e among the comparators (Stürmer et al. 2010).

    Leaves out the patients treated contrary to prediction, among whom unmeasured frailty is likeliest. ``percentile`` from 0 to below ½,
    interpolated linearly (Hyndman & Fan 1996, type 7); 0 keeps the range that the arms share on these two sides. Raises NotEstimable where
    the arms are so far apart that the cut-points leave out an arm.
    """
    score, arm = _check(propensity, treated)
    if not 0.0 <= percentile < 0.5:
        raise StatisticsError(f"percentile: found {percentile}; allowed is a number from 0 to below 0.5")
    return _keep(score, arm, float(np.quantile(score[arm], percentile)), float(np.quantile(score[~arm], 1.0 - percentile)))


def _check(propensity: ArrayLike, treated: ArrayLike) -> tuple[FloatArray, BoolArray]:
    arm = check_binary("treated", treated)
    score = check_propensity(propensity, size=arm.size)
    if arm.all() or not arm.any():
        raise NotEstimable("one arm is empty")
    return score, arm


def _keep(score: FloatArray, arm: BoolArray, lower: float, upper: float) -> Trim:
    kept = (score >= lower) & (score <= upper)
    if not np.any(kept & arm) or not np.any(kept & ~arm):
        raise NotEstimable("one arm is empty after the trim: the arms' scores overlap too little")
    return Trim(kept, lower, upper, int(np.count_nonzero(arm & ~kept)), int(np.count_nonzero(~arm & ~kept)))
