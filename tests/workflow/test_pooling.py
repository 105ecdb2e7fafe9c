"""A tiny study at two sites that name, code and count differently, end to end."""

from __future__ import annotations

import copy
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from parallax.analysis.effects import analyse
from parallax.pooling import pool_cohorts, pool_settings
from parallax.protocol.loading import read_protocol
from parallax.sites.costs import list_jobs
from parallax.storage import read_json
from workflow.conftest import PROTOCOL, Study, make_study, simulate_patients

MONTH = 30.4375
#: gates that let every generator pass: what is tested is the way of the data
OPEN = {
    "shift_in_real_se": 50,
    "propensity_c_gap": 1,
    "km_gap": 1,
    "membership_auc_upper": 1,
    "membership_tpr_at_1pct_fpr_upper": 1,
    "excess_copies_upper": 1,
}


def protocol_of_two_sites() -> dict:
    protocol = copy.deepcopy(PROTOCOL)
    protocol["data"]["sites"]["hospital"] = {
        "source": "file",
        "path": "hospital.csv",
        "patient_id": "nr",
        "columns": {
            "nr": {"type": "integer", "missing": False},
            "arm": {"type": "integer"},
            "born": {"type": "number"},
            "marker": {"type": "number"},
            "grade": {"type": "integer"},
            "months": {"type": "number"},
            "died": {"type": "integer"},
        },
        "mapping": {
            "drug": {"column": "arm", "levels": {"0": "no", "1": "yes"}},
            "age": {"expression": "2000 - born"},
            "stage": {"column": "grade", "levels": {"1": "I", "2": "II", "3": "III"}},
            "days": {"column": "months", "factor": MONTH},
        },
    }
    protocol["synthesis"] = {"replicates": 3, "generators": {"sequential": {"method": "sequential"}}}
    protocol["designs"] = {"overlap": {"method": "weight", "estimand": "ATO"}}
    protocol["pooling"] = {"individual_real": True, "here": ["clinic"]}
    protocol["validation"] = {"gates": OPEN}
    return protocol


def write_hospital(folder: Path) -> None:
    patients = simulate_patients(seed=2)
    pd.DataFrame(
        {
            "nr": patients["id"],
            "arm": (patients["drug"] == "yes").astype(int),
            "born": (2000 - patients["age"]).round(1),
            "marker": patients["marker"],
            "grade": patients["stage"].map({"I": 1, "II": 2, "III": 3}),
            "months": patients["days"] / MONTH,
            "died": patients["died"],
        }
    ).to_csv(folder / "hospital.csv", index=False)


@pytest.fixture(scope="module")
def two_sites(tmp_path_factory: pytest.TempPathFactory) -> Study:
    study = make_study(tmp_path_factory.mktemp("two_sites"))
    write_hospital(study.folder)
    study.write_protocol(protocol_of_two_sites())
    done = study.run()
    assert done.returncode == 0, done.stdout + done.stderr
    return study


def test_every_way_has_its_rows_and_says_what_was_shared(two_sites: Study) -> None:
    estimates = pd.read_csv(two_sites.results / "estimates.csv")
    pooled = estimates[(estimates["site"] == "pooled") & estimates["rule"].isin(["none", "partial"])]
    assert set(estimates["site"]) == {"clinic", "hospital", "pooled"}
    assert estimates.loc[estimates["site"] != "pooled", ["way", "shared"]].isna().all(axis=None)
    shared = pooled.drop_duplicates("way").set_index("way")["shared"].to_dict()
    assert shared == {
        "individual_real": "real patients of clinic and hospital",
        "individual_synthetic": "synthetic patients of clinic and hospital",
        "individual_mixed": "synthetic patients of hospital",
    }
    assert (pooled["status"] == "ok").all()


def test_way_one_is_the_analysis_of_both_cohorts_stratified_by_site(two_sites: Study) -> None:
    protocol = read_protocol(two_sites.protocol)
    cohorts = {site: pd.read_parquet(two_sites.results / f"patients/{site}/real/cohort.parquet") for site in protocol.sites}
    settings = pool_settings(protocol.pooling, covariates=protocol.cohort.covariates, designs=protocol.designs, propensity=protocol.propensity)
    how = {"covariates": settings.covariates, "designs": settings.designs, "propensity": settings.propensity}
    expected = analyse(pool_cohorts(cohorts), **how, outcomes=protocol.outcomes).estimates
    found = pd.read_parquet(two_sites.results / "exact/pooled/real/individual.parquet")
    np.testing.assert_allclose(found["estimate"], expected["estimate"], rtol=1e-8)
    np.testing.assert_allclose(found["std_error"], expected["std_error"], rtol=1e-8)
    assert not (two_sites.results / "patients/pooled").exists()


def test_the_hospitals_own_columns_became_the_studys(two_sites: Study) -> None:
    cohort = pd.read_parquet(two_sites.results / "patients/hospital/real/cohort.parquet").set_index("patient_id")
    source = simulate_patients(seed=2).query("age >= 18").set_index("id")
    source.index = source.index.astype(str)
    np.testing.assert_allclose(cohort["death_days"], source.loc[cohort.index, "days"])
    np.testing.assert_allclose(cohort["age"], source.loc[cohort.index, "age"], atol=0.051)
    assert cohort["stage"].tolist() == source.loc[cohort.index, "stage"].tolist()


def test_the_verdict_and_the_costs_are_of_every_way_against_the_benchmark(two_sites: Study) -> None:
    verdict = read_json(two_sites.results / "verdict.json")
    judged = {entry["way"]: entry for entry in verdict["pooled"]}
    assert set(judged) == {"aggregates", "individual_synthetic", "individual_mixed", "aggregates_synthetic"}
    assert {entry["benchmark"] for entry in judged.values()} == {"individual_real"}
    costs = pd.read_csv(two_sites.results / "pooling.csv")
    primary = costs.query("contrast == 'hazard_ratio' and horizon_days == 60 and benchmark == 'individual_real'").set_index("way")
    for way, entry in judged.items():
        assert primary.loc[way, "shift"] == pytest.approx(entry["shift"], rel=0.01)
    assert (costs["width_ratio"] > 0.5).all()
    assert "All sites together" in (two_sites.results / "report.html").read_text(encoding="utf-8")
    assert "pooling.csv" in (two_sites.results / "manifest.json").read_text(encoding="utf-8")


def test_every_planned_job_is_counted_and_no_other(tmp_path: Path) -> None:
    """A study with all that a verdict can ask for: what Snakemake plans for the pooled answers is what is added up, rule by rule."""
    study = make_study(tmp_path)
    write_hospital(study.folder)
    content = protocol_of_two_sites()
    content["synthesis"] |= {"hold_out": 0.5, "hold_out_in_turn": True, "fit": "bootstrap"}
    content["privacy"] = {"shadow_models": 40}
    content["validation"] |= {"blinded": True, "certification": {"repetitions": 20, "minimal_important_effect": 0.8}}
    study.write_protocol(content)
    planned = study.run("results/tiny/pooling_costs.csv", "--dry-run", "--set-scatter", "fits=2", options=("batches=2",))
    assert planned.returncode == 0, planned.stdout + planned.stderr
    stats = re.findall(r"^ ([a-z]+(?: [a-z]+)*) +(\d+) *$", planned.stderr, flags=re.MULTILINE)
    counted = {name.replace(" ", "_"): int(count) for name, count in stats if name != "total"}
    jobs = list_jobs(read_protocol(study.protocol), fits=2, simulations=2)
    needed = Counter(job.split("/")[0] for job in {job for of_place in jobs.values() for job in of_place})
    assert counted == needed | {"collect_costs": 1}
