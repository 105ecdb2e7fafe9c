"""The kinds of source: how each is read, and how each is looked at before the first job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from parallax.extraction.file import peek_file, read_file
from parallax.extraction.mapping import map_columns
from parallax.extraction.package import peek_package, read_package
from parallax.extraction.release import peek_release, read_record, read_release
from parallax.protocol import ReleaseSource, Source
from parallax.tables import category_text


@dataclass(frozen=True, slots=True)
class SourceReader:
    """``read(source, *, folder)`` gives all patients, checked; ``peek(source, *, folder, columns)`` the names of all columns and those asked for."""

    read: Callable[..., pd.DataFrame]
    peek: Callable[..., tuple[list[str], pd.DataFrame]]


SOURCES: Final[Mapping[str, SourceReader]] = {
    "package": SourceReader(read=read_package, peek=peek_package),
    "file": SourceReader(read=read_file, peek=peek_file),
    "release": SourceReader(read=read_release, peek=peek_release),
}


def read_source(source: Source, *, folder: Path) -> pd.DataFrame:
    """All patients of a source, one row each, with the study's columns: numbers, truth values, dates, or text.

    ``folder`` is the protocol's folder, from which relative paths start. Raises ``SourceError``.
    """
    return map_columns(normalise(SOURCES[source.source].read(source, folder=folder)), source.mapping, where="mapping")


def applied_criteria(source: Source, *, folder: Path) -> tuple[str, ...]:
    """The eligibility expressions that were applied before a source's patients were made; only a release has any."""
    return read_record(source, folder=folder).criteria_applied if isinstance(source, ReleaseSource) else ()


def normalise(frame: pd.DataFrame) -> pd.DataFrame:
    """Categories become what they hold, everything that is no number, truth value or date becomes text; the rows are numbered from 0."""
    columns: dict[str, Any] = {}
    for name in frame.columns:
        values = frame[name]
        if isinstance(values.dtype, pd.CategoricalDtype):
            values = values.astype("object")
        if values.dtype == object:
            values = values.infer_objects()
        columns[str(name)] = values if values.dtype.kind in "iufbM" else category_text(values)
    return pd.DataFrame(columns).reset_index(drop=True)
