"""Weights from propensity scores; the estimand that each targets is Li, Morgan & Zaslavsky 2018, table 1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from parallax.errors import NotEstimable, StatisticsError
from parallax.statistics.domain import BoolArray, FloatArray, check_binary, check_vector, check_weights
from parallax.vocabulary import Estimand


@dataclass(frozen=True, slots=True)
class TruncatedWeights:
    """Weights pulled in to cut-points.

    ``weights`` (n,); ``truncated`` (n,) whose weight changed; ``cut_points`` (2, 2): lowest and highest weight, first row the comparators.
    """

    weights: FloatArray
    truncated: BoolArray
    cut_points: FloatArray


def propensity_weights(propensity: ArrayLike, treated: ArrayLike, estimand: Estimand, *, stabilised: bool) -> FloatArray:
    """Weight (n,) of each patient, from the propensity score e (n,) strictly between 0 and 1 and ``treated`` (n,).

    Assumption: no unmeasured confounding, positivity where the estimand's patients are. Formula h(e)/e for the treated, h(e)/(1 − e) for
    the comparators (Li, Morgan & Zaslavsky 2018, table 1), with h by estimand:

    ====  ==============  ===========  ===============
    ATE   h = 1           1/e          1/(1−e)
    ATT   h = e           1            e/(1−e)
    ATC   h = 1−e         (1−e)/e      1
    ATO   h = e(1−e)      1−e          e
    ATM   h = min(e,1−e)  min(1,1/o)   min(o,1), o = e/(1−e) (Li & Greene 2013)
    ====  ==============  ===========  ===============

    ``stabilised`` multiplies the ATE's weights by the share of the patient's arm, and concerns the ATE only.
    Raises NotEstimable when an arm is empty or a score is not strictly between 0 and 1; StatisticsError for an unknown estimand.
    """
    score, arm = _check(propensity, treated)
    weights = np.where(arm, *_formulas(score, estimand)[0])
    if estimand == "ATE" and stabilised:
        weights *= np.where(arm, arm.mean(), 1.0 - arm.mean())
    return weights


def weight_gradient(propensity: ArrayLike, treated: ArrayLike, estimand: Estimand, *, stabilised: bool) -> FloatArray:
    """Derivative (n,) of each patient's weight (:func:`propensity_weights`) by the logit of the propensity score.

    Formula e(1 − e) ∂w/∂e; by the chain rule, times x it is the derivative by the coefficients of a logistic score. A stabilised weight is
    derived with the share of the arm held fixed; by that share p itself it is w/p for the treated and −w/(1 − p) for the comparators.
    The ATM's weight has a kink at e = ½; the derivative there is that from below (Li & Greene 2013 smooth it, which changes the weights).
    Arguments and errors as for the weights.
    """
    score, arm = _check(propensity, treated)
    gradient = np.where(arm, *_formulas(score, estimand)[1])
    if estimand == "ATE" and stabilised:
        gradient *= np.where(arm, arm.mean(), 1.0 - arm.mean())
    return gradient


def truncate_weights(weights: ArrayLike, treated: ArrayLike, *, quantiles: tuple[float, float]) -> TruncatedWeights:
    """Weights below the lower, or above the upper quantile of their own arm are set to that quantile (Cole & Hernán 2008).

    Within the arm, so that the result is the same whether or not the weights were stabilised, and so that the arm whose weights are
    constant (the ATT's treated) neither moves nor lends its quantiles to the other. WeightIt takes quantiles over both arms for the ATE, and
    over the weighted arm for the ATT; CohortMethod cuts at a fixed weight. Quantiles interpolate linearly (Hyndman & Fan 1996, type 7)
    between the weights above zero: a weight of zero means a patient outside the design, and stays zero.

    Truncation trades bias for variance: the truncated weights balance less, and no longer stand for the estimand exactly. Their derivative
    by the parameters of the score is taken as zero where ``truncated``, the cut-points held fixed.

    ``weights`` (n,) at least zero, ``treated`` (n,), ``quantiles`` from 0 to 1 in ascending order; (0, 0.99) truncates from above only.
    Raises NotEstimable when an arm has no weight above zero.
    """
    arm = check_binary("treated", treated)
    values = check_weights(weights, size=arm.size)
    lower, upper = quantiles
    if not 0.0 <= lower < upper <= 1.0:
        raise StatisticsError(f"quantiles: found {lower} and {upper}; allowed are two numbers from 0 to 1 in ascending order")
    inside = values > 0.0
    if not np.any(arm & inside) or not np.any(~arm & inside):
        raise NotEstimable("one arm is empty")
    cut_points = np.array([np.quantile(values[inside & (arm == side)], quantiles) for side in (False, True)])
    by_patient = cut_points[arm.astype(np.intp)]
    truncated = np.where(inside, np.clip(values, by_patient[:, 0], by_patient[:, 1]), 0.0)
    return TruncatedWeights(truncated, truncated != values, cut_points)


def check_propensity(propensity: ArrayLike, *, size: int) -> FloatArray:
    """Propensity scores strictly between 0 and 1; raises NotEstimable where some are not."""
    score = check_vector("propensity", propensity, size=size)
    if np.any((score <= 0.0) | (score >= 1.0)):
        raise NotEstimable("positivity: some propensity scores are not strictly between 0 and 1")
    return score


def _check(propensity: ArrayLike, treated: ArrayLike) -> tuple[FloatArray, BoolArray]:
    arm = check_binary("treated", treated)
    score = check_propensity(propensity, size=arm.size)
    if arm.all() or not arm.any():
        raise NotEstimable("one arm is empty")
    return score, arm


_Pair = tuple[FloatArray, FloatArray]


def _formulas(e: FloatArray, estimand: Estimand) -> tuple[_Pair, _Pair]:
    """(treated, comparator): the weights, and their derivatives by the logit of e."""
    odds, none, one = e / (1.0 - e), np.zeros_like(e), np.ones_like(e)
    match estimand:
        case "ATE":
            return (1.0 / e, 1.0 / (1.0 - e)), (-1.0 / odds, odds)
        case "ATT":
            return (one, odds), (none, odds)
        case "ATC":
            return (1.0 / odds, one), (-1.0 / odds, none)
        case "ATO":
            return (1.0 - e, e), (-e * (1.0 - e), e * (1.0 - e))
        case "ATM":
            below = e <= 0.5
            return (np.where(below, 1.0, 1.0 / odds), np.where(below, odds, 1.0)), (np.where(below, 0.0, -1.0 / odds), np.where(below, odds, 0.0))
    raise StatisticsError(f"estimand: found {estimand!r}; allowed are 'ATE', 'ATT', 'ATC', 'ATO' and 'ATM'")
