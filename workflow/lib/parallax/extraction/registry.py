"""The kinds of source, and the one way to read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd

from parallax.extraction.package import read_package
from parallax.protocol import Source

SOURCES: Final[Mapping[str, Callable[..., pd.DataFrame]]] = {"package": read_package}


def read_source(source: Source, *, folder: Path) -> pd.DataFrame:
    """All patients of a source, one row each, with the source's columns: numbers, truth values, dates, or text.

    ``folder`` is the protocol's folder, from which relative paths start. Raises ``SourceError``.
    """
    return normalise(SOURCES[source.source](source, folder=folder))


def normalise(frame: pd.DataFrame) -> pd.DataFrame:
    """Categories become what they hold, everything that is no number, truth value or date becomes text; the rows are numbered from 0."""
    columns: dict[str, Any] = {}
    for name in frame.columns:
        values = frame[name]
        if isinstance(values.dtype, pd.CategoricalDtype):
            values = values.astype(values.cat.categories.dtype if not values.hasnans else "object")
        if values.dtype == object:
            values = values.infer_objects()
        columns[str(name)] = values if values.dtype.kind in "iufbM" else values.astype("string")
    return pd.DataFrame(columns).reset_index(drop=True)
