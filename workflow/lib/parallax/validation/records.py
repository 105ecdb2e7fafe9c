"""A patient's record as validation compares it: the arm, the covariates and every column of every outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from parallax.protocol.cohort import Covariates
from parallax.protocol.outcomes import BinaryOutcome, OutcomesSection


@dataclass(frozen=True, slots=True)
class RecordColumns:
    """The cohort table's columns by how values are compared: ``numeric`` by distance, ``categorical`` by being the same."""

    numeric: tuple[str, ...]
    categorical: tuple[str, ...]

    @classmethod
    def of(cls, covariates: Covariates, outcomes: OutcomesSection) -> Self:
        """Covariates, then outcomes; events and binary outcomes are categories, times, measurements and counts numbers."""
        categories = [f"{name}_event" for name in outcomes.survival]
        categories += [f"{name}_value" for name, outcome in outcomes.values.items() if isinstance(outcome, BinaryOutcome)]
        numbers = [column for column in outcomes.cohort_columns if column not in categories]
        return cls((*covariates.numeric, *numbers), ("treated", *covariates.categorical, *categories))
