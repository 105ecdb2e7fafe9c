"""What a protocol or a command may ask for beside the plain study: blinding, fits to resamples, negative controls, twins, tuning, shadow models."""

from __future__ import annotations

import json
import shutil
import stat

import numpy as np
import pandas as pd

from parallax.seeds import derive_seed
from parallax.validation.registration import TRACES_OF_EFFECTS, Registration, describe_registration
from workflow.conftest import PROTOCOL, Study, changed, planned_rules


def test_a_blinded_study_seals_its_effects_until_the_primary_design_passes(fresh: Study) -> None:
    protocol = changed(validation={"blinded": True, "gates": {"effective_patients": 5000}})
    fresh.write_protocol(protocol)
    sealed = fresh.run("--keep-going")
    assert sealed.returncode != 0
    assert "the treated arm weighs like fewer than 5000 patients" in sealed.stderr + sealed.stdout
    assert not list(fresh.results.glob("exact/*/*/estimates.parquet"))
    assert not list(fresh.results.glob("exact/*/floor/*"))
    assert not list(fresh.results.glob("exact/*/*/enrichment.parquet"))
    assert not [path for pattern in TRACES_OF_EFFECTS for path in fresh.results.glob(pattern)]
    fresh.write_protocol(changed(validation={"blinded": True}))
    opened = fresh.run("results/tiny/exact/clinic/real/estimates.parquet")
    assert opened.returncode == 0, opened.stderr
    assert describe_registration((fresh.results / "registration.jsonl").read_text()) == Registration(2, before_effects=True, changed=())


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
