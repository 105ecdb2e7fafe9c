"""Two institutions with nothing in common but what one sends the other: a release, a file of site results, their signatures and a public key."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from parallax.pooling import pool_settings
from parallax.protocol.loading import read_protocol
from parallax.statistics.preferred_numbers import nearest_step
from parallax.storage import read_table
from parallax.tables import COMBINED, POOLED, cohort_schema
from parallax.validation.ways import answer, pool_generator
from workflow.conftest import PROTOCOL, REPOSITORY, Study, simulate_patients
from workflow.searching import search
from workflow.test_release import RELEASABLE

pytestmark = [pytest.mark.timeout(1800), pytest.mark.slow]

MARKED = ("age", "marker")
SENT = ("harbour.json", "harbour.json.sig")
RELEASE = {"source": "release", "path": "inbox/release", "public_key": "inbox/harbour.pub"}
OF_HARBOUR = {"harbour": {"path": "inbox/harbour.json", "public_key": "inbox/harbour.pub"}}
#: one generator and two designs, so that the study is small; what is asked is the same. Gates that so few patients can pass: the protocol says so
SMALL = copy.deepcopy(PROTOCOL) | {
    "validation": RELEASABLE["validation"],
    "synthesis": {"replicates": 2, "generators": {"sequential": {"method": "sequential"}}},
    "designs": {"crude": {"method": "none"}, "overlap": {"method": "weight", "estimand": "ATO"}},
}


@dataclass(frozen=True)
class Institution(Study):
    """A study run by a copy of the project of its own."""

    def command(self, *words: str, options: tuple[str, ...] = ()) -> list[str]:
        found = super().command(*words, options=options)
        found[found.index(str(REPOSITORY / "Snakefile"))] = str(self.folder / "parallax/Snakefile")
        return found

    def run(self, *words: str, options: tuple[str, ...] = (), environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return super().run(*words, options=options, environment={"PYTHONPATH": ""} | (environment or {}))

    def pools(self, **changed: object) -> Institution:
        """The same institution, with what it was sent, before it reads it: the other's release as a site, and its results."""
        protocol = copy.deepcopy(SMALL) | {
            "data": {"sites": PROTOCOL["data"]["sites"] | {"harbour": RELEASE}},
            "pooling": {"here": ["clinic"], "site_results": OF_HARBOUR},
        }
        for name, value in changed.items():
            protocol[name] = value
        self.write_protocol(protocol)
        return self


def found(folder: Path, site: str, *, seed: int) -> Institution:
    """A folder with a copy of the project, compiled, a protocol, and patients."""
    for name in ("workflow", "config", "envs", "profiles"):
        shutil.copytree(REPOSITORY / name, folder / "parallax" / name)
    shutil.copy(REPOSITORY / "Snakefile", folder / "parallax")
    mark_patients(simulate_patients(300, seed=seed), seed=seed).to_csv(folder / "patients.csv", index=False)
    institution = Institution(folder, folder / "tiny.yaml")
    institution.write_protocol(copy.deepcopy(SMALL) | {"data": {"sites": {site: PROTOCOL["data"]["sites"]["clinic"]}}})
    return institution


