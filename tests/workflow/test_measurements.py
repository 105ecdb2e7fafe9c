"""A tiny wearables study end to end: 60 patients, 14 days before the index date; and what a study without measurements is spared."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from parallax.measurements import summarise_measurements
from parallax.seeds import derive_seed
from parallax.tables import MEASUREMENTS
from simulated_measurements import COHORT, simulate_wearables
from workflow.conftest import PROTOCOL, Study

REPLICATES = 3


def wearables_protocol() -> dict:
    protocol = copy.deepcopy(PROTOCOL)
    columns = {"id": "text", "drug": "text", "age": "number", "sex": "text", "days": "number", "dead": "integer"}
    protocol["data"]["sites"]["clinic"] |= {
        "columns": {name: {"type": kind} for name, kind in columns.items()},
        "measurements": {"path": "measurements.csv", "patient_id": "patient", "time_days": "day", "name": "what", "value": "number", "unit": "unit"},
    }
    protocol["cohort"] = COHORT.plain() | {"eligibility": [{"name": "worn", "keep": "steps_count >= 3", "reason": "the device was worn"}]}
    protocol["synthesis"] = {
        "replicates": REPLICATES,
        "generators": {"sequential": {"method": "sequential"}},
        "constraints": [{"type": "inequality", "low": "crp_last", "high": "crp_maximum"}],
    }
    protocol["outcomes"]["death"] |= {"days": "days", "event": "dead", "follow_up_days": 365}
    return protocol


@pytest.fixture(scope="module")
def wearables(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("wearables")
    people, file = simulate_wearables(60, rng=np.random.default_rng(20))
    people.to_csv(folder / "patients.csv", index=False)
    strangers = pd.DataFrame({"patient": ["stranger"], "day": [-3.0], "what": ["steps"], "number": [1.0], "unit": ["steps/day"]})
    pd.concat([file, strangers]).to_csv(folder / "measurements.csv", index=False)
    study = Study(folder, folder / "tiny.yaml")
    study.write_protocol(wearables_protocol())
    done = study.run()
    assert done.returncode == 0, done.stderr
    return study


def read(study: Study, path: str) -> pd.DataFrame:
    return pd.read_parquet(study.results / path)


def test_summaries_are_covariates_like_any_other(wearables: Study) -> None:
    cohort = read(wearables, "patients/clinic/real/cohort.parquet")
    assert (cohort["steps_count"] >= 3).all()
    balance = read(wearables, "exact/clinic/sequential/balance.parquet")
    assert {"steps_mean", "steps_slope", "crp_last"} <= set(balance["covariate"])


def test_nothing_after_the_index_date_is_known_of_a_patient(wearables: Study) -> None:
    file = pd.read_csv(wearables.folder / "measurements.csv")
    assert (file["day"] > 0).any()
    for dataset in ("real", "sequential"):
        table = read(wearables, f"patients/clinic/{dataset}/measurements.parquet")
        assert table.loc[table["name"] == "steps", "time_days"].between(-14, -1).all()
        assert table.loc[table["name"] == "crp", "time_days"].between(-90, 0).all()


def test_rows_of_nobody_are_counted_and_not_shown(wearables: Study) -> None:
    counts = read(wearables, "exact/clinic/real/measurement_counts.parquet").set_index("name")
    cohort = read(wearables, "patients/clinic/real/cohort.parquet")
    file = pd.read_csv(wearables.folder / "measurements.csv")
    outside = file[(file["what"] == "steps") & ~file["patient"].isin(cohort["patient_id"])]
    assert counts.loc["steps", "of_nobody"] == len(outside)
    assert (counts["rows"] == counts[["of_nobody", "missing", "outside", "repeated", "kept"]].sum(axis=1)).all()
    shown = [path for path in wearables.results.rglob("*") if path.is_file() and "patients" not in path.parts and "exact" not in path.parts]
    assert not any(b"stranger" in path.read_bytes() for path in shown)


def test_every_synthetic_patient_has_a_series_that_fits_the_summaries(wearables: Study) -> None:
    cohort = read(wearables, "patients/clinic/sequential/cohort.parquet")
    table = MEASUREMENTS.validate(read(wearables, "patients/clinic/sequential/measurements.parquet"))
    assert set(table["replicate"]) == set(range(REPLICATES))
    found = summarise_measurements(table, cohort, COHORT)
    both = cohort["steps_mean"].notna() & (cohort["steps_count"] >= 1)
    assert both.mean() > 0.9
    spread = float(read(wearables, "patients/clinic/real/cohort.parquet")["steps_mean"].std())
    assert (found["steps_mean"] - cohort["steps_mean"]).abs()[both].max() < 0.05 * spread
    fidelity = read(wearables, "exact/clinic/sequential/series_fidelity.parquet")
    assert (fidelity.loc[fidelity["metric"] == "series_copies", "value"] == 0).all()
    assert fidelity["value"].notna().all()


def test_the_report_tells_of_measurements_and_the_manifest_how_they_were_drawn(wearables: Study) -> None:
    report = (wearables.results / "report.html").read_text()
    assert 'id="measurements-1"' in report
    assert "Autocorrelation" in report
    manifest = json.loads((wearables.results / "manifest.json").read_text())
    assert any(name.endswith("measurements.csv") for name in manifest["inputs"])
    seeds = manifest["seeds"]["clinic/sequential"]["measurements"]
    assert seeds == [derive_seed(7, "clinic", "sequential", "measurements", replicate) for replicate in range(REPLICATES)]


def test_a_study_without_measurements_has_no_job_of_them(fresh: Study) -> None:
    planned = fresh.run("--dry-run")
    assert planned.returncode == 0, planned.stderr
    told = planned.stdout + planned.stderr
    assert "select_cohort" in told
    assert not [rule for rule in ("extract_measurements", "select_measurements", "draw_measurements", "measure_series") if rule in told]


def test_a_typing_error_in_a_code_is_a_fault_before_the_first_job(tmp_path: Path, wearables: Study) -> None:
    protocol = wearables_protocol()
    protocol["cohort"]["measurements"]["crp"]["code"] = "1988-6"
    for name in ("patients.csv", "measurements.csv"):
        (tmp_path / name).write_bytes((wearables.folder / name).read_bytes())
    study = Study(tmp_path, tmp_path / "tiny.yaml")
    study.write_protocol(protocol)
    done = study.run("--dry-run")
    assert done.returncode != 0
    assert 'nothing measured is called "1988-6": did you mean "1988-5"?' in done.stdout + done.stderr
