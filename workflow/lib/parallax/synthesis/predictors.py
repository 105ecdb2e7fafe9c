"""Standardised regression columns of the covariates, fixed on the real patients and applied to drawn ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from parallax.synthesis.generator import Context

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Predictors:
    """The columns: numbers (median where missing) with an indicator of missingness, one column per level but the commonest (missing is a level).

    ``numbers`` median and mean by numeric covariate; ``levels`` by categorical one; with ``squares`` the square of every centred number is a
    column of its own; ``varying`` the columns that are not constant among the real patients, ``centre`` and ``scale`` theirs.
    """

    numbers: Mapping[str, tuple[float, float]]
    levels: Mapping[str, tuple[str | None, ...]]
    squares: bool
    varying: NDArray[np.intp]
    centre: FloatArray
    scale: FloatArray

    @classmethod
    def fit(cls, cohort: pd.DataFrame, context: Context, *, squares: bool) -> Self:
        """Fix medians, levels, centres and scales on the real patients."""
        numbers = {}
        for name in context.covariates.numeric:
            median = float(cohort[name].median())
            numbers[name] = (median, float(cohort[name].fillna(median).mean()))
        levels: dict[str, tuple[str | None, ...]] = {}
        for name in context.covariates.categorical:
            counts: dict[str | None, int] = {str(level): int(count) for level, count in cohort[name].value_counts().items()}
            if gaps := int(cohort[name].isna().sum()):
                counts[None] = gaps
            levels[name] = tuple(sorted(counts, key=lambda level: (-counts[level], level or ""))[1:])
        columns = _columns(cohort, numbers, levels, squares)
        scale = columns.std(axis=0)
        varying = np.flatnonzero(scale > 1e-9 * np.abs(columns).max(axis=0))
        return cls(numbers, levels, squares, varying, columns.mean(axis=0)[varying], scale[varying])

    def standardise(self, patients: Mapping[str, Any] | pd.DataFrame) -> FloatArray:
        """The columns (n, p), of mean 0 and variance 1 among the real patients."""
        columns = _columns(patients, self.numbers, self.levels, self.squares)[:, self.varying]
        standardised: FloatArray = (columns - self.centre) / self.scale
        return standardised


def _columns(
    patients: Mapping[str, Any] | pd.DataFrame,
    numbers: Mapping[str, tuple[float, float]],
    levels: Mapping[str, tuple[str | None, ...]],
    squares: bool,
) -> FloatArray:
    columns: list[FloatArray] = []
    for name, (median, mean) in numbers.items():
        values = np.asarray(patients[name], dtype=np.float64)
        missing = np.isnan(values)
        centred = np.where(missing, median, values) - mean
        columns += [centred, missing.astype(np.float64)]
        if squares:
            columns.append(centred**2)
    for name, known in levels.items():
        found = pd.Series(np.asarray(patients[name], dtype=object))
        columns += [(found.isna() if level is None else found.eq(level)).to_numpy().astype(np.float64) for level in known]
    return np.column_stack(columns)
