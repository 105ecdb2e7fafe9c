"""Repeated measurements of a site, read from the long file that stands beside its patients."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from parallax.errors import SourceError, did_you_mean
from parallax.extraction.file import peek_file, read_file
from parallax.protocol.data import FileColumn, FileSource
from parallax.protocol.measurements import Measurement, MeasurementFile
from parallax.tables import SOURCE_MEASUREMENTS, category_text

_SHOWN_NAMES = 12


def read_measurements(source: FileSource, asked: Mapping[str, Measurement], *, folder: Path, minimum_count: int) -> pd.DataFrame:
    """The SOURCE_MEASUREMENTS of a site's file: every row of what ``asked`` names, by the protocol's names.

    Raises ``SourceError`` where a row lacks patient, time or name, a time or value is no finite number, nothing was measured under a name, or
    rows are in another unit than the protocol states. Faults are counted or placed; no value is shown, and of the file's names only those that
    ``minimum_count`` patients or more have.
    """
    file, rows = _measurements(source)
    frame = read_file(rows, folder=folder)
    codes = {entry.code or name: name for name, entry in asked.items()}
    found = frame[file.name].map(codes)
    faults = []
    for code in (code for code, name in codes.items() if not found.eq(name).any()):
        patients = frame.groupby(file.name)[file.patient_id].nunique()
        common = sorted(patients.index[patients >= minimum_count])
        if not common:
            otherwise = f"no name in the file belongs to {minimum_count} patients or more, so none is shown"
        elif len(common) <= _SHOWN_NAMES:
            otherwise = f"name one of these: {', '.join(common)}"
        else:
            otherwise = f"name one of {len(common)} names in the file"
        faults += [f'nothing measured is called "{code}": {did_you_mean(code, common, otherwise=otherwise)}']
    if file.unit is not None:
        for name, entry in asked.items():
            if other := int((found.eq(name) & ~frame[file.unit].eq(entry.unit).fillna(False)).sum()):
                faults += [f'measurement "{name}": {other} rows in another unit than "{entry.unit}"; convert them, or correct the unit']
    if faults:
        raise SourceError(f"{folder / file.path}:\n" + "\n".join(f"  {fault}" for fault in faults))
    kept = frame[found.notna()]
    long = {
        "patient_id": category_text(kept[file.patient_id]),
        "name": found[found.notna()],
        "time_days": kept[file.time_days],
        "value": kept[file.value],
    }
    return SOURCE_MEASUREMENTS.validate(pd.DataFrame(long).reset_index(drop=True))


def check_measurement_file(source: FileSource, *, folder: Path) -> None:
    """Raise ``SourceError`` where the file cannot be read or lacks a column that the protocol names."""
    peek_file(_measurements(source)[1], folder=folder, columns=())


def _measurements(source: FileSource) -> tuple[MeasurementFile, FileSource]:
    """What the protocol says of the file, and the file as one that can be read; identifiers are of the patients' own type."""
    file = source.measurements
    if file is None or source.patient_id is None:
        raise SourceError("a site without a file of measurements, or without identifiers; name both in data.sites")
    declared = source.columns.get(source.patient_id)
    columns = {
        file.patient_id: FileColumn(type=declared.type if declared else "text", missing=False),
        file.time_days: FileColumn(type="number", missing=False),
        file.name: FileColumn(type="text", missing=False),
        file.value: FileColumn(type="number"),
    } | ({file.unit: FileColumn(type="text")} if file.unit is not None else {})
    return file, FileSource(source="file", path=file.path, columns=columns)
