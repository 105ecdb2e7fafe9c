"""The tiny study end to end: twice, again, changed, killed, broken."""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import time
from pathlib import Path

import numpy as np
import pandas as pd

from parallax.seeds import derive_seed
from workflow.conftest import PROTOCOL, READER_FILES, REPOSITORY, Study


def planned_rules(study: Study, *words: str) -> set[str]:
    planned = study.run("--dry-run", *words)
    assert planned.returncode == 0, planned.stderr
    counted = re.findall(r"^ ([a-z]+ [a-z]+) +\d+ *$", planned.stdout + planned.stderr, flags=re.MULTILINE)
    return {rule.replace(" ", "_") for rule in counted}


def changed(**sections: object) -> dict:
    protocol = copy.deepcopy(PROTOCOL)
    for name, section in sections.items():
        protocol[name] = {**protocol.get(name, {}), **section}
    return protocol


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
    assert len(manifest["seeds"]["clinic/floor"]["replicates"]) == PROTOCOL["synthesis"]["replicates"]


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


def test_the_protocol_is_registered_before_its_effects(finished: Study) -> None:
    verdict = json.loads((finished.results / "verdict.json").read_text())
    (line,) = (finished.results / "registration.jsonl").read_text().splitlines()
    assert json.loads(line)["protocol_digest"] == verdict["protocol_digest"]
    assert verdict["registration"] == {"attempt": 1, "before_effects": True, "changed": []}


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


def test_a_blinded_study_seals_its_effects_until_the_primary_design_passes(fresh: Study) -> None:
    protocol = changed(validation={"blinded": True, "gates": {"effective_patients": 5000}})
    fresh.write_protocol(protocol)
    sealed = fresh.run("--keep-going")
    assert sealed.returncode != 0
    assert "the treated arm weighs like fewer than 5000 patients" in sealed.stderr + sealed.stdout
    assert not list(fresh.results.glob("exact/*/*/estimates.parquet"))
    assert not list(fresh.results.glob("exact/*/floor/*"))
    assert not list(fresh.results.glob("exact/*/*/enrichment.parquet"))
    fresh.write_protocol(changed(validation={"blinded": True}))
    opened = fresh.run("results/tiny/exact/clinic/real/estimates.parquet")
    assert opened.returncode == 0, opened.stderr


def test_fits_to_resamples_are_the_same_in_any_number_of_batches(fresh: Study) -> None:
    # in turn, so that batches and refits must both find their place
    asked = {"fit": "bootstrap", "hold_out": 0.5, "hold_out_in_turn": True, "generators": {"sequential": {"method": "sequential"}}}
    fresh.write_protocol(changed(synthesis=asked))
    wanted = [f"results/tiny/{path}" for path in ("patients/clinic/sequential/cohort.parquet", "exact/clinic/sequential/privacy.parquet")]
    together = fresh.run(*wanted)
    assert together.returncode == 0, together.stderr
    before = [pd.read_parquet(fresh.folder / path) for path in wanted]
    apart = fresh.run(*wanted, "--set-scatter", "fits=50")
    assert apart.returncode == 0, apart.stderr
    for path, table in zip(wanted, before, strict=True):
        pd.testing.assert_frame_equal(pd.read_parquet(fresh.folder / path), table, check_exact=True)
    record = json.loads((fresh.results / "exact/clinic/sequential/model.json").read_text())
    assert len(record["fits"]) == PROTOCOL["synthesis"]["replicates"]
    split = pd.read_parquet(fresh.results / "patients/clinic/real/split.parquet")
    seen = split[split["part"] == "train"].groupby("round").size()
    refits, batches = fresh.results / "patients/clinic/sequential/refits", PROTOCOL["synthesis"]["replicates"]
    drawn = {number: pd.concat(map(pd.read_parquet, refits.glob(f"{number}/*-of-{batches}.parquet"))) for number in (1, 2)}
    assert {number: len(table) for number, table in drawn.items()} == (seen * PROTOCOL["synthesis"]["replicates"]).to_dict()
    assert {fit["fit"] for fit in record["fits"]} == {"bootstrap"}
    seeds = {int(replicate): seed for fit in record["fits"] for replicate, seed in fit["seeds"].items()}
    assert seeds == {replicate: derive_seed(7, "clinic", "sequential", "fit", replicate) for replicate in range(3)}


