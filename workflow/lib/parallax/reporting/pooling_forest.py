"""The forest of the primary answer by site, wherever it is, and by way of pooling."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pandas as pd

from parallax.protocol.protocol import Protocol
from parallax.reporting.answers import of_target
from parallax.reporting.figures.pooling import PoolingRow, draw_pooling
from parallax.reporting.heterogeneity import primary_measures
from parallax.reporting.inputs import ReportInputs
from parallax.reporting.pictures import Picture, competing_outcomes, inline, primary_estimate
from parallax.reporting.style import SOFT, DatasetStyle, dataset_styles
from parallax.reporting.wording import describe_effect, estimate_words, name_site, name_sites, plain
from parallax.vocabulary import REAL, RELEASED, WAYS

#: a way of pooling in words
WAY_WORDS: Final[Mapping[str, str]] = {
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


def primary_answers(pooled: Mapping[str, pd.DataFrame], protocol: Protocol) -> list[tuple[str, str, Mapping[Any, Any]]]:
    """The primary answer of every way and dataset, in the order of the ways."""
    found = [
        (str(way), dataset, row)
        for dataset, table in pooled.items()
        for way, rows in table.groupby("way", sort=False)
        for row in of_target(rows, protocol.question.primary).to_dict("records")
    ]
    return sorted(found, key=lambda entry: (entry[1] != REAL, WAYS.index(entry[0])))


def picture_pooling(inputs: ReportInputs) -> Picture:
    """The forest plot with its caption."""
    protocol = inputs.protocol
    primary, styles = protocol.question.primary, dataset_styles(protocol.generators) | {RELEASED: _RELEASED_STYLE}
    rows = [row for site in protocol.named_sites for row in _rows_of_site(site, inputs)]
    for way, dataset, row in primary_answers(inputs.pooled, protocol):
        numbers = _numbers(row if row["status"] == "ok" else None)
        shared = name_sites(str(row["shared"]), protocol.named_sites)
        rows.append(PoolingRow("All sites", WAY_WORDS[way], dataset, *numbers, note=_brief(shared), pooled=True))
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


def _brief(shared: str) -> str:
    """What was shared on one line of the figure; the table has it in full."""
    told, _, unverified = shared.partition("; ")
    ending = ", unverified" if unverified else ""
    room = _LINE - len(ending)
    told = told if len(told) <= room else told.replace(" patients of ", ": ")
    return (told if len(told) <= room else f"{told[: room - 1].rstrip()}…") + ending
