"""Nothing leaks sideways: marked patients, and a search for them in everything that a run leaves outside patients/ and exact/.

What leaves the institution is searched as well: a release, its AI-generated patients included, an external control made of it, and site results.
"""

from __future__ import annotations

import base64
import copy
import os
import re
import signal
import stat
import subprocess
import time
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from workflow.conftest import LENIENT, PROTOCOL, Study, make_study, simulate_patients
from workflow.searching import search, texts

pytestmark = [pytest.mark.timeout(1800), pytest.mark.slow]

#: a level of a free text that one patient has, and one that few have
ALONE, FEW = "Mr Quillfeather", "lives in Nether Wallop"
#: the youngest, the oldest, the longest followed
EXTREMES = ("18.04321", "119.87654", "191.23456")
#: covariates that one patient and two have
NEARLY_EMPTY = {"lab": ("37.12345",), "assay": ("52.54321", "61.43215")}
#: where a release holds the levels of its patients
LEVELS = re.compile(r"results/tiny/release/[^/]+/(patients/[^/]+|dictionary\.csv): ")
#: where row-level patients and exact tables live
CLOSED = ("patients", "exact")

STUB = """
import logging, sys, threading, warnings
import pandas as pd

first = pd.read_csv({source!r}).iloc[0].to_dict()
print("training on", first)
print("training on", first, file=sys.stderr)
logging.getLogger("sdv").warning("training on %s", first)
logging.getLogger("sdv").error("training on %s", first)
warnings.warn(f"training on {{first}}")


def fail():
    raise RuntimeError(f"training on {{first}}")


thread = threading.Thread(target=fail)
thread.start()
thread.join()
raise ValueError(f"cannot train on {{first}}")
"""


def mark_patients(patients: pd.DataFrame) -> pd.DataFrame:
    """Every patient with an identifier, an age, a marker and a follow-up that no other number of the study is."""
    rng = np.random.default_rng(3)
    n = len(patients)
    digits = rng.permutation(90_000)[: 3 * n].reshape(3, n) + 10_000
    marked = patients.assign(
        id=[f"id-{number:05d}-x" for number in digits[0]],
        age=[f"{max(int(age), 18)}.{number}" for age, number in zip(patients["age"], digits[1], strict=True)],
        marker=[f"{value:.2f}{number}" if value == value else None for value, number in zip(patients["marker"], digits[2], strict=True)],
        days=[f"{int(days)}.{number}" for days, number in zip(patients["days"], digits[2], strict=True)],
        note=np.where(np.arange(n) % 2 == 0, "seen at home", "seen in hospital"),
    )
    marked.loc[n - 1, ["age", "days"]] = EXTREMES[1:]
    marked.loc[n - 2, "age"] = EXTREMES[0]
    marked.loc[5, "note"] = ALONE
    marked.loc[[7, 8, 9], "note"] = FEW
    return marked


def make_marked_study(folder: Path) -> Study:
    study = make_study(folder)
    mark_patients(simulate_patients()).to_csv(folder / "patients.csv", index=False)
    protocol = copy.deepcopy(PROTOCOL)
    columns = protocol["data"]["sites"]["clinic"]["columns"]
    columns["id"] = {"type": "text", "missing": False}
    columns["note"] = {"type": "text"}
    protocol["cohort"]["covariates"]["categorical"].append("note")
    protocol["synthesis"] |= {"replicates": 2, "enrichment": protocol["synthesis"]["enrichment"][:1]}
    protocol["designs"].pop("matched")
    protocol["validation"] = {"gates": LENIENT}
    # somebody looked at what three patients have; what one has is not handed out anyhow
    protocol["data"]["rare_levels"] = {"clinic": ["note"]}
    study.write_protocol(protocol)
    return study


def needles(study: Study) -> tuple[frozenset[str], frozenset[float]]:
    """What no file may hold: the patients' identifiers, numbers and rare words as text, and the numbers as numbers."""
    patients = pd.read_csv(study.folder / "patients.csv", dtype=str)
    numbers = {value for name in ("age", "marker", "days", *NEARLY_EMPTY) if name in patients for value in patients[name].dropna()}
    return frozenset({*patients["id"], *numbers, ALONE, FEW}), frozenset(pd.to_numeric(pd.Series(sorted(numbers)), errors="coerce").dropna())


def open_files(study: Study) -> list[Path]:
    """Everything that was left outside patients/ and exact/, the source aside."""
    source = study.folder / "patients.csv"
    closed = tuple(study.results / name for name in CLOSED)
    return [
        path for path in study.folder.rglob("*") if path.is_file() and path != source and not any(path.is_relative_to(folder) for folder in closed)
    ]


