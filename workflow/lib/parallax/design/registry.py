"""Designs by the protocol's ``method``: from propensity scores to one weight per patient."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from parallax.errors import NotEstimable
from parallax.protocol.designs import CrudeDesign, MatchDesign, WeightDesign
from parallax.statistics.matching import match_nearest, pooled_within_sd
from parallax.statistics.weighting import propensity_weights


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a design sees the patients: ``weight`` (n,), 0 outside; ``matched_set`` (n,), -1 outside; whom the answer is about."""

    weight: NDArray[np.float64]
    matched_set: NDArray[np.int64]
    effective_estimand: str


def compare_crude(design: CrudeDesign, propensity: NDArray[np.float64], treated: NDArray[np.bool_]) -> Comparison:
    """Every patient counts once."""
    return Comparison(np.ones(len(treated)), _no_sets(treated), "unadjusted")


def compare_matched(design: MatchDesign, propensity: NDArray[np.float64], treated: NDArray[np.bool_]) -> Comparison:
    """Pairs on the logit of the score within the caliper, from the smaller arm; a caliper makes it the effect among the matched."""
    _require_both_arms(treated)
    score = logit(propensity)
    from_treated = int(treated.sum()) * 2 <= len(treated)
    arm, direction = (treated, score) if from_treated else (~treated, -score)
    sets = match_nearest(direction, arm, caliper=design.caliper_sd * pooled_within_sd(score, treated))
    if not (sets >= 0).any():
        raise NotEstimable("no pair lies within the caliper")
    return Comparison((sets >= 0).astype(np.float64), sets, "ATT among the matched" if from_treated else "ATC among the matched")


def compare_weighted(design: WeightDesign, propensity: NDArray[np.float64], treated: NDArray[np.bool_]) -> Comparison:
    """Each patient counts as the estimand's weight says."""
    _require_both_arms(treated)
    weight = propensity_weights(propensity, treated, design.estimand, stabilised=design.stabilised)
    return Comparison(weight, _no_sets(treated), design.estimand)


#: a new design is one function above and one line here
COMPARISONS: Final[Mapping[str, Callable[[Any, NDArray[np.float64], NDArray[np.bool_]], Comparison]]] = {
    "none": compare_crude,
    "match": compare_matched,
    "weight": compare_weighted,
}


def _no_sets(treated: NDArray[np.bool_]) -> NDArray[np.int64]:
    return np.full(len(treated), -1, dtype=np.int64)


def _require_both_arms(treated: NDArray[np.bool_]) -> None:
    if treated.all() or not treated.any():
        raise NotEstimable("one arm has no patients")
