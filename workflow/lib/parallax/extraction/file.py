"""CSV and Parquet files, read by DuckDB under the schema that the protocol declares.

CSV as RFC 4180 has it: UTF-8, commas, double quotes, a header. An empty field and ``NA`` are missing. Every field is read as text first, so
that a broken row is told apart from a bad value, and whole numbers are not rounded into being. Messages name file, line and column, and
never the value.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Final

import duckdb
import numpy as np
import pandas as pd

from parallax.errors import SourceError, did_you_mean
from parallax.protocol import FileColumn, FileSource

_SHOWN_FAULTS: Final = 20
_SQL_TYPES: Final[Mapping[str, str]] = {"integer": "BIGINT", "number": "DOUBLE", "text": "VARCHAR", "boolean": "BOOLEAN"}
_IN_WORDS: Final[Mapping[str, str]] = {"integer": "a whole number", "number": "a number", "text": "text", "boolean": "true or false"}
_PARQUET_TYPES: Final[Mapping[str, tuple[str, ...]]] = {
    "integer": ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"),
    "number": ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "FLOAT", "DOUBLE", "DECIMAL"),
    "text": ("VARCHAR", "ENUM"),
    "boolean": ("BOOLEAN",),
}
_BROKEN: Final[Mapping[str, str]] = {
    "MISSING COLUMNS": "too few fields",
    "TOO MANY COLUMNS": "too many fields",
    "UNQUOTED VALUE": "a quote that is not closed",
    "INVALID ENCODING": "a byte that is not UTF-8",
    "LINE SIZE OVER MAXIMUM": "a line that is too long",
}


def read_file(source: FileSource, *, folder: Path) -> pd.DataFrame:
    """The declared columns of a file, every value checked. Raises ``SourceError`` with the first faults found."""
    path = _existing(source, folder)
    if path.suffix == ".parquet":
        frame, faulty = _scan_parquet(path, source.columns)
        broken: list[str] = []
    else:
        frame, faulty, broken = _scan_csv(path, source.columns)
    if broken:
        raise SourceError(_listed(path, broken))
    if frame.empty:
        raise SourceError(f"{path}: has a header but no rows; correct the path, or fill the file")
    for name, column in source.columns.items():
        faulty += [(int(row), name, expected) for what, expected in _constraints(frame[name], column) for row in np.flatnonzero(what)]
    if faulty:
        first = {(row, name): expected for row, name, expected in reversed(faulty)}  # a value of another type counts as missing from here on
        shown = sorted(first)[:_SHOWN_FAULTS]
        places = (_rows if path.suffix == ".parquet" else _lines)(path, {row for row, _ in shown})
        raise SourceError(_listed(path, [f'{places[row]}, column "{name}": expected {first[row, name]}' for row, name in shown], len(first)))
    return frame


def peek_file(source: FileSource, *, folder: Path, columns: Collection[str]) -> tuple[list[str], pd.DataFrame]:
    """The columns that the file has, and those of them that are asked for; a value that is not of its column's type is missing here.

    Raises ``SourceError`` where the file cannot be read or lacks a declared column.
    """
    path = _existing(source, folder)
    wanted = {name: column for name, column in source.columns.items() if name in columns}
    if path.suffix == ".parquet":
        _check_presence(path, source.columns, parquet_types(path))
        return list(source.columns), _scan_parquet(path, wanted)[0]
    _check_presence(path, source.columns, _header(path))
    return list(source.columns), _scan_csv(path, wanted)[0]


def _existing(source: FileSource, folder: Path) -> Path:
    path = folder / Path(source.path).expanduser()
    if path.suffix not in (".csv", ".parquet"):
        raise SourceError(f"{path}: expected a file that ends in .csv or .parquet")
    if not path.is_file():
        raise SourceError(f"{path}: there is no such file; paths are relative to the protocol's folder")
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise SourceError(f"{path}: cannot be opened ({error.strerror}); make it readable") from None
    if path.stat().st_size == 0:
        raise SourceError(f"{path}: is empty; expected a header and rows")
    return path


def _scan_csv(path: Path, columns: Mapping[str, FileColumn]) -> tuple[pd.DataFrame, list[tuple[int, str, str]], list[str]]:
    """The columns, their values of another type as (row, column, what was expected), and the broken rows."""
    header = _header(path)
    _check_presence(path, columns, header)
    fields = {name: f"c{header.index(name)}" for name in columns}
    spelled = ", ".join(f"c{number}: 'VARCHAR'" for number in range(len(header)))
    kept = ", ".join(fields.values()) or "c0"
    scan = (
        f"SELECT {kept} FROM read_csv(?, auto_detect=false, header=true, delim=',', quote='\"', escape='\"', nullstr=['', 'NA'],"  # noqa: S608  positions, no text of the protocol
        f" columns={{{spelled}}}, store_rejects=true, rejects_limit=0, max_line_size=16777216)"
    )
    with _connect() as connection:
        try:
            connection.execute(f"CREATE TEMP TABLE fields AS {scan}", [str(path)])
        except duckdb.Error as error:  # its text may quote a line of the file
            raise SourceError(f"{path}: cannot be read as CSV ({str(error).partition(':')[0]})") from None
        rejects = connection.execute("SELECT DISTINCT line, error_type FROM reject_errors ORDER BY line").fetchall()
        typed = {
            name: f"CAST({field} AS VARCHAR)" if columns[name].type == "text" else _parsed(field, columns[name].type)
            for name, field in fields.items()
        }
        values = ", ".join(f"{expression} AS {field}" for expression, field in zip(typed.values(), fields.values(), strict=True)) or "c0"
        frame = connection.execute(f"SELECT {values} FROM fields").df()  # noqa: S608  likewise
        faulty = [
            (row, name, _IN_WORDS[columns[name].type])
            for name, field in fields.items()
            for (row,) in connection.execute(f"SELECT rowid FROM fields WHERE {field} IS NOT NULL AND {typed[name]} IS NULL").fetchall()  # noqa: S608  likewise
        ]
    broken = [f"line {line}: {_BROKEN.get(kind, 'a broken row')}; expected {len(header)} fields" for line, kind in rejects]
    return _typed(frame.rename(columns={field: name for name, field in fields.items()})[list(columns)], columns), faulty, broken


def _parsed(field: str, kind: str) -> str:
    if kind == "integer":
        return rf"CASE WHEN regexp_full_match({field}, '\s*[+-]?[0-9]+\s*') THEN TRY_CAST({field} AS BIGINT) END"
    return f"TRY_CAST({field} AS {_SQL_TYPES[kind]})"


def _scan_parquet(path: Path, columns: Mapping[str, FileColumn]) -> tuple[pd.DataFrame, list[tuple[int, str, str]]]:
    types = parquet_types(path)
    _check_presence(path, columns, types)
    mistyped = [
        f'column "{name}": expected {_IN_WORDS[column.type]}, found the type {types[name]}'
        for name, column in columns.items()
        if types[name].partition("(")[0] not in _PARQUET_TYPES[column.type]
    ]
    if mistyped:
        raise SourceError(_listed(path, mistyped))
    quoted = {name: '"' + name.replace('"', '""') + '"' for name in columns}
    kept = ", ".join(f"CAST({text} AS {_SQL_TYPES[columns[name].type]}) AS {text}" for name, text in quoted.items()) or "1"
    with _connect() as connection:
        frame = connection.execute(f"SELECT {kept} FROM read_parquet(?)", [str(path)]).df()  # noqa: S608  quoted identifiers
    return _typed(frame[list(columns)], columns), []


def parquet_types(path: Path) -> dict[str, str]:
    """DuckDB's type of every column of a Parquet file. Raises ``SourceError`` where it is none."""
    with _connect() as connection:
        try:
            relation = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(path)]).fetchall()
        except duckdb.Error as error:
            raise SourceError(f"{path}: cannot be read as Parquet ({str(error).partition(':')[0]})") from None
    return {row[0]: row[1] for row in relation}


