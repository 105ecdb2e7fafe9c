"""How alike two arms are: standardised differences, variance ratios, Kolmogorov–Smirnov distances, overlap of scores.

Throughout ``columns`` is (n, k), ``treated`` (n,), ``weights`` (n,) at least zero or None for ones. An arm without weight, or of fewer than
two patients where a spread is asked for, raises NotEstimable.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit

from parallax.errors import NotEstimable, StatisticsError
from parallax.statistics.domain import BoolArray, FloatArray, check_binary, check_matrix, check_vector, check_weights


def standardised_differences(columns: ArrayLike, treated: ArrayLike, weights: ArrayLike | None = None) -> FloatArray:
    """(Weighted mean of the treated − of the comparators) / √((s₁² + s₀²)/2), s² the *unweighted* variances (k,).

    The denominator is unweighted so that weighting cannot make an imbalance look smaller (Austin & Stuart 2015, §3.2; denominators n − 1).
    A column without spread in both arms gives 0 where the means agree and ±inf where they do not.
    """
    x, arm, w = _check(columns, treated, weights)
    if min(np.count_nonzero(arm), np.count_nonzero(~arm)) < 2:
        raise NotEstimable("an arm has fewer than two patients: its spread is undefined")
    difference = np.average(x[arm], axis=0, weights=w[arm]) - np.average(x[~arm], axis=0, weights=w[~arm])
    spread = np.sqrt(0.5 * (np.var(x[arm], axis=0, ddof=1) + np.var(x[~arm], axis=0, ddof=1)))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((spread == 0.0) & (np.abs(difference) <= 1e-12 * np.abs(x).max(axis=0)), 0.0, difference / spread)


def variance_ratios(columns: ArrayLike, treated: ArrayLike, weights: ArrayLike | None = None) -> FloatArray:
    """Weighted variance of the treated over that of the comparators (k,), each Σw(x−x̄)² · Σw / ((Σw)² − Σw²); NaN where undefined."""
    x, arm, w = _check(columns, treated, weights)
    with np.errstate(divide="ignore", invalid="ignore"):
        return _variance(x[arm], w[arm]) / _variance(x[~arm], w[~arm])


def ks_statistics(columns: ArrayLike, treated: ArrayLike, weights: ArrayLike | None = None) -> FloatArray:
    """Largest distance between the weighted distribution functions of the two arms (k,)."""
    x, arm, w = _check(columns, treated, weights)
    mass = np.where(arm, w / w[arm].sum(), -w / w[~arm].sum())
    order = np.argsort(x, axis=0, kind="stable")
    ordered = np.take_along_axis(x, order, axis=0)
    distance = np.abs(np.cumsum(mass[order], axis=0))
    distance[:-1][ordered[:-1] == ordered[1:]] = 0.0
    distance[-1] = 0.0
    largest: FloatArray = distance.max(axis=0)
    return largest


def effective_sample_size(weights: ArrayLike) -> float:
    """(Σw)² / Σw² (Kish 1965, §8.2)."""
    values = check_vector("weights", weights)
    w = check_weights(values, size=values.size)
    return float(w.sum() ** 2 / np.sum(w**2))


def c_statistic(score: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Weighted share of pairs (label 1, label 0) in which the first has the higher score, ties counting half (area under the ROC curve)."""
    positive = check_binary("labels", labels)
    value = check_vector("score", score, size=positive.size)
    w = check_weights(weights, size=positive.size)
    _check_arms(positive, w, "labels: one class is empty")
    rank = np.unique(value, return_inverse=True)[1]
    ones, zeros = np.bincount(rank, weights=w * positive), np.bincount(rank, weights=w * ~positive)
    below = np.cumsum(zeros) - zeros
    return float(np.sum(ones * (below + 0.5 * zeros)) / (ones.sum() * zeros.sum()))


def equipoise_share(propensity: ArrayLike, treated: ArrayLike) -> float:
    """Share of patients whose preference score F, logit F = logit e − logit P(treated), lies in 0.3 … 0.7 (Walker et al. 2013)."""
    arm = check_binary("treated", treated)
    score = check_vector("propensity", propensity, size=arm.size)
    if np.any((score < 0.0) | (score > 1.0)):
        raise StatisticsError("propensity: found values outside 0 … 1; pass probabilities")
    _check_arms(arm, np.ones(arm.size), "one arm is empty")
    preference = expit(logit(score) - logit(arm.mean()))
    return float(np.mean((preference >= 0.3) & (preference <= 0.7)))


def _check(columns: ArrayLike, treated: ArrayLike, weights: ArrayLike | None) -> tuple[FloatArray, BoolArray, FloatArray]:
    arm = check_binary("treated", treated)
    x = check_matrix("columns", columns, rows=arm.size)
    w = check_weights(weights, size=arm.size)
    _check_arms(arm, w, "one arm is empty")
    return x, arm, w


def _check_arms(arm: BoolArray, weights: FloatArray, reason: str) -> None:
    if not np.any(weights[arm] > 0.0) or not np.any(weights[~arm] > 0.0):
        raise NotEstimable(reason)


def _variance(x: FloatArray, weights: FloatArray) -> FloatArray:
    total = weights.sum()
    squares = np.sum(weights[:, None] * (x - np.average(x, axis=0, weights=weights)) ** 2, axis=0)
    variance: FloatArray = squares * total / (total**2 - np.sum(weights**2))
    return variance
