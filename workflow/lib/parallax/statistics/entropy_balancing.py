"""Entropy balancing: the weights nearest to given ones under which the arms' covariate means agree exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike

from parallax.errors import NotEstimable, StatisticsError
from parallax.statistics.domain import BoolArray, FloatArray, check_binary, check_matrix, check_weights
from parallax.statistics.newton import Curvature, dependent_columns, maximise

BalancedEstimand = Literal["ATT", "ATC", "ATE"]

#: largest difference from a target mean, in standard deviations of the column within the reweighted arm
_TOLERANCE: Final = 1e-8


@dataclass(frozen=True, slots=True)
class EntropyBalance:
    """Balancing weights and what a variance needs that knows that they were estimated.

    ``weights`` (n,), base weights for the arm that is not reweighted; ``coefficients`` (arms, k) the dual parameters λ of each reweighted
    arm (for the ATE the comparators' first), per unit of the column, 0 for a column that the others imply.
    With θ the parameters of all reweighted arms, an intercept and the λ of the columns that are not implied: ``gradient`` (n, q) ∂w_j/∂θ;
    ``influence`` (n, q) of each patient on θ, the derivative of θ along the logarithm of the patient's base weight.
    """

    weights: FloatArray
    coefficients: FloatArray
    gradient: FloatArray
    influence: FloatArray


def balance_entropy(columns: ArrayLike, treated: ArrayLike, estimand: BalancedEstimand, *, base_weights: ArrayLike | None = None) -> EntropyBalance:
    """Reweight so that each of ``columns`` has the mean that it has in the estimand's patients.

    Assumption: no unmeasured confounding; the log odds of treatment, or the outcome, linear in the columns (Zhao & Percival 2017, theorem 1).
    Give squares as columns to balance variances.

    Formula: w_i = b_i exp(λ₀ + λ'x_i) (Hainmueller 2012, eq. 8) with the λ that minimises log Σ b_i exp(λ'(x_i − m)) over the arm (eq. 9, the
    dual), m the target means; among all weights with these means, the nearest to the base weights b in the sense of Kullback and Leibler.
    ATT: the comparators are brought to the treated's means and total, the treated keep b. ATC: the mirror. ATE: both arms are brought to the
    means and the total of all patients.

    θ = (λ₀, λ) of an arm solves Σ_i {1(i in the arm) w_i − 1(i in the target) b_i} (1, x_i)' = 0. With ψ_i the term of patient i and
    M = Σ_arm w_i (1, x_i)'(1, x_i), the influence is −M⁻¹ψ_i and ∂w_i/∂θ = w_i (1, x_i) (Stefanski & Boos 2002, eq. 10).

    Parameters: ``columns`` (n, k); ``treated`` (n,); ``base_weights`` (n,) at least zero, for instance how often a patient was resampled.
    The means agree to 1e-8 standard deviations. Columns that others imply (all levels of a category) are balanced through them.

    Raises NotEstimable, with ``columns``, where no positive weights have the target means: a mean at or beyond the range of a column in the
    arm, or outside the convex hull of several columns; and when an arm is empty. StatisticsError for arguments outside the domain.
    """
    x = check_matrix("columns", columns)
    arm = check_binary("treated", treated, size=len(x))
    base = check_weights(base_weights, size=len(x))
    if estimand not in ("ATT", "ATC", "ATE"):
        raise StatisticsError(f"estimand: found {estimand!r}; allowed are 'ATT', 'ATC' and 'ATE'")
    if not np.any(base[arm] > 0.0) or not np.any(base[~arm] > 0.0):
        raise NotEstimable("one arm is empty")
    everyone = np.ones(arm.size, dtype=bool)
    sides = {"ATT": ((~arm, arm),), "ATC": ((arm, ~arm),), "ATE": ((~arm, everyone), (arm, everyone))}[estimand]
    parts = [_reweight(x, base, moved & (base > 0.0), target) for moved, target in sides]
    weights = np.where(np.logical_or.reduce([moved for moved, _ in sides]), 0.0, base) + np.sum([part.weights for part in parts], axis=0)
    return EntropyBalance(
        weights,
        np.vstack([part.coefficients for part in parts]),
        np.hstack([part.gradient for part in parts]),
        np.hstack([part.influence for part in parts]),
    )


def _reweight(x: FloatArray, base: FloatArray, moved: BoolArray, target: BoolArray) -> EntropyBalance:
    """One arm (``moved``) brought to the means and the total of ``target``; weights are 0 outside the arm."""
    total = float(base[target].sum())
    mean = base[target] @ x[target] / total
    _check_range(x[moved], mean)
    scale = x[moved].std(axis=0)
    scale[scale == 0.0] = 1.0
    z = (x[moved] - mean) / scale
    implied = dependent_columns(np.column_stack([np.ones(len(z)), z]))
    free = np.array([j for j in range(x.shape[1]) if j + 1 not in implied], dtype=np.intp)
    slopes, share = _solve(z[:, free], base[moved], free)
    off = np.abs(share @ z) > _TOLERANCE
    if off.any():
        raise NotEstimable(
            "not balanced: within the arm these columns follow from the others, in the target they do not", columns=np.flatnonzero(off).tolist()
        )
    weights, coefficients = np.zeros(len(x)), np.zeros(x.shape[1])
    weights[moved] = total * share
    coefficients[free] = slopes / scale[free]
    regressors = np.column_stack([np.ones(len(x)), (x[:, free] - mean[free]) / scale[free]])
    gradient = weights[:, None] * regressors
    information = regressors.T @ gradient
    influence = np.linalg.solve(information, (regressors * (base * target - weights)[:, None]).T).T
    unit = np.append(1.0, scale[free])
    return EntropyBalance(weights, coefficients[None, :], gradient * unit, influence / unit)


def _solve(z: FloatArray, base: FloatArray, names: np.ndarray[tuple[int], np.dtype[np.intp]]) -> tuple[FloatArray, FloatArray]:
    """λ at which the weighted means of ``z`` are zero, and the shares of the patients in the weight."""
    if not names.size:
        return np.zeros(0), base / base.sum()

    def share_of(slopes: FloatArray) -> tuple[FloatArray, float]:
        score = z @ slopes
        highest = float(score.max())
        tilted = base * np.exp(score - highest)
        return tilted / tilted.sum(), highest + float(np.log(tilted.sum()))

    def evaluate(slopes: FloatArray) -> Curvature:
        share, height = share_of(slopes)
        centre = share @ z
        return Curvature(-height, -centre, z.T @ (z * share[:, None]) - np.outer(centre, centre))

    try:
        slopes = maximise(evaluate, np.zeros(names.size), diverging="no weights balance these columns together").coefficients
    except NotEstimable as fault:
        raise NotEstimable(f"{fault}: the target means lie outside the arm's convex hull", columns=names[list(fault.columns)].tolist()) from None
    return slopes, share_of(slopes)[0]


def _check_range(arm: FloatArray, mean: FloatArray) -> None:
    low, high = arm.min(axis=0), arm.max(axis=0)
    slack = 1e-12 * np.maximum(np.abs(low), np.abs(high))
    varies = high - low > slack
    beyond = (mean < low - slack) | (mean > high + slack) | (varies & ((mean <= low + slack) | (mean >= high - slack)))
    if beyond.any():
        raise NotEstimable(
            "no weights balance these columns: the target mean is at or beyond their range in the arm", columns=np.flatnonzero(beyond).tolist()
        )
