"""What the report says of all sites together: the primary answer by site and by way of pooling, what was shared, and what synthesis costs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from parallax.protocol.protocol import Protocol
from parallax.reporting.answers import of_target
from parallax.reporting.figures.pooling import PoolingRow, draw_pooling
from parallax.reporting.heterogeneity import primary_measures, tabulate_heterogeneity, tabulate_site_overlap
from parallax.reporting.inputs import ReportInputs
from parallax.reporting.numbers import NOT_AVAILABLE, format_number, format_signed
from parallax.reporting.pictures import Picture, competing_outcomes, inline, primary_estimate
from parallax.reporting.sections import Cell, Table
from parallax.reporting.style import SOFT, DatasetStyle, dataset_styles
from parallax.reporting.verdicts import sentence
from parallax.reporting.wording import describe_effect, estimate_words, name_site, name_sites, plain
from parallax.vocabulary import POOLED, REAL, RELEASED, WAYS

#: a way of pooling in words
_WAYS: Final[Mapping[str, str]] = {
    "individual_real": "real patients together",
    "aggregates": "aggregates",
    "individual_synthetic": "synthetic patients together",
    "individual_mixed": "real here, synthetic elsewhere",
    "aggregates_synthetic": "aggregates of synthetic patients",
}
_UNKNOWN: Final = (math.nan, math.nan, math.nan)
#: characters of a note beside the forest
_LINE: Final = 43
#: nobody in it ever lived, so that it does not look like the real patients of a site
_RELEASED_STYLE: Final = DatasetStyle("AI-generated", SOFT, "o", ())
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
            name=_WAYS[entry["way"]],
            dataset=styles[entry["dataset"]].label,
            reason=sentence(name_sites(_reason(entry), inputs.protocol.named_sites)),
        )
        for entry in judged
    )
    return PooledPage(
        cards,
        _picture(inputs),
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


def _answers(pooled: Mapping[str, pd.DataFrame], protocol: Protocol) -> list[tuple[str, str, Mapping[Any, Any]]]:
    """The primary answer of every way and dataset, in the order of the ways."""
    found = [
        (str(way), dataset, row)
        for dataset, table in pooled.items()
        for way, rows in table.groupby("way", sort=False)
        for row in of_target(rows, protocol.question.primary).to_dict("records")
    ]
    return sorted(found, key=lambda entry: (entry[1] != REAL, WAYS.index(entry[0])))


def _rows_of_site(site: str, inputs: ReportInputs) -> Iterator[PoolingRow]:
    """A site's own answers: here of every dataset; elsewhere what its results say, and one replicate of its release."""
    protocol, block = inputs.protocol, name_site(site)
    if site in protocol.pooled_sites:
        for dataset in (REAL, *protocol.generators):
            yield PoolingRow(
                block, "", dataset, *_numbers(primary_estimate(inputs.sites[site].combined.get(dataset), protocol)), note="", pooled=False
            )
        return
    block += " (elsewhere)"
    if site in protocol.pooling.site_results:
        told = dict(list(inputs.heterogeneity.groupby("dataset", sort=False))) if inputs.heterogeneity is not None else {}
        for dataset in (REAL, *protocol.generators):
            found = primary_measures(told[dataset], protocol.question.primary).get(("site", site)) if dataset in told else None
            if found is not None or dataset == REAL:
                numbers = _numbers(found and {"estimate": found["value"], "lower": found["lower"], "upper": found["upper"]})
                yield PoolingRow(block, "its site results", dataset, *numbers, note="", pooled=False)
    if site in protocol.released_sites:
        found = primary_estimate(inputs.sites[site].combined.get(REAL), protocol)
        yield PoolingRow(block, "one replicate of its release", RELEASED, *_numbers(found), note="", pooled=False)


def _numbers(found: Mapping[str, float] | None) -> tuple[float, float, float]:
    return (float(found["estimate"]), float(found["lower"]), float(found["upper"])) if found else _UNKNOWN


def _picture(inputs: ReportInputs) -> Picture:
    protocol = inputs.protocol
    primary, styles = protocol.question.primary, dataset_styles(protocol.generators) | {RELEASED: _RELEASED_STYLE}
    rows = [row for site in protocol.named_sites for row in _rows_of_site(site, inputs)]
    for way, dataset, row in _answers(inputs.pooled, protocol):
        numbers = _numbers(row if row["status"] == "ok" else None)
        shared = name_sites(str(row["shared"]), protocol.named_sites)
        rows.append(PoolingRow("All sites", _WAYS[way], dataset, *numbers, note=_brief(shared), pooled=True))
    figure = draw_pooling(rows, contrast=primary.contrast, styles=styles)
    effect = describe_effect(primary.outcome, primary.contrast, primary.horizon_days, competing=competing_outcomes(protocol))
    told = "; ".join(
        f"{', '.join(filter(None, (row.block, row.label)))} ({styles[row.dataset].label}) "
        f"{estimate_words(primary.contrast, row.estimate, row.lower, row.upper)}"
        for row in rows
        if math.isfinite(row.estimate)
    )
    caption = (
        f"{effect[0].upper()}{effect[1:]}, design {plain(primary.design)}, by site and by way of pooling, with 95% intervals; on the right what had "
        "to leave a site. Diamonds are of several sites; the grey band is the first of them. Hazards are compared within sites."
        + (" One replicate of a release is AI-generated: its interval is naive, and too narrow." if protocol.joining_sites else "")
    )
    return Picture(inline(figure, "pooling", f"Forest plot by site and way of pooling: {told}."), caption)


def _brief(shared: str) -> str:
    """What was shared on one line of the figure; the table has it in full."""
    told, _, unverified = shared.partition("; ")
    ending = ", unverified" if unverified else ""
    room = _LINE - len(ending)
    told = told if len(told) <= room else told.replace(" patients of ", ": ")
    return (told if len(told) <= room else f"{told[: room - 1].rstrip()}…") + ending


def _tabulate_ways(inputs: ReportInputs) -> Table:
    styles, primary = dataset_styles(inputs.protocol.generators), inputs.protocol.question.primary

    def name(text: object) -> str:
        return name_sites(str(text), inputs.protocol.named_sites)

    rows = []
    for way, dataset, row in _answers(inputs.pooled, inputs.protocol):
        # a way without an answer says itself who is left out
        left_out = "" if pd.isna(row["left_out"]) or row["status"] != "ok" else f"left out: {name(row['left_out'])}"
        answer = Cell(estimate_words(primary.contrast, row["estimate"], row["lower"], row["upper"]))
        if row["status"] != "ok":
            answer = Cell(plain(str(row["status"])), note=name(row["reason"]))
        rows.append(
            (
                Cell(_WAYS[way], note=styles[dataset].label),
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
        groups[len(rows)] = f"{_WAYS[str(way)]} ({styles[str(dataset)].label}) against {_WAYS[str(benchmark)]} (real)"
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
        rows.append((Cell(_WAYS[str(way)], note=styles[str(dataset)].label), *cells, total))
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
