"""The only file input and output of the library: every table checked against its schema, every file whole or not there."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pandas as pd
import pandera.pandas as pa
from pandera.errors import SchemaError, SchemaErrors

from parallax import tables
from parallax.errors import StorageError


def write_table(path: str | Path, table: pd.DataFrame, schema: pa.DataFrameSchema, *, restricted: bool = False) -> None:
    """Write a table as Parquet after it passed its schema; ``restricted`` files can be read by their owner only."""
    checked = _check(table, schema, Path(path))
    _write_whole(Path(path), lambda temporary: checked.to_parquet(temporary, index=False, compression="zstd"), restricted=restricted)


def read_table(path: str | Path, schema: pa.DataFrameSchema) -> pd.DataFrame:
    """Read a Parquet table and check it against its schema."""
    return _check(read_frame(path), schema, Path(path))


def read_tables(paths: Iterable[str | Path], schema: pa.DataFrameSchema) -> pd.DataFrame:
    """Several tables of one schema, one below the other."""
    return pd.concat([read_table(path, schema) for path in paths], ignore_index=True)


def read_exact(folder: str | Path, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], pd.DataFrame]:
    """A site's exact tables by (dataset, name), each once, checked against the schema of its name."""
    return {
        (dataset, name): read_table(Path(folder) / dataset / f"{name}.parquet", getattr(tables, name.upper()))
        for dataset, name in dict.fromkeys(keys)
    }


def read_table_and_digest(path: str | Path, schema: pa.DataFrameSchema) -> tuple[pd.DataFrame, str]:
    """A table as :func:`read_table` gives it and the SHA-256 of the very bytes that it was read from."""
    content = Path(path).read_bytes()
    return _check(pd.read_parquet(io.BytesIO(content)), schema, Path(path)), hashlib.sha256(content).hexdigest()


def write_frame(path: str | Path, frame: pd.DataFrame, *, restricted: bool = False) -> None:
    """Write a frame whose columns its source decides (the patients of a site)."""
    _write_whole(Path(path), lambda temporary: frame.to_parquet(temporary, index=False, compression="zstd"), restricted=restricted)


def read_frame(path: str | Path) -> pd.DataFrame:
    """Read a Parquet file as it is."""
    if not Path(path).is_file():
        raise StorageError(f"{path}\n    found    no such file\n    allowed  a Parquet file of this study\n    to do    run the rule that writes it")
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise StorageError(f"{path}\n    found    a file that is not Parquet\n    to do    delete it and run the study again") from error


def write_csv(path: str | Path, frame: pd.DataFrame) -> None:
    """Write a reader's table: ten significant digits, an empty field where a value is missing."""
    write_text(path, frame.to_csv(index=False, float_format="%.10g", lineterminator="\n"))


def read_csv(path: str | Path) -> pd.DataFrame:
    """Read a reader's table that this study wrote."""
    return pd.read_csv(path)


def read_benchmarks(folder: str | Path, jobs: Iterable[str]) -> dict[str, tuple[float, float]]:
    """CPU seconds and seconds by the clock of these jobs, by rule and wildcards ("fit_generator/clinic/tvae/1-of-1"), where they were measured.

    Snakemake samples CPU time, so that a job's last moments are missed, and all of a very short one. What else lies in the folder is of another
    protocol or another split of the work.
    """
    found = {}
    for job in sorted(jobs):
        path = Path(folder) / f"{job}.tsv"
        if path.is_file():
            measured = pd.read_csv(path, sep="\t", na_values=["-"])
            found[job] = (float(measured["cpu_time"].fillna(0).sum()), float(measured["s"].sum()))
    return found


