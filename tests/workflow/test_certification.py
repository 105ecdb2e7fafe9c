"""Certification in the workflow: as a target of its own, inside the study, and independent of how it is scattered."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from workflow.conftest import Study, changed, make_study, planned_rules

#: the fewest studies that could show a detection of a half
CERTIFICATION = {"repetitions": 4, "detection": 0.5, "minimal_important_effect": 0.7, "generators": ["sequential"]}


def certified(**settings: object) -> dict:
    return changed(validation={"certification": CERTIFICATION | settings})


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The tiny study with four simulated studies of every effect, run once."""
    study = make_study(tmp_path_factory.mktemp("certified"))
    study.write_protocol(certified())
    done = study.run()
    assert done.returncode == 0, done.stderr
    return study


def test_a_certified_study_has_rates_a_gate_and_a_figure(study: Study) -> None:
    rates = pd.read_csv(study.results / "certification.csv")
    assert list(rates.columns[:7]) == ["site", "generator", "effect", "rule", "metric", "value", "monte_carlo_error"]
    assert set(rates["generator"]) == {"real", "sequential", "correct", "flat_copula"}
    assert set(rates["effect"]) == {"no_effect", "minimal_important", "stronger"}
    assert {"none", "partial", "naive", "stacked"} <= set(rates["rule"])
    assert (rates.loc[rates["metric"] == "coverage", "repetitions"] <= 4).all()
    assert (rates.loc[rates["metric"] == "gate_undecided", "repetitions"] == 4).all()
    verdict = json.loads((study.results / "verdict.json").read_text())
    assert verdict["certified"] is True
    site = verdict["sites"]["clinic"]
    assert {name: entry["certified"] for name, entry in site.items()} == {"sequential": True, "gaussian_copula": False}
    (gate,) = [gate for gate in site["sequential"]["gates"] if gate["metric"] == "detection"]
    caught = rates.query("generator == 'flat_copula' and effect == 'minimal_important' and metric == 'gate_failure'")["value"]
    assert gate["value"] == pytest.approx(caught.iloc[0])
    assert gate["judged"] == "lower"
    report = (study.results / "report.html").read_text()
    assert "What a pass is worth" in report
    assert 'id="certificate-1"' in report
    assert "certification.csv" in json.dumps(json.loads((study.results / "manifest.json").read_text())["outputs"])


def test_simulated_patients_are_not_kept(study: Study) -> None:
    kept = list((study.results / "exact/clinic/certification").rglob("*.parquet"))
    assert len(kept) == 3 * 4 + 1
    assert all("patient_id" not in pd.read_parquet(path) for path in kept)
    assert not list((study.results / "patients").rglob("*certif*"))


def test_a_changed_effect_simulates_again_and_a_changed_gap_does_not(study: Study) -> None:
    before = study.protocol.read_bytes()
    try:
        study.write_protocol(certified(minimal_important_effect=0.8))
        rules = planned_rules(study)
        assert "certify_generator" in rules
        assert rules.isdisjoint({"fit_generator", "estimate_effects", "measure_floor", "extract_patients"})
        study.write_protocol(changed(validation={"certification": CERTIFICATION, "gates": {"km_gap": 0.5}}))
        assert "certify_generator" not in planned_rules(study)
        study.write_protocol(changed(validation={"certification": CERTIFICATION, "gates": {"replicates_not_estimable": 0.4}}))
        assert "certify_generator" in planned_rules(study), "simulated studies leave out as many replicates as the study does"
    finally:
        study.protocol.write_bytes(before)


def test_batches_never_change_a_number(study: Study, tmp_path: Path) -> None:
    alone = make_study(tmp_path / "alone")
    alone.write_protocol(certified())
    command = [*alone.command("certify"), "batches=1"]
    done = alone.run_command(command)
    assert done.returncode == 0, done.stderr
    assert (alone.results / "certification.csv").read_bytes() == (study.results / "certification.csv").read_bytes()
    assert not (alone.results / "verdict.json").exists()


def test_the_target_asks_for_the_effect_that_it_needs(fresh: Study) -> None:
    done = fresh.run("certify", "--quiet", "all")
    assert done.returncode != 0
    logs = "".join(path.read_text() for path in fresh.results.rglob("logs/certify_generator/**/*.log"))
    assert "validation.certification.minimal_important_effect" in re.sub(r"\s+", " ", logs + done.stderr + done.stdout)
    assert "Traceback" not in logs
