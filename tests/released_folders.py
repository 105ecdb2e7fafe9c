"""A released folder as a sender would make it, small enough to change by hand."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pandas as pd

from parallax.checksums import SUMS, list_sums

PATIENTS = pd.DataFrame(
    {
        "replicate": [0, 0, 0, 1, 1, 1],
        "patient_id": pd.array(["1", "2", "3"] * 2, dtype="string"),
        "age": [50.5, None, 70.0, 51.0, 61.0, 71.0],
        "sex": pd.array(["f", None, "m", "f", "f", "m"], dtype="string"),
        "stage": pd.array([1, 2, None, 3, 3, 1], dtype="Int64"),
        "smoker": pd.array([True, False, None, True, True, False], dtype="boolean"),
    }
)


def write_folder(
    folder: Path, *, patients: pd.DataFrame = PATIENTS, sites: tuple[str, ...] = ("clinic",), record: object = None, protocol: str | None = None
) -> Path:
    """The folder with its list of digests; ``record`` in place of a sound one, and ``protocol`` as its protocol.yaml."""
    buffer = io.BytesIO()
    patients.to_parquet(buffer, index=False)
    sound = {
        "format": 1,
        "study_digest": "0" * 64,
        "generator": "sequential",
        "sites": list(sites),
        "replicates": 2,
        "criteria_applied": ["consent = 1"],
        "learned_from": {site: {"treated": 20, "comparator": 30} for site in sites},
        "what": "AI-generated patients",
    }
    files = {f"patients/{site}.parquet": buffer.getvalue() for site in sites} | {
        "release.json": record if isinstance(record, bytes) else json.dumps(record or sound).encode()
    }
    if protocol is not None:
        files["protocol.yaml"] = protocol.encode()
    for name, content in (files | {SUMS: list_sums(files).encode()}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder
