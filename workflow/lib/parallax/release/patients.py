"""Synthetic patients in the form of their source, so that the protocol that made them can be run on them unchanged."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

import numpy as np
import pandas as pd

from parallax.errors import ReleaseError
from parallax.expressions import columns as columns_of
from parallax.extraction.release import PATIENT_ID, REPLICATE
from parallax.protocol.cohort import CohortSection
from parallax.protocol.outcomes import OutcomesSection, SurvivalOutcome
from parallax.protocol.protocol import Protocol

_TRUTH: Final = {"true": True, "false": False}
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
#: whole numbers below it are exact as floating-point numbers
_EXACT: Final = 2**53
_PARTS: Final = {
    "days": ("follow-up time", "days"),
    "event": ("event", ""),
    "value": ("value", ""),
    "person_days": ("time in which it was counted", "days"),
}


def restore_source(cohort: pd.DataFrame, section: CohortSection, outcomes: OutcomesSection) -> pd.DataFrame:
    """A cohort table's patients under the columns, arm levels and event codes of the protocol's source, with ``replicate`` and ``patient_id``.

    The selection of the protocol's cohort takes them back to the cohort table. Levels that are whole numbers or truth values are written as
    such, so that expressions over them mean what they meant. Raises ReleaseError where two columns would share a name: two outcomes that read
    one column of the source, but were drawn apart, are no one patient's.
    """
    arms = section.arms
    parts: list[tuple[str, pd.Series]] = [(REPLICATE, cohort["replicate"]), (PATIENT_ID, cohort["patient_id"])]
    parts.append((arms.column, _levels(cohort["treated"].map({True: arms.treated, False: arms.comparator}).astype("string"))))
    parts += [(name, _numbers(cohort[name])) for name in section.covariates.numeric]
    parts += [(name, _levels(cohort[name])) for name in section.covariates.categorical]
    for name, outcome in outcomes.items():
        for part, column in outcome.columns.items():
            values = cohort[f"{name}_{part}"]
            if part == "event" and isinstance(outcome, SurvivalOutcome):
                values = values.map(dict(enumerate(outcome.codes)))
            parts.append((column, _numbers(values)))
    restored: dict[str, pd.Series] = {}
    for column, values in parts:
        if column in restored and not restored[column].equals(values):
            raise ReleaseError(
                f'the column "{column}"\n    found    two uses of it with different values in the synthetic patients\n'
                "    allowed  columns that mean one thing each\n    to do    give every outcome its own columns in the source, or rename the column"
            )
        restored[column] = values
    return pd.DataFrame(restored).reset_index(drop=True)


def list_applied(section: CohortSection, columns: Collection[str]) -> tuple[str, ...]:
    """The eligibility expressions over columns that released patients do not have: they were met by all before anything was learnt."""
    return tuple(
        criterion.keep
        for number, criterion in enumerate(section.eligibility)
        if not set(columns_of(criterion.keep, where=f"cohort.eligibility[{number}].keep")) <= set(columns)
    )


def describe_columns(protocol: Protocol, released: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The data dictionary: ``column, role, type, unit, levels, meaning``.

    ``released`` by site. Levels are those that synthetic patients have; of numbers no smallest and largest is given, since they may be a real
    patient's.
    """
    section = protocol.cohort
    arms = section.arms
    roles = {
        REPLICATE: ("identifier", "", "synthetic cohort that the patient is part of, from 0; analyse each by itself"),
        PATIENT_ID: ("identifier", "", "numbers the patients of a replicate; it is nobody's number"),
        arms.column: ("arm", "", f'"{arms.treated}": {protocol.question.treatment}; "{arms.comparator}": {protocol.question.comparator}'),
    }
    roles |= dict.fromkeys(section.covariates.numeric, ("covariate", "", "at the index date; in the source's unit"))
    roles |= dict.fromkeys(section.covariates.categorical, ("covariate", "", "at the index date"))
    for name, outcome in protocol.outcomes.items():
        for part, column in outcome.columns.items():
            what, unit = _PARTS[part]
            coded = isinstance(outcome, SurvivalOutcome) and part == "event"
            told = f"{what} of {name}" + (f": 0 censored, {outcome.event_code} the event" if isinstance(outcome, SurvivalOutcome) and coded else "")
            if isinstance(outcome, SurvivalOutcome) and coded and outcome.competing:
                told += f", {', '.join(map(str, outcome.competing))} competing"
            roles.setdefault(column, ("outcome", unit, told))
    levelled = {arms.column, *section.covariates.categorical}
    rows = []
    for column, (role, unit, meaning) in roles.items():
        values = pd.concat([frame[column] for frame in released.values()], ignore_index=True)
        levels = " | ".join(sorted(map(_text, values.dropna().unique()))) if column in levelled else ""
        rows.append((column, role, _kind(values), unit, levels, meaning))
    return pd.DataFrame(rows, columns=["column", "role", "type", "unit", "levels", "meaning"])


def find_formulas(released: Iterable[pd.DataFrame]) -> tuple[str, ...]:
    """The columns with text that a spreadsheet takes for a formula: its first character is one of ``= + - @``, a tab or a return."""
    found: dict[str, None] = {}
    for frame in released:
        texts = [str(name) for name, kind in frame.dtypes.items() if kind == "string"]
        found |= {name: None for name in texts if frame[name].str.startswith(_FORMULA).fillna(value=False).any()}
    return tuple(found)


def _numbers(values: pd.Series) -> pd.Series:
    known = values.dropna()
    whole = bool((known == np.floor(known)).all() and (known.abs() < _EXACT).all())
    return values.astype("Int64" if whole else "float64")


def _levels(values: pd.Series) -> pd.Series:
    """Levels as what they were before the cohort table made text of them: truth values, whole numbers, or text."""
    known = [str(level) for level in values.dropna().unique()]
    if known and set(known) <= set(_TRUTH):
        return values.map(_TRUTH).astype("boolean")
    if known and all(level.removeprefix("-").isdecimal() and str(int(level)) == level and abs(int(level)) < _EXACT for level in known):
        return values.astype("Int64")
    return values.astype("string")


def _kind(values: pd.Series) -> str:
    return {"i": "integer", "f": "number", "b": "boolean"}.get(values.dtype.kind, "text")


def _text(level: object) -> str:
    return str(level).lower() if isinstance(level, bool | np.bool_) else str(level)
