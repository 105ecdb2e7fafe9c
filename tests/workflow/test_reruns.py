"""What a change of the protocol or of the patients runs again, and what a killed or crashed run leaves."""

from __future__ import annotations

import copy
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from workflow.conftest import PROTOCOL, Study, changed, planned_rules


def test_another_subgroup_leaves_the_population_as_it_is(edited: Study) -> None:
    enrichment = [*PROTOCOL["synthesis"]["enrichment"], {"name": "early_stage", "keep": "stage = 'I'", "patients": 100}]
    edited.write_protocol(changed(synthesis={"enrichment": enrichment}))
    rules = planned_rules(edited)
    assert {"draw_enrichment", "estimate_enrichment", "collect_results"} <= rules
    assert rules.isdisjoint({"select_cohort", "fit_generator", "draw_replicates", "refit_generator", "estimate_effects", "combine_replicates"})


def test_a_study_without_enrichment_draws_none(edited: Study) -> None:
    edited.write_protocol(changed(synthesis={"enrichment": []}))
    assert planned_rules(edited).isdisjoint({"draw_enrichment", "estimate_enrichment", "fit_generator", "estimate_effects"})


def test_a_changed_gate_reruns_only_what_reads_it(edited: Study) -> None:
    edited.write_protocol(changed(validation={"gates": {"km_gap": 0.5}}))
    rules = planned_rules(edited)
    assert {"measure_fidelity", "reach_verdict"} <= rules
    assert rules.isdisjoint(
        {"extract_patients", "select_cohort", "fit_generator", "draw_replicates", "refit_generator", "measure_floor", "estimate_effects"}
    )


def test_a_changed_horizon_reruns_synthesis_but_not_extraction(edited: Study) -> None:
    protocol = copy.deepcopy(PROTOCOL)
    protocol["outcomes"]["death"]["horizons_days"] = [60, 90]
    edited.write_protocol(protocol)
    rules = planned_rules(edited)
    assert {"fit_generator", "estimate_effects"} <= rules
    assert "extract_patients" not in rules


def test_a_gate_changed_after_the_effects_is_an_attempt_that_shows(finished: Study, fresh: Study) -> None:
    shutil.copytree(finished.results, fresh.results)
    fresh.write_protocol(changed(validation={"gates": {"km_gap": 0.5}}))
    done = fresh.run("results/tiny/verdict.json")
    assert done.returncode == 0, done.stderr
    verdict = json.loads((fresh.results / "verdict.json").read_text())
    assert verdict["registration"] == {"attempt": 2, "before_effects": False, "changed": ["validation.gates.km_gap"]}
    before, after = (study.results / "registration.jsonl" for study in (finished, fresh))
    assert after.read_text().startswith(before.read_text())
    after.write_text(after.read_text().replace('"km_gap":0.03', '"km_gap":0.04'))
    fresh.write_protocol(PROTOCOL)
    refused = fresh.run("results/tiny/verdict.json")
    assert refused.returncode != 0
    assert "line 1, which does not follow from the lines before it" in refused.stderr + refused.stdout


def test_effects_whose_tables_were_deleted_are_still_known(finished: Study, fresh: Study) -> None:
    shutil.copytree(finished.results, fresh.results)
    for folder in ("exact", "aggregates", "benchmarks"):
        shutil.rmtree(fresh.results / folder)
    fresh.write_protocol(changed(validation={"gates": {"km_gap": 0.5}}))
    done = fresh.run("results/tiny/patients/clinic/source/patients.parquet", "--forcerun", "extract_patients")
    assert done.returncode == 0, done.stderr
    # and then nothing is left but the register's own word
    for path in (path for path in fresh.results.iterdir() if path.name != "registration.jsonl"):
        path.unlink() if path.is_file() else shutil.rmtree(path)
    fresh.write_protocol(changed(validation={"gates": {"km_gap": 0.6}}))
    done = fresh.run("results/tiny/patients/clinic/source/patients.parquet")
    assert done.returncode == 0, done.stderr
    entries = [json.loads(line) for line in (fresh.results / "registration.jsonl").read_text().split("\n")[:-1]]
    assert [entry["effects_known"] for entry in entries] == [False, True, True]


def test_changed_patients_rerun_everything(edited: Study) -> None:
    source = edited.folder / "patients.csv"
    source.write_text(source.read_text().replace(",I,", ",II,", 1))
    assert "extract_patients" in planned_rules(edited)


def test_a_killed_run_just_starts_again(fresh: Study) -> None:
    process = subprocess.Popen(fresh.command(), cwd=fresh.folder, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    waited = time.monotonic() + 120
    while not (fresh.results / "patients/clinic/real/cohort.parquet").exists() and time.monotonic() < waited:
        time.sleep(0.05)
    time.sleep(1.0)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (fresh.results / "report.html").exists()
    again = fresh.run()
    assert again.returncode == 0, again.stderr
    assert (fresh.results / "verdict.json").exists()


def test_a_crashed_generator_leaves_the_others_running(fresh: Study, tmp_path: Path) -> None:
    broken = tmp_path / "broken" / "sdv"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    done = fresh.run(environment={"PYTHONPATH": str(broken.parent)})
    assert done.returncode == 0, done.stderr
    site = json.loads((fresh.results / "verdict.json").read_text())["sites"]["clinic"]
    assert site["gaussian_copula"]["verdict"] == "inconclusive"
    assert "signal 9" in json.dumps(site["gaussian_copula"])
    sequential = {gate["metric"]: gate["outcome"] for gate in site["sequential"]["gates"]}
    assert sequential["shift_in_real_se"] in {"passed", "failed"}