def test_negative_controls_are_carried_through_synthesis(fresh: Study) -> None:
    patients = pd.read_csv(fresh.folder / "patients.csv")
    ill = np.random.default_rng(9).random((3, len(patients))) < 0.2 + 0.2 * (patients["drug"] == "yes").to_numpy()
    names = ("fracture", "cataract", "tinnitus")
    patients.assign(**dict(zip(names, ill.astype(int), strict=True))).to_csv(fresh.folder / "patients.csv", index=False)
    controls = {name: {"type": "binary", "value": name, "negative_control": True, "contrasts": ["risk_ratio"]} for name in names}
    declared = PROTOCOL["data"]["sites"]["clinic"]
    columns = declared["columns"] | {name: {"type": "integer"} for name in names}
    death = PROTOCOL["outcomes"]["death"] | {"contrasts": ["hazard_ratio", "risk_ratio"], "horizons_days": [60]}
    cured = {"type": "binary", "value": "died", "contrasts": ["risk_ratio"]}
    fresh.write_protocol(
        changed(
            data={"sites": {"clinic": declared | {"columns": columns}}},
            outcomes={"death": death, "ever": cured} | controls,
            synthesis={"generators": {"sequential": {"method": "sequential"}}, "enrichment": []},
        )
    )
    wanted = [f"results/tiny/exact/clinic/{dataset}/robustness.parquet" for dataset in ("real", "sequential")]
    done = fresh.run(*wanted)
    assert done.returncode == 0, done.stderr
    for path, own in zip(wanted, (False, True), strict=True):
        table = pd.read_parquet(fresh.folder / path)
        found = table[(table["outcome"] == "ever") & (table["design"] == "overlap")].set_index("measure")
        assert found.loc["systematic_error_mean", "reason"] == "over 3 negative controls"
        assert found.loc["systematic_error_mean", ["lower", "value", "upper"]].is_monotonic_increasing
        assert ("added_error_mean" in found.index) is own
        assert ("calibrated_shift" in found.index) is own


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


def test_a_fault_of_the_protocol_is_told_before_the_first_job(fresh: Study) -> None:
    fresh.write_protocol(changed(synthesis={"generators": {"real": {"method": "sequential"}}}))
    done = fresh.run()
    assert done.returncode != 0
    assert "synthesis.generators.real" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not (fresh.folder / "results").exists()


def test_a_missing_arm_is_told_before_the_first_job(fresh: Study) -> None:
    protocol = changed(cohort={"arms": {"column": "drug", "treated": "maybe", "comparator": "no"}})
    protocol["data"]["sites"]["clinic"]["columns"]["drug"].pop("levels")
    fresh.write_protocol(protocol)
    done = fresh.run()
    assert done.returncode != 0
    assert "cohort.arms.treated" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not (fresh.results / "patients/clinic/source/patients.parquet").exists()


def test_a_broken_row_is_named_by_file_line_and_column_never_by_value(fresh: Study) -> None:
    source = fresh.folder / "patients.csv"
    lines = source.read_text().splitlines()
    fields = lines[20].split(",")
    fields[2] = "sEcReT"
    lines[20] = ",".join(fields)
    source.write_text("\n".join(lines) + "\n")
    done = fresh.run()
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "patients.csv" in said
    assert "line 21" in said
    assert "age" in said
    assert "sEcReT" not in said
    assert "Traceback" not in said
    logs = "".join(path.read_text() for path in (fresh.folder / "results").rglob("*.log")) if (fresh.folder / "results").exists() else ""
    assert "sEcReT" not in logs


