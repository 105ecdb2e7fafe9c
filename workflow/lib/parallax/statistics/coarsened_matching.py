"""Coarsened exact matching."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from parallax.errors import NotEstimable, StatisticsError
from parallax.statistics.domain import FloatArray, IntArray, check_binary, check_matrix


@dataclass(frozen=True, slots=True)
class CoarsenedMatching:
    """``stratum`` (n,) 0, 1, … of the strata that hold both arms, −1 for patients of the others; ``weights`` (n,)."""

    stratum: IntArray
    weights: FloatArray


def match_coarsened(columns: ArrayLike, treated: ArrayLike, *, bins: Mapping[int, int | ArrayLike] | None = None) -> CoarsenedMatching:
    """Match patients who agree on every column after it was cut into bins (Iacus, King & Porro 2012, §3.1).

    Assumption: within a stratum treatment is as good as random. Weights 1 for the treated of a stratum with both arms, for its comparators
    (treated/comparators in the stratum) · (matched comparators/matched treated), so that they sum to their number; 0 elsewhere. The estimand
    is the ATT among the matched.

    ``columns`` (n, k), categories as codes; ``treated`` (n,); ``bins`` by column: a number of equally wide bins over the range, or
    ascending inner cut-points, a value on a cut-point in the bin above. A column that is not named keeps its values if it has at most two,
    otherwise ⌈log₂ n⌉ + 1 bins (Sturges 1926). Pass ``{j: np.unique(columns[:, j])}`` to match a column exactly.

    Row order does not matter: strata are numbered in the order of their bins. Raises NotEstimable when an arm is empty or no stratum holds
    both; StatisticsError for bins outside the domain.
    """
    x = check_matrix("columns", columns)
    arm = check_binary("treated", treated, size=len(x))
    if arm.all() or not arm.any():
        raise NotEstimable("one arm is empty")
    stratum = np.zeros(arm.size, dtype=np.int64)
    for j in range(x.shape[1]):
        codes = np.unique(_cut(x[:, j], j, (bins or {}).get(j)), return_inverse=True)[1]
        # numbered anew after each column, so that the numbers stay below n²
        stratum = np.unique(stratum * (codes.max() + 1) + codes, return_inverse=True)[1].astype(np.int64)
    treated_in, comparators_in = np.bincount(stratum, weights=arm), np.bincount(stratum, weights=~arm)
    both = (treated_in > 0) & (comparators_in > 0)
    if not both.any():
        raise NotEstimable("no stratum holds patients of both arms; coarsen the covariates further")
    share = np.divide(treated_in, comparators_in, out=np.zeros_like(treated_in), where=both) * (comparators_in[both].sum() / treated_in[both].sum())
    number = np.where(both, np.cumsum(both) - 1, -1)
    return CoarsenedMatching(number[stratum], np.where(arm, both[stratum], share[stratum]).astype(np.float64))


def _cut(column: FloatArray, j: int, bins: int | ArrayLike | None) -> IntArray:
    low, high = column.min(), column.max()
    if bins is None:
        two = bool(np.all((column == low) | (column == high)))
        bins = 2 if two else int(np.ceil(np.log2(column.size))) + 1
    if isinstance(bins, int):
        if bins < 1:
            raise StatisticsError(f"bins of column {j}: found {bins}; allowed is a number of at least one, or ascending cut-points")
        points = np.linspace(low, high, bins + 1)[1:-1]
    else:
        points = np.asarray(bins, dtype=np.float64)
        if points.ndim != 1 or not np.all(np.isfinite(points)) or np.any(np.diff(points) <= 0.0):
            raise StatisticsError(f"bins of column {j}: allowed are finite cut-points in ascending order, or a number of bins")
    codes: IntArray = np.searchsorted(points, column, side="right").astype(np.int64)
    return codes
