"""A simulated wearables study: daily steps and a laboratory value at irregular times, before and after the index date."""

from __future__ import annotations

import numpy as np
import pandas as pd

from parallax.protocol.cohort import CohortSection
from parallax.protocol.outcomes import OutcomesSection

COHORT = CohortSection.of(
    {
        "arms": {"column": "drug", "treated": "yes", "comparator": "no"},
        "covariates": {
            "numeric": ["age", "steps_mean", "steps_slope", "steps_count", "crp_last", "crp_maximum"],
            "categorical": ["sex"],
        },
        "measurements": {
            "steps": {"unit": "steps/day", "window_days": [-14, -1], "summaries": ["mean", "slope", "count"]},
            "crp": {"code": "1988-5", "unit": "mg/L", "window_days": [-90, 0], "summaries": ["last", "maximum"]},
        },
    }
)
OUTCOMES = OutcomesSection.of(
    {
        "death": {
            "type": "survival",
            "days": "days",
            "event": "dead",
            "follow_up_days": 365,
            "horizons_days": [180],
            "contrasts": ["hazard_ratio", "risk_difference"],
        }
    }
)


def simulate_wearables(patients: int, *, rng: np.random.Generator, persistence: float = 0.6) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Patients and the rows of their file of measurements, by the file's own names.

    Steps: whole numbers on nine days in ten of the 14 before the index date and the 7 after it, about a line of the patient's own with
    deviations of correlation ``persistence``^days; one patient in twenty wears nothing. CRP: skewed, 0 to 6 values at any time of 90 days.
    """
    age = rng.normal(60, 12, patients).round()
    sex = rng.choice(["f", "m"], patients)
    treated = rng.random(patients) < 1 / (1 + np.exp(-(age - 60) / 15))
    level = 7500 - 60 * (age - 60) - 600 * treated + rng.normal(0, 1500, patients)
    days = np.ceil(rng.exponential(400 * np.exp(-(age - 60) / 40 + (level - 7500) / 6000)))
    rows = []
    for patient in range(patients):
        deviation, slope, scale = 0.0, rng.normal(0, 60), rng.uniform(600, 1800)
        wears = rng.random() > 0.05
        for day in range(-14, 8):
            deviation = persistence * deviation + np.sqrt(1 - persistence**2) * rng.normal()
            if wears and rng.random() < 0.9:
                walked = level[patient] + slope * (day + 7.5) + scale * deviation
                rows.append((f"p{patient}", float(day), "steps", max(0.0, np.round(walked)), "steps/day"))
        inflamed = rng.lognormal(1.5, 0.6)
        drawn = np.round(rng.uniform(-90, 0, rng.integers(0, 7)), 2)
        rows += [(f"p{patient}", day, "1988-5", np.round(inflamed * rng.lognormal(0, 0.3), 1), "mg/L") for day in drawn]
    people = pd.DataFrame(
        {
            "id": [f"p{patient}" for patient in range(patients)],
            "drug": np.where(treated, "yes", "no"),
            "age": age,
            "sex": sex,
            "days": np.minimum(days, 365),
            "dead": (days <= 365).astype(int),
        }
    )
    return people, pd.DataFrame(rows, columns=["patient", "day", "what", "number", "unit"])


def as_source_rows(file: pd.DataFrame) -> pd.DataFrame:
    """The file's rows as extraction hands them on."""
    codes = {entry.code or name: name for name, entry in COHORT.measurements.items()}
    named = {"patient_id": file["patient"], "name": file["what"].map(codes), "time_days": file["day"], "value": file["number"]}
    return pd.DataFrame(named).astype({"patient_id": "string", "name": "string"})
