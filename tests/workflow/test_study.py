"""The tiny study end to end: twice, again, changed, killed, broken."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
from pathlib import Path

import pandas as pd

from parallax.seeds import derive_seed
from workflow.conftest import PROTOCOL, READER_FILES, REPOSITORY, Study, planned_rules


def test_ends_in_a_verdict_per_generator_and_a_report(finished: Study) -> None:
    verdict = json.loads((finished.results / "verdict.json").read_text())
    site = verdict["sites"]["clinic"]
    assert set(site) == {"sequential", "gaussian_copula"}
    assert {entry["verdict"] for entry in site.values()} <= {"release", "do_not_release", "inconclusive"}
    assert verdict["certified"] is False
    assert re.fullmatch("[0-9a-f]{64}", verdict["protocol_digest"])
    assert (finished.results / "report.html").read_text().startswith("<!doctype html>")


def test_second_run_has_nothing_to_do(finished: Study) -> None:
    assert planned_rules(finished) == set()


def test_two_runs_in_two_folders_are_identical(finished: Study, fresh: Study) -> None:
    done = fresh.run()
    assert done.returncode == 0, done.stderr
    for name in READER_FILES:
        assert (fresh.results / name).read_bytes() == (finished.results / name).read_bytes(), name
    for name in ("shifts", "fidelity"):
        path = f"exact/clinic/floor/{name}.parquet"
        pd.testing.assert_frame_equal(pd.read_parquet(fresh.results / path), pd.read_parquet(finished.results / path), check_exact=True)


def test_row_level_folders_can_be_entered_by_their_owner_only(finished: Study) -> None:
    for folder in ("patients", "exact"):
        assert stat.S_IMODE((finished.results / folder).stat().st_mode) == 0o700
    files = [path for folder in ("patients", "exact") for path in (finished.results / folder).rglob("*") if path.is_file()]
    assert files
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_the_floor_leaves_results_and_no_patient(finished: Study) -> None:
    folders = {path.relative_to(finished.results).parts[0] for path in finished.results.rglob("*floor*")}
    assert folders == {"exact", "logs", "benchmarks"}
    assert sorted(path.name for path in (finished.results / "exact/clinic/floor").iterdir()) == ["fidelity.parquet", "shifts.parquet"]
    assert all("patient_id" not in pd.read_parquet(path) for path in (finished.results / "exact/clinic/floor").iterdir())
    manifest = json.loads((finished.results / "manifest.json").read_text())
    assert not any("floor" in name for name in [*manifest["inputs"], *manifest["outputs"]])
    assert len(manifest["seeds"]["clinic/floor"]["replicates"]) == 10
    assert set(pd.read_parquet(finished.results / "exact/clinic/floor/shifts.parquet")["replicates"]) == {10}


def test_the_floor_stands_beside_every_shift_and_is_no_dataset_of_a_reader(finished: Study) -> None:
    agreement = pd.read_csv(finished.results / "agreement.csv").set_index("metric")
    assert set(agreement["generator"]) == {"sequential", "gaussian_copula"}
    shifts, floors = agreement.loc["shift_in_real_se"], agreement.loc["floor_shift_in_real_se"]
    assert len(shifts) == len(floors) == len(agreement.loc["testable_here"])
    assert floors["value"].notna().all()
    assert (floors["lower"] < floors["value"]).all()
    of_generator = dict(iter(floors.groupby("generator")["value"]))
    assert of_generator["sequential"].tolist() == of_generator["gaussian_copula"].tolist()
    assert set(pd.read_csv(finished.results / "estimates.csv")["dataset"]) == {"real", "sequential", "gaussian_copula"}


def test_a_rare_subgroup_is_enriched_in_cohorts_of_its_own(finished: Study) -> None:
    found = pd.read_csv(finished.results / "enrichment.csv")
    assert set(found["dataset"]) == {"real", "sequential", "gaussian_copula"}
    assert set(found["design"]) == {"crude", "matched", "overlap"}
    assert set(zip(found["contrast"], found["horizon_days"], strict=True)) == {("hazard_ratio", 60.0)}
    rare = found[found["enrichment"] == "oldest_late"]
    assert set(rare["status"]) == {"not_estimable"}
    assert rare["reason"].str.contains("fewer than 10 real patients").all()
    known = found[(found["enrichment"] == "late_stage") & (found["design"] == "overlap")].set_index(["dataset", "rule"])
    assert set(known["status"]) == {"ok"}
    for generator in ("sequential", "gaussian_copula"):
        enriched = pd.read_parquet(finished.results / f"patients/clinic/{generator}/enriched.parquet")
        assert enriched.groupby(["enrichment", "replicate"]).size().to_dict() == {("late_stage", replicate): 300 for replicate in range(3)}
        assert set(enriched["stage"]) == {"III"}
        cohort = pd.read_parquet(finished.results / f"patients/clinic/{generator}/cohort.parquet")
        assert len(cohort) == 3 * len(pd.read_parquet(finished.results / "patients/clinic/real/cohort.parquet"))
        errors = known.loc[generator, "std_error"]
        # some 70 real patients: whatever is drawn, the valid error stays near theirs, and the naive one shrinks with what is drawn
        assert errors["naive"] < 0.6 * known.loc[("real", "none"), "std_error"]
        assert errors["partial"] > 0.8 * known.loc[("real", "none"), "std_error"]
    assert 'id="enrichment-1"' in (finished.results / "report.html").read_text()
    seeds = json.loads((finished.results / "manifest.json").read_text())["seeds"]["clinic/sequential"]["enrich"]
    assert seeds["late_stage"] == [derive_seed(7, "clinic", "sequential", "enrich", "late_stage", replicate) for replicate in range(3)]


def test_the_protocol_is_registered_before_its_effects(finished: Study) -> None:
    verdict = json.loads((finished.results / "verdict.json").read_text())
    (line,) = (finished.results / "registration.jsonl").read_text().splitlines()
    assert json.loads(line)["protocol_digest"] == verdict["protocol_digest"]
    assert verdict["registration"] == {"attempt": 1, "before_effects": True, "changed": []}


def test_prints_verdicts_and_the_reports_path_at_the_end(finished: Study) -> None:
    done = finished.run("--forcerun", "write_manifest")
    assert done.returncode == 0, done.stderr
    assert "report.html" in done.stdout
    assert "sequential" in done.stdout


def test_manifest_names_digests_versions_and_seeds(finished: Study) -> None:
    manifest = json.loads((finished.results / "manifest.json").read_text())
    assert set(READER_FILES) <= {Path(name).name for name in manifest["outputs"]}
    assert manifest["versions"]["sdv"]
    assert manifest["seeds"]["study"] == PROTOCOL["study"]["seed"]
    assert str(finished.folder) not in json.dumps(manifest)


def test_snakemake_report_works(finished: Study, tmp_path: Path) -> None:
    done = finished.run("--report", str(tmp_path / "snakemake-report.html"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "snakemake-report.html").stat().st_size > 0


def test_default_study_can_be_planned_from_another_folder(tmp_path: Path) -> None:
    command = ["python", "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile"), "--directory", str(tmp_path), "--dry-run", "--cores", "1"]
    done = subprocess.run([os.sys.executable, *command[1:]], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
