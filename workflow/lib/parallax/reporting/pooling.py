"""What the report says of all sites together: verdicts, the ways of pooling and what was shared, what synthesis costs, what each way took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from parallax.reporting.heterogeneity import tabulate_heterogeneity, tabulate_site_overlap
from parallax.reporting.inputs import ReportInputs
from parallax.reporting.numbers import NOT_AVAILABLE, format_number, format_signed
from parallax.reporting.pictures import Picture, competing_outcomes
from parallax.reporting.pooling_forest import WAY_WORDS, picture_pooling, primary_answers
from parallax.reporting.sections import Cell, Table
from parallax.reporting.style import dataset_styles
from parallax.reporting.verdicts import sentence
from parallax.reporting.wording import describe_effect, estimate_words, name_site, name_sites, plain
from parallax.vocabulary import POOLED

_VERDICTS: Final[Mapping[str, tuple[str, str, str]]] = {
    "agrees": ("release", "Agrees", "✓"),
    "differs": ("do_not_release", "Differs", "✕"),
    "inconclusive": ("inconclusive", "Inconclusive", "?"),
}


@dataclass(frozen=True, slots=True)
class PooledCard:
    """The verdict on a way of pooling as the page shows it; ``look`` is its class."""

    look: str
    words: str
    mark: str
    name: str
    dataset: str
    reason: str


@dataclass(frozen=True, slots=True)
class PooledPage:
    """What the page says of all sites together."""

    cards: tuple[PooledCard, ...]
    forest: Picture
    ways: Table
    costs: Table | None
    times: Table | None
    heterogeneity: Table | None
    overlap: Table | None


def describe_pooled(inputs: ReportInputs) -> PooledPage | None:
    """The pooled section; None where nothing is pooled."""
    if not inputs.pooled:
        return None
    styles = dataset_styles(inputs.protocol.generators)
    judged: Any = inputs.verdict["pooled"]
    cards = tuple(
        PooledCard(
            *_VERDICTS[entry["verdict"]],
            name=WAY_WORDS[entry["way"]],
            dataset=styles[entry["dataset"]].label,
            reason=sentence(name_sites(_reason(entry), inputs.protocol.named_sites)),
        )
        for entry in judged
    )
    return PooledPage(
        cards,
        picture_pooling(inputs),
        _tabulate_ways(inputs),
        _tabulate_costs(inputs),
        _tabulate_times(inputs),
        _tabulate_heterogeneity(inputs),
        _tabulate_overlap(inputs),
    )


def _reason(entry: Mapping[str, Any]) -> str:
    """Why a way has its verdict; one that has no answer says itself who is left out."""
    said = str(entry["reason"])
    return said if entry["verdict"] == "inconclusive" or not entry["left_out"] else f"{said}; left out: {entry['left_out']}"


def _tabulate_ways(inputs: ReportInputs) -> Table:
    styles, primary = dataset_styles(inputs.protocol.generators), inputs.protocol.question.primary

    def name(text: object) -> str:
        return name_sites(str(text), inputs.protocol.named_sites)

    rows = []
    for way, dataset, row in primary_answers(inputs.pooled, inputs.protocol):
        told = pd.isna(row["left_out"]) or str(row["left_out"]) in str(row["reason"])
        left_out = "" if told else f"left out: {name(row['left_out'])}"
        answer = Cell(estimate_words(primary.contrast, row["estimate"], row["lower"], row["upper"]))
        if row["status"] != "ok":
            answer = Cell(plain(str(row["status"])), note=name(row["reason"]))
        rows.append(
            (
                Cell(WAY_WORDS[way], note=styles[dataset].label),
                Cell(name(row["shared"])),
                Cell(name(row["sites"]) or NOT_AVAILABLE, note=left_out),
                answer,
            )
        )
    return Table("The ways of pooling", ("Way", "What left a site", "Sites in it", "Primary estimate"), tuple(rows))


def _tabulate_costs(inputs: ReportInputs) -> Table | None:
    """Every contrast of the primary outcome under the primary design, against the best benchmark; None where there is no number."""
    if inputs.pooling is None or inputs.pooling.empty:
        return None
    primary, styles = inputs.protocol.question.primary, dataset_styles(inputs.protocol.generators)
    shown = inputs.pooling[
        inputs.pooling["shift"].notna() & (inputs.pooling["design"] == primary.design) & (inputs.pooling["outcome"] == primary.outcome)
    ]
    rows: list[tuple[Cell, ...]] = []
    groups: dict[int, str] = {}
    for (benchmark, way, dataset), part in shown.groupby(["benchmark", "way", "dataset"], sort=False):
        groups[len(rows)] = f"{WAY_WORDS[str(way)]} ({styles[str(dataset)].label}) against {WAY_WORDS[str(benchmark)]} (real)"
        for row in part.to_dict("records"):
            horizon = None if pd.isna(row["horizon_days"]) else float(row["horizon_days"])
            rows.append(
                (
                    Cell(describe_effect(primary.outcome, row["contrast"], horizon, competing=competing_outcomes(inputs.protocol))),
                    Cell(format_signed(row["shift"], decimals=2)),
                    Cell(format_number(row["width_ratio"], decimals=2)),
                    Cell(NOT_AVAILABLE if pd.isna(row["effective_patients"]) else f"{int(row['effective_patients']):,}"),
                )
            )
    if not rows:
        return None
    caption = f"What synthesis costs the pooled answer, design {plain(primary.design)}"
    return Table(caption, ("Contrast", "Shift in benchmark SE", "Width of the interval, ratio", "Effective patients"), tuple(rows), groups)


def _tabulate_times(inputs: ReportInputs) -> Table | None:
    """Jobs and time of every way, at each site and where the answers meet; None where no job was measured."""
    costs, styles = inputs.pooling_costs, dataset_styles(inputs.protocol.generators)
    if costs is None or costs.empty:
        return None
    places = sorted(dict.fromkeys(costs["site"]), key=lambda site: site == POOLED)
    rows = []
    for (way, dataset), part in costs.groupby(["way", "dataset"], sort=False):
        at = part.set_index("site")
        cells = [Cell(f"{at.loc[site, 'jobs']} · {at.loc[site, 'cpu_seconds']:.0f} s" if site in at.index else NOT_AVAILABLE) for site in places]
        total = Cell(f"{part['jobs'].sum()} · {part['cpu_seconds'].sum():.0f} s", note=f"{part['seconds'].sum():.0f} s by the clock")
        rows.append((Cell(WAY_WORDS[str(way)], note=styles[str(dataset)].label), *cells, total))
    named = ["Where they meet" if site == POOLED else name_site(str(site)) for site in places]
    return Table("What each way took: jobs · CPU time", ("Way", *named, "In all"), tuple(rows))


def _tabulate_heterogeneity(inputs: ReportInputs) -> Table | None:
    if inputs.heterogeneity is None:
        return None
    labels = {name: look.label for name, look in dataset_styles(inputs.protocol.generators).items()}
    by_dataset = {str(dataset): rows for dataset, rows in inputs.heterogeneity.groupby("dataset", sort=False)}
    return tabulate_heterogeneity(by_dataset, inputs.protocol.question.primary, labels=labels)


def _tabulate_overlap(inputs: ReportInputs) -> Table | None:
    if inputs.site_overlap is None:
        return None
    return tabulate_site_overlap(inputs.site_overlap, imbalance=inputs.protocol.validation.gates.imbalance)
