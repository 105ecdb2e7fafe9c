"""Designs by the protocol's ``method``: from patients and their scores to one weight per patient."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logit

from parallax.design.matrix import DesignMatrix
from parallax.design.propensity import PropensityScore
from parallax.design.terms import build_regressors
from parallax.errors import NotEstimable
from parallax.protocol.designs import (
    CoarsenDesign,
    CrudeDesign,
    DoublyRobustDesign,
    EntropyDesign,
    MatchDesign,
    RegressionDesign,
    StandardisedDesign,
    WeightDesign,
)
from parallax.protocol.propensity import LogisticScore
from parallax.statistics.coarsened_matching import match_coarsened
from parallax.statistics.entropy_balancing import balance_entropy
from parallax.statistics.mahalanobis_matching import match_mahalanobis
from parallax.statistics.matching import Order, match_nearest, pooled_within_sd
from parallax.statistics.optimal_matching import match_optimal
from parallax.statistics.trimming import trim_crump, trim_sturmer, trim_symmetric
from parallax.statistics.weighting import propensity_weights, truncate_weights
from parallax.vocabulary import MISSING_LEVEL


@dataclass(frozen=True, slots=True)
class Arms:
    """The patients of one replicate as a design sees them.

    ``treated`` (n,); ``matrix`` their covariates as numbers; ``patients`` the cohort's rows; ``score`` the design's propensity score, or in
    words why there is none.
    """

    treated: NDArray[np.bool_]
    matrix: DesignMatrix
    patients: pd.DataFrame
    score: PropensityScore | str

    @property
    def fitted(self) -> PropensityScore:
        """The propensity score. Raises NotEstimable where it could not be fitted."""
        if isinstance(self.score, str):
            raise NotEstimable(self.score)
        return self.score


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a design sees the patients.

    ``weight`` (n,), 0 outside; ``matched_set`` (n,), -1 outside and where patients may be in several sets; whom the answer is about;
    ``tied_pairs`` the matches that equal scores left to the order of the rows.
    """

    weight: NDArray[np.float64]
    matched_set: NDArray[np.int64]
    effective_estimand: str
    tied_pairs: int = 0


def compare_crude(_design: CrudeDesign, arms: Arms, _rng: np.random.Generator) -> Comparison:
    """Every patient counts once."""
    return Comparison(np.ones(len(arms.treated)), _no_sets(arms), "unadjusted")


def compare_matched(design: MatchDesign, arms: Arms, rng: np.random.Generator) -> Comparison:
    """Matches within the caliper, from the smaller arm; a caliper makes it the effect among the matched."""
    inside = arms.fitted.comparable
    probability, arm = arms.fitted.score[inside], arms.treated[inside]
    if not ((probability > 0) & (probability < 1)).all():
        raise NotEstimable("positivity: some propensity scores are 0 or 1 to the last digit")
    score = logit(probability) if design.scale == "logit" else probability
    from_treated = int(arm.sum()) * 2 <= len(arm)
    focal = arm if from_treated else ~arm
    caliper = None if design.caliper_sd is None else design.caliper_sd * pooled_within_sd(score, arm)
    exact = _strata(arms.patients.loc[inside, list(design.exact)]) if design.exact else None
    if design.algorithm == "optimal" and caliper is not None:
        found = match_optimal(score, focal, caliper=caliper, exact=exact)
    elif design.algorithm == "mahalanobis":
        hardest_first = score if from_treated else -score
        found = match_mahalanobis(main_effects(arms)[inside], focal, score=hardest_first, caliper=caliper, exact=exact)
    else:
        descending = (design.order == "hardest_first") == from_treated
        order: Order = "random" if design.order == "random" else "descending" if descending else "ascending"
        found = match_nearest(score, focal, ratio=design.ratio, replace=design.replacement, caliper=caliper, exact=exact, order=order, rng=rng)
    if not len(found.focal):
        raise NotEstimable("no pair lies within the caliper" if caliper is not None else "no patient has a match")
    weight, matched_set = np.zeros(len(arms.treated)), _no_sets(arms)
    weight[inside] = found.weights
    if found.matched_set is not None:
        matched_set[inside] = found.matched_set
    estimand = "ATT" if from_treated else "ATC"
    everyone = inside.all() and len(np.unique(found.focal)) == focal.sum()
    return Comparison(weight, matched_set, estimand if everyone else f"{estimand} among the matched", found.ties_decided_by_row_order)


