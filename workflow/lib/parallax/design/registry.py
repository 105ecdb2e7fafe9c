"""Designs by the protocol's ``method``: from propensity scores to one weight per patient."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from parallax.design.propensity import PropensityScore
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


def compare_crude(design: CrudeDesign, propensity: PropensityScore, treated: NDArray[np.bool_]) -> Comparison:
    """Every patient counts once."""
    return Comparison(np.ones(len(treated)), _no_sets(treated), "unadjusted")


def compare_matched(design: MatchDesign, propensity: PropensityScore, treated: NDArray[np.bool_]) -> Comparison:
    """Pairs on the logit of the score within the caliper, from the smaller arm; a caliper makes it the effect among the matched."""
    inside = propensity.comparable
    score, arm = logit(propensity.score[inside]), treated[inside]
    from_treated = int(arm.sum()) * 2 <= len(arm)
    matched_set = _no_sets(treated)
    matched_set[inside] = match_nearest(
        score if from_treated else -score, arm if from_treated else ~arm, caliper=design.caliper_sd * pooled_within_sd(score, arm)
    ).matched_set
    if not (matched_set >= 0).any():
        raise NotEstimable("no pair lies within the caliper")
    return Comparison((matched_set >= 0).astype(np.float64), matched_set, "ATT among the matched" if from_treated else "ATC among the matched")


def compare_weighted(design: WeightDesign, propensity: PropensityScore, treated: NDArray[np.bool_]) -> Comparison:
    """Each patient counts as the estimand's weight says; patients without a counterpart in the other arm are left out and the estimand says so."""
    inside = propensity.comparable
    weight = np.zeros(len(treated))
    weight[inside] = propensity_weights(propensity.score[inside], treated[inside], design.estimand, stabilised=design.stabilised)
    return Comparison(weight, _no_sets(treated), design.estimand if inside.all() else f"{design.estimand} among the comparable")


#: a new design is one function above and one line here
COMPARISONS: Final[Mapping[str, Callable[[Any, PropensityScore, NDArray[np.bool_]], Comparison]]] = {
    "none": compare_crude,
    "match": compare_matched,
    "weight": compare_weighted,
}


def _no_sets(treated: NDArray[np.bool_]) -> NDArray[np.int64]:
    return np.full(len(treated), -1, dtype=np.int64)
