"""Two institutions with nothing in common but what one sends the other: a file of site results, its signature and a public key."""

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

from workflow.conftest import PROTOCOL, REPOSITORY, Study, simulate_patients

pytestmark = pytest.mark.xdist_group("exchange")

SENT = ("harbour.json", "harbour.json.sig")
#: one generator and two designs, so that the study is small; what is asked is the same
SMALL = copy.deepcopy(PROTOCOL) | {
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
        """The same institution, with what it was sent, before it reads it: a protocol with the key ``site_results``."""
        protocol = copy.deepcopy(SMALL) | {
            "pooling": {"site_results": {"harbour": {"path": "inbox/harbour.json", "public_key": "inbox/harbour.pub"}}}
        }
        for name, value in changed.items():
            protocol[name] = value
        self.write_protocol(protocol)
        return self


def found(folder: Path, site: str, *, seed: int) -> Institution:
    """A folder with a copy of the project, a protocol, and patients."""
    for name in ("workflow", "config", "envs", "profiles"):
        shutil.copytree(REPOSITORY / name, folder / "parallax" / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "Snakefile", folder / "parallax")
    simulate_patients(300, seed=seed).to_csv(folder / "patients.csv", index=False)
    institution = Institution(folder, folder / "tiny.yaml")
    institution.write_protocol(copy.deepcopy(SMALL) | {"data": {"sites": {site: PROTOCOL["data"]["sites"]["clinic"]}}})
    return institution


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
    done = institution.run("site_results", options=(f"signing_key={key}",))
    assert done.returncode == 0, done.stdout + done.stderr
    return institution


@pytest.fixture(scope="module")
def clinic(harbour: Institution, tmp_path_factory: pytest.TempPathFactory) -> Institution:
    """The institution that reads: of the other it has an inbox. Its study is run, and what it was sent is pooled with it."""
    institution = found(tmp_path_factory.mktemp("clinic"), "clinic", seed=1)
    deliver(harbour, institution)
    pooled = institution.pools()
    wanted = ["estimates.csv", "pooling.csv", "heterogeneity.csv", "site_overlap.csv"]
    done = pooled.run(*(f"results/tiny/{name}" for name in wanted))
    assert done.returncode == 0, done.stdout + done.stderr
    return pooled


def deliver(sender: Institution, receiver: Institution) -> None:
    inbox = receiver.folder / "inbox"
    inbox.mkdir(exist_ok=True)
    for name in SENT:
        shutil.copy(sender.results / "site_results" / name, inbox)
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
    assert set(zip(pooled["dataset"], pooled["way"], strict=True)) == {("real", "aggregates"), ("sequential", "aggregates_synthetic")}
    assert set(pooled["rule"]) == {"fixed_effect", "random_effects", "hartung_knapp"}
    assert set(estimates.loc[estimates["site"] != "pooled", "site"]) == {"clinic"}


def test_heterogeneity_is_shown(clinic: Institution) -> None:
    found = pd.read_csv(clinic.results / "heterogeneity.csv")
    assert set(found["measure"]) == {"site", "q", "tau2", "i2", "prediction", "left_out"}
    assert set(found["dataset"]) == {"real", "sequential"}
    overlap = pd.read_csv(clinic.results / "site_overlap.csv")
    assert set(overlap["covariate"]) == {"age", "marker", "stage"}
    assert overlap["value"].abs().max() < 0.5, "both draw their patients from one population"


def test_nothing_of_the_other_institution_is_here(clinic: Institution, harbour: Institution) -> None:
    theirs = pd.read_csv(harbour.folder / "patients.csv")
    ours = pd.read_parquet(clinic.results / "patients/clinic/source/patients.parquet")
    assert not set(theirs["days"].head(5).items()) <= set(ours["days"].items())
    assert not (clinic.results / "patients/harbour").exists()


def test_an_altered_file(clinic: Institution, inbox: Path) -> None:
    file = inbox / SENT[0]
    content = json.loads(file.read_text())
    content["answers"][0]["variance"] /= 2
    file.write_text(json.dumps(content))
    assert "the file was changed after it was signed" in refused(clinic)


def test_a_signature_by_another_key(clinic: Institution, inbox: Path, tmp_path: Path) -> None:
    make_key(tmp_path, "stranger")
    shutil.copy(tmp_path / "stranger.pub", inbox / "harbour.pub")
    assert "no signature of this file by this key" in refused(clinic)


def test_another_protocol(clinic: Institution, inbox: Path) -> None:
    clinic.pools(disclosure={"minimum_count": 20, "round_to": 5})
    said = refused(clinic)
    assert "another study: it differs in disclosure.minimum_count" in said
    assert "Traceback" not in said


def test_what_the_own_site_is_called(clinic: Institution, inbox: Path) -> None:
    clinic.pools(pooling={"site_results": {"clinic": {"path": "inbox/harbour.json"}}})
    assert "a name that is reserved, or that a site with real patients or a generator of this protocol has" in refused(clinic)


def test_a_new_file_reruns_what_pools_it_only(clinic: Institution, inbox: Path) -> None:
    shutil.copy(inbox / SENT[0], inbox / "again")
    (inbox / SENT[0]).unlink()
    shutil.move(inbox / "again", inbox / SENT[0])
    planned = clinic.run("--dry-run", "results/tiny/heterogeneity.csv")
    assert planned.returncode == 0, planned.stdout + planned.stderr
    for untouched in ("estimate effects", "fit generator", "reach verdict"):
        assert untouched not in planned.stdout + planned.stderr
