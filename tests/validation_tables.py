"""Small tables for the tests of validation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from parallax.protocol.cohort import Covariates
from parallax.protocol.outcomes import OutcomesSection
from parallax.protocol.question import PrimaryEstimate
from parallax.protocol.validation import Gates
from parallax.tables import COMBINED, ESTIMATES, FLOOR, empty_table
from parallax.validation.membership import Distances, measure_distances
from parallax.validation.metrics import METRICS, SHADOWED, metric_row

PRIMARY = PrimaryEstimate(outcome="death", contrast="risk_difference", design="overlap", horizon_days=30)
COVARIATES = Covariates(numeric=("age", "weight"), categorical=("sex",))
OUTCOMES = OutcomesSection.of(
    {
        "death": {
            "type": "survival",
            "days": "days",
            "event": "event",
            "follow_up_days": 1000,
            "horizons_days": [30, 90],
            "contrasts": ["risk_difference"],
        }
    }
)
TARGET = {"design": "overlap", "outcome": "death", "contrast": "risk_difference", "horizon_days": 30.0}


def estimate_rows(estimates: Sequence[float], std_errors: Sequence[float], **target: object) -> pd.DataFrame:
    """ESTIMATES, one row per replicate; an estimate of NaN is not estimable."""
    rows = [
        {"replicate": replicate}
        | TARGET
        | target
        | {
            "estimate": estimate,
            "std_error": std_error,
            "lower": math.nan,
            "upper": math.nan,
            "p_value": math.nan,
            "n_treated": 10.0 + replicate,
            "n_comparator": 20.0,
            "events_treated": 3.0,
            "events_comparator": 4.0,
            "effective_estimand": "none" if math.isnan(estimate) else "ATO",
            "variance_method": "sandwich",
            "df": math.inf,
            "status": "not_estimable" if math.isnan(estimate) else "ok",
            "reason": "no events in the treated arm" if math.isnan(estimate) else None,
        }
        for replicate, (estimate, std_error) in enumerate(zip(estimates, std_errors, strict=True))
    ]
    return ESTIMATES.validate(pd.DataFrame(rows, columns=list(ESTIMATES.columns)))


def combined_row(estimate: float, std_error: float, lower: float, upper: float, *, rule: str = "partial", **target: object) -> pd.DataFrame:
    """COMBINED with one row; an estimate of NaN is not estimable."""
    row = (
        TARGET
        | {
            "rule": rule,
            "estimate": estimate,
            "std_error": std_error,
            "lower": lower,
            "upper": upper,
            "p_value": math.nan,
            "df": math.inf,
            "replicates": 2,
            "not_estimable": 0,
            "n_treated": 1.0,
            "n_comparator": 1.0,
            "events_treated": 1.0,
            "events_comparator": 1.0,
            "effective_estimand": "ATO",
            "variance_method": "model-based",
            "status": "not_estimable" if math.isnan(estimate) else "ok",
            "reason": "no events" if math.isnan(estimate) else None,
        }
        | target
    )
    return COMBINED.validate(pd.DataFrame([row], columns=list(COMBINED.columns)))


def draw_cohort(patients: int, *, rng: np.random.Generator, replicates: int = 1) -> pd.DataFrame:
    """Patients who fall ill by age and are treated by weight, with missing weights; continuous, so that no two are alike."""
    n = patients * replicates
    age, weight = rng.normal(60, 10, n), rng.normal(75, 12, n)
    treated = rng.random(n) < 1 / (1 + np.exp(-(weight - 75) / 12))
    days = rng.exponential(80 * np.exp(-(age - 60) / 20))
    censored = rng.uniform(30, 200, n)
    return pd.DataFrame(
        {
            "replicate": np.repeat(np.arange(replicates), patients),
            "patient_id": pd.array([str(i % patients + 1) for i in range(n)], dtype="string"),
            "treated": treated,
            "age": age,
            "weight": np.where(rng.random(n) < 0.1, np.nan, weight),
            "sex": pd.array(np.where(rng.random(n) < 0.05, None, np.where(rng.random(n) < 0.4, "female", "male")), dtype="string"),
            "death_days": np.minimum(days, censored),
            "death_event": (days <= censored).astype("int64"),
        }
    )


def split_cohort(cohort: pd.DataFrame, *, rng: np.random.Generator, hold_out: float = 0.2) -> pd.DataFrame:
    """SPLIT: train, and the hold-out halved into control and reference."""
    n = len(cohort)
    kept = round(n * hold_out)
    parts = np.repeat(["train", "control", "reference"], [n - kept, kept - kept // 2, kept // 2])
    return pd.DataFrame({"round": 1, "patient_id": cohort["patient_id"], "part": pd.array(rng.permutation(parts), dtype="string")})


def distances_between(*parts: NDArray[np.float32], synthetic: NDArray[np.float32]) -> Distances:
    """Of train, control and reference patients, each (·, p), who are numbered in this order."""
    ends = np.cumsum([len(part) for part in parts])
    train, control, reference = (np.arange(end - len(part), end) for end, part in zip(ends, parts, strict=True))
    return measure_distances(np.vstack(parts), (train, control, reference), synthetic)


def replicate_of(cohort: pd.DataFrame, replicates: int) -> pd.DataFrame:
    """The cohort's patients as every replicate."""
    return pd.concat([cohort.assign(replicate=replicate) for replicate in range(replicates)], ignore_index=True)


def harmless_privacy(gates: Gates, **changed: dict[str, object]) -> list[dict[str, object]]:
    """Rows of PRIVACY that keep every gate, without shadow models; ``changed`` are the arguments of a metric's own row."""
    attacks = [metric for metric in METRICS.values() if metric.table == "privacy" and metric.gate is not None and metric.name not in SHADOWED]
    kept = {metric.name: {"value": metric.threshold(gates) / 2, "upper": metric.threshold(gates)} for metric in attacks}
    return [metric_row(metric.name, threshold=metric.threshold(gates), **(kept[metric.name] | changed.get(metric.name, {}))) for metric in attacks]


def no_floor() -> pd.DataFrame:
    """A FLOOR table without targets: nothing was resampled."""
    return empty_table(FLOOR)
