"""The form of real records that synthetic ones must take: grids of values, levels, follow-up above zero, administrative censoring."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from parallax.synthesis.generator import Context

FloatArray = NDArray[np.float64]

#: a column whose values are each shared by this many patients on average holds readings from a list (a scale, a rounded measurement)
_SHARED: Final = 2
#: smallest share of patients censored on the last day that counts as administrative censoring
_ADMINISTRATIVE: Final = 0.01
_DECIMALS: Final = 9


@dataclass(frozen=True, slots=True)
class Grid:
    """The values that a numeric column can take: those of a list where patients share them, else whole numbers or decimal fractions in the range."""

    lower: float
    upper: float
    decimals: int | None
    """Digits after the point; ``None`` where the values were not rounded."""
    listed: FloatArray | None
    """The allowed values, increasing; ``None`` for whole numbers and decimal fractions."""

    @classmethod
    def of(cls, values: FloatArray) -> Self:
        """The grid of the known values of a column."""
        distinct = np.unique(values)
        decimals = next((d for d in range(_DECIMALS + 1) if np.allclose(np.round(distinct, d), distinct, rtol=1e-12, atol=0.0)), None)
        shared = distinct.size * _SHARED <= values.size
        return cls(lower=float(distinct[0]), upper=float(distinct[-1]), decimals=decimals, listed=distinct if shared else None)

    @property
    def unit(self) -> float:
        """The step of a grid of decimal fractions, 0 where there is none."""
        return 0.0 if self.decimals is None else 10.0**-self.decimals

    def nearest(self, values: FloatArray) -> FloatArray:
        """Each value's nearest neighbour on the grid; NaN stays NaN."""
        inside = np.clip(values, self.lower, self.upper)
        if self.listed is not None:
            right = np.clip(np.searchsorted(self.listed, inside), 1, self.listed.size - 1) if self.listed.size > 1 else np.zeros(values.size, int)
            left = np.maximum(right - 1, 0)
            closer = np.where(inside - self.listed[left] <= self.listed[right] - inside, left, right)
            return np.where(np.isnan(values), np.nan, self.listed[closer])
        return inside if self.decimals is None else np.round(inside, self.decimals)

    def above(self, values: FloatArray) -> FloatArray:
        """Times: each value rounded up to the grid's unit, at least one unit and at most the longest."""
        if self.decimals is None:
            return np.clip(values, self.lower, self.upper)
        units = np.ceil(np.round(values / self.unit, 6))
        return np.minimum(np.round(np.maximum(units, 1.0) * self.unit, self.decimals), self.upper)

    def before(self, value: float) -> float:
        """The largest time of the grid below ``value``."""
        return float(np.round(value - self.unit, self.decimals)) if self.decimals is not None else float(np.nextafter(value, 0.0))


@dataclass(frozen=True, slots=True)
class FollowUp:
    """The form of a follow-up time: its grid, and the day on which the study ended for those still followed (``None``: no such day)."""

    grid: Grid
    administrative: float | None

    @classmethod
    def of(cls, days: FloatArray, event: NDArray[np.bool_]) -> Self:
        """The form of observed follow-up (``event``: of any kind); the study ends on a last day on which 1 % or more are censored."""
        ends = float(np.mean((days == days.max()) & ~event)) >= _ADMINISTRATIVE
        grid = Grid.of(days)
        return cls(grid=Grid(grid.lower, grid.upper, grid.decimals, None), administrative=float(days.max()) if ends else None)


@dataclass(frozen=True, slots=True)
class RecordForm:
    """The form of a cohort's records; ``restore`` gives it to drawn ones."""

    context: Context
    numeric: Mapping[str, Grid]
    follow_up: Mapping[str, FollowUp]
    values: Mapping[str, Grid]
    """By column of the outcomes that are no follow-up."""

    @classmethod
    def of(cls, cohort: pd.DataFrame, context: Context) -> Self:
        """Learn the form of a cohort."""
        outcomes = context.outcomes
        return cls(
            context=context,
            numeric={name: Grid.of(cohort[name].dropna().to_numpy(float)) for name in context.covariates.numeric},
            follow_up={
                name: FollowUp.of(cohort[f"{name}_days"].to_numpy(float), cohort[f"{name}_event"].to_numpy() > 0) for name in outcomes.survival
            },
            values={
                column: Grid.of(cohort[column].to_numpy(float))
                for name, outcome in outcomes.values.items()
                for column in (f"{name}_{part}" for part in outcome.columns)
            },
        )

    def restore(self, drawn: Mapping[str, object]) -> pd.DataFrame:
        """The drawn columns as a table with the cohort's columns, types and grids."""
        columns: dict[str, object] = {"treated": np.asarray(drawn["treated"], dtype=bool)}
        for name, grid in self.numeric.items():
            columns[name] = grid.nearest(np.asarray(drawn[name], dtype=np.float64))
        for name in self.context.covariates.categorical:
            columns[name] = pd.array(np.asarray(drawn[name], dtype=object), dtype="string")
        for name, form in self.follow_up.items():
            columns[f"{name}_days"] = form.grid.above(np.asarray(drawn[f"{name}_days"], dtype=np.float64))
            columns[f"{name}_event"] = np.asarray(drawn[f"{name}_event"], dtype=np.int64)
        for column, grid in self.values.items():
            columns[column] = grid.nearest(np.asarray(drawn[column], dtype=np.float64))
        return pd.DataFrame(columns)[list(self.context.columns)]
