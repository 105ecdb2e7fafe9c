"""What holds for every kind of source, and what a file must do beyond it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pandas as pd
import pytest

from parallax.errors import SourceError
from parallax.extraction.registry import SOURCES, read_source
from parallax.protocol import FileColumn, FileSource, PackageSource, ReleaseSource, Source
from released_folders import write_folder

COLUMNS = {
    "id": FileColumn(type="integer", missing=False),
    "age": FileColumn(type="number", minimum=0, maximum=120),
    "sex": FileColumn(type="text", levels=("f", "m", "not\nsaid")),
    "smoker": FileColumn(type="boolean"),
}
FRAME = pd.DataFrame({"id": [1, 2, 3], "age": [50.5, None, 70.0], "sex": ["f", None, "m"], "smoker": [True, False, None]})


def file_source(folder: Path, content: bytes | str, name: str = "patients.csv") -> FileSource:
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return FileSource(source="file", path=name, columns=COLUMNS)


def source_of(kind: str, folder: Path) -> Source:
    if kind == "file":
        return file_source(folder, FRAME.to_csv(index=False))
    if kind == "release":
        write_folder(folder / "received")
        return ReleaseSource(source="release", path="received")
    return PackageSource(source="package", package="lifelines", table="gbsg2")


def test_every_kind_of_the_protocol_is_registered() -> None:
    kinds = {kind for model in (FileSource, PackageSource, ReleaseSource) for kind in get_args(model.model_fields["source"].annotation)}
    assert set(SOURCES) == kinds


@pytest.mark.parametrize("kind", sorted(SOURCES))
def test_reading_is_repeatable_and_typed(kind: str, tmp_path: Path) -> None:
    source = source_of(kind, tmp_path)
    frame = read_source(source, folder=tmp_path)
    assert len(frame) > 0
    assert list(frame.index) == list(range(len(frame)))
    assert {dtype.kind for dtype in frame.dtypes} <= set("iufbMO")
    assert all(dtype == "string" for dtype in frame.dtypes if dtype.kind == "O")
    pd.testing.assert_frame_equal(frame, read_source(source, folder=tmp_path))


@pytest.mark.parametrize("kind", sorted(SOURCES))
def test_a_peek_agrees_with_reading(kind: str, tmp_path: Path) -> None:
    source = source_of(kind, tmp_path)
    frame = read_source(source, folder=tmp_path)
    names, peeked = SOURCES[kind].peek(source, folder=tmp_path, columns={"age"})
    assert names == list(frame.columns)
    assert peeked["age"].astype(float).equals(frame["age"].astype(float))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_packages_table_is_what_its_own_loader_gives() -> None:
    from causaldata import nsw_mixtape
    from lifelines.datasets import load_gbsg2, load_lymph_node
    from SurvSet.data import SurvLoader

    loaded = {
        ("SurvSet", "rhc"): SurvLoader().load_dataset("rhc")["df"],
        ("lifelines", "gbsg2"): load_gbsg2(),
        ("lifelines", "lymph_node"): load_lymph_node(),
        ("causaldata", "nsw_mixtape"): nsw_mixtape.load_pandas().data,
    }
    for (package, table), expected in loaded.items():
        source = PackageSource.model_validate({"source": "package", "package": package, "table": table})
        frame = SOURCES["package"].read(source, folder=Path())
        pd.testing.assert_frame_equal(frame[list(expected.columns)].reset_index(drop=True), expected.reset_index(drop=True), check_dtype=False)


@pytest.mark.parametrize("table", ["gbsg", "../gbsg2", "nothing_like_it"])
def test_an_unknown_table_of_a_package_is_explained(table: str) -> None:
    with pytest.raises(SourceError, match="package lifelines has no table"):
        read_source(PackageSource(source="package", package="lifelines", table=table), folder=Path())


def test_csv_and_parquet_hold_the_same_patients(tmp_path: Path) -> None:
    FRAME.to_parquet(tmp_path / "patients.parquet")
    csv = read_source(file_source(tmp_path, FRAME.to_csv(index=False)), folder=tmp_path)
    parquet = read_source(FileSource(source="file", path="patients.parquet", columns=COLUMNS), folder=tmp_path)
    pd.testing.assert_frame_equal(csv, parquet)
    assert dict(csv.dtypes.astype(str)) == {"id": "int64", "age": "float64", "sex": "string", "smoker": "boolean"}


def test_other_columns_order_quotes_line_ends_and_byte_order_mark(tmp_path: Path) -> None:
    text = '\ufeffsmoker,other,id,age,sex\r\nt,"1,5",9007199254740993,1e1,"not\nsaid"\r\n\r\nfalse,x,2,NA,\r\n'
    frame = read_source(file_source(tmp_path, text), folder=tmp_path)
    beyond_float = 2**53 + 1
    expected = pd.DataFrame({"id": [beyond_float, 2], "age": [10.0, None], "sex": ["not\nsaid", None], "smoker": [True, False]})
    pd.testing.assert_frame_equal(frame, expected.astype({"sex": "string"}))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["1,50,f,true", "SECRET,50,f,true"], ['line 3, column "id": expected a whole number']),
        (["1.5,50,f,true"], ['line 2, column "id": expected a whole number']),
        (["1,SECRET,f,true", "2,50,f,SECRET"], ['line 2, column "age": expected a number', 'line 3, column "smoker": expected true or false']),
        (['1,50,"not\nsaid",true', "", "2,SECRET,f,true"], ['line 5, column "age": expected a number']),
        (["1,inf,f,true", "2,-1,f,true", "3,121,f,true"], ["a finite number", "at least 0", "at most 120"]),
        (["1,50,SECRET,true"], ['line 2, column "sex": expected one of f, m, not']),
        ([",50,f,true"], ['line 2, column "id": expected a whole number, not a missing value']),
        (["1,50,f", "2,50,f,true"], ["line 2: too few fields; expected 4 fields"]),
        (["1,50,f,true", "2,50,f,true,SECRET"], ["line 3: too many fields; expected 4 fields"]),
        (['1,50,"SECRET,true', "2,50,f,true"], ["line 2: a quote that is not closed"]),
    ],
)
def test_a_bad_line_is_placed_and_its_values_are_not_shown(lines: list[str], expected: list[str], tmp_path: Path) -> None:
    source = file_source(tmp_path, "\n".join(["id,age,sex,smoker", *lines]) + "\n")
    with pytest.raises(SourceError) as caught:
        read_source(source, folder=tmp_path)
    message = str(caught.value)
    assert str(tmp_path / "patients.csv") in message
    assert all(part in message for part in expected), message
    assert f"{'1 fault' if len(expected) == 1 else f'{len(expected)} faults'}:" in message
    assert "SECRET" not in message
    assert caught.value.__cause__ is None


def test_many_faults_are_counted_and_the_first_are_shown(tmp_path: Path) -> None:
    source = file_source(tmp_path, "id,age,sex,smoker\n" + "x,50,f,true\n" * 100)
    with pytest.raises(SourceError, match="100 faults") as caught:
        read_source(source, folder=tmp_path)
    assert "and 80 more" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        ("", "patients.csv", "is empty"),
        ("id,age,sex,smoker\n", "patients.csv", "has a header but no rows"),
        ("id,age,sex,smoker\n1,50,M\xfcller,true\n".encode("latin-1"), "patients.csv", "line 2: a byte that is not UTF-8"),
        ("id,agee,sex,smoker\n1,50,f,true\n", "patients.csv", 'no column "age": did you mean "agee"?'),
        ("id;age;sex;smoker\n1;50;f;true\n", "patients.csv", "are the fields separated by commas?"),
        ("id,age,age,sex,smoker\n1,50,50,f,true\n", "patients.csv", "names these columns more than once: age"),
        ("no parquet", "patients.parquet", "cannot be read as Parquet"),
        ("1", "patients.txt", "ends in .csv or .parquet"),
    ],
)
def test_a_bad_file_is_explained(content: str | bytes, name: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=re.escape(expected)):
        read_source(file_source(tmp_path, content, name), folder=tmp_path)


def test_a_missing_file_is_explained(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="there is no such file"):
        read_source(FileSource(source="file", path="none.csv", columns=COLUMNS), folder=tmp_path)


def test_the_types_of_a_parquet_file_are_checked(tmp_path: Path) -> None:
    FRAME.assign(id=["1", "2", "3"], age=["SECRET", "2", "3"]).to_parquet(tmp_path / "patients.parquet")
    with pytest.raises(SourceError) as caught:
        read_source(FileSource(source="file", path="patients.parquet", columns=COLUMNS), folder=tmp_path)
    assert 'column "id": expected a whole number, found the type VARCHAR' in str(caught.value)
    assert 'column "age": expected a number, found the type VARCHAR' in str(caught.value)
    assert "SECRET" not in str(caught.value)


def test_the_values_of_a_parquet_file_are_checked(tmp_path: Path) -> None:
    FRAME.assign(age=[50.0, 200.0, 1.0]).to_parquet(tmp_path / "patients.parquet")
    with pytest.raises(SourceError, match='row 2, column "age": expected at most 120'):
        read_source(FileSource(source="file", path="patients.parquet", columns=COLUMNS), folder=tmp_path)
