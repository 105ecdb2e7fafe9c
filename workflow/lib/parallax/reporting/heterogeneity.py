"""What the report says of the differences between sites: in their effects, and in their patients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from parallax.protocol.question import PrimaryEstimate
from parallax.reporting.numbers import NOT_AVAILABLE, format_interval, format_number, format_share
from parallax.reporting.sections import Cell, Table
from parallax.reporting.wording import describe_effect, estimate_words, name_site, name_sites, plain
from parallax.validation.combining import TARGET

_LABELS: Final = {
    "q": "Site × treatment: p that all effects are one",
    "i2": "I²: share of the variance that is between sites",
    "tau2": "τ²: variance between sites",
    "prediction": "Prediction: the effect at one more site",
}


def tabulate_heterogeneity(heterogeneity: Mapping[str, pd.DataFrame], primary: PrimaryEstimate, *, labels: Mapping[str, str]) -> Table | None:
    """How the sites' primary effects differ, a column per dataset; None where no dataset has more than one site.

    ``heterogeneity`` has the HETEROGENEITY tables by dataset.
    """
    by_dataset = {dataset: primary_measures(table, primary) for dataset, table in heterogeneity.items()}
    sites = dict.fromkeys(site for rows in by_dataset.values() for measure, site in rows if measure == "left_out")
    if not sites:
        return None
    lines = [(f"At {name_site(str(site))}", [_measure("site", rows.get(("site", site)), primary) for rows in by_dataset.values()]) for site in sites]
    lines += [(label, [_measure(measure, rows.get((measure, None)), primary) for rows in by_dataset.values()]) for measure, label in _LABELS.items()]
    lines += [
        (f"Without {name_site(str(site))}", [_measure("left_out", rows.get(("left_out", site)), primary) for rows in by_dataset.values()])
        for site in sites
    ]
    effect = describe_effect(primary.outcome, primary.contrast, primary.horizon_days)
    caption = f"How the sites differ in the {effect} · {plain(primary.design)}"
    return Table(caption, ("Measure", *(labels[dataset] for dataset in by_dataset)), tuple((Cell(label), *cells) for label, cells in lines))


def tabulate_site_overlap(overlap: pd.DataFrame, *, imbalance: float) -> Table | None:
    """How unlike the patients of every two sites are: the largest SMD, how many exceed ``imbalance``, and the score that tells the sites apart."""
    rows = []
    for (site, other), pair in overlap.groupby(["site", "other"], sort=False):
        values = pair[pair["measure"] == "smd"].dropna(subset=["value"])
        largest = values.iloc[int(values["value"].abs().to_numpy().argmax())] if len(values) else None
        scored = pair.dropna(subset=["value"]).set_index("measure")["value"]
        unknown = name_sites(str(pair["reason"].iloc[0]), (str(site), str(other))) if pair["covariate"].isna().all() else ""
        rows.append(
            (
                Cell(f"{name_site(str(site))} and {name_site(str(other))}"),
                Cell(NOT_AVAILABLE, note=unknown, look="none")
                if largest is None
                else Cell(format_number(abs(largest["value"]), decimals=2), note=_name(largest)),
                Cell(f"{int((values['value'].abs() > imbalance).sum())} of {len(values)}" if len(values) else NOT_AVAILABLE),
                Cell(format_number(scored.get("membership_c"), decimals=2)),
                Cell(format_share(scored.get("common_support"))),
            )
        )
    headings = ("Sites", "Largest SMD", f"SMDs above {imbalance:g}", "c-statistic of the site score", "Patients with their like at the other site")
    return Table("How the sites' patients differ", headings, tuple(rows)) if rows else None


def primary_measures(table: pd.DataFrame, primary: PrimaryEstimate) -> dict[tuple[str, str | None], Mapping[Any, Any]]:
    """The rows of the primary estimate in a dataset's HETEROGENEITY, by measure and site."""
    asked = {name: getattr(primary, name) for name in TARGET}
    same = [all((pd.isna(row[name]) and asked[name] is None) or row[name] == asked[name] for name in TARGET) for row in table.to_dict("records")]
    found = table[pd.Series(same, index=table.index, dtype=bool)]
    return {(str(row["measure"]), None if pd.isna(row["site"]) else str(row["site"])): row for row in found.to_dict("records")}


def _measure(measure: str, row: Mapping[Any, Any] | None, primary: PrimaryEstimate) -> Cell:
    if row is None:
        return Cell(NOT_AVAILABLE, look="none")
    if pd.isna(row["value"]):
        return Cell(NOT_AVAILABLE, note=str(row["reason"]), look="none")
    if measure == "q":
        return Cell("<0.001" if row["p_value"] < 0.001 else format_number(row["p_value"], decimals=3), note=f"Q {format_number(row['value'])}")
    if measure in ("site", "prediction", "left_out"):
        return Cell(estimate_words(primary.contrast, row["value"], row["lower"], row["upper"]))
    if pd.isna(row["upper"]):
        note = "they differ less than by chance"
    else:
        note = f"{format_share(row['lower'])}–{format_share(row['upper'])}" if measure == "i2" else format_interval(row["lower"], row["upper"])
    return Cell(format_share(row["value"]) if measure == "i2" else format_number(row["value"]), note=note)


def _name(row: Any) -> str:
    return plain(str(row["covariate"])) + ("" if pd.isna(row["level"]) else f": {row['level']}")