def compare_coarsened(design: CoarsenDesign, arms: Arms, _rng: np.random.Generator) -> Comparison:
    """Exact matching on levels and on bins of the numeric covariates."""
    bins = {
        column: design.bins[name]
        for column, (name, level) in enumerate(zip(arms.matrix.covariates, arms.matrix.levels, strict=True))
        if level is None and name in design.bins
    }
    weight = match_coarsened(arms.matrix.values, arms.treated, bins=bins).weights
    return Comparison(weight, _no_sets(arms), "ATT" if (weight[arms.treated] > 0).all() else "ATT among the matched")


def compare_weighted(design: WeightDesign, arms: Arms, _rng: np.random.Generator) -> Comparison:
    """Each patient counts as the estimand's weight says; who has no counterpart or is trimmed is left out, and the estimand says so."""
    inside, left = select_weighted(design, arms)
    weight = np.zeros(len(arms.treated))
    weight[inside] = propensity_weights(arms.fitted.score[inside], arms.treated[inside], design.estimand, stabilised=design.stabilised)
    if design.truncate is not None:
        weight[inside] = truncate_weights(weight[inside], arms.treated[inside], quantiles=(design.truncate, 1 - design.truncate)).weights
    return Comparison(weight, _no_sets(arms), design.estimand + left)


def compare_entropy(design: EntropyDesign, arms: Arms, _rng: np.random.Generator) -> Comparison:
    """Weights that make the arms' covariate means agree exactly."""
    return Comparison(balance_entropy(main_effects(arms), arms.treated, design.estimand).weights, _no_sets(arms), design.estimand)


def compare_unweighted(design: RegressionDesign | StandardisedDesign, arms: Arms, _rng: np.random.Generator) -> Comparison:
    """Every patient counts once: an outcome regression makes the arms comparable."""
    estimand = design.estimand if isinstance(design, StandardisedDesign) else "conditional"
    return Comparison(np.ones(len(arms.treated)), _no_sets(arms), estimand)


def compare_doubly_robust(design: DoublyRobustDesign, arms: Arms, _rng: np.random.Generator) -> Comparison:
    """The weights of the propensity score alone: they say where the answer leans on few patients; an outcome regression corrects them."""
    inside = arms.fitted.comparable
    weight = np.zeros(len(arms.treated))
    weight[inside] = propensity_weights(arms.fitted.score[inside], arms.treated[inside], design.estimand, stabilised=design.estimand == "ATE")
    return Comparison(weight, _no_sets(arms), design.estimand + ("" if inside.all() else " among the comparable"))


#: a new design is one function above and one line here
COMPARISONS: Final[Mapping[str, Callable[[Any, Arms, np.random.Generator], Comparison]]] = {
    "none": compare_crude,
    "match": compare_matched,
    "coarsen": compare_coarsened,
    "weight": compare_weighted,
    "entropy": compare_entropy,
    "regression": compare_unweighted,
    "g_computation": compare_unweighted,
    "aipw": compare_doubly_robust,
    "tmle": compare_doubly_robust,
}


_MAIN_EFFECTS: Final = LogisticScore(model="logistic")


def select_weighted(design: WeightDesign, arms: Arms) -> tuple[NDArray[np.bool_], str]:
    """Who is weighted (n,), and what that makes of the estimand: patients without counterpart and trimmed ones are left out."""
    inside, left = arms.fitted.comparable.copy(), ""
    if not inside.all():
        left = " among the comparable"
    if design.trim is not None:
        rule, limit = design.trim.rule, design.trim.limit
        score, arm = arms.fitted.score[inside], arms.treated[inside]
        if rule == "crump":
            trimmed = trim_crump(score, arm)
        elif rule == "symmetric":
            trimmed = trim_symmetric(score, arm, alpha=0.1 if limit is None else limit)
        else:
            trimmed = trim_sturmer(score, arm, percentile=0.05 if limit is None else limit)
        inside[inside] = trimmed.kept
        left = f" among scores from {trimmed.lower:.3f} to {trimmed.upper:.3f}"
    return inside, left


def _strata(columns: pd.DataFrame) -> NDArray[np.int64]:
    """Numbers the combinations of levels; missing is a level."""
    numbers = columns.astype(object).where(columns.notna(), MISSING_LEVEL).groupby(list(columns), sort=True).ngroup()
    return np.asarray(numbers, dtype=np.int64)


def _no_sets(arms: Arms) -> NDArray[np.int64]:
    return np.full(len(arms.treated), -1, dtype=np.int64)


def main_effects(arms: Arms, rows: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
    """The standardised columns (rows, k), all patients by default: what entropy balancing equates and outcome regressions take."""
    return build_regressors(arms.matrix, _MAIN_EFFECTS, np.ones(len(arms.treated), dtype=bool) if rows is None else rows)[0][:, 1:]
