"""What the report says of enriched subgroups: the real effect beside the synthetic one, with the interval that is valid and the one that is not."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd

from parallax.protocol.enrichment import Enrichment
from parallax.protocol.protocol import Protocol
from parallax.reporting.answers import of_target
from parallax.reporting.numbers import NOT_AVAILABLE, format_count, format_signed
from parallax.reporting.sections import Cell, Table
from parallax.reporting.wording import CONTRASTS, describe_effect, describe_missing, estimate_words, plain
from parallax.vocabulary import ARMS, REAL


def tabulate_enrichment(
    enrichment: Mapping[str, pd.DataFrame], protocol: Protocol, *, labels: Mapping[str, str], competing: Collection[str] = ()
) -> Table | None:
    """The primary estimate among the patients of every enriched subgroup: a line per dataset; None where the protocol has none.

    ``enrichment`` has the shown ENRICHMENT tables by dataset.
    """
    if REAL not in enrichment:
        return None
    primary, synthesis = protocol.question.primary, protocol.synthesis
    unit = f", {CONTRASTS[primary.contrast].unit}" if CONTRASTS[primary.contrast].unit else ""
    effect = describe_effect(primary.outcome, primary.contrast, primary.horizon_days, competing=competing)
    rows: list[tuple[Cell, ...]] = []
    groups: dict[int, str] = {}
    for entry in synthesis.enrichment:
        groups[len(rows)] = f"{plain(entry.name)[0].upper()}{plain(entry.name)[1:]}: {entry.keep}"
        for dataset, table in enrichment.items():
            of_entry = table[table["enrichment"] == entry.name]
            (answer,) = of_target(of_entry, primary).to_dict("records")
            naive = of_entry[(of_entry["rule"] == "naive") & (of_entry["design"] == primary.design)].to_dict("records")
            if answer["status"] != "ok":
                rows.append((Cell(labels[dataset]), Cell(describe_missing(answer), look="wide"), *[Cell("")] * 3))
                continue
            rows.append(
                (
                    Cell(labels[dataset]),
                    _real_patients(answer) if dataset == REAL else _synthetic_patients(entry, answer),
                    Cell(estimate_words(primary.contrast, answer["estimate"], answer["lower"], answer["upper"])),
                    _naive(naive, primary.contrast),
                    Cell("" if dataset == REAL else format_signed(answer["shift_in_real_se"], decimals=2)),
                )
            )
    caption = f"{effect[0].upper()}{effect[1:]}{unit} among enriched subgroups · {plain(primary.design)}"
    return Table(caption, ("Dataset", "Patients", "Valid", "Naive (invalid)", "Shift"), tuple(rows), groups)


def _real_patients(row: Mapping[Any, Any]) -> Cell:
    counts = (row[f"n_{arm}"] for arm in ARMS)
    return Cell(" / ".join(format_count(None if pd.isna(count) else float(count), minimum=int(row["minimum_count"])) for count in counts))


def _synthetic_patients(entry: Enrichment, row: Mapping[Any, Any]) -> Cell:
    return Cell(f"{entry.patients:,}", note=f"in each of {int(row['replicates'])} replicates")


def _naive(found: list[dict[Any, Any]], contrast: str) -> Cell:
    if not found or found[0]["status"] != "ok":
        return Cell(NOT_AVAILABLE, look="none")
    return Cell(estimate_words(contrast, *(found[0][name] for name in ("estimate", "lower", "upper"))), look="invalid")
