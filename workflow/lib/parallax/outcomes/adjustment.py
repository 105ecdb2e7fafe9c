"""Averages of both arms by outcome models: g-computation, AIPW and TMLE, with the models that they rest on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from parallax.errors import NotEstimable
from parallax.statistics.arms import ArmPair
from parallax.statistics.cox import baseline_hazard, fit_cox
from parallax.statistics.doubly_robust import (
    ConditionalHazards,
    Seen,
    Target,
    augment,
    average,
    corrections,
    risk_residuals,
    target_hazards,
    target_means,
)
from parallax.statistics.logistic import fit_logistic

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Method = Literal["g_computation", "aipw", "tmle"]
Family = Literal["binary", "continuous"]

#: ½ λ Σ β² on columns of standard deviation one: a normal prior of variance one, so that a rare level does not stop a model
RIDGE: Final = 1.0
#: the least probability of being followed that a patient is weighted by
LEAST_FOLLOWED: Final = 0.01


def adjust_means(
    value: FloatArray,
    treated: BoolArray,
    propensity: FloatArray,
    regressors: FloatArray,
    folds: NDArray[np.int64],
    *,
    family: Family,
    method: Method,
    estimand: Target,
) -> ArmPair:
    """Mean outcome under either treatment, averaged over the estimand's patients.

    Outcome models: in each arm a logistic (``binary``, penalty ``RIDGE``) or linear (``continuous``, least squares) regression on the columns.
    ``g_computation`` (Robins 1986) fits them to everybody and averages their predictions; its influence holds the estimation of the
    coefficients (delta method). ``aipw`` and ``tmle`` predict out of fold; see :mod:`parallax.statistics.doubly_robust`.
    ``value``, ``treated``, ``propensity``, ``folds`` (n,), ``regressors`` (n, p) standardised, without intercept.
    Raises NotEstimable where a model cannot be fitted.
    """
    columns = np.column_stack([np.ones(len(value)), regressors])
    if method == "g_computation":
        fits = [_fit_mean(columns[arm], value[arm], family) for arm in (treated, ~treated)]
        predicted = [_predict(columns, fit[0], family) for fit in fits]
        pair = average(predicted[0], predicted[1], treated, estimand)
        share = _target_share(treated, estimand)
        moved = []
        for arm, (_, inverse), mean in zip((treated, ~treated), fits, predicted, strict=True):
            slope = mean * (1.0 - mean) if family == "binary" else np.ones_like(mean)
            by_coefficient = inverse @ (columns.T @ (share * slope))
            moved.append(np.where(arm, (value - mean) * (columns @ by_coefficient), 0.0))
        return ArmPair(pair.treated, pair.comparator, pair.influence_treated + moved[0], pair.influence_comparator + moved[1])
    predicted = [np.empty(len(value)), np.empty(len(value))]
    for held, learn in _folds(folds):
        for out, arm in zip(predicted, (treated, ~treated), strict=True):
            out[held] = _predict(columns[held], _fit_mean(columns[learn & arm], value[learn & arm], family)[0], family)
    if method == "tmle":
        predicted = list(target_means(value, predicted[0], predicted[1], treated, propensity, estimand))
    residuals = value - np.where(treated, predicted[0], predicted[1])
    return augment(predicted[0], predicted[1], residuals, treated, propensity, estimand)


def adjust_risks(
    time: FloatArray,
    event: BoolArray,
    treated: BoolArray,
    propensity: FloatArray,
    regressors: FloatArray,
    folds: NDArray[np.int64],
    horizon_days: float,
    *,
    method: Method,
    estimand: Target,
) -> ArmPair:
    """Risk by the horizon under either treatment, averaged over the estimand's patients.

    Models: in each arm a Cox model (Breslow ties, penalty ``RIDGE``) of the event, follow-up censored at the horizon; for ``aipw`` and ``tmle``
    also one of censoring, so that censoring may depend on arm and covariates (the probability of being followed is kept at
    ``LEAST_FOLLOWED`` or above), both predicted out of fold. Events come before censoring on the same day.
    Arguments as for :func:`adjust_means`; ``time`` (n,) in days above zero, ``event`` (n,).
    Raises NotEstimable where nobody is followed to the horizon in an arm, or a fold lacks events.
    """
    late = time > horizon_days
    time, event = np.minimum(time, horizon_days), event & ~late
    for name, arm in (("treated", treated), ("comparator", ~treated)):
        if time[arm].max() < horizon_days and not event[arm][time[arm] == time[arm].max()].all():
            raise NotEstimable(f"follow-up of the {name} arm ends before the horizon of {horizon_days:g}")
    if method == "g_computation":
        return _standardise_risks(time, event, treated, regressors, estimand)
    grid = np.unique(time[event])
    shape = (len(time), len(grid))
    hazards = [ConditionalHazards(np.empty(shape), np.ones(shape)) for _ in range(2)]
    lost = ~event & (time < horizon_days)
    for held, learn in _folds(folds):
        for found, arm in zip(hazards, (treated, ~treated), strict=True):
            rows = learn & arm
            found.event[held] = -np.expm1(-_cumulative(time[rows], event[rows], regressors[rows], regressors[held], grid, steps=True))
            if lost[rows].any():
                # who has an event on a day is not at risk of being lost on it
                until = np.where(event[rows], np.nextafter(time[rows], 0.0), time[rows])
                before = np.nextafter(grid, 0.0)
                gone = _cumulative(until, lost[rows], regressors[rows], regressors[held], before, steps=False)
                found.followed[held] = np.maximum(np.exp(-gone), LEAST_FOLLOWED)
    seen = Seen.of(time, event, grid)
    if method == "tmle":
        weight = corrections(treated, propensity, estimand)
        hazards = [target_hazards(seen, found, arm, weight) for found, arm in zip(hazards, (treated, ~treated), strict=True)]
    residuals = np.where(treated, *(risk_residuals(seen, found) for found in hazards))
    risks = [found.risk for found in hazards]
    return augment(risks[0], risks[1], residuals, treated, propensity, estimand)


def _standardise_risks(time: FloatArray, event: BoolArray, treated: BoolArray, regressors: FloatArray, estimand: Target) -> ArmPair:
    """Predicted risks 1 − exp{−Λ₀(h) e^{x'β}}; the influence holds the estimation of β and of Breslow's Λ₀ (Gail & Byar 1986, appendix)."""
    share, risks, moved = _target_share(treated, estimand), [], []
    for arm in (treated, ~treated):
        t, d, x = time[arm], event[arm], regressors[arm]
        fit = fit_cox(t, d, x, ties="breslow", ridge=RIDGE)
        baseline = baseline_hazard(fit, t, d, x)
        relative, total = np.exp(regressors @ fit.coefficients), float(baseline.increments.sum())
        risk = -np.expm1(-total * relative)
        # influence of the arm's own patients on Λ₀(h), β held, and then through β
        ordered = np.argsort(t, kind="stable")
        position = np.searchsorted(t[ordered], baseline.times, side="left")
        own = relative[arm]
        sums = np.cumsum(own[ordered][::-1])[::-1][position]
        means = (np.cumsum((own[:, None] * x)[ordered][::-1], axis=0)[::-1])[position] / sums[:, None]
        spent = np.append(0.0, np.cumsum(baseline.increments / sums))[np.searchsorted(baseline.times, t, side="right")]
        direct = np.where(d, 1.0 / sums[np.minimum(np.searchsorted(baseline.times, t), len(sums) - 1)], 0.0) - own * spent
        on_baseline = direct - fit.influence @ (baseline.increments @ means)
        slope = share * (1.0 - risk) * relative
        change = np.zeros(len(time))
        change[arm] = on_baseline * slope.sum() + fit.influence @ (total * (slope @ regressors))
        risks.append(risk)
        moved.append(change)
    pair = average(risks[0], risks[1], treated, estimand)
    return ArmPair(pair.treated, pair.comparator, pair.influence_treated + moved[0], pair.influence_comparator + moved[1])


def _cumulative(time: FloatArray, event: BoolArray, columns: FloatArray, wanted: FloatArray, grid: FloatArray, *, steps: bool) -> FloatArray:
    """Cumulative hazard (k, K) of the patients with columns ``wanted`` at the grid's times, or its steps there, from a Cox model of the others.

    Breslow's steps are multiplied by −log(1 − d/r)/(d/r), d of r at risk, so that an average patient's survival is the product-limit one.
    """
    fit = fit_cox(time, event, columns, ties="breslow", ridge=RIDGE)
    baseline = baseline_hazard(fit, time, event, columns)
    ordered = np.sort(time)
    at_risk = time.size - np.searchsorted(ordered, baseline.times)
    share = np.minimum(np.bincount(np.searchsorted(baseline.times, time[event])) / at_risk, 0.999)
    total = np.append(0.0, np.cumsum(baseline.increments * -np.log1p(-share) / share))
    at = total[np.searchsorted(baseline.times, grid, side="right")]
    return np.outer(np.exp(wanted @ fit.coefficients), np.diff(at, prepend=0.0) if steps else at)


def _fit_mean(columns: FloatArray, value: FloatArray, family: Family) -> tuple[FloatArray, FloatArray]:
    """Coefficients, and the inverse of the information (of Σ x x' for least squares)."""
    if family == "binary":
        penalty = np.append(0.0, np.full(columns.shape[1] - 1, RIDGE))
        fit = fit_logistic(columns, value, ridge=penalty)
        return fit.coefficients, fit.covariance
    inverse: FloatArray = np.asarray(np.linalg.pinv(columns.T @ columns, hermitian=True), dtype=np.float64)
    return inverse @ (columns.T @ value), inverse


def _predict(columns: FloatArray, coefficients: FloatArray, family: Family) -> FloatArray:
    predictor: FloatArray = columns @ coefficients
    return np.asarray(expit(predictor), dtype=np.float64) if family == "binary" else predictor


def _folds(folds: NDArray[np.int64]) -> Iterator[tuple[BoolArray, BoolArray]]:
    """Who is predicted, and who is learnt from, fold by fold."""
    for fold in range(int(folds.max()) + 1):
        held = folds == fold
        yield held, ~held


def _target_share(treated: BoolArray, estimand: Target) -> FloatArray:
    rows = {"ATE": np.ones(len(treated), dtype=bool), "ATT": treated, "ATC": ~treated}[estimand]
    share: FloatArray = rows / rows.sum()
    return share
