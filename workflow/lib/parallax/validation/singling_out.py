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

from parallax.validation.risk import Outcome, Trials

EQUAL, UNEQUAL, ABOVE, BELOW, AT_LEAST, AT_MOST, MISSING, PRESENT = range(8)
#: columns that a multivariate statement is about
COLUMNS: Final = 3
_TRIES: Final = 20
#: of the names above in their order
_TESTS: Final = (np.equal, np.not_equal, np.greater, np.less, np.greater_equal, np.less_equal)


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
    return table[~pd.DataFrame(table).duplicated().to_numpy()]


def count_matches(statements: Statements, table: NDArray[np.float64]) -> NDArray[np.int64]:
    """For how many of the table's records each statement holds, (q,); a missing value fulfils ``MISSING`` alone."""
    counts = np.zeros(len(statements), dtype=np.int64)
    by_column = np.ascontiguousarray(table.T)
    present = ~np.isnan(by_column)
    for row in range(len(statements)):
        holds: NDArray[np.bool_] | None = None
        for column, operator, value in zip(statements.column[row], statements.operator[row], statements.value[row], strict=True):
            if operator in (MISSING, PRESENT):
                found = present[column] if operator == PRESENT else ~present[column]
            else:
                found = _TESTS[operator](by_column[column], value)
                if operator == UNEQUAL:
                    found &= present[column]
            holds = found if holds is None else holds & found
        counts[row] = np.count_nonzero(holds)
    return counts


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

    A number is stated as "at least" where it lies above the column's median, else as "at most"; a level as it is. After twenty times as many
    records as wanted the attacker gives up.
    """
    width = min(COLUMNS, table.shape[1])
    medians = np.array([np.median(known) if len(known := values[~np.isnan(values)]) else np.nan for values in table.T])
    kept: list[Statements] = []
    for _ in range(_TRIES):
        records = table[rng.integers(len(table), size=wanted)]
        column = np.sort(np.argsort(rng.random((wanted, table.shape[1])), axis=1)[:, :width], axis=1)
        value = np.take_along_axis(records, column, axis=1)
        operator = np.where(column >= numeric, EQUAL, np.where(value > medians[column], AT_LEAST, AT_MOST))
        operator = np.where(np.isnan(value), MISSING, operator)
        made = Statements(column, operator, np.where(np.isnan(value), 0.0, value)).distinct()
        kept.append(made.pick(count_matches(made, table) == 1))
        joined = join(kept).distinct()
        if len(joined) >= wanted:
            return joined.pick(slice(wanted))
    return joined


def state_at_random(table: NDArray[np.float64], numeric: int, *, wanted: int, width: int, rng: np.random.Generator) -> Statements:
    """Statements of an attacker who guesses: random columns, operators, and values from among those that occur."""
    width = min(width, table.shape[1])
    column = np.sort(np.argsort(rng.random((wanted, table.shape[1])), axis=1)[:, :width], axis=1)
    occurring = [_occurring(values) for values in table.T]
    value = np.array([[rng.choice(occurring[position]) for position in row] for row in column]).reshape(wanted, width)
    operator = np.where(column < numeric, rng.integers(EQUAL, MISSING, size=column.shape), rng.integers(EQUAL, ABOVE, size=column.shape))
    missing = np.isnan(value)
    operator = np.where(missing, np.where(operator == EQUAL, MISSING, PRESENT), operator)
    return Statements(column, operator, np.where(missing, 0.0, value))


def attack_by_statements(statements: Statements, guesses: Statements, seen: NDArray[np.float64], control: NDArray[np.float64]) -> Outcome:
    """How many statements hold for exactly one patient seen, and for exactly one of as many not seen; ``guesses`` are those of the baseline."""

    def succeed(asked: Statements, patients: NDArray[np.float64]) -> Trials:
        return Trials(int((count_matches(asked, distinct_records(patients)) == 1).sum()), len(asked))

    return Outcome(succeed(statements, seen), succeed(statements, control), succeed(guesses, seen))


def _occurring(values: NDArray[np.float64]) -> NDArray[np.float64]:
    known = np.unique(values[~np.isnan(values)])
    return np.append(known, np.nan) if np.isnan(values).any() else known


def join(parts: Sequence[Statements]) -> Statements:
    """The statements of all parts, of equal width."""
    return Statements(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("column", "operator", "value")))