def find_leaks(study: Study, *said: str, accepted: tuple[str, ...] = ()) -> set[str]:
    """Where a patient is, in words that the failing test shows; ``accepted`` levels may stand where a release holds levels."""
    return {leak for leak in _find(study, *said) if not (LEVELS.match(leak) and leak.endswith(tuple(f": {level}" for level in accepted)))}


def _find(study: Study, *said: str) -> set[str]:
    words, numbers = needles(study)
    pattern = re.compile("|".join(re.escape(word) for word in sorted(words)))
    on_the_console = {f"the console: {hit}" for text in said for hit in pattern.findall(text)}
    return on_the_console | search(open_files(study), words, numbers, folder=study.folder)


def find_open(study: Study) -> set[str]:
    """What others than the owner may do with something in the closed folders."""
    inside = [path for name in CLOSED for path in (study.results / name, *(study.results / name).rglob("*"))]
    allowed = {path: 0o700 if path.is_dir() else 0o600 for path in inside}
    return {
        f"{path.relative_to(study.results)} {stat.S_IMODE(path.stat().st_mode):o}"
        for path, mode in allowed.items()
        if stat.S_IMODE(path.stat().st_mode) != mode
    }


def run_under(
    study: Study, mask: int, *words: str, options: tuple[str, ...] = (), environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    around, command = os.environ | (environment or {}), study.command(*words, options=options)
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=study.folder, env=around, timeout=900, umask=mask)


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, str]:
    """A finished study of marked patients, one of whose generators printed, logged, warned of and raised a patient; and what the console said.

    Before that it sent its site results and released the other generator, whose comparators then stood beside its treated patients.
    """
    study = make_marked_study(tmp_path_factory.mktemp("marked"))
    stub = tmp_path_factory.mktemp("stub") / "sdv"
    stub.mkdir()
    (stub / "__init__.py").write_text(STUB.format(source=str(study.folder / "patients.csv")))
    home = study.folder / "home"
    home.mkdir()
    environment = {"PYTHONPATH": str(stub.parent), "HOME": str(home), "XDG_DATA_HOME": str(home)}
    key = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (study.folder / "key.pem").write_bytes(key)
    (study.folder / "key.pem").chmod(0o600)
    protocol = yaml.safe_load(study.protocol.read_text())
    first_alone = {"sequential": protocol["synthesis"]["generators"]["sequential"]}
    study.write_protocol(protocol | {"synthesis": protocol["synthesis"] | {"generators": first_alone}})
    first = run_under(study, 0o000, "release", "site_results", options=("signing_key=key.pem",), environment=environment)
    assert first.returncode == 0, first.stderr
    protocol["data"]["external_controls"] = {"clinic": {"path": "results/tiny/release/sequential"}}
    study.write_protocol(protocol)
    second = run_under(study, 0o000, "all", "external_control", environment=environment)
    assert second.returncode == 0, second.stderr
    return study, "".join((first.stdout, first.stderr, second.stdout, second.stderr))


def test_the_search_finds_what_is_there(marked: tuple[Study, str]) -> None:
    study, _ = marked
    words = (study.folder / "patients.csv").read_text().splitlines()[1].split(",")
    packed = base64.b64encode(zlib.compress((study.folder / "patients.csv").read_bytes())).decode()
    assert find_leaks(study, f"the patient {words[0]}", accepted=(FEW,)) == {f"the console: {words[0]}"}
    assert any(words[0] in text for text in texts(f'<img src="data:image/png;base64,{packed}">'.encode()))
    frame = pd.read_parquet(study.results / "patients/clinic/real/cohort.parquet")
    assert {ALONE, FEW} <= set(frame["note"])
    assert set(frame["age"]) <= needles(study)[1]


def test_a_run_leaves_no_patient_outside_the_closed_folders(marked: tuple[Study, str]) -> None:
    study, said = marked
    assert {"report.html", "manifest.json", "registration.jsonl", "verdict.json"} <= {path.name for path in open_files(study)}
    assert any(".snakemake" in path.parts for path in open_files(study))
    assert find_leaks(study, said, accepted=(FEW,)) == set()


def test_what_leaves_the_institution_was_searched(marked: tuple[Study, str]) -> None:
    study, _ = marked
    searched = {path.relative_to(study.results).as_posix() for path in open_files(study) if path.is_relative_to(study.results)}
    release = "release/sequential"
    assert {f"{release}/patients/clinic.{kind}" for kind in ("csv", "parquet")} <= searched
    assert {f"{release}/{name}" for name in ("MODEL_CARD.md", "dictionary.csv", "protocol.yaml", "verdict.json", "SHA256SUMS.sig")} <= searched
    assert {f"{release}/aggregates/clinic/{name}.csv" for name in ("balance", "combined", "curves", "privacy")} <= searched
    assert {"site_results/clinic.json", "external_control.csv", "external_control.svg"} <= searched
    assert 'id="external-control"' in (study.results / "report.html").read_text()
    released = pd.read_csv(study.results / release / "patients/clinic.csv")
    assert len(released) == 2 * len(simulate_patients())
    assert ALONE not in set(released["note"])
    assert "accepts it for note" in (study.results / release / "MODEL_CARD.md").read_text()