def test_an_unwritable_results_folder_is_told_in_words(fresh: Study) -> None:
    (fresh.folder / "results").write_text("a file in the folder's place")
    done = fresh.run()
    assert done.returncode != 0
    assert "results" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_file_in_the_place_of_the_studys_results_is_told_in_words(fresh: Study) -> None:
    (fresh.folder / "results").mkdir()
    fresh.results.write_text("a file in the folder's place")
    done = fresh.run()
    assert done.returncode != 0
    assert "which is not a folder that can be written" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_closed_folder_is_no_link(fresh: Study, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    fresh.results.mkdir(parents=True)
    (fresh.results / "patients").symlink_to(elsewhere)
    done = fresh.run()
    assert done.returncode != 0
    assert "results/tiny/patients\n    found    a link" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert elsewhere.stat().st_mode & 0o777 == 0o755
    assert not list(elsewhere.iterdir())


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


def test_twins_of_the_tiny_study(finished: Study) -> None:
    done = finished.run("twins", options=("twins=500", "refits=3"))
    assert done.returncode == 0, done.stderr
    assert "hazard ratio on the twin cohort, where the truth is known" in done.stdout
    truths, curves = (pd.read_csv(finished.results / name) for name in ("twins.csv", "twin_curves.csv"))
    assert set(truths["design"]) == {"matched", "overlap"}
    assert set(curves["arm"]) == {"treated", "comparator", "difference"}
    assert (curves["refits"] == 3).all()
    # aggregates: no row of a patient, none of the days on which a real patient died
    assert not {"patient_id", "at_risk", "events"} & ({*truths} | {*curves})
    assert set(curves["time_days"]) <= {3.0 * step for step in range(21)}
    row_level = [finished.results / f"patients/clinic/sequential/twin_{name}.parquet" for name in ("curves", "cohort", "outcomes")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in row_level} == {0o600}
    refused = finished.run("twins", options=("generator=gaussian_copula",))
    assert refused.returncode != 0
    assert "others have no outcome given covariates and arm" in refused.stderr + refused.stdout
    assert "Traceback" not in refused.stderr + refused.stdout


def test_a_tuning_is_written_into_the_manifest_and_changes_no_answer(fresh: Study, finished: Study) -> None:
    shutil.copytree(finished.results, fresh.results)
    fresh.write_protocol(
        changed(synthesis={"tuning": {"repetitions": 2, "replicates": 2, "patients": 200, "candidates": [{"ridge_outcome": 100.0}]}})
    )
    done = fresh.run("tune")
    assert done.returncode == 0, done.stderr
    assert "settings of sequential on simulated studies (2 repetitions" in done.stdout
    record = json.loads((fresh.results / "tuning.json").read_text())
    assert record["used"]["repetitions"] == 2
    assert [tried["setting"] for tried in record["tried"]] == ["as in the protocol", "ridge_outcome 100"]
    assert "write_manifest" in planned_rules(fresh)
    done = fresh.run("results/tiny/manifest.json")
    assert done.returncode == 0, done.stderr
    assert json.loads((fresh.results / "manifest.json").read_text())["tuning"] == record
    assert (fresh.results / "estimates.csv").read_bytes() == (finished.results / "estimates.csv").read_bytes()
    assert json.loads((finished.results / "manifest.json").read_text())["tuning"] is None


def test_shadow_models_leave_the_rest_of_the_study_as_it_is(edited: Study) -> None:
    edited.write_protocol(changed(privacy={"shadow_models": 4}))
    rules = planned_rules(edited)
    assert {"fit_shadow", "attack_generator", "reach_verdict"} <= rules
    assert rules.isdisjoint({"select_cohort", "fit_generator", "draw_replicates", "refit_generator", "estimate_effects", "measure_fidelity"})


def test_shadow_models_are_attacked_and_reach_the_verdict(finished: Study, fresh: Study) -> None:
    shutil.copytree(finished.results, fresh.results)
    shutil.copy2(finished.folder / "patients.csv", fresh.folder)
    fresh.write_protocol(changed(privacy={"shadow_models": 4}))
    # what is there was made in another folder; only what shadow models change is made anew
    done = fresh.run("results/tiny/verdict.json", "results/tiny/privacy.csv", "--forcerun", "attack_generator")
    assert done.returncode == 0, done.stderr
    assert "privacy.shadow_models fits every generator 4 times more" in done.stdout
    before, after = (pd.read_csv(study.results / "privacy.csv").set_index(["generator", "metric"]) for study in (finished, fresh))
    assert before.loc[("sequential", "shadow_auc"), ["value", "threshold"]].isna().all()
    assert "not asked for: the protocol&#39;s privacy.shadow_models is 0" in (finished.results / "report.html").read_text()
    verdict = json.loads((fresh.results / "verdict.json").read_text())["sites"]["clinic"]
    for generator in ("sequential", "gaussian_copula"):
        found = after.loc[(generator, "shadow_auc")]
        assert found["lower"] <= found["value"] <= found["upper"]
        assert found["threshold"] == 0.6
        assert {"shadow_auc", "shadow_tpr_at_1pct_fpr"} <= {gate["metric"] for gate in verdict[generator]["gates"]}
        tables = [pd.read_parquet(fresh.results / f"patients/clinic/{generator}/shadows/{number}.parquet") for number in range(4)]
        assert (sum(table["member"].astype(int) for table in tables) == 2).all()
        assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in (fresh.results / f"patients/clinic/{generator}/shadows").iterdir())
    seeds = json.loads((finished.results / "manifest.json").read_text())["seeds"]["clinic/sequential"]
    assert "shadow" not in seeds


def test_snakemake_report_works(finished: Study, tmp_path: Path) -> None:
    done = finished.run("--report", str(tmp_path / "snakemake-report.html"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "snakemake-report.html").stat().st_size > 0


def test_default_study_can_be_planned_from_another_folder(tmp_path: Path) -> None:
    command = ["python", "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile"), "--directory", str(tmp_path), "--dry-run", "--cores", "1"]
    done = subprocess.run([os.sys.executable, *command[1:]], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