def mark_patients(patients: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """Every patient with an age and a marker of five decimals more, which no other number of a study is."""
    digits = np.random.default_rng(seed).permutation(90_000)[: 2 * len(patients)].reshape(2, -1) + 10_000
    marked = {
        name: [f"{value:.1f}{number}" if value == value else None for value, number in zip(patients[name], digits[row], strict=True)]
        for row, name in enumerate(MARKED)
    }
    return patients.assign(**marked)


def openssl(*words: object) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


def make_key(folder: Path, name: str) -> Path:
    key = folder / f"{name}.pem"
    openssl("genpkey", "-algorithm", "ed25519", "-out", key)
    key.chmod(0o600)
    openssl("pkey", "-in", key, "-pubout", "-out", folder / f"{name}.pub")
    return key


@pytest.fixture(scope="module")
def harbour(tmp_path_factory: pytest.TempPathFactory) -> Institution:
    """The institution that sends: its study is run, its results are written and signed."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the program openssl")
    institution = found(tmp_path_factory.mktemp("harbour"), "harbour", seed=2)
    key = make_key(institution.folder, "harbour")
    done = institution.run("site_results", "release", options=(f"signing_key={key}",))
    assert done.returncode == 0, done.stdout + done.stderr
    return institution


@pytest.fixture(scope="module")
def clinic(harbour: Institution, tmp_path_factory: pytest.TempPathFactory) -> Institution:
    """The institution that reads: of the other it has an inbox. Its study is run, and what it was sent is pooled with it."""
    institution = found(tmp_path_factory.mktemp("clinic"), "clinic", seed=1)
    deliver(harbour, institution)
    pooled = institution.pools()
    # in two steps, for each run has its time
    for wanted in (["exact/verdicts.json"], ["estimates.csv", "pooling.csv", "pooling_costs.csv", "heterogeneity.csv", "site_overlap.csv"]):
        done = pooled.run(*(f"results/tiny/{name}" for name in wanted))
        assert done.returncode == 0, done.stdout + done.stderr
    return pooled


def deliver(sender: Institution, receiver: Institution) -> None:
    inbox = receiver.folder / "inbox"
    inbox.mkdir(exist_ok=True)
    for name in SENT:
        shutil.copy(sender.results / "site_results" / name, inbox)
    shutil.rmtree(inbox / "release", ignore_errors=True)
    shutil.copytree(sender.results / "release/sequential", inbox / "release")
    shutil.copy(sender.folder / "harbour.pub", inbox)


@pytest.fixture
def inbox(clinic: Institution, harbour: Institution) -> Iterator[Path]:
    """The clinic's inbox for a test that tampers with it; everything is put back."""
    yield clinic.folder / "inbox"
    deliver(harbour, clinic)
    clinic.pools()


def refused(institution: Institution) -> str:
    """What is said before the first job."""
    planned = institution.run("--dry-run")
    assert planned.returncode != 0, planned.stdout
    return planned.stdout + planned.stderr


def test_the_signature_can_be_checked_by_openssl_alone(harbour: Institution) -> None:
    file, signature = (harbour.results / "site_results" / name for name in SENT)
    openssl("pkeyutl", "-verify", "-pubin", "-inkey", harbour.folder / "harbour.pub", "-rawin", "-in", file, "-sigfile", signature)


def test_nothing_of_a_patient_is_sent(harbour: Institution) -> None:
    content = json.loads((harbour.results / "site_results" / SENT[0]).read_text())
    assert "data" not in content["protocol"]
    assert str(harbour.folder) not in json.dumps(content)
    counts = [row[name] for row in content["answers"] for name in ("n_treated", "n_comparator", "events_treated", "events_comparator")]
    assert all(count is None or (count >= 10 and count % 5 == 0) for count in counts)
    assert len(content["answers"]) == 2 * len({(row["design"], row["contrast"], row["horizon_days"]) for row in content["answers"]})


def test_the_pooled_answer_is_that_of_both(clinic: Institution, harbour: Institution) -> None:
    pooled = pd.read_parquet(clinic.results / "exact/pooled/real/aggregates.parquet")
    primary = pooled[(pooled["design"] == "overlap") & (pooled["contrast"] == "hazard_ratio") & (pooled["horizon_days"] == 60)]
    row = primary.set_index("rule").loc["fixed_effect"]
    sites = []
    for institution, site in ((clinic, "clinic"), (harbour, "harbour")):
        own = pd.read_parquet(institution.results / f"exact/{site}/real/combined.parquet")
        sites.append(own[(own["design"] == "overlap") & (own["contrast"] == "hazard_ratio") & (own["horizon_days"] == 60)].iloc[0])
    y, weight = np.log([site["estimate"] for site in sites]), np.array([site["std_error"] for site in sites]) ** -2.0
    assert row["sites"] == "clinic, harbour"
    assert row["shared"] == "estimates, variances and counts"
    assert np.log(row["estimate"]) == pytest.approx(weight @ y / weight.sum(), abs=0.06 * row["std_error"]), "a file has two digits of the error"
    assert row["std_error"] == pytest.approx(weight.sum() ** -0.5, rel=0.06)
    assert row["n_treated"] == pytest.approx(sum(site["n_treated"] for site in sites), abs=5)


def test_the_pooled_answer_stands_beside_the_sites(clinic: Institution) -> None:
    estimates = pd.read_csv(clinic.results / "estimates.csv")
    pooled = estimates[estimates["site"] == "pooled"]
    assert set(zip(pooled["dataset"], pooled["way"], strict=True)) >= {("real", "aggregates"), ("sequential", "aggregates_synthetic")}
    assert set(pooled.loc[pooled["way"].str.startswith("aggregates"), "rule"]) == {"fixed_effect", "random_effects", "hartung_knapp"}
    assert "individual_real" not in set(pooled["way"])
    assert set(estimates.loc[estimates["site"] != "pooled", "site"]) == {"clinic", "harbour"}


def test_the_release_is_pooled_with_real_patients_and_with_synthetic_ones(clinic: Institution, harbour: Institution) -> None:
    """As if both were in one place: the sender's own replicates and number of patients give the same answer."""
    protocol = read_protocol(clinic.protocol)
    schema = cohort_schema(protocol.cohort.covariates, protocol.outcomes)
    ours, theirs = ((study.results / f"patients/{site}", site) for study, site in ((clinic, "clinic"), (harbour, "harbour")))
    real = {site: read_table(folder / "real/cohort.parquet", schema) for folder, site in (ours, theirs)}
    drawn = {site: read_table(folder / "sequential/cohort.parquet", schema) for folder, site in (ours, theirs)}
    pd.testing.assert_frame_equal(read_table(clinic.results / "patients/harbour/released/cohort.parquet", schema), drawn["harbour"])
    record = json.loads((clinic.results / "exact/harbour/released/record.json").read_text())
    assert record == {"generator": "sequential", "patients": len(real["harbour"]), "signed": True}
    verdict = json.loads((clinic.results / "exact/verdicts.json").read_text())["sites"]["clinic"]["sequential"]["verdict"]
    expected = pool_generator(real, drawn, generator="sequential", verdicts={"clinic": verdict, "harbour": "release"}, here=("clinic",))
    settings = pool_settings(protocol.pooling, covariates=protocol.cohort.covariates, designs=protocol.designs, propensity=protocol.propensity)
    found = read_table(clinic.results / "exact/pooled/sequential/individual.parquet", POOLED)
    targets = read_table(clinic.results / "exact/clinic/real/combined.parquet", COMBINED)
    for pool in expected:
        asked = {"targets": targets, "outcomes": protocol.outcomes, "gates": protocol.validation.gates, "fit": "single", "seed": 1}
        table = answer(pool, settings, **asked)[0]
        same = found[found["way"] == pool.way].reset_index(drop=True)
        for name in ("estimate", "std_error"):
            np.testing.assert_allclose(same[name], table[name], rtol=1e-8)
        assert same["status"].eq("ok").all()
        assert set(same["sites"]) == {"clinic, harbour"}


def test_what_the_release_answers_is_judged_against_the_aggregates(clinic: Institution) -> None:
    judged = {entry["way"]: entry for entry in json.loads((clinic.results / "verdict.json").read_text())["pooled"]}
    assert set(judged) == {"individual_synthetic", "individual_mixed", "aggregates_synthetic"}
    assert {entry["benchmark"] for entry in judged.values()} == {"aggregates"}
    assert judged["individual_mixed"]["shift"] is not None
    assert judged["individual_mixed"]["sites"] == "clinic, harbour"


def test_heterogeneity_is_shown(clinic: Institution) -> None:
    found = pd.read_csv(clinic.results / "heterogeneity.csv")
    assert set(found["measure"]) == {"site", "q", "tau2", "i2", "prediction", "left_out"}
    assert set(found["dataset"]) == {"real", "sequential"}
    overlap = pd.read_csv(clinic.results / "site_overlap.csv")
    assert set(overlap["covariate"]) == {"age", "marker", "stage"}
    assert overlap["value"].abs().max() < 0.5, "both draw their patients from one population"


def test_nothing_of_the_other_institution_is_here(clinic: Institution, harbour: Institution) -> None:
    """Every patient of the harbour has an age and a marker that no other number is; the copy of the project was there before anything was sent."""
    marks = pd.read_csv(harbour.folder / "patients.csv", dtype=str)
    words = {value for name in MARKED for value in marks[name].dropna()}
    numbers = {float(word) for word in words}
    files = [path for path in clinic.folder.rglob("*") if path.is_file() and not path.is_relative_to(clinic.folder / "parallax")]
    assert {path.name for path in files} >= {"harbour.json", "cohort.parquet", "estimates.csv", "pooling_costs.csv"}
    assert search([harbour.results / "patients/harbour/real/cohort.parquet"], words, numbers, folder=harbour.folder) != set()
    assert search(files, words, numbers, folder=clinic.folder) == set()


def test_an_altered_file(clinic: Institution, inbox: Path) -> None:
    file = inbox / SENT[0]
    content = json.loads(file.read_text())
    content["answers"][0]["variance"] /= 2
    file.write_text(json.dumps(content))
    assert "the file was changed after it was signed" in refused(clinic)


def test_a_release_that_was_altered(clinic: Institution, inbox: Path) -> None:
    """The list of digests is changed with it, and would be right."""
    (inbox / "release/patients/harbour.parquet").unlink()
    sums = inbox / "release/SHA256SUMS"
    sums.write_text("".join(line for line in sums.read_text().splitlines(keepends=True) if "harbour.parquet" not in line))
    said = refused(clinic)
    assert "the file was changed after it was signed" in said
    assert "Traceback" not in said


def test_months_for_days_elsewhere(clinic: Institution, inbox: Path) -> None:
    file = inbox / SENT[0]
    content = json.loads(file.read_text())
    assert content["follow_up"] == [{"outcome": "death", "median_days": nearest_step(content["follow_up"][0]["median_days"])}]
    content["follow_up"][0]["median_days"] = 2.0
    file.write_text(json.dumps(content))
    clinic.pools(pooling={"here": ["clinic"], "site_results": {"harbour": {"path": "inbox/harbour.json"}}})
    said = refused(clinic)
    assert "pooling.site_results.harbour" in said
    assert "harbour perhaps in months" in said
    assert "Traceback" not in said


def test_a_release_of_another_study(clinic: Institution, inbox: Path) -> None:
    clinic.pools(synthesis=SMALL["synthesis"] | {"replicates": 3}, pooling={"here": ["clinic"]})
    said = refused(clinic)
    assert "a release of another study: it differs in synthesis.replicates" in said
    assert "Traceback" not in said


def test_another_protocol(clinic: Institution, inbox: Path) -> None:
    clinic.pools(disclosure={"minimum_count": 20, "round_to": 10}, data={"sites": PROTOCOL["data"]["sites"]}, pooling={"site_results": OF_HARBOUR})
    said = refused(clinic)
    assert "another study: it differs in disclosure.minimum_count" in said
    assert "Traceback" not in said


def test_a_new_file_reruns_what_pools_it_only(clinic: Institution, inbox: Path) -> None:
    shutil.copy(inbox / SENT[0], inbox / "again")
    (inbox / SENT[0]).unlink()
    shutil.move(inbox / "again", inbox / SENT[0])
    planned = clinic.run("--dry-run", "results/tiny/heterogeneity.csv")
    assert planned.returncode == 0, planned.stdout + planned.stderr
    for untouched in ("estimate effects", "fit generator", "reach verdict"):
        assert untouched not in planned.stdout + planned.stderr
