"""Singling out (Giomi et al. 2023, section 5.1): a statement that holds for one synthetic record, and then for exactly one real patient.

A statement joins predicates on columns: an age of at least 97 and metastatic cancer. The attacker reads statements that hold for one record off the
release; each that holds for exactly one of the patients seen succeeds. Control: exactly one of as many patients not seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from parallax.statistics.statements import ABOVE, AT_LEAST, AT_MOST, EQUAL, MISSING, PRESENT, count_matches
from parallax.validation.risk import Outcome, Trials

#: columns that a multivariate statement is about
COLUMNS: Final = 3
#: records that the attacker looks at for each statement wanted, before giving up
_TRIES: Final = 400
_BATCHES: Final = 20


@dataclass(frozen=True, slots=True)
class Statements:
    """q statements of k predicates each, all (q, k): the ``column`` by its position, the ``operator``, and the ``value`` compared with."""

    column: NDArray[np.int64]
    operator: NDArray[np.int64]
    value: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.column)

    def pick(self, rows: NDArray[np.int64] | NDArray[np.bool_] | slice) -> Self:
        """The statements at these positions."""
        return type(self)(self.column[rows], self.operator[rows], self.value[rows])

    def distinct(self) -> Self:
        """Each statement once, in the order of their first appearance."""
        keys = pd.DataFrame(np.hstack([self.column, self.operator, self.value]))
        return self.pick(np.flatnonzero(~keys.duplicated().to_numpy()))


def encode_tables(frames: Sequence[pd.DataFrame], *, numeric: Sequence[str], categorical: Sequence[str]) -> list[NDArray[np.float64]]:
    """Each table as numbers, (n, p): numeric columns first, then the categorical ones as codes common to all tables; NaN is missing."""
    parts = [[frame[list(numeric)].to_numpy(dtype=np.float64)] for frame in frames]
    for name in categorical:
        texts = [frame[name].astype("string") for frame in frames]
        levels = sorted({level for text in texts for level in text.dropna().unique()})
        for part, text in zip(parts, texts, strict=True):
            codes = pd.Categorical(text, categories=levels).codes.astype(np.float64)[:, None]
            part.append(np.where(codes < 0, np.nan, codes))
    return [np.hstack(part) for part in parts]


def distinct_records(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each record once; missing equals missing."""
    distinct: NDArray[np.float64] = table[~pd.DataFrame(table).duplicated().to_numpy()]
    return distinct


def hold_once(statements: Statements, table: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which statements hold for exactly one of the table's records, (q,)."""
    once: NDArray[np.bool_] = count_matches(statements.column, statements.operator, statements.value, table, 2) == 1
    return once


def state_univariate(table: NDArray[np.float64], numeric: int) -> Statements:
    """Every statement on one column that holds for one record: a value that occurs once, the smallest and the largest number, the one missing.

    The first ``numeric`` columns hold numbers.
    """
    found: list[tuple[int, int, float]] = []
    for column, values in enumerate(table.T):
        known = values[~np.isnan(values)]
        if len(values) - len(known) == 1:
            found.append((column, MISSING, 0.0))
        once, counts = np.unique(known, return_counts=True)
        if column < numeric and len(known):
            found += [(column, AT_MOST, once[0])] if counts[0] == 1 else []
            found += [(column, AT_LEAST, once[-1])] if counts[-1] == 1 else []
        found += [(column, EQUAL, value) for value in once[counts == 1]]
    made = np.array(found, dtype=np.float64).reshape(-1, 3)
    return Statements(made[:, :1].astype(np.int64), made[:, 1:2].astype(np.int64), made[:, 2:])


def state_multivariate(table: NDArray[np.float64], numeric: int, *, wanted: int, rng: np.random.Generator) -> Statements:
    """Statements on three columns of a random record that hold for that record alone, each once, at most ``wanted``.

    A number is stated as "at least" where it lies above the column's median, else as "at most"; a level as it is. After four hundred times as many
    records as wanted the attacker gives up.
    """
    width = min(COLUMNS, table.shape[1])
    medians = np.array([np.median(known) if len(known := values[~np.isnan(values)]) else np.nan for values in table.T])
    found = Statements(*(np.empty((0, width), dtype=kind) for kind in (np.int64, np.int64, np.float64)))
    size = max(1, wanted * _TRIES // _BATCHES)
    for _ in range(_BATCHES):
        column = _pick_columns(size, width, table.shape[1], rng)
        value = np.take_along_axis(table[rng.integers(len(table), size=size)], column, axis=1)
        operator = np.where(column >= numeric, EQUAL, np.where(value > medians[column], AT_LEAST, AT_MOST))
        missing = np.isnan(value)
        made = Statements(column, np.where(missing, MISSING, operator), np.where(missing, 0.0, value))
        found = join([found, made.pick(hold_once(made, table))]).distinct()
        if len(found) >= wanted:
            break
    return found.pick(slice(wanted))


def state_at_random(table: NDArray[np.float64], numeric: int, *, wanted: int, width: int, rng: np.random.Generator) -> Statements:
    """Statements of an attacker who guesses: random columns, operators, and values from among those that occur."""
    width = min(width, table.shape[1])
    column = _pick_columns(wanted, width, table.shape[1], rng)
    occurring = [_occurring(values) for values in table.T]
    value = np.array([[rng.choice(occurring[position]) for position in row] for row in column]).reshape(wanted, width)
    operator = np.where(column < numeric, rng.integers(EQUAL, MISSING, size=column.shape), rng.integers(EQUAL, ABOVE, size=column.shape))
    missing = np.isnan(value)
    operator = np.where(missing, np.where(operator == EQUAL, MISSING, PRESENT), operator)
    return Statements(column, operator, np.where(missing, 0.0, value))


def attack_by_statements(statements: Statements, guesses: Statements, seen: NDArray[np.float64], control: NDArray[np.float64]) -> Outcome:
    """How many statements hold for exactly one patient seen, and for exactly one of as many not seen; ``guesses`` are those of the baseline."""

    def succeed(asked: Statements, patients: NDArray[np.float64]) -> Trials:
        return Trials(int(hold_once(asked, distinct_records(patients)).sum()), len(asked))

    return Outcome(succeed(statements, seen), succeed(statements, control), succeed(guesses, seen))


def _pick_columns(statements: int, width: int, columns: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Different columns for each statement, (statements, width), in order."""
    picked = rng.integers(columns - np.arange(width), size=(statements, width))
    for place in range(1, width):
        # the r-th of those columns that are still free
        taken = np.sort(picked[:, :place], axis=1)
        for other in taken.T:
            picked[:, place] += picked[:, place] >= other
    return np.sort(picked, axis=1)


def _occurring(values: NDArray[np.float64]) -> NDArray[np.float64]:
    known = np.unique(values[~np.isnan(values)])
    return np.append(known, np.nan) if np.isnan(values).any() else known


def join(parts: Sequence[Statements]) -> Statements:
    """The statements of all parts, of equal width."""
    return Statements(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("column", "operator", "value")))
