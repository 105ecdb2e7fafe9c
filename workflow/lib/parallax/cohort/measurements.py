"""The repeated measurements of the selected cohort, and what became of every row of the file."""

from __future__ import annotations

import pandas as pd

from parallax.measurements import select_measurements, summarise_measurements
from parallax.protocol.cohort import CohortSection
from parallax.tables import MEASUREMENT_COUNTS, MEASUREMENTS, category_text


def add_summaries(patients: pd.DataFrame, rows: pd.DataFrame, cohort: CohortSection, *, patient_id: str) -> pd.DataFrame:
    """The patients of a source with the summaries that ``cohort`` asks for as further columns; ``rows`` is a SOURCE_MEASUREMENTS table."""
    people = pd.DataFrame({"patient_id": category_text(patients[patient_id])})
    return patients.join(summarise_measurements(select_measurements(rows, cohort.measurements), people, cohort))


def keep_measurements(rows: pd.DataFrame, patients: pd.DataFrame, cohort: CohortSection) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The MEASUREMENTS of a cohort table (replicate 0), and the MEASUREMENT_COUNTS that say what was left out and why."""
    of_cohort = rows[rows["patient_id"].isin(patients["patient_id"])]
    kept = select_measurements(of_cohort, cohort.measurements)
    counts = []
    for name, entry in cohort.measurements.items():
        own = of_cohort[of_cohort["name"] == name]
        known = own[own["value"].notna()]
        within = int(known["time_days"].between(*entry.window_days).sum())
        chosen = kept[kept["name"] == name]
        everybody, measured = int((rows["name"] == name).sum()), int(chosen["patient_id"].nunique())
        counts.append(
            {
                "name": name,
                "unit": entry.unit,
                "rows": everybody,
                "of_nobody": everybody - len(own),
                "missing": len(own) - len(known),
                "outside": len(known) - within,
                "repeated": within - len(chosen),
                "kept": len(chosen),
                "measured": measured,
                "unmeasured": len(patients) - measured,
            }
        )
    table = kept.assign(replicate=0)[list(MEASUREMENTS.columns)]
    return MEASUREMENTS.validate(table), MEASUREMENT_COUNTS.validate(pd.DataFrame(counts, columns=list(MEASUREMENT_COUNTS.columns)))