def _connect() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(":memory:", config={"threads": 1, "autoload_known_extensions": False, "autoinstall_known_extensions": False})


def _header(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        names = next(csv.reader(file), [])
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise SourceError(f"{path}: line 1: the header names these columns more than once: {', '.join(repeated)}")
    return names


def _check_presence(path: Path, columns: Iterable[str], present: Collection[str]) -> None:
    missing = [
        f'the file has no column "{name}": {did_you_mean(name, present, otherwise="correct the declaration, or the file")}'
        for name in columns
        if name not in present
    ]
    if missing:
        hint = ["the header has one column only: are the fields separated by commas?"] if len(present) == 1 else []
        raise SourceError(_listed(path, missing + hint))


def _typed(frame: pd.DataFrame, columns: Mapping[str, FileColumn]) -> pd.DataFrame:
    dtypes = {"text": "string", "number": "float64", "boolean": "boolean", "integer": "Int64"}
    typed = frame.astype({name: dtypes[column.type] for name, column in columns.items()})
    whole = {name: "int64" for name, column in columns.items() if column.type == "integer" and not typed[name].hasnans}
    return typed.astype(whole | {name: "bool" for name, column in columns.items() if column.type == "boolean" and not typed[name].hasnans})


def _constraints(values: pd.Series, column: FileColumn) -> Iterator[tuple[np.ndarray, str]]:
    missing = values.isna()
    if not column.missing:
        yield missing.to_numpy(bool), f"{_IN_WORDS[column.type]}, not a missing value"
    if column.levels is not None:
        yield (~values.isin(column.levels) & ~missing).to_numpy(bool), f"one of {', '.join(column.levels)}"
    if column.type == "number":
        yield np.isinf(values.to_numpy(float)), "a finite number"
    if column.minimum is not None:
        yield (values < column.minimum).fillna(False).to_numpy(bool), f"at least {column.minimum:g}"
    if column.maximum is not None:
        yield (values > column.maximum).fillna(False).to_numpy(bool), f"at most {column.maximum:g}"


def _rows(path: Path, rows: Collection[int]) -> dict[int, str]:
    del path
    return {row: f"row {row + 1}" for row in rows}


def _lines(path: Path, rows: Collection[int]) -> dict[int, str]:
    """The line on which a row begins; a quoted field may hold line breaks, and blank lines are no rows."""
    places = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        width = len(next(reader))
        row, begin = 0, reader.line_num + 1
        for record in reader:
            if record or width == 1:
                if row in rows:
                    places[row] = f"line {begin}"
                row += 1
            begin = reader.line_num + 1
    return places


def _listed(path: Path, faults: list[str], total: int | None = None) -> str:
    total = len(faults) if total is None else total
    shown = "\n".join(f"  {fault}" for fault in islice(faults, _SHOWN_FAULTS))
    more = f"\n  … and {total - min(len(faults), _SHOWN_FAULTS)} more" if total > min(len(faults), _SHOWN_FAULTS) else ""
    return f"{path}: {'1 fault' if total == 1 else f'{total} faults'}:\n{shown}{more}"
