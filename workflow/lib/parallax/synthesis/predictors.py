"""Standardised regression columns of the covariates, fixed on the real patients and applied to drawn ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from parallax.synthesis.generator import Context

FloatArray = NDArray[np.float64]

#: share of patients in either tail beyond which a square is held constant
_BEND: Final = 0.01


@dataclass(frozen=True, slots=True)
class Predictors:
    """The columns: numbers (median where missing) with an indicator of missingness, one column per level but the commonest (missing is a level).

    ``numbers`` median, mean and the bounds of its square by numeric covariate; ``levels`` by categorical one. With ``squares`` the square of
    every centred number is a column of its own, held constant beyond the 1st and the 99th percentile, so that no outlier decides on a bend;
    ``interactions`` names pairs of covariates whose columns' products are columns. ``varying`` are the columns that are not constant among
    the real patients, ``centre`` and ``scale`` theirs.
    """

    numbers: Mapping[str, tuple[float, float, float, float]]
    levels: Mapping[str, tuple[str | None, ...]]
    squares: bool
    interactions: tuple[tuple[str, str], ...]
    varying: NDArray[np.intp]
    centre: FloatArray
    scale: FloatArray

    @classmethod
    def fit(cls, cohort: pd.DataFrame, context: Context, *, squares: bool, interactions: tuple[tuple[str, str], ...] = ()) -> Self:
        """Fix medians, levels, centres and scales on the real patients."""
        numbers = {}
        for name in context.covariates.numeric:
            median = float(cohort[name].median())
            mean = float(cohort[name].fillna(median).mean())
            least, most = (float(cohort[name].quantile(share)) - mean for share in (_BEND, 1.0 - _BEND))
            numbers[name] = (median, mean, least, most)
        levels: dict[str, tuple[str | None, ...]] = {}
        for name in context.covariates.categorical:
            counts: dict[str | None, int] = {str(level): int(count) for level, count in cohort[name].value_counts().items()}
            if gaps := int(cohort[name].isna().sum()):
                counts[None] = gaps
            levels[name] = tuple(sorted(counts, key=lambda level: (-counts[level], level or ""))[1:])
        interactions = tuple(pair for pair in interactions if set(pair) <= {*numbers, *levels})
        columns = _columns(cohort, numbers, levels, squares, interactions)
        scale = columns.std(axis=0)
        varying = np.flatnonzero(scale > 1e-9 * np.abs(columns).max(axis=0))
        return cls(numbers, levels, squares, interactions, varying, columns.mean(axis=0)[varying], scale[varying])

    @property
    def terms(self) -> tuple[str, ...]:
        """What each varying column stands for."""
        own: dict[str, list[str]] = {}
        names: list[str] = []
        for name in self.numbers:
            own[name] = [name]
            names += [name, f"{name} missing", *([f"{name} squared"] if self.squares else [])]
        for name, levels in self.levels.items():
            own[name] = [f"{name} {'missing' if level is None else level}" for level in levels]
            names += own[name]
        names += [f"{left} x {right}" for first, second in self.interactions for left in own[first] for right in own[second]]
        return tuple(names[column] for column in self.varying)

    def standardise(self, patients: Mapping[str, Any] | pd.DataFrame) -> FloatArray:
        """The columns (n, p), of mean 0 and variance 1 among the real patients."""
        columns = _columns(patients, self.numbers, self.levels, self.squares, self.interactions)[:, self.varying]
        standardised: FloatArray = (columns - self.centre) / self.scale
        return standardised


def _columns(
    patients: Mapping[str, Any] | pd.DataFrame,
    numbers: Mapping[str, tuple[float, float, float, float]],
    levels: Mapping[str, tuple[str | None, ...]],
    squares: bool,
    interactions: tuple[tuple[str, str], ...],
) -> FloatArray:
    columns: list[FloatArray] = []
    own: dict[str, list[FloatArray]] = {}
    for name, (median, mean, least, most) in numbers.items():
        values = np.asarray(patients[name], dtype=np.float64)
        missing = np.isnan(values)
        centred = np.where(missing, median, values) - mean
        own[name] = [centred]
        columns += [centred, missing.astype(np.float64)]
        if squares:
            columns.append(np.clip(centred, least, most) ** 2)
    for name, known in levels.items():
        found = pd.Series(np.asarray(patients[name], dtype=object))
        own[name] = [(found.isna() if level is None else found.eq(level)).to_numpy().astype(np.float64) for level in known]
        columns += own[name]
    columns += [left * right for first, second in interactions for left in own[first] for right in own[second]]
    return np.column_stack(columns)
