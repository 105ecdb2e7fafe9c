"""``cohort``: who takes part, in which arm, and what is known of each patient at the index date."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from parallax.protocol.base import Name, Section
from parallax.protocol.measurements import Measurement, Statistic


class Arms(Section):
    """The column that tells the arms apart; rows with another value are excluded and counted."""

    column: str = Field(description="column of the source")
    treated: str | int | bool = Field(description="its level for the treated arm")
    comparator: str | int | bool = Field(description="its level for the comparator arm")


class Criterion(Section):
    """One eligibility criterion: an expression over the source's columns that is true for the patients to keep."""

    name: Name = Field(description="stands in the attrition table")
    keep: str = Field(min_length=1, description="a DuckDB expression over the source's columns")
    reason: str = Field(min_length=1, description="why, in words that the report shows")


class Covariates(Section):
    """Baseline covariates, by their column's name in the source."""

    numeric: tuple[str, ...] = Field(default=(), description="columns that hold numbers")
    categorical: tuple[str, ...] = Field(default=(), description="columns that hold levels, be they text or numbers")
    missing: Literal["indicator", "complete_case"] = Field(
        default="indicator",
        description="indicator: missing stays missing in the cohort, each design uses median or level plus indicator; "
        "complete_case: incomplete patients are excluded from the cohort",
    )

    @property
    def names(self) -> tuple[str, ...]:
        """All covariates, the numeric ones first."""
        return self.numeric + self.categorical


class CohortSection(Section):
    """Arms, eligibility, covariates, and the repeated measurements that give covariates."""

    arms: Arms
    eligibility: tuple[Criterion, ...] = Field(default=(), description="criteria, applied one after another")
    covariates: Covariates
    measurements: dict[Name, Measurement] = Field(default={}, description="repeated measurements, by their name in the sites' files")

    @property
    def summaries(self) -> dict[str, tuple[str, Statistic]]:
        """The columns that repeated measurements give the patients: measurement and summary by column."""
        return {f"{name}_{statistic}": (name, statistic) for name, measurement in self.measurements.items() for statistic in measurement.summaries}
