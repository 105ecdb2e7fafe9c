"""A tiny study on simulated patients, run by the real workflow in folders of its own."""

from __future__ import annotations

import copy
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
READER_FILES = ("estimates.csv", "enrichment.csv", "agreement.csv", "privacy.csv", "verdict.json")

PROTOCOL = {
    "study": {"name": "tiny", "title": "A tiny study", "seed": 7},
    "question": {
        "population": "simulated patients",
        "treatment": "drug",
        "comparator": "no drug",
        "estimand": "ATO",
        "primary": {"outcome": "death", "contrast": "hazard_ratio", "design": "overlap", "horizon_days": 60},
    },
    "data": {
        "sites": {
            "clinic": {
                "source": "file",
                "path": "patients.csv",
                "patient_id": "id",
                "columns": {
                    "id": {"type": "integer", "missing": False},
                    "drug": {"type": "text", "levels": ["yes", "no"]},
                    "age": {"type": "number", "minimum": 0, "maximum": 120},
                    "marker": {"type": "number"},
                    "stage": {"type": "text", "levels": ["I", "II", "III"]},
                    "days": {"type": "number"},
                    "died": {"type": "integer"},
                },
            }
        }
    },
    "cohort": {
        "arms": {"column": "drug", "treated": "yes", "comparator": "no"},
        "eligibility": [{"name": "adults", "keep": "age >= 18", "reason": "adults only"}],
        "covariates": {"numeric": ["age", "marker"], "categorical": ["stage"]},
    },
    "synthesis": {
        "replicates": 3,
        "generators": {"sequential": {"method": "sequential"}, "gaussian_copula": {"method": "gaussian_copula"}},
        "enrichment": [
            {"name": "late_stage", "keep": "stage = 'III'", "patients": 300},
            {"name": "oldest_late", "keep": "stage = 'III' and age > 90", "patients": 100},
        ],
    },
    "designs": {
        "crude": {"method": "none"},
        "matched": {"method": "match"},
        "overlap": {"method": "weight", "estimand": "ATO"},
    },
    "outcomes": {
        "death": {
            "type": "survival",
            "days": "days",
            "event": "died",
            "follow_up_days": 200,
            "horizons_days": [60],
            "contrasts": ["hazard_ratio", "risk_difference", "rmst_difference"],
        }
    },
}


#: gates that a tiny study can pass
LENIENT = {
    "shift_in_real_se": 5.0,
    "propensity_c_gap": 0.5,
    "km_gap": 0.5,
    "membership_auc_upper": 1.0,
    "membership_tpr_at_1pct_fpr_upper": 1.0,
    "excess_copies_upper": 1.0,
    "imbalance": 1.0,
    "effective_patients": 5,
}


def simulate_patients(patients: int = 400, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age = rng.normal(60, 15, patients).round(1).clip(10, 100)
    marker = np.where(rng.random(patients) < 0.1, np.nan, rng.normal(0, 1, patients).round(2))
    stage = rng.choice(["I", "II", "III"], patients, p=[0.5, 0.3, 0.2])
    treated = rng.random(patients) < 1 / (1 + np.exp(-(age - 60) / 20))
    days = np.ceil(rng.exponential(100 * np.exp(-(age - 60) / 40 - 0.4 * treated)))
    return pd.DataFrame(
        {
            "id": np.arange(1, patients + 1),
            "drug": np.where(treated, "yes", "no"),
            "age": age,
            "marker": marker,
            "stage": stage,
            "days": np.minimum(days, 180),
            "died": (days < 180).astype(int),
        }
    )


@dataclass(frozen=True)
class Study:
    """A folder with a protocol, its patients, and the results of running it."""

    folder: Path
    protocol: Path

    @property
    def results(self) -> Path:
        return self.folder / "results" / "tiny"

    def command(self, *words: str, options: tuple[str, ...] = ()) -> list[str]:
        return [
            sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile"), "--directory", str(self.folder),
            "--cores", "2", "--nolock", *words, "--config", f"study={self.protocol}", *options,
        ]  # fmt: skip

    def run(self, *words: str, options: tuple[str, ...] = (), environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return self.run_command(self.command(*words, options=options), environment=environment)

    def run_command(self, command: list[str], environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=self.folder, env=os.environ | (environment or {}), timeout=880
        )

    def write_protocol(self, protocol: dict) -> None:
        self.protocol.write_text(yaml.safe_dump(protocol, sort_keys=False))


def make_study(folder: Path) -> Study:
    folder.mkdir(parents=True, exist_ok=True)
    simulate_patients().to_csv(folder / "patients.csv", index=False)
    study = Study(folder, folder / "tiny.yaml")
    study.write_protocol(PROTOCOL)
    return study


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


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The tiny study, run once for all tests that only read it."""
    study = make_study(tmp_path_factory.mktemp("finished"))
    done = study.run()
    assert done.returncode == 0, done.stderr
    return study


@pytest.fixture
def edited(finished: Study) -> Iterator[Study]:
    """The finished study for a test that edits its inputs and plans, but does not run, what follows; its inputs are put back."""
    inputs = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in (finished.protocol, finished.folder / "patients.csv")}
    yield finished
    for path, (content, time) in inputs.items():
        path.write_bytes(content)
        os.utime(path, ns=(time, time))


@pytest.fixture
def fresh(tmp_path: Path) -> Study:
    """The tiny study before its first run."""
    return make_study(tmp_path / "fresh")
