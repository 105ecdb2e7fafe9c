"""Distances between patients' records of mixed types, and each record's nearest neighbour."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from parallax.errors import StatisticsError

_BLOCK = 256
_TILE = 2048


@dataclass(frozen=True, slots=True)
class Neighbours:
    """For each of n records the ``distance`` (n,) to the nearest other one and its ``index`` (n,)."""

    distance: NDArray[np.float64]
    index: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class RecordSpace:
    """A Euclidean space of records, Gower-like: every column counts alike.

    A numeric column is divided by its standard deviation among the real patients; a missing value lies at their mean and one unit away on a
    column of its own. A categorical column becomes one axis per level (missing is a level), scaled so that two levels are one unit apart.
    Two records lie at distance zero if they are the same in every column, and up to single precision only then.
    """

    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    means: NDArray[np.float64]
    scales: NDArray[np.float64]
    levels: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, frames: Sequence[pd.DataFrame], *, numeric: Sequence[str], categorical: Sequence[str]) -> Self:
        """The space scaled by the first frame (the real patients); the levels are those of all frames."""
        if len(frames[0]) == 0 or not (numeric or categorical):
            raise StatisticsError("records: at least one real patient and one column are needed to measure a distance")
        values = frames[0][list(numeric)].to_numpy(dtype=np.float64)
        seen = ~np.isnan(values)
        count = np.maximum(seen.sum(axis=0), 1)
        means = np.where(seen, values, 0.0).sum(axis=0) / count
        spread = np.sqrt(np.where(seen, (values - means) ** 2, 0.0).sum(axis=0) / count)
        levels = tuple(tuple(sorted({level for frame in frames for level in frame[name].astype("string").dropna().unique()})) for name in categorical)
        return cls(tuple(numeric), tuple(categorical), means, np.where(spread > 0, spread, 1.0), levels)

    def place(self, frame: pd.DataFrame) -> NDArray[np.float32]:
        """The records' coordinates, (n, p)."""
        values = frame[list(self.numeric)].to_numpy(dtype=np.float64)
        missing = np.isnan(values)
        parts = [np.where(missing, 0.0, (values - self.means) / self.scales), missing.astype(np.float64)]
        for name, levels in zip(self.categorical, self.levels, strict=True):
            codes = pd.Categorical(frame[name].astype("string"), categories=list(levels)).codes.astype(np.int64)
            parts.append(np.eye(len(levels) + 1)[codes] * np.sqrt(0.5))
        return np.hstack(parts).astype(np.float32)

    def axes(self, columns: Collection[str]) -> NDArray[np.int64]:
        """The axes of ``place`` that these columns lie on."""
        owners = [*self.numeric, *self.numeric]
        for name, levels in zip(self.categorical, self.levels, strict=True):
            owners += [name] * (len(levels) + 1)
        return np.flatnonzero([owner in columns for owner in owners])


def find_nearest(records: NDArray[np.float32], among: NDArray[np.float32], without: NDArray[np.int64] | None = None) -> Neighbours:
    """Each record's nearest neighbour among others, by brute force: O(n·N·p) in blocks of records by tiles of neighbours that fit the cache.

    ``without`` (n,) names a neighbour for each record who is left out: without the nearest ones, the second nearest are found.

    The neighbour is found by x·y − ½|y|² in single precision, its distance then computed directly in double precision, so that a verbatim
    copy lies at exactly zero. Of several neighbours at one distance the first is taken. Beside the two tables and a copy of ``among`` the
    memory is that of one block.
    """
    if len(among) <= (without is not None):
        raise StatisticsError("neighbours: there is no record to be near to")
    half = np.einsum("ij,ij->i", among, among) / 2
    best = np.full(len(records), -np.inf, dtype=np.float32)
    index = np.zeros(len(records), dtype=np.int64)
    for offset in range(0, len(among), _TILE):
        columns = np.ascontiguousarray(among[offset : offset + _TILE].T)
        for start in range(0, len(records), _BLOCK):
            nearness = records[start : start + _BLOCK] @ columns
            nearness -= half[offset : offset + _TILE]
            rows = slice(start, start + len(nearness))
            if without is not None:
                place = without[rows] - offset
                inside = np.flatnonzero((place >= 0) & (place < nearness.shape[1]))
                nearness[inside, place[inside]] = -np.inf
            position = nearness.argmax(axis=1)
            found = nearness[np.arange(len(position)), position]
            nearer = found > best[rows]
            best[rows] = np.where(nearer, found, best[rows])
            index[rows] = np.where(nearer, position + offset, index[rows])
    apart = records.astype(np.float64) - among[index]
    return Neighbours(np.sqrt(np.einsum("ij,ij->i", apart, apart)), index)


def find_distance_ratios(records: NDArray[np.float32], among: NDArray[np.float32]) -> NDArray[np.float64]:
    """For each of n records the distance to its nearest neighbour over that to the second nearest one, (n,); 1 where both lie at zero.

    Raises StatisticsError where there are fewer than two neighbours.
    """
    if len(among) < 2:
        raise StatisticsError("neighbours: a second nearest record needs two of them")
    columns, half = among.T, np.einsum("ij,ij->i", among, among) / 2
    ratios = np.empty(len(records))
    for start in range(0, len(records), _BLOCK):
        block = records[start : start + _BLOCK]
        nearest = np.argpartition(half - block @ columns, 1, axis=1)[:, :2]
        apart = block.astype(np.float64)[:, None] - among[nearest]
        distances = np.sort(np.sqrt(np.einsum("ikj,ikj->ik", apart, apart)), axis=1)
        ratios[start : start + _BLOCK] = np.where(distances[:, 1] > 0, distances[:, 0] / np.where(distances[:, 1] > 0, distances[:, 1], 1.0), 1.0)
    return ratios