def test_extreme_values_are_not_even_shown_rounded(marked: tuple[Study, str]) -> None:
    study, _ = marked
    rounded = {f"{float(value):.{decimals}f}" for value in EXTREMES for decimals in (2, 3, 4)}
    shown = [path for path in open_files(study) if path.suffix in (".csv", ".json", ".html", ".svg", ".log")]
    pattern = re.compile("|".join(rf"(?<![\d.]){re.escape(value)}(?!\d)" for value in rounded))
    drawn = r' (d|x|y|transform|style|points)="[^"]*"'  # where a figure's lines go
    assert {path.name: hit for path in shown for hit in pattern.findall(re.sub(drawn, "", path.read_text()))} == {}


def test_a_generators_crash_is_told_by_kind_and_place_only(marked: tuple[Study, str]) -> None:
    study, _ = marked
    log = (study.results / "logs/fit_generator/clinic/gaussian_copula/1-of-1.log").read_text()
    assert "ValueError (its text is withheld" in log
    assert "RuntimeError (its text is withheld" in log
    assert "ERROR sdv at __init__.py" in log


def test_closed_folders_are_the_owners_under_an_open_mask(marked: tuple[Study, str]) -> None:
    study, _ = marked
    assert find_open(study) == set()
    assert stat.S_IMODE((study.results / "report.html").stat().st_mode) == 0o644
    assert stat.S_IMODE(study.results.stat().st_mode) == 0o777


def test_bad_patients_and_a_killed_run_leak_nothing(tmp_path: Path) -> None:
    study = make_marked_study(tmp_path / "broken")
    source = study.folder / "patients.csv"
    whole = source.read_text()
    lines = whole.splitlines()
    fields = lines[20].split(",")
    fields[2] = ALONE
    source.write_text("\n".join([*lines[:20], ",".join(fields), *lines[21:]]) + "\n")
    told = run_under(study, 0o022)
    assert told.returncode != 0
    assert "line 21" in told.stdout + told.stderr
    assert find_leaks(study, told.stdout, told.stderr) == set()

    source.write_text("\n".join([*lines, lines[20]]) + "\n")
    told = run_under(study, 0o022)
    assert told.returncode != 0
    assert "an identifier that another row has too" in told.stdout + told.stderr
    assert find_leaks(study, told.stdout, told.stderr) == set()

    source.write_text(whole)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    (study.results / "patients").mkdir(parents=True, exist_ok=True)
    (study.results / "patients/link").symlink_to(elsewhere)
    said = study.folder / "said.txt"
    with said.open("w") as console:
        process = subprocess.Popen(study.command(), cwd=study.folder, start_new_session=True, stdout=console, stderr=console, umask=0o022)
        waited = time.monotonic() + 500
        while not list(study.results.glob("patients/clinic/*/fits")) and time.monotonic() < waited:
            time.sleep(0.02)
        time.sleep(1.5)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert list(study.results.glob("patients/clinic/*/fits"))
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o755, "what a link leads to is not this study's"
    (study.results / "patients/link").unlink()
    assert find_leaks(study) == set()
    assert find_open(study) == set()


def test_numbers_known_of_one_and_of_two_leak_nowhere(tmp_path: Path) -> None:
    study = make_marked_study(tmp_path)
    patients = pd.read_csv(study.folder / "patients.csv", dtype=str)
    protocol = yaml.safe_load(study.protocol.read_text())
    for name, marked in NEARLY_EMPTY.items():
        patients[name] = [*marked, *[None] * (len(patients) - len(marked))]
        protocol["data"]["sites"]["clinic"]["columns"][name] = {"type": "number"}
        protocol["cohort"]["covariates"]["numeric"].append(name)
    patients.to_csv(study.folder / "patients.csv", index=False)
    study.write_protocol(protocol)
    told = run_under(study, 0o022)
    assert told.returncode == 0, told.stderr
    log = (study.results / "logs/fit_generator/clinic/sequential/1-of-1.log").read_text()
    for name in NEARLY_EMPTY:
        assert f'covariate "{name}": found fewer than 10 patients of whom it is known' in log
    assert find_leaks(study, told.stdout, told.stderr) == set()
