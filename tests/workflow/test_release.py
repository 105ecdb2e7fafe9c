"""A release from end to end: made, verified with standard tools, used at another institution, compared; and what is refused."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
import yaml

from workflow.conftest import LENIENT, PROTOCOL, Study, make_study

#: one generator, few designs
RELEASABLE = PROTOCOL | {
    "cohort": PROTOCOL["cohort"]
    | {
        "eligibility": [
            {"name": "adults", "keep": "age >= 18", "reason": "adults only"},
            {"name": "consenting", "keep": "consent = 1", "reason": "consent is needed"},
        ]
    },
    "synthesis": {"replicates": 2, "generators": {"sequential": {"method": "sequential"}}},
    "designs": {"crude": {"method": "none"}, "overlap": {"method": "weight", "estimand": "ATO"}},
    "validation": {"gates": LENIENT},
}
READ = ("results/tiny/estimates.csv", "results/tiny/verdict.json", "results/tiny/report.html")


def make_releasable(folder: Path, protocol: dict) -> Study:
    study = make_study(folder)
    patients = pd.read_csv(folder / "patients.csv")
    patients.assign(consent=[int(number % 20 > 0) for number in range(len(patients))]).to_csv(folder / "patients.csv", index=False)
    site = protocol["data"]["sites"]["clinic"]
    columns = site["columns"] | {"consent": {"type": "integer"}}
    study.write_protocol(protocol | {"data": {"sites": {"clinic": site | {"columns": columns}}}})
    return study


def openssl(*words: object, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True, check=False, cwd=folder)


@pytest.fixture(scope="module")
def sender(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study whose generator passed, and its signed release."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the program openssl")
    study = make_releasable(tmp_path_factory.mktemp("sender"), RELEASABLE)
    assert openssl("genpkey", "-algorithm", "ed25519", "-out", "key.pem", folder=study.folder).returncode == 0
    (study.folder / "key.pem").chmod(0o600)
    assert openssl("pkey", "-in", "key.pem", "-pubout", "-out", "public.pem", folder=study.folder).returncode == 0
    done = study.run("release", *READ, options=("signing_key=key.pem",))
    assert done.returncode == 0, done.stdout + done.stderr
    return study


@pytest.fixture(scope="module")
def receiver(sender: Study, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The study on the released folder, at an institution that has nothing else."""
    folder = tmp_path_factory.mktemp("receiver")
    shutil.copytree(released(sender), folder / "received")
    shutil.copy(sender.folder / "public.pem", folder)
    protocol = yaml.safe_load((folder / "received/protocol.yaml").read_text())
    protocol["data"]["sites"]["clinic"] |= {"path": "received", "public_key": "public.pem"}
    study = Study(folder, folder / "tiny.yaml")
    study.write_protocol(protocol)
    done = study.run(*READ)
    assert done.returncode == 0, done.stdout + done.stderr
    return study


