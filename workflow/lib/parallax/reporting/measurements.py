"""What the report says of repeated measurements: which the protocol names, and what became of the rows of the file."""

from __future__ import annotations

import pandas as pd

from parallax.protocol.cohort import CohortSection
from parallax.reporting.numbers import format_count
from parallax.reporting.sections import Cell, Table
from parallax.reporting.wording import plain

_COLUMNS = {
    "rows": "Values in the file",
    "of_nobody": "Of no patient here",
    "missing": "Missing",
    "outside": "Outside the window",
    "repeated": "Repeated",
    "kept": "Kept",
    "measured": "Patients with a value",
    "unmeasured": "Without",
}


def describe_measurements(cohort: CohortSection) -> tuple[str, ...]:
    """A line for each measurement: its window, its unit and its summaries."""
    told = []
    for name, entry in cohort.measurements.items():
        first, last = entry.window_days
        window = f"day {first:g} to day {last:g}".replace("-", "−")
        told.append(f"{plain(name)} ({entry.unit}), {window}, where 0 is the index date: {', '.join(entry.summaries)}")
    return tuple(told)


def tabulate_measurement_counts(counts: pd.DataFrame) -> Table:
    """The shown MEASUREMENT_COUNTS: a line for each measurement."""
    rows = tuple(
        (
            Cell(plain(str(row["name"])), note=str(row["unit"])),
            *(Cell(format_count(None if pd.isna(row[column]) else float(row[column]), minimum=int(row["minimum_count"]))) for column in _COLUMNS),
        )
        for row in counts.to_dict("records")
    )
    return Table("What became of the measured values", ("Measurement", *_COLUMNS.values()), rows)
