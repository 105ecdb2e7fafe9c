"""Tables that come inside an installed Python package.

The packages' own loaders import statsmodels or all of lifelines to read one small file; the files are read directly here, and a contract
test holds them equal to the loaders.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from parallax.errors import SourceError, did_you_mean
from parallax.protocol import PackageSource

_PATTERNS: Mapping[str, tuple[str, ...]] = {
    "SurvSet": ("resources/pickles/*.pickle",),
    "lifelines": ("datasets/*.csv",),
    "causaldata": ("*/*.dta", "*/*.csv"),
}


def read_package(source: PackageSource, *, folder: Path) -> pd.DataFrame:
    """The table as the package holds it; ``folder`` is not used. Raises ``SourceError`` for an unknown table or a package not installed."""
    del folder
    tables = package_tables(source.package)
    if source.table not in tables:
        hint = did_you_mean(source.table, tables, otherwise=f"its tables are {', '.join(sorted(tables))}")
        raise SourceError(f'package {source.package} has no table "{source.table}": {hint}')
    path = tables[source.table]
    if path.suffix == ".pickle":
        frame: pd.DataFrame = pd.read_pickle(path)  # noqa: S301  a file of the installed package
        return frame
    return pd.read_stata(path) if path.suffix == ".dta" else pd.read_csv(path)


def peek_package(source: PackageSource, *, folder: Path, columns: Collection[str]) -> tuple[list[str], pd.DataFrame]:
    """The table's columns and the whole table: it is small, and its columns' kinds are known from the data alone."""
    del columns
    frame = read_package(source, folder=folder)
    return [str(name) for name in frame.columns], frame


def package_tables(package: str) -> dict[str, Path]:
    """The tables of a package and their files. Raises ``SourceError`` where the package is not installed."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SourceError(f"package {package} is not installed: install the environment of envs/lock.txt")
    root = Path(spec.submodule_search_locations[0])
    files = [path for pattern in _PATTERNS[package] for path in sorted(root.glob(pattern))]
    return {path.parent.name if package == "causaldata" else path.stem: path for path in reversed(files)}
