"""Columns as codes from 0, by what the protocol declares and nothing that the patients show, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from parallax.errors import GenerationError
from parallax.protocol.generators import NumberRange, PrivateMarginalsGenerator
from parallax.protocol.outcomes import BinaryOutcome, Outcome, SurvivalOutcome
from parallax.synthesis.generator import Context

Codes = NDArray[np.int64]
FloatArray = NDArray[np.float64]


class Coding(Protocol):
    """One or more columns of a cohort as one code."""

    @property
    def size(self) -> int:
        """How many codes there are."""
        ...

    def encode(self, cohort: pd.DataFrame) -> Codes:
        """The code of each patient; raises GenerationError, without a value, where the declaration does not hold."""
        ...

    def decode(self, codes: Codes, *, rng: np.random.Generator) -> dict[str, Any]:
        """Columns with these codes."""
        ...


@dataclass(frozen=True, slots=True)
class Arm:
    """The arm: 0 comparator, 1 treated."""

    size: int = 2

    def encode(self, cohort: pd.DataFrame) -> Codes:
        """1 for the treated."""
        return cohort["treated"].to_numpy(np.int64)

    def decode(self, codes: Codes, *, rng: np.random.Generator) -> dict[str, Any]:  # noqa: ARG002 -- part of the interface
        """The column ``treated``."""
        return {"treated": codes == 1}


@dataclass(frozen=True, slots=True)
class Numbers:
    """Bins of a column of numbers, the last code for missing where it may be. Assumption: uniform within a bin."""

    name: str
    declared: NumberRange
    missing: bool = False

    @property
    def size(self) -> int:
        """Bins, and missing."""
        return len(self.declared.edges) - 1 + self.missing

    def encode(self, cohort: pd.DataFrame) -> Codes:
        """Bins hold their lower end; a number beyond the range is in the nearest bin."""
        values = cohort[self.name].to_numpy(np.float64)
        if not self.missing and np.isnan(values).any():
            raise _undeclared(self.name, "missing values", "list the column under missing")
        return np.where(np.isnan(values), self.size - 1, np.searchsorted(self.declared.cuts, values, side="right"))

    def decode(self, codes: Codes, *, rng: np.random.Generator) -> dict[str, Any]:
        """Values drawn from the bin's own."""
        edges, uniform = np.array(self.declared.edges), rng.random(len(codes))
        bins = np.minimum(codes, len(edges) - 2)
        low, high = edges[bins], edges[bins + 1]
        if self.declared.decimals is None:
            values = low + uniform * (high - low)
        else:
            first, last = whole_between(low, high, decimals=self.declared.decimals, closed=bins == len(edges) - 2)
            values = (first + np.floor(uniform * (last - first + 1))) / 10.0**self.declared.decimals
        return {self.name: np.where(codes > bins, np.nan, values)}


