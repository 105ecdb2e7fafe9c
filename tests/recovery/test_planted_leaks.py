"""Do the attacks find what was planted, and say nothing where too few patients or too little is there to find?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from parallax.protocol.privacy import PrivacySection
from parallax.protocol.validation import Gates
from parallax.tables import AGREEMENT, FIDELITY, GENERATION, PRIVACY, empty_table
from parallax.validation.metrics import METRICS, NOT_INFORMATIVE, metric_row
from parallax.validation.privacy import measure_privacy
from parallax.validation.records import RecordColumns
from parallax.validation.verdict import VerdictRecord, reach_verdict
from planted_leaks import Plant, copy_covariates, copy_everybody, copy_outliers, copy_patients
from validation_tables import COVARIATES, OUTCOMES, draw_cohort, split_cohort

STATED = PrivacySection(quasi_identifiers=("age", "sex"), widths={"age": 1.0}, sensitive=("death",))
COLUMNS = RecordColumns.of(COVARIATES, OUTCOMES)


def attack(patients: int, plant: Plant | None, seed: int = 1, *, replicates: int = 4, hold_out: float = 0.2) -> pd.DataFrame:
    """Privacy of a generator that knows the truth, with a leak planted in its replicates."""
    rng = np.random.default_rng([patients, seed])
    real = draw_cohort(patients, rng=rng)
    split = split_cohort(real, rng=rng, hold_out=hold_out)
    train = real[(split["part"] == "train").to_numpy()].reset_index(drop=True)
    synthetic = draw_cohort(len(train), rng=rng, replicates=replicates)
    if plant is not None:
        synthetic = plant(synthetic, train, rng)
    asked = {"covariates": COVARIATES, "outcomes": OUTCOMES, "gates": Gates(), "privacy": STATED}
    return measure_privacy(real, split, [synthetic], rng=rng, **asked).set_index("metric")


def failures(table: pd.DataFrame) -> set[str]:
    return set(table.index[table["passed"].eq(False).fillna(False)])


@pytest.mark.parametrize(
    ("plant", "by"),
    [
        (copy_patients(0.01), {"excess_copies", "excess_copied_covariates"}),
        (copy_patients(0.05), {"excess_copies", "excess_copied_covariates"}),
        (copy_patients(0.10), {"excess_copies", "membership_tpr_at_1pct_fpr"}),  # 5 percent are the threshold itself
        (copy_everybody, {"excess_copies", "membership_auc", "nearest_auc", "outlier_auc", "inference", "linkability", "singling_out_multivariate"}),
        (copy_outliers(COLUMNS), {"excess_copies", "excess_copied_outliers", "outlier_auc"}),
        (copy_covariates(COVARIATES, 0.05), {"excess_copied_covariates"}),
    ],
    ids=["1 percent", "5 percent", "10 percent", "everybody", "outliers", "covariates"],
)
def test_what_was_planted_is_found(plant: Plant, by: set[str]) -> None:
    assert by <= failures(attack(2000, plant))


def test_covariates_alone_are_no_copies_of_the_record() -> None:
    assert "excess_copies" not in failures(attack(2000, copy_covariates(COVARIATES, 0.05)))


def test_nothing_planted_fails_nothing() -> None:
    for seed in range(3):
        assert failures(attack(1000, None, seed, replicates=2)) == set()


def verdict_on(privacy: pd.DataFrame) -> VerdictRecord:
    """The verdict where every effect agrees and every distribution is kept."""

    def keep(names: tuple[str, ...], table: str) -> pd.DataFrame:
        rows = [metric_row(name, 0.0, threshold=METRICS[name].threshold(Gates())) for name in names]
        columns = list({"agreement": AGREEMENT, "fidelity": FIDELITY}[table].columns)
        return pd.DataFrame(rows).reindex(columns=columns)

    return reach_verdict(
        "g",
        agreement=keep(("shift_in_real_se", "replicates_not_estimable"), "agreement"),
        fidelity=keep(("propensity_c_gap", "km_gap"), "fidelity"),
        privacy=PRIVACY.validate(privacy.reset_index()[list(PRIVACY.columns)]),
        generation=empty_table(GENERATION),
        gates=Gates(),
        certified=False,
    )


def test_a_copier_is_not_released_though_every_effect_agrees() -> None:
    record = verdict_on(attack(600, copy_everybody, replicates=2))
    assert record.verdict == "do_not_release"
    assert {METRICS[gate.metric].table for gate in record.gates if gate.outcome == "failed"} == {"privacy"}
    assert verdict_on(attack(2000, None, replicates=2)).verdict == "release"


def test_ten_control_patients_are_too_few_to_pass_or_fail() -> None:
    for seed in range(5):
        table = attack(200, None, seed, replicates=2, hold_out=0.1)
        assert failures(table) == set()
        assert table.loc[["membership_auc", "membership_tpr_at_1pct_fpr", "nearest_auc", "nearest_tpr_at_1pct_fpr"], "passed"].isna().all()
        told = table.loc[["linkability", "inference", "singling_out_univariate", "singling_out_multivariate"]]
        assert told["passed"].isna().all()
        assert told["reason"].str.startswith(NOT_INFORMATIVE).all()
        assert verdict_on(table).verdict == "inconclusive"


ALIKE = {"age": 50.0, "weight": 70.0, "treated": True, "death_days": 5.0, "death_event": 1}


@pytest.mark.parametrize("columns", [ALIKE, {"weight": np.nan}, {"sex": None}])
def test_patients_all_alike_or_a_column_all_missing(columns: dict[str, object]) -> None:
    rng = np.random.default_rng(3)
    if "sex" in columns or "age" in columns:
        columns = columns | {"sex": pd.array(["f" if "age" in columns else None] * 200, dtype="string")}
    real = draw_cohort(200, rng=rng).assign(**columns)
    split = split_cohort(real, rng=rng)
    synthetic = draw_cohort(200, rng=rng).assign(**columns)
    asked = {"covariates": COVARIATES, "outcomes": OUTCOMES, "gates": Gates(), "privacy": STATED}
    table = measure_privacy(real, split, [synthetic], rng=rng, **asked).set_index("metric")
    assert list(table.index) == [metric.name for metric in METRICS.values() if metric.table == "privacy"]
    assert failures(table) == set()
    if "age" in columns:  # everybody is everybody's copy
        assert (table.loc[["copies_of_train", "copies_of_hold_out"], "value"] == 1.0).all()
        assert table.loc["membership_auc", "value"] == 0.5
