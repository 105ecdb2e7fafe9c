"""How alike two arms are: standardised differences, variance ratios, Kolmogorov–Smirnov distances, overlap of scores.

Throughout ``columns`` is (n, k), ``treated`` (n,), ``weights`` (n,) at least zero or None for ones. An arm without weight, or of fewer than
two patients where a spread is asked for, raises NotEstimable; NaN among the columns, NaN or negative weights raise StatisticsError.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import ArrayLike
from scipy.special import expit, logit

from parallax.errors import NotEstimable, StatisticsError
from parallax.statistics.domain import BoolArray, FloatArray, IntArray, check_binary, check_matrix, check_vector, check_weights


def standardised_differences(columns: ArrayLike, treated: ArrayLike, weights: ArrayLike | None = None) -> FloatArray:
    """(Weighted mean of the treated − of the comparators) / √((s₁² + s₀²)/2), s² the *unweighted* variances (k,).

    The denominator is unweighted so that weighting cannot make an imbalance look smaller (Austin & Stuart 2015, §3.2; denominators n − 1).
    A column without spread in both arms gives 0 where the means agree and ±inf where they do not.
    """
    x, arm, w = _check(columns, treated, weights)
    if min(np.count_nonzero(arm), np.count_nonzero(~arm)) < 2:
        raise NotEstimable("an arm has fewer than two patients: its spread is undefined")
    mean, squares, _ = _moments(x, arm, w)
    size = np.array([[np.count_nonzero(~arm)], [np.count_nonzero(arm)]])
    difference, spread = mean[1] - mean[0], np.sqrt(0.5 * np.sum(squares / (size - 1), axis=0))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(difference == 0.0, 0.0, difference / spread)


def variance_ratios(columns: ArrayLike, treated: ArrayLike, weights: ArrayLike | None = None) -> FloatArray:
    """Weighted variance of the treated over that of the comparators (k,), each Σw(x−x̄)² · Σw / ((Σw)² − Σw²); NaN where undefined."""
    x, arm, w = _check(columns, treated, weights)
    squares = _moments(x, arm, w)[2]
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = [squares[side] * w[rows].sum() / (w[rows].sum() ** 2 - np.sum(w[rows] ** 2)) for side, rows in enumerate((~arm, arm))]
        ratios: FloatArray = variance[1] / variance[0]
    return ratios


def ks_statistics(columns: ArrayLike, treated: ArrayLike, weights: ArrayLike | None = None) -> FloatArray:
    """Largest distance between the weighted distribution functions of the two arms (k,), taken after all patients of a tied value."""
    x, arm, w = _check(columns, treated, weights)
    mass = np.where(arm, w / w[arm].sum(), -w / w[~arm].sum())
    # one column at a time, so that only one is ever copied
    return np.array([_largest_distance(np.ascontiguousarray(column), mass) for column in x.T])


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


@njit(cache=True)
def _moments(x: FloatArray, arm: BoolArray, weights: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """By arm (2, k), comparators first: weighted mean, Σ(x − mean)², Σw(x − weighted mean)².

    Summed as distances from the arm's first patient, so that a column without spread has none. Rows are read twice and never copied.
    """
    size = x.shape[1]
    origin, total = np.zeros((2, size)), np.zeros((2, 2))
    plain, weighted = np.zeros((2, size)), np.zeros((2, size))
    for i in range(x.shape[0]):
        side = int(arm[i])
        if total[side, 0] == 0.0:
            origin[side] = x[i]
        total[side, 0] += 1.0
        total[side, 1] += weights[i]
        for j in range(size):
            distance = x[i, j] - origin[side, j]
            plain[side, j] += distance
            weighted[side, j] += weights[i] * distance
    for side in range(2):
        plain[side] = origin[side] + plain[side] / total[side, 0]
        weighted[side] = origin[side] + weighted[side] / total[side, 1]
    squares, weighted_squares = np.zeros((2, size)), np.zeros((2, size))
    for i in range(x.shape[0]):
        side = int(arm[i])
        for j in range(size):
            squares[side, j] += (x[i, j] - plain[side, j]) ** 2
            weighted_squares[side, j] += weights[i] * (x[i, j] - weighted[side, j]) ** 2
    return weighted, squares, weighted_squares


def _largest_distance(column: FloatArray, mass: FloatArray) -> float:
    """Largest |Σ mass| up to a value, over the values but the largest, at which both distribution functions are one."""
    lowest = column == column.min()
    if np.all(lowest | (column == column.max())):
        return abs(float(mass[lowest].sum())) if not lowest.all() else 0.0
    return float(_scan(column, np.argsort(column), mass))


@njit(cache=True)
def _scan(column: FloatArray, order: IntArray, mass: FloatArray) -> float:
    largest = height = 0.0
    for i in range(order.size - 1):
        height += mass[order[i]]
        if column[order[i]] < column[order[i + 1]]:
            largest = max(largest, abs(height))
    return largest
