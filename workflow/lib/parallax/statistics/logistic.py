"""Logistic regression at the maximum of the (weighted, optionally ridge-penalised) likelihood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import ArrayLike
from scipy.special import expit

from parallax.errors import NotEstimable
from parallax.statistics.domain import BoolArray, FloatArray, check_binary, check_matrix, check_penalty, check_vector, check_weights
from parallax.statistics.newton import Curvature, dependent_columns, maximise, weighted_gram

_SEPARATED: Final = "separated: a combination of columns predicts the response without error"
_PERFECT: Final = -1e-6


@dataclass(frozen=True, slots=True)
class LogisticFit:
    """A fitted logistic regression.

    ``coefficients`` (p,) log odds ratios; ``covariance`` (p, p) inverse (penalised) information; ``fitted`` (n,) probabilities, also of
    patients with weight zero; ``log_likelihood`` without the penalty; ``iterations`` Newton steps.
    """

    coefficients: FloatArray
    covariance: FloatArray
    fitted: FloatArray
    log_likelihood: float
    iterations: int


def fit_logistic(
    design: ArrayLike, response: ArrayLike, *, weights: ArrayLike | None = None, ridge: ArrayLike | None = None, start: ArrayLike | None = None
) -> LogisticFit:
    """Fit P(y = 1 | x) = expit(x'β).

    Assumption: independent patients, log odds linear in the columns of the design.
    Formula: β maximises Σ w_i {y_i x_i'β − log(1 + exp(x_i'β))} − ½ Σ_j λ_j β_j², by Newton–Raphson to a step below 1e-7, hence to
    about 1e-14 (McCullagh & Nelder 1989, §4.4).

    Parameters: ``design`` (n, p) with its own intercept column; ``response`` (n,) 0/1; ``weights`` (n,) at least zero;
    ``ridge`` the penalty λ on the scale of the design, one number for all columns or (p,); give 0 for the intercept to leave it free; ``start`` (p,)
    coefficients near the maximum, which only saves steps.

    Raises NotEstimable, with ``columns``, when the response has one class, columns are collinear, or the classes are separated (a
    likelihood without a maximum); StatisticsError for arguments outside the domain.
    """
    matrix = check_matrix("design", design)
    rows, size = matrix.shape
    labels = check_binary("response", response, size=rows)
    weight = check_weights(weights, size=rows)
    penalty = check_penalty(0.0 if ridge is None else ridge, size=size)
    kept = weight > 0.0
    everyone = bool(kept.all())
    x, y, w = (matrix, labels, weight) if everyone else (matrix[kept], labels[kept], weight[kept])
    if y.all() or not y.any():
        raise NotEstimable("one class only: every patient has the same response, so its probability cannot be modelled")
    collinear = dependent_columns(np.vstack([x, np.diag(np.sqrt(penalty))]) if penalty.any() else x)
    if collinear:
        raise NotEstimable("collinear: a column of the design is zero or a combination of those before it", columns=collinear)

    scale = np.sqrt(np.einsum("ij,ij->j", x, x) / len(x))
    scale[scale == 0.0] = 1.0

    def evaluate(gamma: FloatArray) -> Curvature:
        log_likelihood, residual, curvature = _evaluate_rows(x @ (gamma / scale), y, w)
        return Curvature(log_likelihood, x.T @ residual / scale, weighted_gram(x, curvature) / np.outer(scale, scale))

    begin = None if start is None else check_vector("start", start, size=size) * scale
    try:
        maximum = maximise(evaluate, penalty / scale**2, diverging=_SEPARATED, start=begin)
    except NotEstimable as fault:
        raise NotEstimable(str(fault), columns=_separating_columns(x, y) or _varying(x, fault.columns)) from None
    if maximum.log_likelihood > _PERFECT:  # rounding stopped coefficients that run away
        raise NotEstimable(_SEPARATED, columns=_separating_columns(x, y))
    coefficients = maximum.coefficients / scale
    return LogisticFit(
        coefficients=coefficients,
        covariance=maximum.covariance / np.outer(scale, scale),
        fitted=expit(matrix @ coefficients),
        log_likelihood=maximum.log_likelihood,
        iterations=maximum.iterations,
    )


@njit(cache=True)
def _evaluate_rows(eta: FloatArray, response: BoolArray, weight: FloatArray) -> tuple[float, FloatArray, FloatArray]:
    """Log-likelihood, w (y − e) and w e (1 − e) at the linear predictor, by an exponential that cannot overflow."""
    log_likelihood = 0.0
    residual, curvature = np.empty(eta.size), np.empty(eta.size)
    for i in range(eta.size):
        small = np.exp(-abs(eta[i]))
        share = 1.0 / (1.0 + small)
        # of the two probabilities the small one is exact: a coefficient that runs away must not seem to stand still
        likely, unlikely = share, small * share
        log_likelihood += weight[i] * ((eta[i] if response[i] else 0.0) - max(eta[i], 0.0) - np.log1p(small))
        residual[i] = weight[i] * ((unlikely if eta[i] >= 0.0 else likely) if response[i] else -(likely if eta[i] >= 0.0 else unlikely))
        curvature[i] = weight[i] * likely * unlikely
    return log_likelihood, residual, curvature


def _separating_columns(x: FloatArray, y: BoolArray) -> tuple[int, ...]:
    """Columns that alone separate the classes: no value of one class lies strictly inside the range of the other on the wrong side."""
    above = x[y].min(axis=0) >= x[~y].max(axis=0)
    below = x[y].max(axis=0) <= x[~y].min(axis=0)
    return _varying(x, np.flatnonzero(above | below).tolist())


def _varying(x: FloatArray, columns: tuple[int, ...] | list[int]) -> tuple[int, ...]:
    return tuple(j for j in columns if np.ptp(x[:, j]) > 0.0)
