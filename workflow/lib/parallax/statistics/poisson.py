"""Poisson regression of counts in known person-time, at the maximum of the (optionally ridge-penalised) likelihood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from parallax.errors import NotEstimable, StatisticsError
from parallax.statistics.domain import FloatArray, check_matrix, check_penalty, check_times, check_vector
from parallax.statistics.newton import Curvature, dependent_columns, maximise, weighted_gram

_SEPARATED: Final = "separated: a combination of columns predicts without error who has no event"


@dataclass(frozen=True, slots=True)
class PoissonFit:
    """A fitted Poisson regression: ``coefficients`` (p,) log rate ratios, their inverse (penalised) information (p, p), ``fitted`` (n,) means."""

    coefficients: FloatArray
    covariance: FloatArray
    fitted: FloatArray


def fit_poisson(design: ArrayLike, response: ArrayLike, *, exposure: ArrayLike | None = None, ridge: ArrayLike | None = None) -> PoissonFit:
    """Fit E(y | x) = t exp(x'β).

    Assumption: independent patients, log rate linear in the columns of the design. Only the mean is used: counts may be over-dispersed, but
    ``covariance`` is then too small.
    Formula: β maximises Σ {y_i x_i'β − t_i exp(x_i'β)} − ½ Σ_j λ_j β_j² (McCullagh & Nelder 1989, §6.2), by Newton–Raphson.

    Parameters: ``design`` (n, p) with its own intercept column; ``response`` (n,) at least zero; ``exposure`` (n,) person-time t above zero
    (None: one for everybody); ``ridge`` the penalty λ on the scale of the design, one number or (p,).
    Raises NotEstimable, with ``columns``, when nobody has an event, columns are collinear, or a coefficient runs away; StatisticsError for
    arguments outside the domain.
    """
    x = check_matrix("design", design)
    rows, size = x.shape
    y = check_vector("response", response, size=rows)
    if odd := int(np.count_nonzero(y < 0.0)):
        raise StatisticsError(f"response: {odd} of {rows} values are below zero; allowed are counts")
    time = np.ones(rows) if exposure is None else check_times("exposure", exposure, size=rows)
    penalty = check_penalty(0.0 if ridge is None else ridge, size=size)
    if not y.any():
        raise NotEstimable("no events: nobody has a count above zero, so that its rate cannot be modelled")
    collinear = dependent_columns(np.vstack([x, np.diag(np.sqrt(penalty))]) if penalty.any() else x)
    if collinear:
        raise NotEstimable("collinear: a column of the design is zero or a combination of those before it", columns=collinear)

    scale = np.sqrt(np.einsum("ij,ij->j", x, x) / rows)
    scale[scale == 0.0] = 1.0

    def evaluate(gamma: FloatArray) -> Curvature:
        logarithm = x @ (gamma / scale)
        with np.errstate(over="ignore"):
            mean = time * np.exp(logarithm)
        if not np.isfinite(mean).all():
            return Curvature(-np.inf, np.zeros(size), np.eye(size))
        return Curvature(float(y @ logarithm - mean.sum()), x.T @ (y - mean) / scale, weighted_gram(x, mean) / np.outer(scale, scale))

    # the one rate of everybody, which an intercept expresses exactly
    start = np.linalg.lstsq(x, np.full(rows, np.log(y.sum() / time.sum())), rcond=None)[0] * scale
    maximum = maximise(evaluate, penalty / scale**2, diverging=_SEPARATED, start=start)
    coefficients = maximum.coefficients / scale
    return PoissonFit(coefficients, maximum.covariance / np.outer(scale, scale), time * np.exp(x @ coefficients))
