"""Every metric declares its direction, range and gate, and keeps them on identical, disjoint and tiny data."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nan

import numpy as np
import pandas as pd
import pytest

from parallax.errors import StatisticsError
from parallax.protocol.outcomes import OutcomesSection
from parallax.protocol.question import PrimaryEstimate
from parallax.protocol.validation import Gates
from parallax.tables import COMBINED
from parallax.validation.agreement import measure_agreement
from parallax.validation.fidelity import measure_fidelity, measure_structure
from parallax.validation.metrics import METRICS, Metric, metric_row
from parallax.validation.privacy import measure_privacy
from parallax.validation.records import RecordColumns
from validation_tables import COVARIATES, OUTCOMES, PRIMARY, combined_row, draw_cohort, no_floor, replicate_of, split_cohort


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_declaration(metric: Metric) -> None:
    lowest, highest = metric.bounds
    assert lowest < highest
    assert metric.meaning
    assert metric.gate is None or metric.threshold(Gates()) > 0
    assert metric.gate is None or metric.direction != "contains"
    if highest < inf:
        with pytest.raises(StatisticsError):
            metric_row(metric.name, highest + 0.1)
    assert pd.isna(metric_row(metric.name, 0.5)["passed"])


def test_every_gate_of_the_protocol_has_a_metric() -> None:
    gates = [metric.gate for metric in METRICS.values() if metric.gate]
    assert {*gates, "effective_patients", "imbalance"} == set(Gates.model_fields)  # these two judge designs
    # of curves, or of an outcome without follow-up; as it is, or beyond the floor where the primary design matches; several attacks of a kind
    attacks = {metric.gate for metric in METRICS.values() if metric.table == "privacy"}
    assert {gate for gate in gates if gates.count(gate) > 1} - attacks == {"km_gap", "shift_in_real_se"}


EVERY_TYPE = OutcomesSection.of(
    {
        "death": OUTCOMES["death"].model_dump() | {"competing": (2, 3)},
        "response": {"type": "binary", "value": "r", "contrasts": ["risk_difference"]},
        "pain": {"type": "continuous", "value": "p", "contrasts": ["mean_difference"]},
        "falls": {"type": "count", "value": "f", "person_days": "t", "contrasts": ["rate_ratio"]},
    }
)


def with_every_type(cohort: pd.DataFrame, *, rng: np.random.Generator) -> pd.DataFrame:
    """The cohort with an outcome of every type, the deaths of three causes."""
    size = len(cohort)
    return cohort.assign(
        death_event=np.where(cohort["death_event"] == 1, rng.integers(1, 4, size), 0),
        response_value=rng.integers(0, 2, size).astype(float),
        pain_value=rng.normal(size=size),
        falls_value=rng.poisson(2.0, size).astype(float),
        falls_person_days=rng.uniform(1, 365, size),
    )


def identical(rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    cohort = draw_cohort(200, rng=rng)
    return cohort, replicate_of(cohort, 3)


def disjoint(rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    cohort, synthetic = draw_cohort(200, rng=rng), draw_cohort(200, rng=rng, replicates=3)
    moved = synthetic.assign(age=1e6, weight=np.nan, sex=pd.array(["unknown"] * len(synthetic), dtype="string"), treated=False, death_event=0)
    return cohort, moved


def one_row(rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    return draw_cohort(1, rng=rng), draw_cohort(1, rng=rng, replicates=2)


def nothing_drawn(rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    cohort = draw_cohort(200, rng=rng)
    return cohort, cohort.iloc[:0]


CASES = [identical, disjoint, one_row, nothing_drawn]


@pytest.mark.parametrize("case", CASES)
def test_fidelity(case: Callable[[np.random.Generator], tuple[pd.DataFrame, pd.DataFrame]]) -> None:
    real, synthetic = case(np.random.default_rng(11))
    replicates = synthetic["replicate"].nunique()
    table = measure_fidelity(
        real,
        synthetic,
        real_overlap=pd.DataFrame({"design": ["overlap"], "c_statistic": [0.7]}),
        synthetic_overlap=pd.DataFrame({"design": ["overlap"] * replicates, "c_statistic": [0.5, nan, 0.6][:replicates]}),
        primary=PRIMARY,
        covariates=COVARIATES,
        outcomes=OUTCOMES,
        gates=Gates(),
        rng=np.random.default_rng(12),
    )
    keeps_declarations(table, "fidelity")
    assert table.loc[table["metric"] == "propensity_c_gap", "passed"].isna().all()  # a replicate without a score, or none
    assert len(table[table["metric"] == "km_gap"]) == 2


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("outcome", EVERY_TYPE.root)
def test_fidelity_and_privacy_of_every_type_of_outcome(
    outcome: str, case: Callable[[np.random.Generator], tuple[pd.DataFrame, pd.DataFrame]]
) -> None:
    rng = np.random.default_rng(14)
    real, synthetic = case(rng)
    real = with_every_type(real, rng=rng)
    synthetic = replicate_of(real, 3) if case is identical else with_every_type(synthetic, rng=rng)
    overlap = pd.DataFrame({"design": ["overlap"], "c_statistic": [0.7]})
    contrast = EVERY_TYPE[outcome].contrasts[0]
    primary = PrimaryEstimate(outcome=outcome, contrast=contrast, design="overlap", horizon_days=30 if outcome == "death" else None)
    table = measure_fidelity(
        real,
        synthetic,
        real_overlap=overlap,
        synthetic_overlap=overlap,
        primary=primary,
        covariates=COVARIATES,
        outcomes=EVERY_TYPE,
        gates=Gates(),
        rng=rng,
    )
    keeps_declarations(table, "fidelity")
    gated = table[table["threshold"].notna() & (table["metric"] != "propensity_c_gap")]
    assert set(gated["metric"]) == {"km_gap" if outcome == "death" else "outcome_gap"}
    assert list(gated["variable"]) == [f"{outcome}/treated", f"{outcome}/comparator"]
    shown = table["metric"].value_counts()
    assert shown[["km_gap", "competing_gap", "outcome_gap", "person_time_gap"]].to_dict() == {
        "km_gap": 2,
        "competing_gap": 2,
        "outcome_gap": 6,
        "person_time_gap": 2,
    }
    if case is identical:
        gaps = table[table["metric"].str.endswith("_gap") & ~table["metric"].str.startswith("half_split")]
        assert gaps["value"].abs().max() < 1e-9
        assert gated["passed"].all()
    columns = RecordColumns.of(COVARIATES, EVERY_TYPE)
    assert {*columns.numeric, *columns.categorical} == set(real.columns) - {"replicate", "patient_id"}
    attacked = measure_privacy(real, split_cohort(real, rng=rng), [synthetic], covariates=COVARIATES, outcomes=EVERY_TYPE, gates=Gates(), rng=rng)
    keeps_declarations(attacked, "privacy")
    if case is identical:
        assert attacked.set_index("metric").loc["copies_of_train", "value"] == 1.0


@pytest.mark.parametrize("case", CASES)
def test_privacy(case: Callable[[np.random.Generator], tuple[pd.DataFrame, pd.DataFrame]]) -> None:
    rng = np.random.default_rng(13)
    real, synthetic = case(rng)
    table = measure_privacy(real, split_cohort(real, rng=rng), [synthetic], covariates=COVARIATES, outcomes=OUTCOMES, gates=Gates(), rng=rng)
    keeps_declarations(table, "privacy")
    assert sorted(table["metric"]) == sorted(metric.name for metric in METRICS.values() if metric.table == "privacy")
    values = table.set_index("metric")["value"]
    if case is identical:  # everyone is copied, seen or not: nothing tells members apart
        assert (values["copies_of_train"], values["copies_of_hold_out"]) == (1.0, 1.0)
        assert values["closest_to_train"] == pytest.approx(0.5, abs=0.1)
    if case is disjoint:
        assert (values["copies_of_train"], values["copies_of_hold_out"]) == (0.0, 0.0)


@pytest.mark.parametrize("case", CASES)
def test_structure(case: Callable[[np.random.Generator], tuple[pd.DataFrame, pd.DataFrame]]) -> None:
    real, synthetic = case(np.random.default_rng(15))
    found = measure_structure(real, synthetic, primary=PRIMARY, covariates=COVARIATES, outcomes=OUTCOMES, rng=np.random.default_rng(16))
    keeps_declarations(found.fidelity, "fidelity")
    assert (len(found.coefficients) > 0) is (case is identical)  # one arm, one row or none: no model has an estimate


def test_agreement_without_synthetic_estimates() -> None:
    empty = COMBINED.validate(pd.DataFrame(columns=list(COMBINED.columns)))
    table = measure_agreement(combined_row(0.1, 0.1, -0.1, 0.3, rule="none"), empty, floor=no_floor(), primary=PRIMARY, gates=Gates())
    keeps_declarations(table, "agreement")
    assert set(table["reason"]) == {"no synthetic estimate"}


def keeps_declarations(table: pd.DataFrame, name: str) -> None:
    """Each row's metric belongs to the table, a missing number has a reason, and a gate that could be judged was."""
    for row in table.to_dict("records"):
        metric = METRICS[row["metric"]]
        assert metric.table == name
        assert row["direction"] == metric.direction
        assert not np.isnan(row["value"]) or not pd.isna(row["reason"])
        assert pd.isna(row["passed"]) or not np.isnan(row["threshold"])
