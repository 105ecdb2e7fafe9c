"""What the report says of treated patients beside an AI-generated control."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from parallax.protocol.protocol import Protocol
from parallax.reporting.figures.external_control import CONTROL, draw_external_control, of_primary
from parallax.reporting.numbers import format_count, format_number
from parallax.reporting.page import render_page
from parallax.reporting.pictures import Picture, competing_outcomes, inline
from parallax.reporting.sections import Cell, Table
from parallax.reporting.wording import CONTRASTS, describe_effect, describe_failure, describe_missing, estimate_words, plain
from parallax.vocabulary import ARMS


@dataclass(frozen=True, slots=True)
class ControlSection:
    """The section's heading, its figure and table of the primary contrast, and the table of all."""

    heading: str
    picture: Picture
    primary: Table
    estimates: Table


def describe_external_control(table: pd.DataFrame, protocol: Protocol) -> ControlSection:
    """The section from the content of external_control.csv."""
    of_first = _tabulate(of_primary(table, protocol.question.primary), protocol, caption="Patients and events behind the figure")
    return ControlSection(CONTROL, _picture(table, protocol), of_first, _tabulate(table, protocol, caption="All estimates, replicates combined"))


def render_external_control(table: pd.DataFrame, protocol: Protocol) -> str:
    """The section as a page of its own: a single-arm trial has no other report."""
    return render_page("external_control_page.html.j2", protocol=protocol, external_control=describe_external_control(table, protocol))


def _picture(table: pd.DataFrame, protocol: Protocol) -> Picture:
    primary = protocol.question.primary
    told = "; ".join(
        f"{plain(row['site'])}, {plain(row['design'])} {estimate_words(primary.contrast, row['estimate'], row['lower'], row['upper'])}"
        for row in of_primary(table, primary).to_dict("records")
        if row["status"] == "ok"
    )
    effect = describe_effect(primary.outcome, primary.contrast, primary.horizon_days, competing=competing_outcomes(protocol))
    caption = (
        f"{effect[0].upper()}{effect[1:]}, real treated patients against the {CONTROL}, by design. Bars are 95% intervals; hollow marks belong to a "
        "design that failed."
    )
    return Picture(inline(draw_external_control(table, primary), "external-control", f"Treated patients against the {CONTROL}: {told}."), caption)


def _tabulate(table: pd.DataFrame, protocol: Protocol, *, caption: str) -> Table:
    """A line per estimate, grouped by outcome, contrast and horizon."""
    minimum, several = protocol.disclosure.minimum_count, len(set(table["site"])) > 1
    rows: list[tuple[Cell, ...]] = []
    groups: dict[int, str] = {}
    for _, part in table.groupby(["outcome", "contrast", "horizon_days"], sort=False, dropna=False):
        records: list[dict[Any, Any]] = part.to_dict("records")
        outcome, contrast, horizon = (records[0][name] for name in ("outcome", "contrast", "horizon_days"))
        effect = describe_effect(outcome, contrast, None if pd.isna(horizon) else float(horizon), competing=competing_outcomes(protocol))
        groups[len(rows)] = f"{effect[0].upper()}{effect[1:]}" + (f", {unit}" if (unit := CONTRASTS[contrast].unit) else "")
        rows += [_row(row, minimum=minimum, several=several) for row in records]
    headings = ("Design", "Estimate", "p", "Patients, treated / AI-generated", "Events")
    return Table(caption, headings, tuple(rows), groups)


def _row(row: Mapping[Any, Any], *, minimum: int, several: bool) -> tuple[Cell, ...]:
    name = f"{plain(row['site'])} · {plain(row['design'])}" if several else plain(row["design"])
    design = Cell(name, note="" if pd.isna(row["design_failure"]) else describe_failure(row["design_failure"]))
    if row["status"] != "ok":
        return (design, Cell(describe_missing(row), look="wide"), *[Cell("")] * 3)
    counts = (" / ".join(format_count(row[f"{what}_{arm}"], minimum=minimum) for arm in ARMS) for what in ("n", "events"))
    p = float(row["p_value"])
    return (
        design,
        Cell(estimate_words(row["contrast"], row["estimate"], row["lower"], row["upper"])),
        Cell("<0.001" if p < 0.001 else format_number(p, decimals=3)),
        *map(Cell, counts),
    )
