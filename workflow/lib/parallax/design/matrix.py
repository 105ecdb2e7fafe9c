"""Covariates as numbers: what the propensity model sees and what balance is measured on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from parallax.protocol.cohort import Covariates
from parallax.vocabulary import MISSING_LEVEL


@dataclass(frozen=True, slots=True)
class DesignMatrix:
    """One column per numeric covariate, per level of a categorical one, and per numeric covariate with missing values.

    ``values`` (patients × columns); ``covariates`` and ``levels`` name each column (level None: the numeric values themselves);
    ``modelled`` marks the columns that a regression with an intercept takes: none constant, none determined by those before it.
    """

    values: NDArray[np.float64]
    covariates: tuple[str, ...]
    levels: tuple[str | None, ...]
    modelled: NDArray[np.bool_]

    @property
    def regressors(self) -> NDArray[np.float64]:
        """Intercept and modelled columns, (patients × (1 + modelled))."""
        return np.column_stack([np.ones(len(self.values)), self.values[:, self.modelled]])


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
    matrix = np.column_stack(columns)
    return DesignMatrix(matrix, tuple(name for name, _ in labels), tuple(level for _, level in labels), _independent(matrix, labels))


def _independent(matrix: NDArray[np.float64], labels: list[tuple[str, str | None]]) -> NDArray[np.bool_]:
    """Columns that an intercept and the columns before them do not determine; the first of three or more levels is the reference."""
    spread = matrix.std(axis=0)
    several = pd.Series([name for name, level in labels if level not in (None, MISSING_LEVEL)]).value_counts()
    first_seen: set[str] = set()
    candidate = spread > 0
    for column, (name, level) in enumerate(labels):
        if level is not None and several.get(name, 0) > 1 and name not in first_seen:
            first_seen.add(name)
            candidate[column] = False
    chosen = np.flatnonzero(candidate)
    if len(chosen):
        scaled = (matrix[:, chosen] - matrix[:, chosen].mean(axis=0)) / spread[chosen]
        diagonal = np.abs(np.diag(np.linalg.qr(scaled, mode="r"))) / np.sqrt(len(matrix))
        candidate[chosen[: len(diagonal)][diagonal < 1e-7]] = False
        candidate[chosen[len(diagonal) :]] = False
    return candidate
