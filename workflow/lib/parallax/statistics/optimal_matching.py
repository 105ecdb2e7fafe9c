"""Optimal 1:1 matching of two arms on a score."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from parallax.errors import NotEstimable, StatisticsError
from parallax.statistics.domain import check_binary, check_vector
from parallax.statistics.matching import Matching, check_strata, record_matching

#: candidate pairs, of 40 bytes each while the assignment is solved
_MOST_CANDIDATES: Final = 50_000_000


def match_optimal(score: ArrayLike, treated: ArrayLike, *, caliper: float, exact: ArrayLike | None = None) -> Matching:
    """Match as many treated as the caliper allows, each to one comparator, with the smallest sum of |score differences| (Rosenbaum 1989, §3).

    Assumption: the score, with the ``exact`` variables, carries all confounding. Where the greedy matching takes the nearest that is left,
    this one looks at all pairs at once: nobody is left unmatched who could have been matched.

    Parameters: ``score`` (n,); ``treated`` (n,); ``caliper`` above zero, in units of the score; ``exact`` (n,) an integer per patient, equal
    for those who may be matched. Solved by scipy's sparse Jonker–Volgenant assignment over the pairs within the caliper, which must be
    narrow enough to leave at most 50 million of them: memory grows with their number, unlike that of the greedy matching.

    Ties: several optima may exist; which is found is left to the solver and can depend on the order of the rows, so
    ``ties_decided_by_row_order`` counts the pairs of which one patient shares arm, stratum and score with another. Raises NotEstimable when
    an arm is empty; a matching without a pair is a result.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    arm = check_binary("treated", treated)
    value = check_vector("score", score, size=arm.size)
    stratum = np.zeros(arm.size, dtype=np.int64) if exact is None else check_strata(exact, size=arm.size)
    if arm.all() or not arm.any():
        raise NotEstimable("one arm is empty")
    if not 0.0 < caliper < np.inf:
        raise StatisticsError(f"caliper: found {caliper}; allowed is a finite number above zero")
    rows = np.lexsort((np.arange(arm.size), value, stratum))
    chooser, choice = rows[arm[rows]], rows[~arm[rows]]
    # the comparators in reach of each of the treated are neighbours in the order of stratum and score
    start, stop = np.zeros(chooser.size, dtype=np.int64), np.zeros(chooser.size, dtype=np.int64)
    for one in np.unique(stratum[chooser]):
        mine = stratum[chooser] == one
        first, last = np.searchsorted(stratum[choice], [one, one + 1])
        reach = value[choice[first:last]]
        start[mine] = first + np.searchsorted(reach, value[chooser[mine]] - caliper)
        stop[mine] = first + np.searchsorted(reach, value[chooser[mine]] + caliper, side="right")
    count = stop - start
    if count.sum() > _MOST_CANDIDATES:
        raise StatisticsError(f"caliper: leaves {count.sum()} pairs; at most {_MOST_CANDIDATES} can be weighed; narrow it, or match greedily")
    treated_of = np.repeat(np.arange(chooser.size), count)
    comparator_of = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + np.repeat(start, count)
    # in units of the caliper, plus one, since the solver takes a zero for no edge; to stay alone costs more than all distances together
    distance = 1.0 + np.abs(value[chooser[treated_of]] - value[choice[comparator_of]]) / caliper
    alone = np.arange(chooser.size)
    graph = csr_array(
        (
            np.concatenate([distance, np.full(chooser.size, 2.0 + chooser.size)]),
            (np.concatenate([treated_of, alone]), np.concatenate([comparator_of, choice.size + alone])),
        ),
        shape=(chooser.size, choice.size + chooser.size),
    )
    focal, match = min_weight_full_bipartite_matching(graph)
    paired = match < choice.size
    focal, match = chooser[focal[paired]], choice[match[paired]]
    level = np.unique(np.column_stack([arm, stratum, value]), axis=0, return_inverse=True)[1].ravel()
    shared = np.bincount(level)[level] > 1
    return record_matching(arm.size, focal, match, replace=False, ties=int(np.count_nonzero(shared[focal] | shared[match])))
