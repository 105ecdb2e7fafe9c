"""Expressions of a protocol, evaluated on a table of patients.

A protocol is data: its expressions are single scalar expressions over the columns of one row. They run in an in-memory DuckDB without access
to files, network or settings, and before that their syntax tree is checked against what an expression may hold: columns, constants,
operators and functions that give the same answer every time. No subquery, no aggregate, no window, no statement.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import Any, Final

import duckdb
import pandas as pd

from parallax.errors import Fault, ProtocolError, did_you_mean

_NODES: Final = frozenset({"COLUMN_REF", "CONSTANT", "COMPARISON", "CONJUNCTION", "OPERATOR", "FUNCTION", "CAST", "BETWEEN", "CASE"})
#: read the session, not the patient
_SESSION_FUNCTIONS: Final = frozenset({"current_setting", "getvariable"})
_ALLOWED: Final = "one DuckDB expression over the columns of a row, such as: age >= 18 and sex = 'female'"


def columns(expression: str, *, where: str, known: Collection[str] | None = None) -> tuple[str, ...]:
    """The columns that an expression uses, in order of appearance; ``known`` are those that there are.

    Raises ``ProtocolError`` where it is anything but one scalar expression, or uses a column that is not known.
    """
    with _connect() as connection:
        names = _columns(connection, expression, where)
    for name in names:
        if known is not None and name not in known:
            remedy = did_you_mean(name, known, otherwise="correct the column's name")
            raise _fault(where, f'the column "{name}", which the source does not have', remedy)
    return names


def evaluate(patients: pd.DataFrame, expression: str, *, where: str) -> pd.Series:
    """Whether the expression is true, for each patient; unknown (a missing value decides it) counts as not true.

    ``where`` is the expression's place in the protocol. Raises ``ProtocolError``; its message never holds a value of the table.
    """
    keep, kind = _compute(patients, expression, where)
    if kind != "BOOLEAN":
        raise _fault(where, f"an expression of type {kind}", "compare it with something, so that it is true or false")
    return keep.astype("boolean").fillna(False).astype(bool)


def derive(patients: pd.DataFrame, expression: str, *, where: str) -> pd.Series:
    """The expression's value for each patient: numbers, truth values, dates or text; missing where a missing value decides it.

    Raises ``ProtocolError`` as :func:`evaluate` does, and where the value is of another kind.
    """
    values, kind = _compute(patients, expression, where)
    if kind.startswith("DECIMAL") or kind == "HUGEINT":
        return values.astype("float64")
    if kind == "VARCHAR":
        return values.astype("string")
    if values.dtype.kind not in "iufbM" and kind != "BOOLEAN":
        raise _fault(where, f"an expression of type {kind}", "make it a number, a truth value, a date or text")
    return values


def _compute(patients: pd.DataFrame, expression: str, where: str) -> tuple[pd.Series, str]:
    """The expression's value for each patient, and its type in DuckDB."""
    names = columns(expression, where=where, known=patients.columns)
    if not names or len({name.casefold() for name in names}) < len(names):
        raise _fault(where, "no column" if not names else "two columns whose names differ in case only", "use columns with distinct names")
    with _connect() as connection:
        connection.register("patients", patients[list(names)])
        try:
            relation = connection.sql(f"SELECT ({expression}\n) AS value FROM patients")  # noqa: S608  a single checked expression
        except (duckdb.BinderException, duckdb.CatalogException) as error:
            raise _fault(where, str(error).partition("\n")[0], "correct the expression") from None
        except duckdb.Error as error:
            raise _unevaluable(where, error) from None
        try:
            values = relation.df()["value"]
        except duckdb.Error as error:  # its text may quote a patient's value
            raise _unevaluable(where, error) from None
        return values.set_axis(patients.index), str(relation.types[0])


def _connect() -> duckdb.DuckDBPyConnection:
    settings: dict[str, str | bool | int | float | list[str]] = {
        "enable_external_access": False,
        "autoload_known_extensions": False,
        "threads": 1,
        "lock_configuration": True,
    }
    return duckdb.connect(":memory:", config=settings)


def _columns(connection: duckdb.DuckDBPyConnection, expression: str, where: str) -> tuple[str, ...]:
    parsed = json.loads(connection.execute("SELECT json_serialize_sql(?)", [f"SELECT {expression}\n"]).fetchall()[0][0])
    if parsed["error"]:
        raise _fault(where, parsed["error_message"], "correct the expression's syntax")
    statements = parsed["statements"]
    select = statements[0]["node"]
    if len(statements) != 1 or len(select.get("select_list", ())) != 1 or not _is_bare(select):
        raise _fault(where, "more than one expression", "write one expression; name further criteria on their own")
    found: dict[str, None] = {}
    for node in _nodes(select["select_list"][0]):
        kind = node["class"]
        if kind not in _NODES:
            raise _fault(where, f"a {kind.lower().replace('_', ' ')}", "write one plain expression")
        if node["alias"] or len(node.get("column_names", "_")) != 1:
            raise _fault(where, "an alias or a qualified column", "write one plain expression")
        if kind == "FUNCTION":
            _check_function(connection, node["function_name"], where)
        if kind == "COLUMN_REF":
            found[node["column_names"][0]] = None
    return tuple(found)


def _is_bare(select: dict[str, Any]) -> bool:
    clauses = ("where_clause", "group_expressions", "having", "sample", "qualify", "modifiers")
    return select["type"] == "SELECT_NODE" and select["from_table"]["type"] == "EMPTY" and not any(select[clause] for clause in clauses)


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, list):
        for branch in tree:
            yield from _nodes(branch)
    elif isinstance(tree, dict):
        if "class" in tree:
            yield tree
        for branch in tree.values():
            yield from _nodes(branch)


def _check_function(connection: duckdb.DuckDBPyConnection, name: str, where: str) -> None:
    catalogue = "SELECT DISTINCT function_type = 'scalar' AND stability = 'CONSISTENT' FROM duckdb_functions() WHERE function_name = ?"
    if name in _SESSION_FUNCTIONS or connection.execute(catalogue, [name]).fetchall() != [(True,)]:
        raise _fault(where, f"the function {name}", "use a scalar function that gives the same answer every time")


def _fault(where: str, found: str, remedy: str) -> ProtocolError:
    return ProtocolError([Fault(where=where, found=found, allowed=_ALLOWED, remedy=remedy)])


def _unevaluable(where: str, error: duckdb.Error) -> ProtocolError:
    kind = str(error).partition(":")[0]
    return _fault(where, f"an expression that cannot be evaluated for every patient ({kind})", "guard the conversion, for instance with try_cast")