def write_json(path: str | Path, content: Mapping[str, object], *, restricted: bool = False) -> None:
    """Write JSON with sorted keys, so that equal content is equal bytes; ``restricted`` as for tables."""
    write_text(path, json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n", restricted=restricted)


def read_json(path: str | Path) -> dict[str, object]:
    """Read a JSON object."""
    content: dict[str, object] = json.loads(Path(path).read_text(encoding="utf-8"))
    return content


def write_text(path: str | Path, text: str, *, restricted: bool = False) -> None:
    """Write a text file in UTF-8."""
    _write_whole(Path(path), lambda temporary: temporary.write_text(text, encoding="utf-8"), restricted=restricted)


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write bytes as they are (a signature)."""
    _write_whole(Path(path), lambda temporary: temporary.write_bytes(content))


def write_folder(path: str | Path, files: Mapping[str, bytes]) -> None:
    """Write a folder that everybody may read, whole or not at all: made under another name, then renamed. ``files`` by name; / makes a folder.

    One that stands there already stands until the new one is whole. What a killed run left unfinished is removed first.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_unfinished(target)
        made, earlier = (Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.")) for _ in range(2))
        try:
            for name, content in files.items():
                file = made / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
            for entry in (made, *made.rglob("*")):
                entry.chmod(0o755 if entry.is_dir() else 0o644)
            if target.exists():
                target.replace(earlier)
            made.replace(target)
        finally:
            if not target.exists() and any(earlier.iterdir()):
                earlier.replace(target)
            for unfinished in (made, earlier):
                shutil.rmtree(unfinished, ignore_errors=True)
    except OSError as error:
        raise StorageError(
            f"{path}\n    found    the folder cannot be written ({error.strerror})\n    to do    free space or name another results folder"
        ) from error


def remove_folder(path: str | Path) -> None:
    """Remove a folder with all that is in it, where there is one, and what a killed run left of it."""
    _remove_unfinished(path)
    shutil.rmtree(path, ignore_errors=True)


def read_text(path: str | Path) -> str:
    """Read a text file in UTF-8."""
    return Path(path).read_text(encoding="utf-8")


def write_model(path: str | Path, model: object) -> str:
    """Write a fitted generator, readable by its owner only, for it knows the real patients; its SHA-256 is returned."""
    content = pickle.dumps(model, protocol=5)
    _write_whole(Path(path), lambda temporary: temporary.write_bytes(content), restricted=True)
    return hashlib.sha256(content).hexdigest()


def read_model(path: str | Path, *, sha256: str) -> object:
    """Read a fitted generator that this study wrote.

    To unpickle is to run code: nothing is unpickled but the very bytes whose digest was recorded when they were written. Raises StorageError.
    """
    if not Path(path).is_file():
        raise StorageError(f"{path}\n    found    no such file\n    allowed  the model that this study fitted\n    to do    run the study again")
    content = Path(path).read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise StorageError(
            f"{path}\n    found    a model with the SHA-256 {found[:16]}…\n    allowed  the one that this study fitted, {sha256[:16]}…\n"
            "    to do    find out who changed the file; delete it and run the study again"
        )
    return pickle.loads(content)  # noqa: S301 -- the bytes that this study wrote, by their digest


def _check(table: pd.DataFrame, schema: pa.DataFrameSchema, path: Path) -> pd.DataFrame:
    try:
        checked: pd.DataFrame = schema.validate(table, lazy=True)
    except (SchemaError, SchemaErrors) as error:
        # pandera's own text holds the failing values
        if isinstance(error, SchemaErrors):
            cases = [(row.failure_case if row.check == "column_in_schema" else row.column, row.check) for row in error.failure_cases.itertuples()]
        else:
            cases = [(error.schema, error.check)]
        named = sorted({f"{column}: {check}" for column, check in cases})
        raise StorageError(f"{path}\n    found    columns that break the table's schema: {'; '.join(named)}") from None
    return checked


def _remove_unfinished(path: str | Path) -> None:
    """Remove what :func:`write_folder` left beside a folder where it was killed."""
    target = Path(path)
    # mkdtemp adds eight characters
    for unfinished in target.parent.glob(f".{target.name}.????????"):
        shutil.rmtree(unfinished, ignore_errors=True)


def _write_whole(path: Path, write: Callable[[Path], object], *, restricted: bool = False) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise StorageError(
            f"{path}\n    found    a folder that cannot be written ({error.strerror})\n"
            "    to do    make it writable, or name another with --config results=FOLDER"
        ) from error
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        temporary.chmod(0o600 if restricted else 0o644)
        temporary.replace(path)
    except OSError as error:
        raise StorageError(
            f"{path}\n    found    the file cannot be written ({error.strerror})\n    to do    free space or name another results folder"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
