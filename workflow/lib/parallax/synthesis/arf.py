"""Adversarial random forests: a flat, tree-based density that draws values anew instead of handing out those of patients."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from parallax.synthesis.encoding import decode, encode
from parallax.synthesis.generator import Context
from parallax.synthesis.records import RecordForm

if TYPE_CHECKING:
    from sklearn.ensemble import RandomForestClassifier

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

logger = logging.getLogger("parallax")

_UNSPLIT: Final = -1


class Leaf(NamedTuple):
    """The real patients of a leaf, by row, and its bounds (p,) in every column."""

    rows: IntArray
    lower: FloatArray
    upper: FloatArray


@dataclass(frozen=True, slots=True)
class FittedArf:
    """A mixture over the leaves of all trees, in which columns are independent.

    ``share`` (leaves,) of a leaf among all, cumulated. Of the numeric columns ``mean``, ``deviation``, ``lower`` and ``upper`` (leaves, q);
    of a text column the levels' cumulated ``chances`` (leaves, levels). ``columns`` in the order of the encoded table.
    """

    form: RecordForm
    columns: tuple[str, ...]
    levels: Mapping[str, tuple[str, ...]]
    share: FloatArray
    mean: FloatArray
    deviation: FloatArray
    lower: FloatArray
    upper: FloatArray
    chances: Mapping[str, FloatArray]

    def draw(self, patients: int, *, rng: np.random.Generator) -> pd.DataFrame:
        """Synthetic patients: a leaf by its share, then every column from its distribution there."""
        leaf = np.minimum(np.searchsorted(self.share, rng.random(patients), side="right"), self.share.size - 1)
        numbers = iter(_truncated(self.mean[leaf], self.deviation[leaf], self.lower[leaf], self.upper[leaf], rng=rng).T)
        drawn: dict[str, NDArray[Any]] = {}
        for name in self.columns:
            if name in self.levels:
                above = rng.random(patients)[:, None] >= self.chances[name][leaf]
                drawn[name] = np.asarray(self.levels[name], dtype=object)[np.minimum(above.sum(axis=1), len(self.levels[name]) - 1)]
            else:
                drawn[name] = next(numbers)
        return self.form.restore(decode(pd.DataFrame(drawn), self.form))


@dataclass(frozen=True, slots=True)
class Arf:
    """Set-up: number of ``trees``, fewest real patients of a leaf, most ``rounds``.

    A forest learns to tell the patients from draws of the margins; then, round after round, from draws of its own leaves, columns
    independent within a leaf, until out of bag it does no better than a coin, does worse than the round before, or ``rounds`` are over. The
    leaves of the forest before are the generator (Watson, Blesch, Kapar & Wright 2023, AISTATS, algorithms 1 to 3): a number is normal with the
    mean and variance of the leaf's patients, truncated to the leaf and to the range of all patients; a text has their frequencies.
    Assumption: within a leaf columns are independent. A branch with fewer than ``minimum_leaf`` patients is cut, and its patients join its sibling.
    """

    trees: int
    minimum_leaf: int
    rounds: int

    def fit(self, cohort: pd.DataFrame, *, context: Context, rng: np.random.Generator) -> FittedArf:
        """Grow forests, then describe the leaves of the last but one."""
        form = RecordForm.of(cohort, context)
        table = encode(cohort, form)
        levels = {str(name): tuple(sorted(table[name].unique())) for name in table if table[name].dtype == object}
        real = np.column_stack(
            [np.searchsorted(levels[str(name)], table[name].to_numpy(str)) if name in levels else table[name].to_numpy() for name in table]
        ).astype(np.float64)
        forest, accuracy = self._grow(real, np.column_stack([rng.permutation(column) for column in real.T]), rng)
        for turn in range(1, self.rounds + 1):
            logger.info("round %d of at most %d: patients and draws told apart in %.1f %% of cases", turn, self.rounds, 100 * accuracy)
            if accuracy <= 0.5:
                break
            latest, found = self._grow(real, _resample(real, forest, rng), rng)
            if found > accuracy:
                break
            forest, accuracy = latest, found
        leaves = [leaf for tree in forest.estimators_ for leaf in self._leaves(tree.tree_, real)]
        return _describe(form, tuple(map(str, table.columns)), levels, real, leaves)

    def _grow(self, real: FloatArray, drawn: FloatArray, rng: np.random.Generator) -> tuple[RandomForestClassifier, float]:
        from sklearn.ensemble import RandomForestClassifier

        forest = RandomForestClassifier(
            n_estimators=self.trees, min_samples_leaf=self.minimum_leaf, oob_score=True, n_jobs=1, random_state=int(rng.integers(2**31))
        )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Some inputs do not have OOB scores")  # of a patient whom every tree has seen
            forest.fit(np.vstack([real, drawn]), np.repeat([0, 1], [len(real), len(drawn)]))
        return forest, float(forest.oob_score_)

    def _leaves(self, tree: Any, real: FloatArray) -> Iterator[Leaf]:
        """The leaves of a tree with the real patients in them, branches of too few of them cut."""
        everywhere = np.full(real.shape[1], np.inf)
        waiting = [(0, Leaf(np.arange(len(real)), -everywhere, everywhere))]
        splits = real.astype(np.float32)
        while waiting:
            node, leaf = waiting.pop()
            if tree.children_left[node] == _UNSPLIT:
                yield leaf
                continue
            column, threshold = tree.feature[node], tree.threshold[node]
            left = splits[leaf.rows, column] <= threshold
            if min(left.sum(), (~left).sum()) < self.minimum_leaf:
                waiting.append((tree.children_left[node] if 2 * left.sum() > left.size else tree.children_right[node], leaf))
                continue
            upper, lower = leaf.upper.copy(), leaf.lower.copy()
            upper[column] = lower[column] = threshold
            waiting.append((tree.children_right[node], Leaf(leaf.rows[~left], lower, leaf.upper)))
            waiting.append((tree.children_left[node], Leaf(leaf.rows[left], leaf.lower, upper)))


def _resample(real: FloatArray, forest: RandomForestClassifier, rng: np.random.Generator) -> FloatArray:
    """As many draws as patients: a tree, the leaf of one of the patients, and every column from some patient of that leaf."""
    homes = forest.apply(real)
    tree = rng.integers(homes.shape[1], size=len(real))
    drawn = np.empty_like(real)
    for number in range(homes.shape[1]):
        asked = np.flatnonzero(tree == number)
        order = np.argsort(homes[:, number], kind="stable")
        sorted_homes = homes[order, number]
        leaf = homes[rng.integers(len(real), size=asked.size), number]
        start, end = (np.searchsorted(sorted_homes, leaf, side=side) for side in ("left", "right"))
        for column in range(real.shape[1]):
            drawn[asked, column] = real[order[start + (rng.random(asked.size) * (end - start)).astype(np.int64)], column]
    return drawn


def _describe(form: RecordForm, columns: tuple[str, ...], levels: Mapping[str, tuple[str, ...]], real: FloatArray, leaves: list[Leaf]) -> FittedArf:
    numeric = np.array([place for place, name in enumerate(columns) if name not in levels], dtype=np.intp)
    least, most = real.min(axis=0), real.max(axis=0)
    inside = [real[leaf.rows][:, numeric] for leaf in leaves]
    chances = {
        name: np.cumsum(
            [np.bincount(real[leaf.rows, place].astype(np.int64), minlength=len(levels[name])) / leaf.rows.size for leaf in leaves], axis=1
        )
        for place, name in enumerate(columns)
        if name in levels
    }
    share = np.cumsum([leaf.rows.size for leaf in leaves], dtype=np.float64)
    return FittedArf(
        form,
        columns,
        levels,
        share=share / share[-1],
        mean=np.array([values.mean(axis=0) for values in inside]),
        deviation=np.array([values.std(axis=0) for values in inside]),
        lower=np.array([np.maximum(leaf.lower, least)[numeric] for leaf in leaves]),
        upper=np.array([np.minimum(leaf.upper, most)[numeric] for leaf in leaves]),
        chances=chances,
    )


def _truncated(mean: FloatArray, deviation: FloatArray, lower: FloatArray, upper: FloatArray, *, rng: np.random.Generator) -> FloatArray:
    """Normal numbers between ``lower`` and ``upper``, all (n, q); the mean where the deviation is zero.

    By the inverse distribution function, in the tail in which it is exact.
    """
    spread = np.where(deviation > 0, deviation, 1.0)
    low, high = (lower - mean) / spread, (upper - mean) / spread
    mirrored = low > 0
    low, high = np.where(mirrored, -high, low), np.where(mirrored, -low, high)
    chance = ndtr(low) + rng.random(mean.shape) * (ndtr(high) - ndtr(low))
    drawn = np.clip(ndtri(chance), low, high)
    return np.where(deviation > 0, mean + spread * np.where(mirrored, -drawn, drawn), mean)
