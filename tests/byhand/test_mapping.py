"""A site's own columns onto the study's, on five patients."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from parallax.errors import ProtocolError, SourceError
from parallax.extraction.mapping import check_mapping, columns_behind, map_columns
from parallax.protocol.data import MappedColumn

SITE = pd.DataFrame(
    {
        "pid": [1, 2, 3, 4, 5],
        "meno": pd.array(["pre", "post", None, "post", "pre"], dtype="string"),
        "grade": [1, 2, 3, 3, 2],
        "nodes": [0, 1, 3, 7, 15],
        "months": [12.0, 24.0, 1.0, 0.5, 100.0],
    }
)
MAPPING = {
    "menopause": MappedColumn(column="meno", levels={"pre": "before", "post": "after"}),
    "grade": MappedColumn(column="grade", levels={"1": "low", "2": "low", "3": "high"}),
    "days": MappedColumn(column="months", factor=30.4375),
    "log_nodes": MappedColumn(expression="log2(1 + nodes)"),
    "half": MappedColumn(expression="nodes * 0.5"),
    "country": MappedColumn(constant="NL"),
    "year": MappedColumn(constant=1990),
}


def test_a_column_of_the_study_is_made_as_the_mapping_says() -> None:
    made = map_columns(SITE, MAPPING, where="mapping")
    assert list(made.columns) == ["pid", "nodes", *MAPPING]
    assert made["menopause"].fillna("?").tolist() == ["before", "after", "?", "after", "before"]
    assert made["grade"].tolist() == ["low", "low", "high", "high", "low"]
    assert made["days"].tolist() == [365.25, 730.5, 30.4375, 15.21875, 3043.75]
    assert made["log_nodes"].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert made["half"].tolist() == [0.0, 0.5, 1.5, 3.5, 7.5]
    assert made["half"].dtype == "float64"
    assert made["country"].tolist() == ["NL"] * 5
    assert made["year"].tolist() == [1990.0] * 5


def test_two_names_can_be_exchanged() -> None:
    swapped = map_columns(SITE, {"nodes": MappedColumn(column="grade"), "grade": MappedColumn(column="nodes")}, where="mapping")
    assert swapped["nodes"].tolist() == SITE["grade"].tolist()
    assert swapped["grade"].tolist() == SITE["nodes"].tolist()


def test_what_a_column_is_made_of() -> None:
    assert columns_behind(["days", "log_nodes", "country", "pid"], MAPPING, where="mapping") == {"months", "nodes", "pid"}


def test_a_missing_value_stays_missing_in_an_expression() -> None:
    made = map_columns(SITE, {"late": MappedColumn(expression="upper(meno)")}, where="mapping")["late"]
    assert made.isna().tolist() == [False, False, True, False, False]
    assert made.dtype == "string"


@pytest.mark.parametrize(
    ("mapped", "told"),
    [
        (MappedColumn(column="meno", levels={"pre": "before"}), "another level than pre for 2 patients"),
        (MappedColumn(column="meno", factor=2), 'column "meno" holds no numbers'),
    ],
)
def test_a_value_that_cannot_be_mapped_is_counted_not_told(mapped: MappedColumn, told: str) -> None:
    with pytest.raises(SourceError, match=told) as caught:
        map_columns(SITE, {"x": mapped}, where="data.sites.a.mapping")
    assert "post" not in str(caught.value)


def test_an_expression_reads_nothing_but_the_row() -> None:
    with pytest.raises(ProtocolError, match=r"more than one expression|a subquery|read_csv"):
        map_columns(SITE, {"x": MappedColumn(expression="(select 1 from read_csv('a.csv'))")}, where="mapping")
    with pytest.raises(ProtocolError, match="expression of type"):
        map_columns(SITE, {"x": MappedColumn(expression="[nodes, grade]")}, where="mapping")


def test_a_column_that_the_site_lacks_is_named_with_its_place() -> None:
    faults = list(check_mapping({"x": MappedColumn(column="node"), "y": MappedColumn(expression="ln(node)")}, SITE.columns, where="m"))
    assert [fault.where for fault in faults] == ["m.x.column", "m.y.expression"]
    assert 'did you mean "nodes"' in faults[0].remedy
    assert math.isclose(map_columns(SITE, MAPPING, where="m")["half"].sum(), 13.0)