def whole_between(low: FloatArray, high: FloatArray, *, decimals: int, closed: NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
    """The first and the last multiple of 10^-decimals in [low, high), or in [low, high] where ``closed``, in such units."""
    unit = 10.0**decimals
    low, high = np.round(low * unit, 6), np.round(high * unit, 6)
    return np.ceil(low), np.where(closed, np.floor(high), np.ceil(high) - 1)


@dataclass(frozen=True, slots=True)
class Levels:
    """The declared levels of a categorical covariate, the last code for missing where it may be."""

    name: str
    levels: tuple[str, ...]
    missing: bool

    @property
    def size(self) -> int:
        """Levels, and missing."""
        return len(self.levels) + self.missing

    def encode(self, cohort: pd.DataFrame) -> Codes:
        """The level's place."""
        known = cohort[self.name].notna().to_numpy()
        codes = pd.Index(self.levels).get_indexer(pd.Index(cohort[self.name].astype(object)))
        if (codes[known] < 0).any():
            raise _undeclared(self.name, "levels that are not declared", "add them to levels, or merge them in the source")
        if not self.missing and not known.all():
            raise _undeclared(self.name, "missing values", "list the column under missing")
        return np.where(known, codes, len(self.levels)).astype(np.int64)

    def decode(self, codes: Codes, *, rng: np.random.Generator) -> dict[str, Any]:  # noqa: ARG002 -- part of the interface
        """Levels and None."""
        return {self.name: pd.array(np.array([*self.levels, None], dtype=object)[codes], dtype="string")}


@dataclass(frozen=True, slots=True)
class Endings:
    """When and how follow-up ends: bin × event code, and a last code for those censored on the last day of the longest follow-up.

    Assumption: uniform within a bin, given how follow-up ends.
    """

    name: str
    edges: tuple[float, ...]
    events: int
    whole_days: bool

    @property
    def size(self) -> int:
        """Bins × event codes, and one."""
        return (len(self.edges) - 1) * self.events + 1

    def encode(self, cohort: pd.DataFrame) -> Codes:
        """Bins hold their upper end."""
        days, event = cohort[f"{self.name}_days"].to_numpy(np.float64), cohort[f"{self.name}_event"].to_numpy(np.int64)
        codes = np.searchsorted(self.edges[1:-1], days, side="left") * self.events + event
        return np.where((days >= self.edges[-1]) & (event == 0), self.size - 1, codes)

    def decode(self, codes: Codes, *, rng: np.random.Generator) -> dict[str, Any]:
        """Days above zero and event codes."""
        edges, uniform, completed = np.array(self.edges), rng.random(len(codes)), codes == self.size - 1
        bins, event = np.divmod(np.where(completed, 0, codes), self.events)
        low, high = edges[bins], edges[bins + 1]
        whole = np.floor(low) + 1 + np.floor(uniform * (np.floor(high) - np.floor(low)))
        days = np.where(completed, edges[-1], whole if self.whole_days else high - uniform * (high - low))
        return {f"{self.name}_days": days, f"{self.name}_event": event.astype(np.int64)}


@dataclass(frozen=True, slots=True)
class Flag:
    """A binary outcome."""

    name: str
    size: int = 2

    def encode(self, cohort: pd.DataFrame) -> Codes:
        """1 for yes."""
        return cohort[self.name].to_numpy(np.int64)

    def decode(self, codes: Codes, *, rng: np.random.Generator) -> dict[str, Any]:  # noqa: ARG002 -- part of the interface
        """0 and 1."""
        return {self.name: codes.astype(np.float64)}


@dataclass(frozen=True, slots=True)
class Product:
    """A count together with its person-time."""

    first: Numbers
    second: Numbers

    @property
    def size(self) -> int:
        """Pairs of codes."""
        return self.first.size * self.second.size

    def encode(self, cohort: pd.DataFrame) -> Codes:
        """The pair's place."""
        return self.first.encode(cohort) * self.second.size + self.second.encode(cohort)

    def decode(self, codes: Codes, *, rng: np.random.Generator) -> dict[str, Any]:
        """Both columns."""
        first, second = np.divmod(codes, self.second.size)
        return self.first.decode(first, rng=rng) | self.second.decode(second, rng=rng)


def code_covariates(settings: PrivateMarginalsGenerator, context: Context) -> Mapping[str, Coding]:
    """By covariate, in the protocol's order."""
    numbers = {name: Numbers(name, settings.ranges[name], name in settings.missing) for name in context.covariates.numeric}
    return numbers | {name: Levels(name, settings.levels[name], name in settings.missing) for name in context.covariates.categorical}


def code_outcomes(settings: PrivateMarginalsGenerator, context: Context) -> Mapping[str, Coding]:
    """By outcome, in the protocol's order."""
    return {name: _code_outcome(name, outcome, settings) for name, outcome in context.outcomes.items()}


def _code_outcome(name: str, outcome: Outcome, settings: PrivateMarginalsGenerator) -> Coding:
    if isinstance(outcome, SurvivalOutcome):
        return Endings(name, settings.edges_days(name, outcome), len(outcome.codes), settings.whole_days)
    if isinstance(outcome, BinaryOutcome):
        return Flag(f"{name}_value")
    parts = [Numbers(f"{name}_{part}", settings.ranges[f"{name}_{part}"]) for part in outcome.columns]
    return parts[0] if len(parts) == 1 else Product(*parts)


def _undeclared(name: str, found: str, remedy: str) -> GenerationError:
    return GenerationError(f'column "{name}": found {found}; allowed is what the generator\'s settings declare; {remedy}')
