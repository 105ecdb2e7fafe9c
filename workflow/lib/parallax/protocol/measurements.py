"""Repeated measurements: the file of a site that holds them, and what of them is known of each patient at the index date."""

from __future__ import annotations

from typing import Final, Literal, get_args

from pydantic import Field

from parallax.protocol.base import Section

Statistic = Literal["mean", "last", "slope", "minimum", "maximum", "count"]

STATISTICS: Final[tuple[Statistic, ...]] = get_args(Statistic)


class MeasurementFile(Section):
    """A long CSV or Parquet file: one row for each value that was measured. A value may be missing; nothing else may."""

    path: str = Field(min_length=1, description="relative to the protocol's folder, or absolute; ends in .csv or .parquet")
    patient_id: str = Field(min_length=1, description="column that holds the identifiers of the site's patients")
    time_days: str = Field(min_length=1, description="column that holds days since the patient's index date, negative before it; may be fractions")
    name: str = Field(min_length=1, description="column that says what was measured; rows of nothing in cohort.measurements are left out")
    value: str = Field(min_length=1, description="column that holds the values")
    unit: str | None = Field(default=None, description="column that holds each row's unit, which must be the one stated; null: not checked")


class Measurement(Section):
    """One measurement: its unit, the days before the index date that count, and what is kept of them as a column of each patient."""

    code: str | None = Field(default=None, min_length=1, description="what the file's name column says of it; null: the entry's own name")
    unit: str = Field(min_length=1, description="shown in the report; where the file has units, every row's")
    window_days: tuple[float, float] = Field(description="first and last day that count, both included; neither is after day 0, the index date")
    summaries: tuple[Statistic, ...] = Field(
        min_length=1,
        description="each a column `<name>_<summary>` of the patients, for cohort.covariates.numeric, eligibility and subgroups; "
        "slope is per day; all but count are missing where nothing was measured, slope also where all was measured at one time",
    )
