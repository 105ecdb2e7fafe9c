"""The form of real records that synthetic ones must take: grids of values, levels, follow-up above zero, administrative censoring, whole counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from parallax.protocol.outcomes import CountOutcome
from parallax.synthesis.generator import SHARED, Context

FloatArray = NDArray[np.float64]

#: times seen on either side among which such a time is spread
_NEIGHBOURS: Final = 5
#: smallest share of patients censored on the last day that counts as administrative censoring
_ADMINISTRATIVE: Final = 0.01
_DECIMALS: Final = 9
#: relative difference of two readings of one decimal fraction
_SAME: Final = 1e-12


def skip_single_patients(values: FloatArray, held: NDArray[np.int64], decimals: int | None, inwards: Callable[[float], float]) -> float:
    """The first number, going through ``values`` (d,), that no single patient has: a shared one, or the middle between two on the way.

    ``values`` are different, rising or falling, ``held`` (d,) by so many patients each; ``inwards`` rounds a middle to ``decimals`` the way they go
    (NumPy's ceil where they rise). Where every number on the way is one patient's and none is left out, the second value.
    """
    for place in range(values.size - 1):
        if held[place] >= SHARED:
            return float(values[place])
        middle = float(values[place : place + 2].mean())
        if decimals is not None:
            middle = float(np.round(inwards(np.round(middle / _unit(decimals), 6)) * _unit(decimals), decimals))
        if not np.isclose(middle, values[place + 1], rtol=_SAME, atol=0.0):
            return middle
    return float(values[-1] if held[-1] >= SHARED else values[min(1, values.size - 1)])


@dataclass(frozen=True, slots=True)
class Grid:
    """The values that a numeric column can take: those of a list where patients share them, else whole numbers or decimal fractions in the range.

    A list holds what two patients or more have: a single patient's value becomes its neighbour on the list. It is there where the values are each
    shared by two patients on average. Where a single patient has the smallest or the largest value, the range ends further inside
    (:func:`skip_single_patients`), for whatever is drawn beyond comes to lie on the end.
    """

    lower: float
    upper: float
    decimals: int | None
    """Digits after the point; ``None`` where the values were not rounded."""
    listed: FloatArray | None
    """The allowed values, increasing; ``None`` for whole numbers and decimal fractions."""
    middle: float
    """The median; where one patient alone has it, the first number above that none alone has."""

    @classmethod
    def of(cls, values: FloatArray) -> Self:
        """The grid of the known values of a column."""
        distinct, held = np.unique(values, return_counts=True)
        decimals = next((d for d in range(_DECIMALS + 1) if np.allclose(np.round(distinct, d), distinct, rtol=_SAME, atol=0.0)), None)
        listed = distinct[held >= SHARED] if distinct.size * SHARED <= values.size else None
        ends = (skip_single_patients(distinct, held, decimals, np.ceil), skip_single_patients(distinct[::-1], held[::-1], decimals, np.floor))
        middle, place = float(np.median(values)), int(np.searchsorted(distinct, np.median(values)))
        if distinct[place] == middle:
            middle = skip_single_patients(distinct[place:], held[place:], decimals, np.ceil)
        return cls(lower=min(ends), upper=max(ends), decimals=decimals, listed=listed, middle=middle)

    def without_list(self) -> Self:
        """The same range and digits, every value between them allowed."""
        return replace(self, listed=None)

    @property
    def unit(self) -> float:
        """The step of a grid of decimal fractions, 0 where there is none."""
        return _unit(self.decimals)

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
    """The form of a follow-up time: its grid, the times seen, and the day on which the study ended for those still followed (``None``: no such day).

    ``seen`` (t,), increasing; ``own`` (t,): whether it is one patient's alone.
    """

    grid: Grid
    administrative: float | None
    seen: FloatArray
    own: NDArray[np.bool_]

    @classmethod
    def of(cls, days: FloatArray, event: NDArray[np.bool_]) -> Self:
        """The form of observed follow-up; a last day on which 1 % of the patients or more, and two at least, are censored is the study's end."""
        seen, held = np.unique(days, return_counts=True)
        ends = float(np.mean((days == days.max()) & ~event)) >= _ADMINISTRATIVE and bool(held[-1] >= SHARED)
        return cls(Grid.of(days).without_list(), float(days.max()) if ends else None, seen, held < SHARED)

    def spread(self, days: FloatArray, *, rng: np.random.Generator) -> FloatArray:
        """Times drawn from those seen, where a time that is one patient's alone becomes any between the fifth seen before it and the fifth after.

        A product-limit curve drops at times of single patients; whoever draws from it would hand them out. Spread evenly among ten neighbours
        no curve moves by more than their steps, up and down alike but near its ends: far less than its standard error.
        """
        last = self.seen.size - 1
        place = np.minimum(np.searchsorted(self.seen, days), last)
        mine = self.own[place] & (self.seen[place] == days)
        before = np.where(place >= _NEIGHBOURS, self.seen[np.maximum(place - _NEIGHBOURS, 0)], 0.0)
        after = self.seen[np.minimum(place + _NEIGHBOURS, last)]
        return np.where(mine, after - rng.random(days.size) * (after - before), days)


@dataclass(frozen=True, slots=True)
class RecordForm:
    """The form of a cohort's records; ``restore`` gives it to drawn ones.

    ``numeric`` by covariate, ``follow_up`` by survival outcome, ``values`` by column of the other outcomes: values and person-times.
    ``own_levels`` by categorical covariate: for a level that one patient alone has, the commonest one, which is handed out in its place.
    """

    context: Context
    numeric: Mapping[str, Grid]
    own_levels: Mapping[str, Mapping[str, str]]
    follow_up: Mapping[str, FollowUp]
    values: Mapping[str, Grid]

    @classmethod
    def of(cls, cohort: pd.DataFrame, context: Context) -> Self:
        """Learn the form of a cohort."""
        return cls(
            context=context,
            numeric={name: Grid.of(cohort[name].dropna().to_numpy(float)) for name in context.covariates.numeric},
            own_levels={name: _own_levels(cohort[name]) for name in context.covariates.categorical},
            follow_up={
                name: FollowUp.of(cohort[f"{name}_days"].to_numpy(float), cohort[f"{name}_event"].to_numpy() > 0)
                for name in context.outcomes.survival
            },
            values={
                f"{name}_{part}": _value_grid(cohort[f"{name}_{part}"].to_numpy(float), count=isinstance(outcome, CountOutcome) and part == "value")
                for name, outcome in context.outcomes.values.items()
                for part in outcome.columns
            },
        )

    def restore(self, drawn: Mapping[str, object]) -> pd.DataFrame:
        """The drawn columns as a table with the cohort's columns, types and grids."""
        columns: dict[str, object] = {"treated": np.asarray(drawn["treated"], dtype=bool)}
        for name, grid in self.numeric.items():
            columns[name] = grid.nearest(np.asarray(drawn[name], dtype=np.float64))
        for name in self.context.covariates.categorical:
            columns[name] = pd.Series(pd.array(np.asarray(drawn[name], dtype=object), dtype="string")).replace(dict(self.own_levels[name])).array
        for name, form in self.follow_up.items():
            columns[f"{name}_days"] = form.grid.above(np.asarray(drawn[f"{name}_days"], dtype=np.float64))
            columns[f"{name}_event"] = np.asarray(drawn[f"{name}_event"], dtype=np.int64)
        for name, grid in self.values.items():
            columns[name] = grid.nearest(np.asarray(drawn[name], dtype=np.float64))
        return pd.DataFrame(columns)[list(self.context.columns)]


def _unit(decimals: int | None) -> float:
    return 0.0 if decimals is None else 10.0**-decimals


def _own_levels(values: pd.Series) -> dict[str, str]:
    held = values.value_counts()
    return {str(level): str(held.index[0]) for level, patients in held.items() if patients < SHARED}


def _value_grid(values: FloatArray, *, count: bool) -> Grid:
    grid = Grid.of(values)
    return grid.without_list() if count else grid
