"""What every synthetic patient keeps: constraints of the protocol, checked on a table and enforced by drawing anew.

A generator may build a constraint into its model; that none is broken in any draw is seen to here, for every generator alike.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Final, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from parallax.errors import GenerationError
from parallax.protocol import Constraint, FixedCombinationsConstraint, OrderConstraint
from parallax.synthesis.generator import FittedGenerator

#: how often patients are drawn anew before giving up
ROUNDS: Final = 50
#: a round is planned for at least this share of good patients, so it draws at most 1 / share times as many as are wanting
_PLANNED_SHARE: Final = 0.05

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Rules:
    """The constraints, and the combinations of levels that the real patients have, by the place of their constraint."""

    constraints: tuple[Constraint, ...]
    combinations: Mapping[int, frozenset[tuple[Hashable, ...]]]

    @classmethod
    def of(cls, cohort: pd.DataFrame, constraints: Sequence[Constraint]) -> Self:
        """The constraints as the real cohort fills them in. Raises GenerationError, without a value or a count, where it breaks one."""
        seen = {
            place: frozenset(cohort[list(constraint.columns)].dropna().drop_duplicates().itertuples(index=False, name=None))
            for place, constraint in enumerate(constraints)
            if isinstance(constraint, FixedCombinationsConstraint)
        }
        rules = cls(tuple(constraints), seen)
        faults = [
            f"synthesis.constraints[{place}] ({constraint.type} of {', '.join(constraint.columns)}): found real patients who break it; "
            "allowed are none; correct the constraint, or exclude them by a criterion"
            for place, (constraint, kept) in enumerate(zip(constraints, rules.each(cohort), strict=True))
            if not kept.all()
        ]
        if faults:
            raise GenerationError("the cohort breaks its own constraints:\n" + "\n".join(f"  - {fault}" for fault in faults))
        return rules

    def each(self, table: pd.DataFrame) -> Iterator[BoolArray]:
        """By constraint: which patients keep it. A missing value breaks nothing; any two known values of an order must be in order."""
        for place, constraint in enumerate(self.constraints):
            if isinstance(constraint, OrderConstraint):
                yield _in_order(table, constraint)
            else:
                found = table[list(constraint.columns)]
                rows = found.astype(object).itertuples(index=False, name=None)
                kept = np.fromiter((row in self.combinations[place] for row in rows), dtype=np.bool_, count=len(table))
                yield kept | found.isna().any(axis=1).to_numpy()

    def kept(self, table: pd.DataFrame) -> BoolArray:
        """Which patients keep all constraints."""
        kept = np.ones(len(table), dtype=np.bool_)
        for each in self.each(table):
            kept &= each
        return kept


@dataclass(frozen=True, slots=True)
class Constrained:
    """A fitted generator whose every draw keeps the rules: patients who break one are drawn anew (rejection).

    Assumption
        What is drawn is the generator's distribution given that all constraints hold; where it rarely keeps them by itself, that
        distribution may be far from the one it learnt, and the draw is given up after ``ROUNDS`` rounds.
    """

    fitted: FittedGenerator
    rules: Rules

    def draw(self, patients: int, *, rng: np.random.Generator) -> pd.DataFrame:
        """Synthetic patients, exactly as many as asked for; the same ``rng`` state gives the same bits."""
        drawn = self.fitted.draw(patients, rng=rng)
        kept = self.rules.kept(drawn)
        if kept.all():
            return drawn
        parts, tried, good = [drawn[kept]], patients, int(kept.sum())
        for _ in range(ROUNDS):
            size = int(np.ceil((patients - good) / max(good / tried, _PLANNED_SHARE)))
            again = self.fitted.draw(size, rng=rng)
            kept = self.rules.kept(again)
            parts.append(again[kept])
            tried, good = tried + size, good + int(kept.sum())
            if good >= patients:
                return pd.concat(parts, ignore_index=True).head(patients)
        broken = ", ".join(f"{place} ({constraint.type})" for place, constraint in enumerate(self.rules.constraints))
        raise GenerationError(
            f"synthesis.constraints: found too few patients that keep all of {broken} in {ROUNDS} rounds of drawing; "
            "allowed is a generator that can keep them; loosen the constraints, or choose another generator"
        )


def fill_in_order(table: pd.DataFrame, constraint: OrderConstraint) -> pd.DataFrame:
    """The constraint's columns without gaps and still in order, for models that know no missing value.

    A gap between two known values becomes their middle; at an end, its neighbour less or plus the median known difference to it; where all
    are missing, the first is its median. Assumes that the known values keep the constraint.
    """
    names = list(constraint.columns)
    filled = {name: table[name].to_numpy(np.float64).copy() for name in names}
    steps = {pair: _median(table[pair[1]] - table[pair[0]], otherwise=1.0) for pair in pairwise(names)}
    for low, middle, high in zip(names, names[1:], names[2:], strict=False):
        filled[middle] = np.where(np.isnan(filled[middle]), (filled[low] + filled[high]) / 2, filled[middle])
    for low, high in reversed(steps):
        filled[low] = np.where(np.isnan(filled[low]), filled[high] - steps[low, high], filled[low])
    filled[names[0]] = np.where(np.isnan(filled[names[0]]), _median(table[names[0]], otherwise=0.0), filled[names[0]])
    for low, high in steps:
        filled[high] = np.where(np.isnan(filled[high]), filled[low] + steps[low, high], filled[high])
    return pd.DataFrame(filled, index=table.index)


def _in_order(table: pd.DataFrame, constraint: OrderConstraint) -> BoolArray:
    kept = np.ones(len(table), dtype=np.bool_)
    for low, high in combinations((table[name].to_numpy(np.float64) for name in constraint.columns), 2):
        kept &= np.isnan(low) | np.isnan(high) | (low < high if constraint.strict else low <= high)
    return kept


def _median(values: pd.Series, *, otherwise: float) -> float:
    known = values.dropna()
    return float(known.median()) if len(known) else otherwise
