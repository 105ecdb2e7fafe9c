"""Newton–Raphson for the concave log-likelihoods of this package, with a ridge penalty and named failures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from parallax.errors import NotEstimable
from parallax.statistics.domain import FloatArray

#: a Newton step this small leaves an error of about its square
_STEP_TOLERANCE: Final = 1e-7
#: a proper likelihood of these models converges in 5 to 15 iterations; a coefficient that runs away does not converge at all
_MAX_ITERATIONS: Final = 40
_MAX_HALVINGS: Final = 30
_DEPENDENT: Final = 1e-9
_FAR: Final = 1e-4
#: rows of a block that stays in the processor's cache
_BLOCK: Final = 4096


@dataclass(frozen=True, slots=True)
class Curvature:
    """Log-likelihood, gradient (p,) and information (p, p; minus the Hessian) at one point."""

    log_likelihood: float
    gradient: FloatArray
    information: FloatArray


@dataclass(frozen=True, slots=True)
class Maximum:
    """Where the penalised log-likelihood is largest; ``log_likelihood`` is without the penalty, ``covariance`` the inverse penalised information."""

    coefficients: FloatArray
    covariance: FloatArray
    log_likelihood: float
    iterations: int


def maximise(evaluate: Callable[[FloatArray], Curvature], penalty: FloatArray, *, diverging: str, start: FloatArray | None = None) -> Maximum:
    """Maximise ``log L(β) − ½ Σ λ_j β_j²`` from β = ``start`` (0 without), halving a step that does not climb.

    The columns must have been brought to a common scale, since a step is judged in absolute terms.
    Raises NotEstimable with the reason ``diverging`` and the columns concerned when coefficients run away.
    """
    beta = np.zeros(penalty.size) if start is None else start
    here = evaluate(beta)
    for iteration in range(1, _MAX_ITERATIONS + 1):
        inverse = _inverse(here.information + np.diag(penalty))
        if inverse is None:
            break
        step = inverse @ (here.gradient - penalty * beta)
        if np.max(np.abs(step)) <= _STEP_TOLERANCE * max(1.0, float(np.max(np.abs(beta)))):
            beta = beta + step
            here = evaluate(beta)
            covariance = _inverse(here.information + np.diag(penalty))
            if covariance is None:
                break
            return Maximum(beta, covariance, here.log_likelihood, iteration)
        beta, here = _climb(evaluate, penalty, beta, here, step)
    moving = np.ones(beta.size, dtype=bool) if iteration == 1 else np.abs(step) > 0.1 * np.max(np.abs(step))
    raise NotEstimable(diverging, columns=np.flatnonzero(moving).tolist())


def weighted_gram(matrix: FloatArray, weights: FloatArray) -> FloatArray:
    """X' diag(w) X (p, p) for weights of at least zero, made in blocks of rows so that no copy of the matrix is needed."""
    gram = np.zeros((matrix.shape[1], matrix.shape[1]))
    root = np.sqrt(weights.clip(min=0.0))  # late entries leave rounding below zero
    for begin in range(0, len(matrix), _BLOCK):
        rows = matrix[begin : begin + _BLOCK] * root[begin : begin + _BLOCK, None]
        gram += rows.T @ rows
    return gram


def dependent_columns(matrix: FloatArray) -> tuple[int, ...]:
    """Columns that are zero, or a linear combination of the columns before them, to a relative distance of 1e-9 (QR by Householder)."""
    if _surely_independent(matrix):
        return ()
    rows, columns = matrix.shape
    norm = np.sqrt(np.sum(matrix**2, axis=0))
    distance = np.zeros(columns)
    diagonal = np.diag(np.linalg.qr(matrix / np.where(norm > 0.0, norm, 1.0), mode="r"))
    distance[: min(rows, columns)] = np.abs(diagonal)
    return tuple(np.flatnonzero(distance <= _DEPENDENT).tolist())


def _surely_independent(matrix: FloatArray) -> bool:
    """Whether the columns are far from dependent by their correlations, which cost a tenth of the decomposition."""
    if matrix.shape[1] == 0:
        return True
    gram = matrix.T @ matrix
    norm = np.sqrt(np.diag(gram))
    if not np.all(norm > 0.0) or not np.all(np.isfinite(gram)):
        return False
    try:
        pivots = np.diag(np.linalg.cholesky(gram / np.outer(norm, norm)))
    except np.linalg.LinAlgError:
        return False
    return bool(pivots.min() > _FAR)


def _climb(
    evaluate: Callable[[FloatArray], Curvature], penalty: FloatArray, beta: FloatArray, here: Curvature, step: FloatArray
) -> tuple[FloatArray, Curvature]:
    height = here.log_likelihood - 0.5 * float(penalty @ beta**2)
    slack = 1e-10 * abs(height)
    for halving in range(_MAX_HALVINGS):
        there = beta + step * 0.5**halving
        found = evaluate(there)
        if found.log_likelihood - 0.5 * float(penalty @ there**2) >= height - slack:
            break
    return there, found


def _inverse(information: FloatArray) -> FloatArray | None:
    """Inverse by Cholesky in correlation form; None where the matrix is singular."""
    diagonal = np.diag(information)
    if not np.all(np.isfinite(information)) or np.any(diagonal <= 0.0):
        return None
    scale = 1.0 / np.sqrt(diagonal)
    try:
        factor = cho_factor(information * np.outer(scale, scale), lower=True, check_finite=False)
    except np.linalg.LinAlgError:
        return None
    if np.min(np.diag(factor[0])) <= 1e-8:
        return None
    inverse: FloatArray = cho_solve(factor, np.eye(scale.size), check_finite=False) * np.outer(scale, scale)
    return 0.5 * (inverse + inverse.T)
