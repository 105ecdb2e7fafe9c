"""Nearest-neighbour matching of two arms on a score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from parallax.errors import NotEstimable, StatisticsError
from parallax.statistics.domain import BoolArray, FloatArray, IntArray, check_binary, check_vector

Order = Literal["descending", "ascending", "random"]

_ORDERS: Final[tuple[str, ...]] = get_args(Order)


@dataclass(frozen=True, slots=True)
class Matching:
    """Who was matched with whom.

    ``focal``, ``match`` (pairs,) the rows of each pair, in the order in which they were made; a focal patient has as many pairs as matches.
    ``matched_set`` (n,) 0, 1, … in the order in which the focal patients first chose, −1 for the unmatched; None with replacement, where a
    patient may be in several sets.
    ``weights`` (n,) 1 for a matched focal patient, 0 for the unmatched; a match has Σ 1/(number of matches of the focal patient) over its
    focal patients, times one factor such that the weights of the matches sum to their number (Stuart 2010, §2.3, as R's MatchIt scales them).
    ``ties_decided_by_row_order`` the number of pairs in which a patient of equal score, arm and stratum could have stood as well: another
    match was free, or (without replacement) another focal patient of that round had still to choose.
    """

    focal: IntArray
    match: IntArray
    matched_set: IntArray | None
    weights: FloatArray
    ties_decided_by_row_order: int


def match_nearest(
    score: ArrayLike,
    treated: ArrayLike,
    *,
    caliper: float | None,
    ratio: int | None = 1,
    replace: bool = False,
    exact: ArrayLike | None = None,
    order: Order = "descending",
    rng: np.random.Generator | None = None,
) -> Matching:
    """Match each treated (focal) patient to the ``ratio`` comparators of the nearest score, greedily.

    Assumption: the score (usually the logit of the propensity score), with the ``exact`` variables, carries all confounding.

    Rule: in each of ``ratio`` rounds the treated choose one after the other, each the free comparator of its own stratum with the smallest
    |score difference|, if that is at most ``caliper``; so everybody has a first match before anybody has a second, as in R's MatchIt.
    Those who find none keep what they have, so under a caliper the ratio varies; ``ratio=None`` goes on until nobody finds another, the
    greedy variable-ratio matching of Rassen et al. 2012. With ``replace`` every comparator is always free, but once only for one patient.

    Ties: of two comparators equally near, one above and one below, the higher is taken, but the lower in ascending order: so those still to
    choose keep the nearer. Of patients with one score, arm and stratum the first row chooses and is chosen first; the result counts how
    often that decided. Nothing else follows from the order of the rows.

    Parameters: ``score`` (n,); ``treated`` (n,); ``caliper`` at least zero in units of the score, None for no limit; ``exact`` (n,) an integer
    per patient, equal for those who may be matched; ``order`` in which the treated choose: "descending" score (those least like the
    comparators first), "ascending", or "random", drawn with ``rng``.

    To match from the comparators, the smaller arm, pass ``~treated`` and the opposite order; the estimand is then the ATC.
    One sort, and a union-find forest over the scores in either direction: O(n log n + pairs). Raises NotEstimable when an arm is empty;
    a matching without a pair is a result. StatisticsError for arguments outside the domain.
    """
    arm = check_binary("treated", treated)
    value = check_vector("score", score, size=arm.size)
    if arm.all() or not arm.any():
        raise NotEstimable("one arm is empty")
    if caliper is not None and not caliper >= 0.0:
        raise StatisticsError(f"caliper: found {caliper}; allowed is a number of at least zero, or None")
    if ratio is None and replace:
        raise StatisticsError("ratio: found None with replacement; allowed is a number of at least one, since no comparator is ever used up")
    if ratio is not None and ratio < 1:
        raise StatisticsError(f"ratio: found {ratio}; allowed is a number of at least one, or None")
    if order not in _ORDERS:
        raise StatisticsError(f"order: found {order!r}; allowed are {', '.join(_ORDERS)}")
    stratum = np.zeros(arm.size, dtype=np.int64) if exact is None else check_strata(exact, size=arm.size)

    rows = np.argsort(value)
    if exact is not None:
        rows = rows[np.argsort(stratum[rows], kind="stable")]
    value, stratum = value[rows], stratum[rows]
    _order_ties(rows, value, stratum)
    chooser, position, level, choice, first = _split(value, stratum, arm[rows])
    if order == "random":
        if rng is None:
            raise StatisticsError("rng: found None; random order needs a generator")
        sequence = rng.permutation(chooser.size)
    else:
        sequence = _sequence(level, order == "descending")
    width = min(choice.size if ratio is None else ratio, choice.size)
    leader = choice[first[:-1]]
    limit, higher = np.inf if caliper is None else float(caliper), order != "ascending"
    sides = (value[chooser], stratum[chooser], position, sequence, value[leader], stratum[leader], first, limit, higher, width)
    focal, match, ties = _match_with_replacement(*sides) if replace else _match_without_replacement(*sides, level)
    return record_matching(arm.size, rows[chooser[focal]], rows[choice[match]], replace=replace, ties=ties)


def pooled_within_sd(score: ArrayLike, treated: ArrayLike) -> float:
    """√((s₁² + s₀²)/2), s² the variance of the score within an arm (denominator n − 1): the unit of a caliper (Austin 2011).

    Raises NotEstimable when an arm has fewer than two patients.
    """
    arm = check_binary("treated", treated)
    value = check_vector("score", score, size=arm.size)
    if min(np.count_nonzero(arm), np.count_nonzero(~arm)) < 2:
        raise NotEstimable("an arm has fewer than two patients: its spread is undefined")
    return float(np.sqrt(0.5 * (np.var(value[arm], ddof=1) + np.var(value[~arm], ddof=1))))


def check_strata(exact: ArrayLike, *, size: int) -> IntArray:
    """One integer per patient."""
    strata = np.asarray(exact)
    if strata.shape != (size,) or strata.dtype.kind not in "iu":
        raise StatisticsError(f"exact: found shape {strata.shape} of {strata.dtype}; allowed is one integer for each of {size} patients")
    return strata.astype(np.int64)


def record_matching(size: int, focal: IntArray, match: IntArray, *, replace: bool, ties: int) -> Matching:
    """The record of pairs made in rounds; without ``replace`` no row may match twice."""
    matches = np.bincount(focal, minlength=size)
    matched = int(np.count_nonzero(matches))
    weights = np.zeros(size)
    if matched:
        shares = np.bincount(match, weights=1.0 / matches[focal], minlength=size)
        # the shares sum to the number of matched focal patients
        weights = shares * (np.count_nonzero(shares) / matched)
        weights[focal] = 1.0
    sets = None
    if not replace:
        sets = np.full(size, -1, dtype=np.int64)
        # the first round holds each of them once
        sets[focal[:matched]] = np.arange(matched)
        sets[match] = sets[focal]
    return Matching(focal, match, sets, weights, ties)


@njit(cache=True)
def _order_ties(rows: IntArray, value: FloatArray, stratum: IntArray) -> None:
    """Rows of one stratum and score into ascending order; all three are sorted by stratum and score."""
    start = 0
    for i in range(1, rows.size + 1):
        if i == rows.size or value[i] != value[start] or stratum[i] != stratum[start]:
            if i - start > 1:
                rows[start:i].sort()
            start = i


@njit(cache=True)
def _split(value: FloatArray, stratum: IntArray, arm: BoolArray) -> tuple[IntArray, IntArray, IntArray, IntArray, IntArray]:
    """Sorted patients by arm: choosers, with the group at or above each and their level of (stratum, score); choices, with each group's first."""
    size = np.count_nonzero(arm)
    chooser, position, level = np.empty(size, np.int64), np.empty(size, np.int64), np.empty(size, np.int64)
    choice, first = np.empty(arm.size - size, np.int64), np.empty(arm.size - size + 1, np.int64)
    choosers = choices = groups = levels = before = 0
    for i in range(arm.size):
        if i > 0 and (value[i] != value[i - 1] or stratum[i] != stratum[i - 1]):
            before, levels = groups, levels + 1
        if arm[i]:
            chooser[choosers], position[choosers], level[choosers] = i, before, levels
            choosers += 1
        else:
            if groups == before:
                first[groups] = choices
                groups += 1
            choice[choices] = i
            choices += 1
    first[groups] = choices
    return chooser, position, level, choice, first[: groups + 1]


@njit(cache=True)
def _sequence(level: IntArray, descending: bool) -> IntArray:
    """Ascending, or levels in descending order and the choosers of one level in ascending order."""
    sequence = np.arange(level.size)
    if descending:
        end, at = level.size, 0
        while end > 0:
            start = end - 1
            while start > 0 and level[start - 1] == level[end - 1]:
                start -= 1
            for i in range(start, end):
                sequence[at] = i
                at += 1
            end = start
    return sequence


@njit(cache=True)
def _match_without_replacement(
    score: FloatArray, stratum: IntArray, position: IntArray, sequence: IntArray, group_score: FloatArray, group_stratum: IntArray,
    first: IntArray, caliper: float, higher: bool, rounds: int, level: IntArray,
) -> tuple[IntArray, IntArray, int]:  # fmt: skip
    """Indices of choosers and choices pair by pair, and the pairs that the order of the rows decided."""
    size, groups = score.size, group_score.size
    # roots of the forests: the nearest group with a free member at or above, and at or below (shifted by one, 0 is none)
    above, below = np.arange(groups + 1), np.arange(groups + 1)
    free = first[:-1].copy()
    active = np.ones(size, np.bool_)
    focal, match = np.empty(first[groups], np.int64), np.empty(first[groups], np.int64)
    made, ties = 0, 0
    for _ in range(rounds):
        before = made
        waiting = np.zeros(level[-1] + 1, np.int64)
        for i in range(size):
            waiting[level[i]] += 1
        for i in sequence:
            waiting[level[i]] -= 1
            if not active[i]:
                continue
            up, down = _root(above, position[i]), _root(below, position[i]) - 1
            rise = group_score[up] - score[i] if up < groups and group_stratum[up] == stratum[i] else np.inf
            fall = score[i] - group_score[down] if down >= 0 and group_stratum[down] == stratum[i] else np.inf
            near = min(rise, fall)
            if near == np.inf or near > caliper:
                active[i] = False
                continue
            group = up if rise < fall or (rise == fall and higher) else down
            focal[made], match[made] = i, free[group]
            made += 1
            free[group] += 1
            if free[group] == first[group + 1]:
                above[group], below[group + 1] = group + 1, group
                ties += waiting[level[i]] > 0
            else:
                ties += 1
        if made == before:
            break
    return focal[:made], match[:made], ties


@njit(cache=True)
def _match_with_replacement(
    score: FloatArray, stratum: IntArray, position: IntArray, sequence: IntArray, group_score: FloatArray, group_stratum: IntArray,
    first: IntArray, caliper: float, higher: bool, ratio: int,
) -> tuple[IntArray, IntArray, int]:  # fmt: skip
    """As without replacement; each chooser walks outwards from its own score."""
    groups = group_score.size
    focal, match = np.empty(score.size * ratio, np.int64), np.empty(score.size * ratio, np.int64)
    made, ties = 0, 0
    for i in sequence:
        up, down, wanted = position[i], position[i] - 1, ratio
        while wanted > 0:
            rise = group_score[up] - score[i] if up < groups and group_stratum[up] == stratum[i] else np.inf
            fall = score[i] - group_score[down] if down >= 0 and group_stratum[down] == stratum[i] else np.inf
            near = min(rise, fall)
            if near == np.inf or near > caliper:
                break
            if rise < fall or (rise == fall and higher):
                group, up = up, up + 1
            else:
                group, down = down, down - 1
            members = first[group + 1] - first[group]
            taken = min(wanted, members)
            for member in range(taken):
                focal[made], match[made] = i, first[group] + member
                made += 1
            ties += taken if taken < members else 0
            wanted -= taken
    return focal[:made], match[:made], ties


@njit(cache=True)
def _root(forest: IntArray, node: int) -> int:
    while forest[node] != node:
        forest[node] = forest[forest[node]]
        node = forest[node]
    return node
