"""Weights from propensity scores; the estimand that each targets is Li, Morgan & Zaslavsky 2018, table 1."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from parallax.errors import NotEstimable, StatisticsError
from parallax.statistics.domain import FloatArray, check_binary, check_vector
from parallax.vocabulary import Estimand


def propensity_weights(propensity: ArrayLike, treated: ArrayLike, estimand: Estimand, *, stabilised: bool) -> FloatArray:
    """Weight (n,) of each patient, from the propensity score e (n,) strictly between 0 and 1 and ``treated`` (n,).

    Assumption: no unmeasured confounding, positivity. Formula (treated / comparator):
    ATE 1/e · 1/(1−e), ``stabilised`` times the share of the arm; ATT 1 · e/(1−e); ATO 1−e · e. ``stabilised`` concerns the ATE only.
    Raises NotEstimable when an arm is empty or a score is 0 or 1.
    """
    arm = check_binary("treated", treated)
    score = check_vector("propensity", propensity, size=arm.size)
    if arm.all() or not arm.any():
        raise NotEstimable("one arm is empty")
    outside = int(np.count_nonzero((score <= 0.0) | (score >= 1.0)))
    if outside:
        raise NotEstimable(f"positivity: {outside} of {score.size} propensity scores are not strictly between 0 and 1")
    if estimand == "ATE":
        share = arm.mean() if stabilised else 1.0
        return np.where(arm, share / score, (1.0 - share if stabilised else 1.0) / (1.0 - score))
    if estimand == "ATT":
        return np.where(arm, 1.0, score / (1.0 - score))
    if estimand == "ATO":
        return np.where(arm, 1.0 - score, score)
    raise StatisticsError(f"estimand: found {estimand!r}; allowed are 'ATE', 'ATT' and 'ATO'")
