"""Variance that accounts for estimated weights: stacked estimating equations by influence functions.

An effect θ̂ is a function of the weights, the weights w_j(γ̂) of parameters γ that were estimated from the same patients. Linearised at γ̂,
patient i moves θ̂ by

    U_i + ψ_i' Σ_j (∂θ̂/∂w_j) (∂w_j/∂γ),        U_i = w_i ∂θ̂/∂w_i,

with ψ_i the influence of i on γ̂: the derivative of θ̂ along the patient's own weight in *both* sets of estimating equations (Stefanski & Boos
2002, eq. 10, solved block by block; Newey & McFadden 1994, eq. 6.6; for the weighted Cox model Shu et al. 2021, eq. 6). Since every
estimator of this package returns U, one sum serves hazard ratios, risk differences and restricted means alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from parallax.errors import NotEstimable, StatisticsError
from parallax.statistics.domain import FloatArray, check_binary, check_matrix, check_vector


@dataclass(frozen=True, slots=True)
class EstimatedWeights:
    """What is known of weights that depend on q estimated parameters.

    ``gradient`` (n, q) derivative of each patient's weight by each parameter; ``influence`` (n, q) of each patient on each parameter.
    """

    gradient: FloatArray
    influence: FloatArray

    def beside(self, other: EstimatedWeights) -> EstimatedWeights:
        """The same weights, with the parameters of another set of estimating equations too."""
        return EstimatedWeights(np.hstack([self.gradient, other.gradient]), np.hstack([self.influence, other.influence]))


def stack_influence(influence: ArrayLike, weights: ArrayLike, estimated: EstimatedWeights) -> FloatArray:
    """Influence (n,) of each patient on an effect, the estimation of the weights included; Σ of its squares is the variance.

    Assumption: the model behind the weights is the one that was fitted, and the weights depend smoothly on its parameters.
    Formula: see the module. ``influence`` (n,) U of the effect with the weights taken as known, ``weights`` (n,) at least zero. A patient
    of weight zero carries no effect of the weights, but still takes part in the estimation of the parameters.
    """
    weight = check_vector("weights", weights)
    direct = check_vector("influence", influence, size=weight.size)
    if estimated.gradient.shape != estimated.influence.shape or len(estimated.gradient) != weight.size:
        raise StatisticsError(
            f"estimated weights: found gradients {estimated.gradient.shape} and influences {estimated.influence.shape}; "
            f"allowed is one row for each of {weight.size} patients"
        )
    by_weight = np.divide(direct, weight, out=np.zeros_like(direct), where=weight > 0.0)
    return direct + estimated.influence @ (estimated.gradient.T @ by_weight)


def logistic_weights(regressors: ArrayLike, treated: ArrayLike, propensity: ArrayLike, slope: ArrayLike) -> EstimatedWeights:
    """Weights that depend on the score of an unpenalised logistic regression.

    ``regressors`` (n, p) as the score was fitted on, ``treated`` (n,), ``propensity`` (n,) the fitted score e, ``slope`` (n,) the derivative of
    each weight by the *logit* of the score.
    Formula: ∂w_j/∂γ = slope_j x_j;  ψ_i = {Σ e(1 − e) x x'}⁻¹ x_i (A_i − e_i), the maximum likelihood's influence.
    Raises NotEstimable where the columns do not identify the score.
    """
    x = check_matrix("regressors", regressors)
    arm = check_binary("treated", treated, size=len(x))
    score = check_vector("propensity", propensity, size=len(x))
    by_logit = check_vector("slope", slope, size=len(x))
    information = (x * (score * (1.0 - score))[:, None]).T @ x
    try:
        inverse = np.linalg.inv(information)
    except np.linalg.LinAlgError as error:
        raise NotEstimable("the propensity model's columns do not identify the score") from error
    return EstimatedWeights(x * by_logit[:, None], (x * (arm - score)[:, None]) @ inverse)


def arm_share_weights(weights: ArrayLike, treated: ArrayLike) -> EstimatedWeights:
    """Weights stabilised by the share p of the treated: w/p by p among the treated, −w/(1 − p) among the comparators; ψ_i = (A_i − p)/n."""
    arm = check_binary("treated", treated)
    weight = check_vector("weights", weights, size=arm.size)
    share = arm.mean()
    return EstimatedWeights(np.where(arm, weight / share, -weight / (1.0 - share))[:, None], ((arm - share) / arm.size)[:, None])
