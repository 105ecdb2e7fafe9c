"""Flat trees, one column after the other: what synthpop's default does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from parallax.synthesis.encoding import decode, encode
from parallax.synthesis.generator import Context
from parallax.synthesis.records import RecordForm

if TYPE_CHECKING:
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

FloatArray = NDArray[np.float64]

#: least gain of a split, as synthpop sets rpart's complexity parameter: the smallest leaf alone ends growth
_COMPLEXITY: Final = 1e-8


@dataclass(frozen=True, slots=True)
class _Tree:
    """A column's tree over the columns before it (None for the first) and the values of the real patients in each leaf, in leaf order."""

    tree: DecisionTreeClassifier | DecisionTreeRegressor | None
    leaves: NDArray[np.int64]
    starts: NDArray[np.int64]
    values: NDArray[Any]

    def draw(self, earlier: FloatArray, patients: int, *, rng: np.random.Generator) -> NDArray[Any]:
        leaf = np.zeros(patients, dtype=np.int64) if self.tree is None else self.tree.apply(earlier.astype(np.float32)).astype(np.int64)
        place = np.searchsorted(self.leaves, leaf)
        start, end = self.starts[place], self.starts[place + 1]
        return self.values[start + (rng.random(patients) * (end - start)).astype(np.int64)]


@dataclass(frozen=True, slots=True)
class FittedCart:
    """A tree per column, in their order; ``levels`` of the text columns."""

    form: RecordForm
    trees: Mapping[str, _Tree]
    levels: Mapping[str, tuple[str, ...]]

    def draw(self, patients: int, *, rng: np.random.Generator) -> pd.DataFrame:
        """Synthetic patients, each column from the leaf that the ones before it lead to."""
        drawn: dict[str, NDArray[Any]] = {}
        earlier = np.zeros((patients, 0))
        for name, tree in self.trees.items():
            drawn[name] = tree.draw(earlier, patients, rng=rng)
            earlier = np.column_stack([earlier, *_indicators(drawn[name], self.levels.get(name))])
        return self.form.restore(decode(pd.DataFrame(drawn), self.form))


@dataclass(frozen=True, slots=True)
class Cart:
    """Set-up: ``order`` of the covariates that come first, and the smallest leaf.

    Each column is drawn from the values of the real patients in the leaf of a tree grown on the columns before it: the covariates, treatment,
    then outcomes, how a follow-up ends before when it ends (Reiter 2005 J Off Stat 21:441; Nowok, Raab & Dibben 2016 J Stat Softw 74(11),
    section 3.1). Assumption: within a leaf a column does not depend on the ones before. Trees seldom split on treatment: its effect fades.
    Values are those of real patients; a small leaf hands their records out (docs/decisions/0041-flat-peers.md).
    """

    order: tuple[str, ...]
    minimum_leaf: int

    def fit(self, cohort: pd.DataFrame, *, context: Context, rng: np.random.Generator) -> FittedCart:  # noqa: ARG002 -- part of the interface
        """Grow the trees; ties between equal splits are always broken alike."""
        from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

        form = RecordForm.of(cohort, context)
        table = encode(cohort, form)
        grown: dict[str, _Tree] = {}
        levels = {str(name): tuple(sorted(table[name].unique())) for name in table if table[name].dtype == object}
        earlier = np.zeros((len(table), 0))
        for name in _ordered([str(column) for column in table.columns], self.order, form):
            values = table[name].to_numpy()
            tree = None
            leaf = np.zeros(len(table), dtype=np.int64)
            if earlier.shape[1]:
                kind = DecisionTreeClassifier if name in levels else DecisionTreeRegressor
                tree = kind(min_samples_leaf=self.minimum_leaf, min_impurity_decrease=_COMPLEXITY, random_state=0).fit(earlier, values)
                leaf = tree.apply(earlier.astype(np.float32)).astype(np.int64)
            by_leaf = np.argsort(leaf, kind="stable")
            leaves, starts = np.unique(leaf[by_leaf], return_index=True)
            grown[name] = _Tree(tree, leaves, np.append(starts, len(table)).astype(np.int64), values[by_leaf])
            earlier = np.column_stack([earlier, *_indicators(values, levels.get(name))])
        return FittedCart(form, grown, levels)


def _ordered(columns: list[str], first: tuple[str, ...], form: RecordForm) -> list[str]:
    covariates = [name for name in columns if any(name in (own, f"{own} missing") for own in form.context.covariates.names)]
    asked = [name for own in first for name in (f"{own} missing", own) if name in covariates]
    endings = [f"{name}_{part}" for name in form.follow_up for part in ("event", "days")]
    values = [name for name in columns if name not in {*covariates, *endings, "treated"}]
    return [*asked, *(name for name in covariates if name not in asked), "treated", *endings, *values]


def _indicators(values: NDArray[Any], levels: tuple[str, ...] | None) -> list[FloatArray]:
    if levels is None:
        return [values.astype(np.float64)]
    return [(values == level).astype(np.float64) for level in levels[1:] or levels]
