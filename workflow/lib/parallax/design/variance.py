"""How the variance under a design deals with weights that were estimated: stacked estimating equations, bootstrap, or not at all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from parallax.design.propensity import knows_its_variance
from parallax.design.registry import Arms, main_effects, select_weighted
from parallax.design.terms import build_regressors
from parallax.protocol.designs import Design, EntropyDesign, MatchDesign, WeightDesign
from parallax.protocol.propensity import LogisticScore, PropensitySection
from parallax.statistics.bootstrap import resample_sets, resample_weighting
from parallax.statistics.entropy_balancing import balance_entropy
from parallax.statistics.stacked import EstimatedWeights, arm_share_weights, logistic_weights
from parallax.statistics.weighting import propensity_weights, weight_gradient
from parallax.vocabulary import Variance


def choose_variance(design: Design, propensity: PropensitySection) -> Variance:
    """How the variance of an effect under this design deals with weights that were estimated."""
    if isinstance(design, EntropyDesign):
        return design.variance
    if isinstance(design, WeightDesign):
        return design.variance or ("stacked" if knows_its_variance(propensity[propensity.named(design.score)]) else "score_as_known")
    return "bootstrap" if isinstance(design, MatchDesign) and design.variance == "bootstrap" else "score_as_known"


def resample(
    design: MatchDesign | WeightDesign,
    arms: Arms,
    weight: NDArray[np.float64],
    matched_set: NDArray[np.int64],
    propensity: PropensitySection,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Weights (resamples, n) of a bootstrap: of patients with the score refitted, or of matched sets with the score held fixed.

    Who lacks a counterpart or was trimmed stays out.
    """
    if isinstance(design, MatchDesign):
        return resample_sets(weight, matched_set, resamples=design.resamples, rng=rng)
    comparable = arms.fitted.comparable
    drawn = np.zeros((design.resamples, len(arms.treated)))
    drawn[:, comparable] = resample_weighting(
        _regressors(design, arms, propensity),
        arms.treated[comparable],
        design.estimand,
        stabilised=design.stabilised,
        resamples=design.resamples,
        rng=rng,
    )
    drawn[:, ~select_weighted(design, arms)[0]] = 0.0
    return drawn


def linearise(design: WeightDesign | EntropyDesign, arms: Arms, weight: NDArray[np.float64], propensity: PropensitySection) -> EstimatedWeights:
    """The weights of a design as functions of what was estimated for them, for stacked estimating equations.

    Who is left out (no counterpart, trimmed) and where weights are truncated is taken as given.
    """
    if isinstance(design, EntropyDesign):
        balanced = balance_entropy(main_effects(arms), arms.treated, design.estimand)
        return EstimatedWeights(balanced.gradient, balanced.influence)
    fitted, inside = arms.fitted, select_weighted(design, arms)[0]
    comparable = fitted.comparable
    regressors = _regressors(design, arms, propensity)
    slope = np.zeros(len(weight))
    untouched = propensity_weights(fitted.score[inside], arms.treated[inside], design.estimand, stabilised=design.stabilised)
    gradient = weight_gradient(fitted.score[inside], arms.treated[inside], design.estimand, stabilised=design.stabilised)
    slope[inside] = np.where(np.isclose(untouched, weight[inside], rtol=1e-9), gradient, 0.0)
    found = logistic_weights(regressors, arms.treated[comparable], fitted.score[comparable], slope[comparable])
    full = EstimatedWeights(*(_spread(part, comparable) for part in (found.gradient, found.influence)))
    if design.estimand == "ATE" and design.stabilised:
        share = arm_share_weights(weight[inside], arms.treated[inside])
        full = full.beside(EstimatedWeights(*(_spread(part, inside) for part in (share.gradient, share.influence))))
    return full


def _regressors(design: WeightDesign, arms: Arms, propensity: PropensitySection) -> NDArray[np.float64]:
    """The columns (comparable, p) of the design's logistic score; the protocol's checks let no other model come here."""
    model = propensity[propensity.named(design.score)]
    terms = model if isinstance(model, LogisticScore) else LogisticScore(model="logistic")
    return build_regressors(arms.matrix, terms, arms.fitted.comparable)[0]


def _spread(rows: NDArray[np.float64], inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    full = np.zeros((len(inside), rows.shape[1]))
    full[inside] = rows
    return full
