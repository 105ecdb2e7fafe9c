"""Covariates as numbers: what the propensity model sees and what balance is measured on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from parallax.protocol.cohort import Covariates
from parallax.statistics.newton import dependent_columns
from parallax.vocabulary import MISSING_LEVEL


@dataclass(frozen=True, slots=True)
class DesignMatrix:
    """One column per numeric covariate, per level of a categorical one, and per numeric covariate with missing values.

    ``values`` (patients × columns); ``covariates`` and ``levels`` name each column (level None: the numeric values themselves).
    """

    values: NDArray[np.float64]
    covariates: tuple[str, ...]
    levels: tuple[str | None, ...]

    def modelled(self, rows: NDArray[np.bool_]) -> NDArray[np.int64]:
        """The columns that a regression with an intercept takes on these patients: none constant, none determined by those before it.

        The first level of a covariate with several goes last in that order: it is the reference unless another level is missing.
        """
        values = self.values[rows]
        spread = values.std(axis=0)
        leading = {
            name: column for column, (name, level) in reversed([*enumerate(zip(self.covariates, self.levels, strict=True))]) if level is not None
        }
        order = sorted(np.flatnonzero(spread > 0), key=lambda column: leading.get(self.covariates[column]) == column)
        scaled = (values[:, order] - values[:, order].mean(axis=0)) / spread[order]
        return np.sort(np.delete(np.asarray(order, dtype=np.int64), list(dependent_columns(scaled))))


def build_design_matrix(patients: pd.DataFrame, covariates: Covariates) -> DesignMatrix:
    """The design matrix of one replicate.

    Missing values
        numeric: the median of this replicate and a column ``(missing)`` of 0/1; categorical: the level ``(missing)``.
    Levels
        those that occur in this replicate, sorted; the first is a regression's reference. Of a two-level covariate
        only the second level has a column: the first would say the same again.
    """
    columns: list[NDArray[np.float64]] = []
    labels: list[tuple[str, str | None]] = []
    for name in covariates.numeric:
        values = patients[name].to_numpy(dtype=np.float64)
        missing = np.isnan(values)
        if missing.all():
            values = np.zeros_like(values)
        elif missing.any():
            values = np.where(missing, np.median(values[~missing]), values)
        columns.append(values)
        labels.append((name, None))
        if missing.any():
            columns.append(missing.astype(np.float64))
            labels.append((name, MISSING_LEVEL))
    for name in covariates.categorical:
        values = patients[name].astype(object).where(patients[name].notna(), MISSING_LEVEL).to_numpy()
        levels = sorted(set(values))
        for level in levels[1:] if len(levels) == 2 else levels:
            columns.append((values == level).astype(np.float64))
            labels.append((name, level))
    return DesignMatrix(np.column_stack(columns), tuple(name for name, _ in labels), tuple(level for _, level in labels))
