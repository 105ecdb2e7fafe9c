"""Stated models estimated from a real cohort, so that confounding and follow-up are as real as the covariates; the effect is then set.

In a plasmode study (Franklin et al. 2014, §2) the outcome model's coefficients and baseline hazard come from the real patients. Theirs keeps the
real treatment; here treatment is drawn anew from a fitted model as well, for with treatment fixed to the covariate rows that recur the propensity
score among the resampled patients is no longer the model's, and estimators that use it look biased without being so (Shaw et al. 2025).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from parallax.errors import NotEstimable
from parallax.simulation.models import BinaryModel, ContinuousModel, Hazard, SurvivalModel, TreatmentModel
from parallax.statistics.cox import fit_cox
from parallax.statistics.domain import BoolArray, FloatArray, check_binary, check_matrix, check_times, check_vector
from parallax.statistics.logistic import fit_logistic


def fit_treatment(terms: ArrayLike, treated: ArrayLike, *, ridge: float = 0.0) -> TreatmentModel:
    """Logistic model of ``treated`` (N,) on ``terms`` (N, q) with the penalty ½ ``ridge`` Σβ²; errors as of ``fit_logistic``."""
    x = check_matrix("terms", terms)
    found = fit_logistic(np.column_stack([np.ones(len(x)), x]), treated, ridge=_but_first(ridge, x.shape[1] + 1)).coefficients
    return TreatmentModel(float(found[0]), found[1:])


def fit_binary(terms: ArrayLike, treated: ArrayLike, value: ArrayLike, *, ridge: float = 0.0) -> BinaryModel:
    """Logistic model of ``value`` (N,) 0/1 on treatment and ``terms`` (N, q), one effect for all; the penalty spares intercept and treatment."""
    x, arm = check_matrix("terms", terms), check_binary("treated", treated)
    design = np.column_stack([np.ones(len(x)), arm, x])
    found = fit_logistic(design, value, ridge=np.concatenate([[0.0], _but_first(ridge, x.shape[1] + 1)])).coefficients
    return BinaryModel(float(found[0]), found[2:], float(found[1]), np.zeros(x.shape[1]))


def fit_continuous(terms: ArrayLike, treated: ArrayLike, value: ArrayLike, *, ridge: float = 0.0) -> ContinuousModel:
    """Least squares of ``value`` (N,) on treatment and ``terms`` (N, q), one effect for all; penalty ½ ``ridge`` Σβ² as in ``fit_binary``.

    The deviation is that of the residuals over N − q − 2. Raises NotEstimable where the columns are collinear or there are too few patients.
    """
    x, arm = check_matrix("terms", terms), check_binary("treated", treated)
    y = check_vector("value", value, size=len(x))
    design = np.column_stack([np.ones(len(x)), arm, x])
    left = len(x) - design.shape[1]
    penalised = design.T @ design + np.diag(np.concatenate([[0.0], _but_first(ridge, x.shape[1] + 1)]))
    if left <= 0 or np.linalg.matrix_rank(penalised) < design.shape[1]:
        raise NotEstimable("collinear: fewer patients than columns, or a column is a combination of the others")
    found = np.linalg.solve(penalised, design.T @ y)
    deviation = float(np.sqrt(np.sum((y - design @ found) ** 2) / left))
    return ContinuousModel(float(found[0]), found[2:], float(found[1]), np.zeros(x.shape[1]), deviation)


def fit_hazard(
    terms: ArrayLike,
    treated: ArrayLike,
    days: ArrayLike,
    happens: ArrayLike,
    *,
    edges: Sequence[float] = (0.0,),
    shape: float = 1.0,
    ridge: float = 1.0,
) -> Hazard:
    """A hazard with a Cox model of its own in every interval.

    Assumption: proportional hazards within an interval, and a Weibull baseline of the given ``shape`` k (1: constant).
    Formula: among those still at risk after ``edges[j]``, log hazard ratios τ_j of treatment and β_j of the terms at the maximum of the partial
    likelihood less ½ ``ridge`` (τ_j² + Σβ_j²); then the maximum-likelihood rate r_j = events / Σ_i exp(x_i'β_j + a_i τ_j) Δ_ij, Δ_ij the time
    at risk of patient i in the interval on the scale t^k. An interval without events has rate zero.
    ``days`` (N,) above zero, ``happens`` (N,) 0/1. Errors as of ``fit_cox``; a penalty above zero avoids those of rare levels.
    """
    x, arm = check_matrix("terms", terms), check_binary("treated", treated)
    time, event = check_times("days", days, size=len(x)), check_binary("happens", happens, size=len(x))
    columns = np.column_stack([arm, x])
    found = [_fit_interval(columns, time, event, start, end, shape, ridge) for start, end in zip(edges, (*edges[1:], np.inf), strict=True)]
    coefficients = np.vstack([beta for _, beta in found])
    return Hazard.of([rate for rate, _ in found], coefficients[:, 1:], edges=edges, effects=coefficients[:, 0], shape=shape)


def fit_survival(
    terms: ArrayLike,
    treated: ArrayLike,
    days: ArrayLike,
    event: ArrayLike,
    *,
    end_days: float,
    edges: Sequence[float] = (0.0,),
    shape: float = 1.0,
    ridge: float = 1.0,
    unit_days: float = 1.0,
) -> SurvivalModel:
    """Event and loss to follow-up before ``end_days``, each by :func:`fit_hazard` in the same intervals; what is later is not used."""
    time, seen = check_times("days", days), check_binary("event", event)
    until = np.minimum(time, end_days)
    lost = ~seen & (time < end_days)

    def fit(happens: BoolArray) -> Hazard:
        return fit_hazard(terms, treated, until, happens, edges=edges, shape=shape, ridge=ridge)

    return SurvivalModel(fit(seen & (time <= end_days)), end_days, fit(lost) if lost.any() else None, unit_days)


def _fit_interval(
    columns: FloatArray, time: FloatArray, event: BoolArray, start: float, end: float, shape: float, ridge: float
) -> tuple[float, FloatArray]:
    at_risk = time > start
    happens = event[at_risk] & (time[at_risk] <= end)
    if not happens.any():
        return 0.0, np.zeros(columns.shape[1])
    until = np.minimum(time[at_risk], end)
    beta = fit_cox(until, happens, columns[at_risk], ridge=ridge).coefficients
    exposure = np.exp(columns[at_risk] @ beta) @ (until**shape - start**shape)
    return float(happens.sum() / exposure), beta


def _but_first(ridge: float, size: int) -> FloatArray:
    """The penalty of every coefficient but the first."""
    return np.append(0.0, np.full(size - 1, ridge))
