"""For how many records a statement about their columns holds: the compiled core of the singling-out attack."""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from parallax.statistics.domain import FloatArray, IntArray

EQUAL: Final = 0
UNEQUAL: Final = 1
ABOVE: Final = 2
BELOW: Final = 3
AT_LEAST: Final = 4
AT_MOST: Final = 5
MISSING: Final = 6
PRESENT: Final = 7


@njit(cache=True)
def count_matches(column: IntArray, operator: IntArray, value: FloatArray, table: FloatArray, most: int) -> IntArray:
    """For how many records each statement holds, (q,), counting no further than ``most``.

    ``column``, ``operator`` and ``value`` (q, k): a statement joins k predicates, such as column 3 at least 97. ``table`` (n, p) holds numbers, NaN
    where one is missing; a missing value fulfils ``MISSING`` alone.
    """
    counts = np.zeros(len(column), dtype=np.int64)
    for row in range(len(column)):
        for record in range(len(table)):
            holds = True
            for place in range(column.shape[1]):
                found, asked, test = table[record, column[row, place]], value[row, place], operator[row, place]
                if test == EQUAL:
                    holds = found == asked
                elif test == UNEQUAL:
                    holds = found < asked or found > asked
                elif test == ABOVE:
                    holds = found > asked
                elif test == BELOW:
                    holds = found < asked
                elif test == AT_LEAST:
                    holds = found >= asked
                elif test == AT_MOST:
                    holds = found <= asked
                else:
                    holds = np.isnan(found) == (test == MISSING)
                if not holds:
                    break
            if holds:
                counts[row] += 1
                if counts[row] >= most:
                    break
    return counts