def released(study: Study) -> Path:
    return study.results / "release/sequential"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_standard_tools_verify_a_release(sender: Study) -> None:
    folder = released(sender)
    lines = [line for line in (folder / "README.md").read_text().splitlines() if line.startswith(("openssl", "sha256sum", "find"))]
    script = "\n".join(lines).replace("PUBLIC_KEY.pem", str(sender.folder / "public.pem"))
    done = subprocess.run(["bash", "-e", "-c", script], capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr
    verified, found, listed = done.stdout.splitlines()
    assert verified == "Signature Verified Successfully"
    assert found == listed == str(len((folder / "SHA256SUMS").read_text().splitlines()))


def test_a_release_holds_what_it_says_and_nothing_of_this_place(sender: Study) -> None:
    files = contents(released(sender))
    assert {"README.md", "MODEL_CARD.md", "release.json", "protocol.yaml", "dictionary.csv", "verdict.json"} <= set(files)
    assert {"patients/clinic.csv", "patients/clinic.parquet", "aggregates/clinic/combined.csv", "SHA256SUMS", "SHA256SUMS.sig"} <= set(files)
    assert not [name for name in files if name.endswith(".pkl")]
    secret = (sender.folder / "key.pem").read_text().splitlines()[1].encode()
    for path in (*released(sender).rglob("*"), *sender.results.glob("logs/**/*"), *sender.folder.glob(".snakemake/log/*")):
        if path.is_file():
            assert secret not in path.read_bytes(), path
    for name, content in files.items():
        assert str(sender.folder).encode() not in content, name
    card = files["MODEL_CARD.md"].decode()
    assert "AI-generated" in card
    assert "lies within ±5 of its own standard errors" in card
    assert (released(sender) / "patients/clinic.csv").stat().st_mode & 0o777 == 0o644
    assert released(sender).stat().st_mode & 0o777 == 0o755


def test_released_patients_are_the_drawn_ones(sender: Study) -> None:
    drawn = pd.read_parquet(sender.results / "patients/clinic/sequential/cohort.parquet")
    for frame in (pd.read_csv(released(sender) / "patients/clinic.csv"), pd.read_parquet(released(sender) / "patients/clinic.parquet")):
        assert (frame["drug"] == "yes").tolist() == drawn["treated"].tolist()
        assert frame["days"].tolist() == drawn["death_days"].tolist()
        assert frame["died"].tolist() == drawn["death_event"].tolist()
        pd.testing.assert_series_equal(frame["age"].astype(float), drawn["age"])
        assert frame["stage"].tolist() == drawn["stage"].tolist()


def test_two_releases_are_equal(sender: Study) -> None:
    first = contents(released(sender))
    done = sender.run("release", "--forcerun", "write_release", options=("signing_key=key.pem",))
    assert done.returncode == 0, done.stderr
    assert contents(released(sender)) == first


def test_a_study_runs_on_a_release_and_says_what_its_patients_are(receiver: Study, sender: Study) -> None:
    drawn = pd.read_parquet(sender.results / "patients/clinic/sequential/cohort.parquet")
    taken = pd.read_parquet(receiver.results / "patients/clinic/real/cohort.parquet")
    pd.testing.assert_frame_equal(taken, drawn[drawn["replicate"] == 0].reset_index(drop=True))
    attrition = pd.read_parquet(receiver.results / "exact/clinic/real/attrition.parquet").set_index("criterion")
    assert attrition.loc["consenting", "excluded"] == 0
    assert attrition.loc["consenting", "reason"].endswith("(applied before the release)")
    head = (receiver.results / "report.html").read_text().partition("<section")[0]
    assert "AI-generated patients" in head
    assert "AI-generated" not in (sender.results / "report.html").read_text().partition("<section")[0]


def test_patients_made_from_a_release_are_not_released(receiver: Study) -> None:
    done = receiver.run("release")
    assert done.returncode != 0
    assert "the patients of clinic are AI-generated themselves" in done.stdout + done.stderr
    assert not (receiver.results / "release/sequential").exists()


def test_the_two_results_are_compared(receiver: Study, sender: Study) -> None:
    done = sender.run("compare", options=(f"with={receiver.results}",))
    assert done.returncode == 0, done.stdout + done.stderr
    table = pd.read_csv(sender.results / "comparison.csv").set_index(["site", "design", "outcome", "contrast", "horizon_days"])
    real, synthetic = (pd.read_csv(study.results / "estimates.csv") for study in (sender, receiver))
    keys = ["site", "design", "outcome", "contrast", "horizon_days"]
    this, other = (frame[frame["dataset"] == "real"].set_index(keys) for frame in (real, synthetic))
    place = ("clinic", "overlap", "death", "risk_difference", 60.0)
    expected = (this.loc[place, "estimate"] - other.loc[place, "estimate"]) / this.loc[place, "std_error"]
    assert table.loc[place, "difference_in_se"] == pytest.approx(expected, rel=1e-6)
    assert set(table["this_patients"]) == {"real"}
    assert set(table["other_patients"]) == {"AI-generated"}


def test_other_protocols_are_not_compared(receiver: Study, sender: Study, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(receiver.results, other, ignore=shutil.ignore_patterns("patients", "exact", "logs", "benchmarks", "aggregates"))
    register = (other / "registration.jsonl").read_text()
    (other / "registration.jsonl").write_text(register.replace("adults only", "grown-ups only"))
    done = sender.run("compare", options=(f"with={other}",))
    assert done.returncode != 0
    assert "does not follow from the lines before it" in done.stdout + done.stderr
    (other / "estimates.csv").write_bytes(b"site,dataset\n\xff")
    done = sender.run("compare", options=(f"with={other}",))
    assert done.returncode != 0
    assert "results that cannot be read" in done.stdout + done.stderr
    done = sender.run("compare", options=(f"with={tmp_path / 'none'}",))
    assert done.returncode != 0
    assert "the results folder of a finished study" in done.stdout + done.stderr


def test_treated_patients_stand_beside_the_released_comparators(sender: Study, tmp_path: Path) -> None:
    study = make_releasable(tmp_path, RELEASABLE)
    protocol = yaml.safe_load(study.protocol.read_text())
    control = {"path": str(released(sender)), "public_key": str(sender.folder / "public.pem")}
    study.write_protocol(protocol | {"data": protocol["data"] | {"external_controls": {"clinic": control}}})
    patients = pd.read_csv(tmp_path / "patients.csv")
    patients[patients["drug"] == "yes"].to_csv(tmp_path / "patients.csv", index=False)
    done = study.run("external_control")
    assert done.returncode == 0, done.stdout + done.stderr
    cohort = pd.read_parquet(study.results / "patients/clinic/external_control/cohort.parquet")
    treated = cohort[cohort["treated"]].groupby("replicate")["patient_id"].apply(list)
    assert treated[0] == treated[1]
    assert all(name.startswith("real/") for name in treated[0])
    concentration = pd.read_parquet(study.results / "exact/clinic/external_control/concentration.parquet")
    assert set(concentration["arm"]) == {"treated"}, "whose sums few carry is asked of those who lived"
    table = pd.read_csv(study.results / "external_control.csv")
    assert set(table["dataset"]) == {"AI-generated control"}
    assert set(table["rule"]) == {"partial"}
    figure = (study.results / "external_control.svg").read_text()
    assert "AI-generated control" in figure
    assert "synthetic control" not in figure
    page = (study.results / "external_control.html").read_text()
    assert "<h2>AI-generated control</h2>" in page
    assert str(tmp_path) not in page


def test_a_changed_release_stops_a_study_before_its_first_job(receiver: Study, tmp_path: Path) -> None:
    study = Study(tmp_path, tmp_path / "tiny.yaml")
    shutil.copytree(receiver.folder / "received", tmp_path / "received")
    shutil.copy(receiver.folder / "public.pem", tmp_path)
    study.protocol.write_bytes(receiver.protocol.read_bytes())
    path = tmp_path / "received/patients/clinic.csv"
    content = bytearray(path.read_bytes())
    content[-2] ^= 1
    path.write_bytes(content)
    done = study.run()
    assert done.returncode != 0
    assert "patients/clinic.csv changed since SHA256SUMS was written" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not (tmp_path / "results").exists()


def test_a_generator_that_failed_is_refused_with_its_reasons(sender: Study) -> None:
    sound = sender.protocol.read_text()
    protocol = yaml.safe_load(sound)
    protocol["validation"]["gates"]["propensity_c_gap"] = 1e-6
    sender.write_protocol(protocol)
    done = sender.run("release", options=("signing_key=key.pem",))
    sender.protocol.write_text(sound)
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert "release of sequential: refused, nothing was written" in said
    assert "c-statistic, synthetic minus real" in said
    assert not (sender.results / "release/sequential").exists()


def test_a_key_that_others_can_read_is_refused_before_the_first_job(fresh: Study) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("needs the program openssl")
    assert openssl("genpkey", "-algorithm", "ed25519", "-out", "key.pem", folder=fresh.folder).returncode == 0
    (fresh.folder / "key.pem").chmod(0o644)
    done = fresh.run("release", options=("signing_key=key.pem",))
    assert done.returncode != 0
    assert "a file that others can open (mode 0644)" in done.stdout + done.stderr
    assert not fresh.results.exists()
