"""Matching of two arms on covariates, within a caliper on a score."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import solve_triangular

from parallax.errors import NotEstimable, StatisticsError
from parallax.statistics.domain import FloatArray, IntArray, check_binary, check_matrix, check_vector
from parallax.statistics.matching import Matching, check_strata, record_matching
from parallax.statistics.newton import dependent_columns

#: comparators looked up at first; four times as many when none of them will do
_NEIGHBOURS: Final = 32
#: distances that differ by less are equal: whitening rounds
_ROUNDING: Final = 1.0 + 1e-9


def match_mahalanobis(columns: ArrayLike, treated: ArrayLike, *, score: ArrayLike, caliper: float | None, exact: ArrayLike | None = None) -> Matching:
    """Match each treated patient to the comparator of the nearest covariates among those within the caliper, greedily, 1:1, none twice.

    Assumption: the score, with the covariates and the ``exact`` variables, carries all confounding (Rosenbaum & Rubin 1985, §3.3).
    Distance √{(x − y)' S⁻¹ (x − y)}, S the covariance pooled within arms (denominator n − 2). The treated choose in descending order of the
    score, each the nearest free comparator of its stratum with |score difference| at most ``caliper`` (None: no limit).

    Parameters: ``columns`` (n, k); ``treated`` (n,); ``score`` (n,); ``exact`` (n,) an integer per patient.
    Ties: the first row chooses, and is chosen, first; ``ties_decided_by_row_order`` counts the pairs for which another comparator was free and
    as near (to nine digits), or another treated patient with the same score had still to choose.
    Raises NotEstimable when an arm is empty, and with ``columns`` where S is singular. Time n log n for few covariates (a k-d tree), towards n²
    for many; memory a few copies of the columns.
    """
    from scipy.spatial import cKDTree

    x = check_matrix("columns", columns)
    arm = check_binary("treated", treated, size=len(x))
    value = check_vector("score", score, size=len(x))
    stratum = np.zeros(arm.size, dtype=np.int64) if exact is None else check_strata(exact, size=arm.size)
    if arm.all() or not arm.any():
        raise NotEstimable("one arm is empty")
    if caliper is not None and not caliper >= 0.0:
        raise StatisticsError(f"caliper: found {caliper}; allowed is a number of at least zero, or None")
    limit = np.inf if caliper is None else caliper
    z = _whiten(x, arm.astype(np.intp))
    chooser, choice = np.flatnonzero(arm), np.flatnonzero(~arm)
    chooser = chooser[np.argsort(-value[chooser], kind="stable")]
    tree = cKDTree(z[choice])
    width = min(_NEIGHBOURS, choice.size)
    distances, neighbours = (np.asarray(found).reshape(chooser.size, width) for found in tree.query(z[chooser], k=width))
    free = np.ones(choice.size, dtype=bool)
    focal, match, ties = [], [], 0
    for place, row in enumerate(chooser):
        distance, near = distances[place], neighbours[place]
        while True:
            rows = choice[near]
            allowed = free[near] & (np.abs(value[rows] - value[row]) <= limit) & (stratum[rows] == stratum[row])
            nearest = distance[allowed].min(initial=np.inf) * _ROUNDING
            # one as near might lie beyond the last that was looked up
            if nearest < distance[-1] or near.size == choice.size:
                break
            distance, near = (np.atleast_1d(found) for found in tree.query(z[row], k=min(4 * near.size, choice.size)))
        if nearest == np.inf:
            continue
        tied = near[allowed & (distance <= nearest)]
        taken = tied.min()
        free[taken] = False
        focal.append(row)
        match.append(choice[taken])
        ties += tied.size > 1 or (place + 1 < chooser.size and value[chooser[place + 1]] == value[row])
    return record_matching(arm.size, np.array(focal, dtype=np.int64), np.array(match, dtype=np.int64), replace=False, ties=ties)


def _whiten(x: FloatArray, side: IntArray) -> FloatArray:
    """The columns such that Mahalanobis distances are Euclidean ones."""
    centred = x - np.array([x[side == one].mean(axis=0) for one in (0, 1)])[side]
    scale = np.sqrt(np.mean(centred**2, axis=0))
    dependent = dependent_columns(centred / np.where(scale > 0.0, scale, 1.0)) if len(x) > x.shape[1] + 2 else tuple(range(x.shape[1]))
    if dependent:
        raise NotEstimable("collinear: a column is constant within the arms or a combination of those before it", columns=dependent)
    factor = np.linalg.cholesky(centred.T @ centred / (len(x) - 2))
    whitened: FloatArray = solve_triangular(factor, (x - x.mean(axis=0)).T, lower=True).T
    return np.ascontiguousarray(whitened)
