"""A released folder as a source: its digests and signature checked, then one replicate of its AI-generated patients."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Final, Literal

import pandas as pd
from pydantic import ValidationError

from parallax.checksums import SUMS, check_folder, read_sums
from parallax.errors import SigningError, SourceError, StorageError, did_you_mean
from parallax.extraction.file import parquet_types, read_file
from parallax.protocol import FileColumn, FileSource, ReleasedFolder, ReleaseSource
from parallax.protocol.base import Name, Section
from parallax.signing import SUFFIX, verify

#: the file of a release that a program reads
RECORD: Final = "release.json"
REPLICATE: Final = "replicate"
PATIENT_ID: Final = "patient_id"

#: of an error's lines
_LABELS: Final = ("", "found", "allowed", "to do")
_TYPES: Final[dict[str, Literal["integer", "number", "text", "boolean"]]] = {
    "BIGINT": "integer",
    "DOUBLE": "number",
    "VARCHAR": "text",
    "BOOLEAN": "boolean",
}


class LearnedFrom(Section):
    """The real patients behind a site's synthetic ones, rounded; None: suppressed."""

    treated: int | None
    comparator: int | None


class ReleaseRecord(Section):
    """What a program must know of a release; ``release.json`` holds more, for people."""

    format: Literal[1]
    study_digest: str
    generator: Name
    sites: tuple[Name, ...]
    replicates: int
    learned_from: dict[Name, LearnedFrom]
    criteria_applied: tuple[str, ...]
    """Eligibility expressions over columns that the release does not hold: every released patient stands for one who met them."""


def patients_file(site: str, kind: Literal["parquet", "csv"] = "parquet") -> str:
    """A site's patients in a released folder."""
    return f"patients/{site}.{kind}"


def read_release(source: ReleaseSource, *, folder: Path) -> pd.DataFrame:
    """The patients of one replicate, under the source's column names of the protocol that made them.

    ``folder`` is the protocol's folder. Raises ``SourceError`` where a file is missing, changed, added or a link, where the signature is not the
    sender's, or where the release has no such site or replicate.
    """
    patients, record = read_replicates(source, folder=folder)
    chosen = patients[patients[REPLICATE] == source.replicate]
    if chosen.empty:
        raise SourceError(f"{source.path}: has no replicate {source.replicate}; there are {record.replicates}, numbered from 0")
    return chosen.drop(columns=REPLICATE).reset_index(drop=True)


def read_replicates(source: ReleasedFolder, *, folder: Path) -> tuple[pd.DataFrame, ReleaseRecord]:
    """The patients of all replicates of a site, with the column ``replicate``, and the release's record; raises as :func:`read_release`."""
    path = folder / Path(source.path).expanduser()
    record = _checked(source, path, folder)
    file = path / patients_file(site_of(source, record, path))
    types = parquet_types(file)
    if strange := sorted(set(types.values()) - set(_TYPES)):
        raise SourceError(f"{file}: expected columns of the types {', '.join(_TYPES)}, found {', '.join(strange)}")
    if lacking := [name for name in (REPLICATE, PATIENT_ID) if name not in types]:
        raise SourceError(f'{file}: the file has no column "{lacking[0]}"')
    columns = {name: FileColumn(type=_TYPES[kind]) for name, kind in types.items()}
    return read_file(FileSource(source="file", path=str(file.absolute()), columns=columns), folder=folder), record


def peek_release(source: ReleaseSource, *, folder: Path, columns: Collection[str]) -> tuple[list[str], pd.DataFrame]:
    """The columns of a release and its patients; everything is checked as for reading."""
    del columns
    frame = read_release(source, folder=folder)
    return list(frame.columns), frame


def read_record(source: ReleasedFolder, *, folder: Path) -> ReleaseRecord:
    """What a program must know of a release. Raises ``SourceError`` where the file is none."""
    path = folder / Path(source.path).expanduser() / RECORD
    try:
        content = json.loads(path.read_bytes())
        return ReleaseRecord.of({name: content[name] for name in ReleaseRecord.model_fields})
    except (OSError, ValueError, TypeError, KeyError, RecursionError, ValidationError):
        raise SourceError(f"{path}: is no record of a release that this version of Parallax can read; have the release made again") from None


def _checked(source: ReleasedFolder, path: Path, folder: Path) -> ReleaseRecord:
    try:
        sums = read_sums(path)
        check_folder(path, sums=sums, unlisted=(SUMS + SUFFIX,))
        if source.public_key is not None:
            verify(sums, path / SUMS, public_key=folder / Path(source.public_key).expanduser())
    except (StorageError, SigningError) as error:
        raise SourceError(_in_a_sentence(error)) from None
    return read_record(source, folder=folder)


def _in_a_sentence(error: StorageError | SigningError) -> str:
    where, found, allowed, remedy = (line.removeprefix(f"    {label:<9}") for label, line in zip(_LABELS, str(error).split("\n"), strict=True))
    return f"{where}: {found}; expected {allowed}; {remedy}"


def site_of(source: ReleasedFolder, record: ReleaseRecord, path: Path) -> str:
    """The release's site that is meant. Raises ``SourceError`` where none is, or no such one."""
    if source.site is None and len(record.sites) == 1:
        return record.sites[0]
    if source.site not in record.sites:
        hint = did_you_mean(source.site, record.sites, otherwise="name one of them as the source's site")
        raise SourceError(f"{path}: has the sites {', '.join(record.sites)}, found {source.site or 'none named'}; {hint}")
    return str(source.site)
