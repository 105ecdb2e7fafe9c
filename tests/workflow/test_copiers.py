"""Generators that copy, on right heart catheterisation through the whole workflow: every effect agrees, and privacy alone says no."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from parallax.protocol.cohort import CohortSection
from parallax.protocol.outcomes import OutcomesSection
from parallax.storage import read_table, write_table
from parallax.tables import cohort_schema
from parallax.validation.records import RecordColumns
from planted_leaks import Plant, copy_covariates, copy_everybody, copy_outliers, copy_patients
from workflow.conftest import Study

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[2]
PROTOCOL = yaml.safe_load((REPOSITORY / "config/studies/rhc.yaml").read_text())
COHORT, OUTCOMES = CohortSection.of(PROTOCOL["cohort"]), OutcomesSection.of(PROTOCOL["outcomes"])
SCHEMA = cohort_schema(COHORT.covariates, OUTCOMES)

#: of a copier, a metric of privacy that must fail
COPIERS = {
    "5 percent": (copy_patients(0.05), "excess_copies"),
    "everybody": (copy_everybody, "membership_auc"),
    "outliers": (copy_outliers(RecordColumns.of(COHORT.covariates, OUTCOMES)), "excess_copied_outliers"),
    "covariates": (copy_covariates(COHORT.covariates, 0.05), "excess_copied_covariates"),
}
#: gates on what the study finds; all others are on what it gives away
OF_THE_STUDY = {"shift_in_real_se", "replicates_not_estimable", "propensity_c_gap", "km_gap"}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The default study with its survival-aware generator alone, up to its verdict."""
    folder = tmp_path_factory.mktemp("drawn")
    study = Study(folder, folder / "rhc.yaml")
    generators = {"sequential": PROTOCOL["synthesis"]["generators"]["sequential"]}
    study.write_protocol({**PROTOCOL, "synthesis": {**PROTOCOL["synthesis"], "generators": generators}})
    done = study.run("results/rhc/verdict.json")
    assert done.returncode == 0, done.stderr
    return study


def judge(study: Study) -> tuple[str, dict[str, set[str]]]:
    """The verdict, and the gates by outcome."""
    record = json.loads((study.folder / "results/rhc/verdict.json").read_text())["sites"]["support"]["sequential"]
    outcomes: dict[str, set[str]] = {}
    for gate in record["gates"]:
        outcomes.setdefault(gate["outcome"], set()).add(gate["metric"])
    return record["verdict"], outcomes


def plant_into(path: Path, real: pd.DataFrame, plant: Plant) -> None:
    planted = plant(read_table(path, SCHEMA), real.reset_index(drop=True), np.random.default_rng(1))
    write_table(path, planted, SCHEMA, restricted=True)


def test_without_a_leak_it_is_released(drawn: Study) -> None:
    verdict, outcomes = judge(drawn)
    assert verdict == "release"
    assert outcomes["passed"] >= OF_THE_STUDY


@pytest.fixture
def draws(drawn: Study) -> Iterator[tuple[Path, Path]]:
    """The study's draws and those of the refit that is attacked, for a test that plants a leak in both; they are put back."""
    folder = drawn.folder / "results/rhc/patients/support/sequential"
    paths = (folder / "cohort.parquet", folder / "refits/1/1-of-1.parquet")
    kept = [path.read_bytes() for path in paths]
    yield paths
    for path, content in zip(paths, kept, strict=True):
        path.write_bytes(content)


@pytest.mark.parametrize(("plant", "by"), COPIERS.values(), ids=COPIERS)
def test_copiers_are_refused_for_privacy_alone(drawn: Study, draws: tuple[Path, Path], plant: Plant, by: str) -> None:
    """What leaks in the study's draws leaks in those of the refit that is attacked: the same procedure, from the patients that either saw."""
    folder = drawn.folder / "results/rhc/patients/support/real"
    real, split = read_table(folder / "cohort.parquet", SCHEMA), pd.read_parquet(folder / "split.parquet")
    seen = real["patient_id"].isin(split.loc[split["part"] == "train", "patient_id"])
    for path, patients in zip(draws, (real, real[seen]), strict=True):
        plant_into(path, patients, plant)
    # Snakemake knows its files by their time, and takes a draw that was changed for one made anew
    done = drawn.run("results/rhc/verdict.json")
    assert done.returncode == 0, done.stderr
    verdict, outcomes = judge(drawn)
    assert verdict == "do_not_release"
    assert outcomes["passed"] >= OF_THE_STUDY
    assert by in outcomes["failed"]
    assert not outcomes["failed"] & OF_THE_STUDY
    agreement = pd.read_parquet(drawn.folder / "results/rhc/exact/support/sequential/agreement.parquet")
    agreement = agreement[agreement["metric"] == "shift_in_real_se"]
    weighted = agreement[agreement["design"].isin(["overlap", "iptw"]) & agreement["horizon_days"].isin([30.0, 180.0])]
    shifts = weighted.loc[weighted["contrast"].isin(["hazard_ratio", "risk_difference", "rmst_difference"]), "value"]
    assert len(shifts) == 12
    assert shifts.abs().max() < 1
