"""A patient's record as validation compares it: the arm, the covariates and every column of every outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from parallax.protocol.cohort import Covariates
from parallax.protocol.outcomes import BinaryOutcome, OutcomesSection


@dataclass(frozen=True, slots=True)
class Secret:
    """What an intruder wants to learn: a covariate or an outcome by its ``name``, the ``column`` that tells it, whether that holds a ``number``, and
    the columns that are ``hidden`` from one who does not know it yet (all of the outcome's)."""

    name: str
    column: str
    number: bool
    hidden: tuple[str, ...]


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

    @property
    def names(self) -> tuple[str, ...]:
        """All columns, the numeric ones first."""
        return self.numeric + self.categorical

    def secrets(self, sensitive: Sequence[str], outcomes: OutcomesSection) -> tuple[Secret, ...]:
        """The sensitive covariates and outcomes; every outcome where none is named."""
        found = []
        for name in sensitive or outcomes.names:
            if name not in outcomes:
                found.append(Secret(name, name, name in self.numeric, (name,)))
                continue
            column = f"{name}_{'event' if name in outcomes.survival else 'value'}"
            hidden = tuple(f"{name}_{part}" for part in outcomes[name].columns)
            found.append(Secret(name, column, column in self.numeric, hidden))
        return tuple(found)
