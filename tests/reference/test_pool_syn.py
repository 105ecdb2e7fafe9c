"""The partial rule beside mice::pool.scalar.syn: stored values always, R itself where it is installed with mice."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
from pathlib import Path

import pytest

from parallax.validation.rules import combine_by

HERE = Path(__file__).parent
RSCRIPT = shutil.which("Rscript")


def compare(text: str) -> int:
    cases = list(csv.DictReader(io.StringIO(text)))
    for case in cases:
        q, v = ([float(number) for number in case[name].split()] for name in ("q", "v"))
        combined = combine_by("partial", q, v, patients=1, synthetic=1)
        assert combined.estimate == pytest.approx(float(case["qbar"]), rel=1e-12, abs=1e-15)
        assert combined.std_error**2 == pytest.approx(float(case["t"]), rel=1e-12)
        assert combined.df == pytest.approx(float(case["df"]), rel=1e-12)
    return len(cases)


def test_stored_values() -> None:
    assert compare((HERE / "pool_syn.csv").read_text(encoding="utf-8")) == 4


@pytest.mark.skipif(RSCRIPT is None, reason="R is not installed")
def test_live() -> None:
    if subprocess.run([str(RSCRIPT), "-e", "library(mice)"], capture_output=True, check=False).returncode:
        pytest.skip("R's package mice is not installed")
    done = subprocess.run([str(RSCRIPT), str(HERE / "pool_syn.R")], capture_output=True, text=True, check=True)
    assert compare(done.stdout) == 4
