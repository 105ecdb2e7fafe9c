from __future__ import annotations

import pandas as pd
import pytest

from parallax.errors import ProtocolError
from parallax.expressions import columns, evaluate

PATIENTS = pd.DataFrame(
    {
        "age": [17.0, 18.0, None, 70.0],
        "sex": pd.array(["f", "m", "f", None], dtype="string"),
        "stage": pd.array([1, None, 3, 4], dtype="Int64"),
        "note": ["secret", "4", "5", "6"],
    },
    index=[10, 20, 30, 40],
)


@pytest.mark.parametrize(
    ("expression", "kept"),
    [
        ("age >= 18", [20, 40]),
        ("age >= 18 or age is null", [20, 30, 40]),
        ("sex = 'f'", [10, 30]),
        ("sex in ('m') and not age < 18", [20]),
        ("stage between 1 and 3", [10, 30]),
        ("coalesce(stage, 0) + 1 > 3", [30, 40]),
        ("case when sex = 'm' then true else age > 60 end", [20, 40]),
        ("lower(sex) like 'F'", []),
        ("try_cast(note as integer) > 4", [30, 40]),
        ("age >= 18 -- adults", [20, 40]),
    ],
)
def test_unknown_is_not_kept(expression: str, kept: list[int]) -> None:
    mask = evaluate(PATIENTS, expression, where="here")
    assert mask.dtype == bool
    assert list(mask.index[mask]) == kept


def test_the_columns_of_an_expression() -> None:
    assert columns("age > 18 and (sex = 'f' or age < stage)", where="here") == ("age", "sex", "stage")


@pytest.mark.parametrize(
    "expression",
    [
        "age >",
        "",
        "age > 1; drop table patients",
        "age > 1, sex = 'f'",
        "age > 1 from read_csv('/etc/passwd')",
        "age > 1 where age > 2",
        "age > 1 order by age",
        "age > 1 union select true",
        "age > (select 1)",
        "exists (from patients)",
        "age in (select age from patients)",
        "*",
        "columns(*) is not null",
        "#1 > 2",
        "age > 1 as keep",
        "patients.age > 1",
        "$1 > age",
        "age > avg(age)",
        "row_number() over () > 2",
        "age > random()",
        "now() > age",
        "current_setting('threads') = age",
        "getenv('HOME') = sex",
        "age > nextval('s')",
        "list_filter([age], x -> x > 1) = [age]",
        "PRAGMA database_list",
        "true) as keep from read_csv('/etc/passwd') --",
        "age > 1) as keep from patients; copy patients to 'x.csv' --",
        "age > 1 /* ",
        "sex in (from glob('/*'))",
        "sex = (select content from read_text('/etc/passwd'))",
        "read_text('/etc/passwd') = sex",
        "read_blob('key.pem') is not null",
        "glob('/*') = sex",
        "query('select 1') = sex",
        "parquet_scan('x.parquet') = sex",
        "sqlite_scan('x', 'y') = sex",
        "install httpfs",
        "set enable_external_access = true",
        "import database 'x'",
        "export database 'x'",
        "age > ?",
        "age > 1 \\; drop table patients",
        "age > 1\x00; drop table patients",
        "getvariable('x') = age",
        "pg_sleep(1) is null",
        "'/etc/passwd'",
        "../../etc/passwd",
        "attach 'x.db'",
        "copy (select 1) to 'x.csv'",
        "true",
        "age + 1",
        "sex",
        "aeg > 18",
        "age > 'eighteen'",
    ],
)
def test_anything_but_a_condition_on_one_row_is_refused(expression: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        evaluate(PATIENTS, expression, where="cohort.eligibility[0].keep")
    assert "cohort.eligibility[0].keep" in str(caught.value)


def test_a_value_of_a_patient_is_never_shown() -> None:
    with pytest.raises(ProtocolError) as caught:
        evaluate(PATIENTS, "cast(note as integer) > 4", where="here")
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_columns_that_differ_in_case_only_are_not_confused() -> None:
    patients = pd.DataFrame({"age": [1.0, 2.0], "AGE": [2.0, 1.0]})
    assert list(evaluate(patients, "AGE > 1", where="here")) == [True, False]
    with pytest.raises(ProtocolError, match="differ in case only"):
        evaluate(patients, "AGE > 1 and age > 1", where="here")
