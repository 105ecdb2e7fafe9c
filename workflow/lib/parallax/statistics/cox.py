"""Weighted Cox regression with Efron or Breslow ties, robust and clustered variance, ridge penalty and Breslow's baseline hazard.

Notation: patient i has time t_i, event δ_i, weight w_i, covariates x_i, relative hazard r_i = exp(x_i'β). At the k-th event time R_k is the
set at risk (t_i ≥ t_k), D_k the m events. Efron's method lets the tied events leave the risk set one after another: for l = 0 … m−1

    S0_l = Σ_R w r − (l/m) Σ_D w r,    S1_l likewise with w r x,    h_l = W_k / (m S0_l),   W_k = Σ_D w,

and a member of D_k counts in the l-th term with the share 1 − l/m. Breslow's method has one term, S0 = Σ_R w r and h = W_k / S0.
Risk sets are those of the patient's stratum, and with entry times e_i those followed at t_k: e_i < t_k ≤ t_i.
Times are sorted once; all sums over risk sets are running sums (``parallax.statistics.risk_sets``), so that one evaluation costs O(n p + K p²)
beside one matrix product, which is made in blocks of rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from parallax.errors import NotEstimable, StatisticsError
from parallax.statistics.domain import (
    BoolArray,
    FloatArray,
    IntArray,
    check_binary,
    check_entry,
    check_labels,
    check_matrix,
    check_penalty,
    check_times,
    check_weights,
)
from parallax.statistics.newton import Curvature, dependent_columns, maximise, weighted_gram
from parallax.statistics.risk_sets import find_risk_sets, score_residuals, sum_risk_sets

Ties = Literal["efron", "breslow"]


@dataclass(frozen=True, slots=True)
class CoxFit:
    """A fitted Cox regression.

    ``coefficients`` (p,) log hazard ratios; ``covariance_naive`` (p, p) inverse (penalised) information; ``covariance_robust`` (p, p)
    sandwich, summed within clusters where clusters were given; ``influence`` (n, p) w_i ∂β/∂w_i of each patient (R's weighted ``dfbeta``),
    zero for weight zero; ``log_likelihood`` without the penalty; ``iterations`` Newton steps.
    """

    coefficients: FloatArray
    covariance_naive: FloatArray
    covariance_robust: FloatArray
    influence: FloatArray
    log_likelihood: float
    iterations: int


class BaselineHazard(NamedTuple):
    """Distinct event times, increasing, and the increments of the cumulative hazard at them."""

    times: FloatArray
    increments: FloatArray


def fit_cox(
    time: ArrayLike,
    event: ArrayLike,
    covariates: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    strata: ArrayLike | None = None,
    entry: ArrayLike | None = None,
    ties: Ties = "efron",
    ridge: ArrayLike = 0.0,
) -> CoxFit:
    """Fit the hazard λ(t | x) = λ0(t) exp(x'β), with a baseline λ0 for each stratum.

    Assumption: proportional hazards, censoring independent given x.
    Formula: β maximises Σ_k {Σ_D w x'β − Σ_l (W_k/m) log S0_l} − ½ Σ_j λ_j β_j² (Efron 1977, eq. 3.6; Breslow 1974 for ``breslow``).
    The robust variance is D'D with the rows D_i = w_i U_i' V, V the naive covariance, U_i the score residual
    δ_i (x_i − x̄_k) − r_i Σ_{t_k ≤ t_i} Σ_l c_il h_l (x_i − S1_l/S0_l), c_il the share of i in the l-th term (Lin & Wei 1989, eq. 2.7;
    Binder 1992 with weights); rows of one cluster are added before the product.

    Parameters: ``time`` (n,) above zero, any unit; ``event`` (n,) 0/1; ``covariates`` (n, p); ``weights`` (n,) at least zero, patients of
    weight zero are left out; ``clusters``, ``strata`` (n,) integers; ``entry`` (n,) the time from which a patient is followed (left
    truncation), at least zero and below ``time``, None for all from zero: who enters at a time is not at risk of an event at that time;
    ``ridge`` the penalty λ on the scale of the covariates, a number or (p,).

    Raises NotEstimable, with ``columns``, without events, with a constant or collinear column (unless it is penalised), or with a monotone
    likelihood, such as a level of a binary covariate without events; StatisticsError for arguments outside the domain.
    """
    if ties not in ("efron", "breslow"):
        raise StatisticsError(f"ties: found {ties!r}; allowed are 'efron' and 'breslow'")
    t = check_times("time", time)
    rows = t.size
    d = check_binary("event", event, size=rows)
    x = check_matrix("covariates", covariates, rows=rows)
    w = check_weights(weights, size=rows)
    penalty = check_penalty(ridge, size=x.shape[1])
    stratum = np.zeros(rows, dtype=np.int64) if strata is None else check_labels("strata", strata, size=rows)
    begin = None if entry is None else check_entry(entry, t)
    order = np.flatnonzero(w > 0.0)
    order = order[np.argsort(t[order], kind="stable")]
    if strata is not None:
        order = order[np.argsort(stratum[order], kind="stable")]
    sets = find_risk_sets(t[order], stratum[order], None if begin is None else begin[order])
    d, z, w = d[order], x[order], w[order]
    _check_estimable(d, z, penalty)

    z -= np.average(z, axis=0, weights=w)
    scale = np.sqrt(np.einsum("ij,ij,i->j", z, z, w) / w.sum())
    scale[scale == 0.0] = 1.0
    z /= scale
    event_score = z.T @ (w * d)
    efron = ties == "efron"

    def evaluate(gamma: FloatArray) -> Curvature:
        eta = z @ gamma
        eta -= eta.max()
        hazard = means = np.zeros(0)
        try:
            log_likelihood, hazard, means = sum_risk_sets(sets, d, w, eta, z, efron)
        except ZeroDivisionError:  # a step so far that the relative hazards of a whole risk set vanish
            log_likelihood = -np.inf
        if not np.isfinite(log_likelihood) or not np.all(np.isfinite(hazard)):
            return Curvature(-np.inf, np.zeros(z.shape[1]), np.zeros((z.shape[1], z.shape[1])))
        return Curvature(log_likelihood, event_score - z.T @ hazard, weighted_gram(z, hazard) - means)

    reason = "monotone likelihood: no finite estimate, for covariates order the events or do not vary among those at risk"
    maximum = maximise(evaluate, penalty / scale**2, diverging=reason)
    eta = z @ maximum.coefficients
    eta -= eta.max()
    influence = np.zeros((rows, z.shape[1]))
    influence[order] = score_residuals(sets, d, w, eta, z, efron) @ (maximum.covariance / scale)
    independent = influence if clusters is None else _sum_within(check_labels("clusters", clusters, size=rows), influence)
    return CoxFit(
        coefficients=maximum.coefficients / scale,
        covariance_naive=maximum.covariance / np.outer(scale, scale),
        covariance_robust=independent.T @ independent,
        influence=influence,
        log_likelihood=maximum.log_likelihood,
        iterations=maximum.iterations,
    )


def baseline_hazard(fit: CoxFit, time: ArrayLike, event: ArrayLike, covariates: ArrayLike, *, weights: ArrayLike | None = None) -> BaselineHazard:
    """Breslow's estimate of the hazard of a patient whose covariates are all zero.

    Formula: ΔΛ0(t_k) = Σ_D w / Σ_R w exp(x'β) (Breslow 1972, discussion of Cox, eq. 8). Arguments as for :func:`fit_cox`, usually the
    patients that it was fitted to. Raises NotEstimable without events.
    """
    t = check_times("time", time)
    d = check_binary("event", event, size=t.size)
    x = check_matrix("covariates", covariates, rows=t.size)
    w = check_weights(weights, size=t.size)
    if x.shape[1] != fit.coefficients.size:
        raise StatisticsError(f"covariates: found {x.shape[1]} columns; the fit has {fit.coefficients.size} coefficients")
    if not np.any(d & (w > 0.0)):
        raise NotEstimable("no events: a hazard needs at least one")
    eta = x @ fit.coefficients
    times, rank = np.unique(t, return_inverse=True)
    events = np.bincount(rank, weights=w * d)
    at_risk = np.cumsum(np.bincount(rank, weights=w * np.exp(eta - eta.max()))[::-1])[::-1]
    occurs = events > 0.0
    return BaselineHazard(times[occurs], events[occurs] / at_risk[occurs] * np.exp(-eta.max()))


def _check_estimable(event: BoolArray, x: FloatArray, penalty: FloatArray) -> None:
    if not event.any():
        raise NotEstimable("no events: a hazard ratio needs at least one")
    free = np.flatnonzero(penalty == 0.0)
    low, high = x.min(axis=0), x.max(axis=0)
    constant = [int(j) for j in free if low[j] == high[j]]
    if constant:
        raise NotEstimable("constant covariate: it is the same for every patient", columns=constant)
    collinear = dependent_columns(x[:, free] - x[:, free].mean(axis=0)) if free.size > 1 else ()
    if collinear:
        raise NotEstimable("collinear: a covariate is a combination of those before it", columns=[int(free[j]) for j in collinear])
    binary = [j for j in free if np.all((x[:, j] == low[j]) | (x[:, j] == high[j]))]
    empty = [int(j) for j in binary if np.ptp(x[event, j]) == 0.0]
    if empty:
        raise NotEstimable("monotone likelihood: no events at one level of a binary covariate", columns=empty)


def _sum_within(clusters: IntArray, rows: FloatArray) -> FloatArray:
    count = int(clusters.max()) + 1
    return np.column_stack([np.bincount(clusters, weights=column, minlength=count) for column in rows.T])
