"""Nearest-neighbour matching of two arms on a score."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from parallax.errors import NotEstimable, StatisticsError
from parallax.statistics.domain import FloatArray, IntArray, check_binary, check_vector


def match_nearest(score: ArrayLike, treated: ArrayLike, *, caliper: float | None) -> IntArray:
    """Match each treated patient to one comparator, greedily and without replacement.

    Assumption: the score (here the logit of the propensity score) carries all confounding.
    Rule: the treated choose in descending order of the score, each the free comparator with the smallest |score difference|, if that is
    at most ``caliper`` (in units of the score; None for no limit). Of two equally near comparators the one with the higher score is
    taken, since those still to choose have lower scores. Only which of several patients of one arm with equal scores is taken follows
    from the order of the rows. Sorting and two union-find forests over the sorted comparators: O(n log n).

    Returns (n,) the number of the matched set, 0, 1, … in order of choice, −1 for the unmatched. Treated beyond the number of
    comparators stay unmatched; to match from the smaller arm, pass ``-score`` and ``~treated``. Raises NotEstimable when an arm is empty.
    """
    arm = check_binary("treated", treated)
    value = check_vector("score", score, size=arm.size)
    if arm.all() or not arm.any():
        raise NotEstimable("one arm is empty")
    if caliper is not None and not caliper >= 0.0:
        raise StatisticsError(f"caliper: found {caliper}; allowed is a number of at least zero, or None")
    chooser, choice = np.flatnonzero(arm), np.flatnonzero(~arm)
    chooser = chooser[np.argsort(-value[chooser], kind="stable")]
    choice = choice[np.argsort(value[choice], kind="stable")]
    partner = _choose(value[chooser], value[choice], np.inf if caliper is None else float(caliper))
    matched = partner >= 0
    sets = np.full(arm.size, -1, dtype=np.int64)
    sets[chooser[matched]] = sets[choice[partner[matched]]] = np.arange(np.count_nonzero(matched))
    return sets


def pooled_within_sd(score: ArrayLike, treated: ArrayLike) -> float:
    """√((s₁² + s₀²)/2), s² the variance of the score within an arm (denominator n − 1): the unit of a caliper (Austin 2011).

    Raises NotEstimable when an arm has fewer than two patients.
    """
    arm = check_binary("treated", treated)
    value = check_vector("score", score, size=arm.size)
    if min(np.count_nonzero(arm), np.count_nonzero(~arm)) < 2:
        raise NotEstimable("an arm has fewer than two patients: its spread is undefined")
    return float(np.sqrt(0.5 * (np.var(value[arm], ddof=1) + np.var(value[~arm], ddof=1))))


@njit(cache=True)
def _choose(chooser: FloatArray, choice: FloatArray, caliper: float) -> IntArray:
    """Index into ``choice`` (ascending) for each of ``chooser`` (in order of choice), −1 where none is free within the caliper."""
    size = choice.size
    # roots of the forests: the nearest free comparator at or above, and at or below (shifted by one, 0 is none)
    above, below = np.arange(size + 1), np.arange(size + 1)
    partner = np.full(chooser.size, -1)
    for i in range(chooser.size):
        position = np.searchsorted(choice, chooser[i])
        up, down = _root(above, position), _root(below, position) - 1
        distance_up = choice[up] - chooser[i] if up < size else np.inf
        distance_down = chooser[i] - choice[down] if down >= 0 else np.inf
        nearest = up if distance_up <= distance_down else down
        if min(distance_up, distance_down) <= caliper and 0 <= nearest < size:
            partner[i] = nearest
            above[nearest] = nearest + 1
            below[nearest + 1] = nearest
    return partner


@njit(cache=True)
def _root(forest: IntArray, node: int) -> int:
    while forest[node] != node:
        forest[node] = forest[forest[node]]
        node = forest[node]
    return node
