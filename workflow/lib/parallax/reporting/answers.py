"""What the report says beside the effects themselves: hazards over time, a family of hypotheses, subgroups, robustness."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from parallax.protocol.question import Hypothesis
from parallax.reporting.numbers import NOT_AVAILABLE, format_estimate, format_interval, format_number, format_signed
from parallax.reporting.sections import Cell, Table
from parallax.reporting.wording import CONTRASTS, describe_effect, describe_horizon, describe_missing, estimate_words, name_contrast, plain
from parallax.validation.combining import select_answers
from parallax.vocabulary import REAL


def of_target(table: pd.DataFrame, asked: Hypothesis) -> pd.DataFrame:
    """The valid rows of a shown COMBINED or ROBUSTNESS table that belong to a hypothesis."""
    rows = table[(table["design"] == asked.design) & (table["outcome"] == asked.outcome) & (table["contrast"] == asked.contrast)]
    if "rule" in rows:
        rows = select_answers(rows)
    return rows[rows["horizon_days"].isna() if asked.horizon_days is None else rows["horizon_days"] == asked.horizon_days]


def p_words(value: float) -> str:
    """``p = 0.03`` or ``p < 0.001``."""
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}" if value < 0.01 else f"p = {value:.2f}"


def tell_hazards(real: pd.DataFrame, *, outcome: str, design: str, competing: Collection[str] = ()) -> str:
    """Whether the hazard ratio of the real patients is constant over follow-up, and what that means for reading it."""
    rows = real[(real["outcome"] == outcome) & (real["design"] == design) & (real["status"] == "ok")]
    trend = rows[rows["contrast"] == "hazard_ratio_trend"]
    ratios = rows[rows["contrast"] == "hazard_ratio"].sort_values("horizon_days", na_position="last").to_dict("records")
    told = [
        f"{estimate_words('hazard_ratio', row['estimate'], row['lower'], row['upper'])} {describe_horizon(row['horizon_days'])}" for row in ratios
    ]
    listed, name = "; ".join(told), name_contrast(outcome, "hazard_ratio", competing=competing)
    p = float(trend["p_value"].iloc[0]) if len(trend) else math.nan
    intervals = rows[rows["contrast"] == "interval_hazard_ratio"]
    apart = len(intervals) > 1 and intervals["lower"].max() > intervals["upper"].min()
    if p < 0.05 or apart:
        found = p_words(p) if p < 0.05 else "the intervals of follow-up differ"
        return (
            f"The {name} of {plain(outcome)} is not constant ({found})"
            + (f": {listed}" if listed else "")
            + ". One number averages different things: "
            "read the hazard ratio by horizon, beside the risks."
        )
    if math.isnan(p):
        return ""
    return f"No departure from proportional hazards of {plain(outcome)} was found ({p_words(p)})."


def tabulate_family(
    combined: Mapping[str, pd.DataFrame], *, family: Sequence[Hypothesis], labels: Mapping[str, str], competing: Collection[str] = ()
) -> Table:
    """The hypotheses of the protocol with raw and adjusted p-values: a line per hypothesis and dataset."""
    rows: list[tuple[Cell, ...]] = []
    groups: dict[int, str] = {}
    for number, asked in enumerate(family):
        effect = describe_effect(asked.outcome, asked.contrast, asked.horizon_days, competing=competing)
        unit = f", {CONTRASTS[asked.contrast].unit}" if CONTRASTS[asked.contrast].unit else ""
        groups[len(rows)] = f"{effect[0].upper()}{effect[1:]}{unit} · {plain(asked.design)}{' · primary' if number == 0 else ''}"
        for dataset, table in combined.items():
            found = of_target(table, asked).to_dict("records")
            if not found or found[0]["status"] != "ok":
                told = describe_missing(found[0]).partition(":")[0] if found else "not estimable"
                rows.append((Cell(labels[dataset]), Cell(told, look="none"), *[Cell(NOT_AVAILABLE)] * 2))
                continue
            row = found[0]
            rows.append(
                (
                    Cell(labels[dataset]),
                    Cell(estimate_words(asked.contrast, row["estimate"], row["lower"], row["upper"])),
                    Cell(_p(row["p_value"])),
                    Cell(_p(row["p_adjusted"])),
                )
            )
    return Table("The hypotheses of the protocol", ("Dataset", "Estimate", "p", "p adjusted (Holm)"), tuple(rows), groups)


def tabulate_robustness(
    robustness: Mapping[str, pd.DataFrame], combined: Mapping[str, pd.DataFrame], *, labels: Mapping[str, str], competing: Collection[str] = ()
) -> Table | None:
    """E-values and calibrated estimates of every ratio: a line per effect and dataset; None where there are none."""
    rows: list[tuple[Cell, ...]] = []
    groups: dict[int, str] = {}
    order = robustness[REAL][robustness[REAL]["measure"].isin(["e_value", "calibrated"])]
    seen = list(dict.fromkeys((row["outcome"], row["contrast"], _horizon(row), row["design"]) for row in order.to_dict("records")))
    calibrated = any((table["measure"] == "calibrated").any() for table in robustness.values())
    for outcome, contrast, horizon, design in seen:
        asked = Hypothesis.model_construct(outcome=outcome, contrast=contrast, design=design, horizon_days=horizon)
        effect = describe_effect(outcome, contrast, horizon, competing=competing)
        groups[len(rows)] = f"{effect[0].upper()}{effect[1:]} · {plain(design)}"
        for dataset, table in robustness.items():
            measures = {row["measure"]: row for row in of_target(table, asked).to_dict("records")}
            estimates = of_target(combined[dataset], asked).to_dict("records")
            if "e_value" not in measures or not estimates:
                continue
            value, row = measures["e_value"], estimates[0]
            cells = [
                Cell(labels[dataset]),
                Cell(estimate_words(contrast, row["estimate"], row["lower"], row["upper"])),
                Cell(format_number(value["value"], decimals=2)),
                Cell(format_number(value["lower"], decimals=2)),
            ]
            if calibrated:
                found = measures.get("calibrated")
                known = found is not None and not pd.isna(found["value"])
                words = estimate_words(contrast, found["value"], found["lower"], found["upper"]) if found is not None and known else NOT_AVAILABLE
                cells.append(Cell(words, note="" if found is None or known else str(found["reason"])))
            rows.append(tuple(cells))
    if not rows:
        return None
    headings = ("Dataset", "Estimate", "E-value", "E-value of the interval", *(["Calibrated by negative controls"] if calibrated else []))
    return Table("E-values", headings, tuple(rows), groups)


def tabulate_systematic_error(
    robustness: Mapping[str, pd.DataFrame], combined: Mapping[str, pd.DataFrame], *, primary: Hypothesis, labels: Mapping[str, str]
) -> Table | None:
    """The primary design's systematic error as negative controls show it, a line per dataset; None where no dataset has one.

    On the logarithmic scale; the difference to the real patients' is paired over the controls.
    """
    rows: list[tuple[Cell, ...]] = []
    for dataset, table in robustness.items():
        found = {row["measure"]: row for row in of_target(table, primary).to_dict("records")}
        answer = of_target(combined[dataset], primary).to_dict("records")
        if "systematic_error_mean" not in found or not answer:
            continue
        mean, sd, effect = found["systematic_error_mean"], found["systematic_error_sd"], found["calibrated"]
        added, shift = found.get("added_error_mean"), found.get("calibrated_shift")
        rows.append(
            (
                Cell(labels[dataset], note=str(mean["reason"])),
                *(Cell(_logs(row), note=format_interval(row["lower"], row["upper"], decimals=3)) for row in (mean, sd)),
                Cell("") if added is None else Cell(_logs(added), note=format_interval(added["lower"], added["upper"], decimals=3)),
                Cell(estimate_words(primary.contrast, *(answer[0][name] for name in ("estimate", "lower", "upper")))),
                Cell(estimate_words(primary.contrast, effect["value"], effect["lower"], effect["upper"])),
                Cell("") if shift is None else Cell(format_signed(shift["value"], decimals=2)),
            )
        )
    headings = ("Dataset", "Mean error", "SD of the error", "Mean, less real", "Primary estimate", "Calibrated", "Calibrated shift, in real SE")
    return Table("Systematic error by negative controls, logarithmic scale", headings, tuple(rows)) if rows else None


def _logs(row: Mapping[Any, Any]) -> str:
    return format_number(row["value"], decimals=3)


def tabulate_interactions(interactions: Mapping[str, pd.DataFrame], *, labels: Mapping[str, str]) -> Table | None:
    """The p-value of each interaction: subgroups and scales as lines, datasets as columns; None where nothing could be tested."""
    rows: list[tuple[Cell, ...]] = []
    tested = {name: select_answers(table) for name, table in interactions.items()}
    known = pd.concat(tested.values()) if tested else pd.DataFrame(columns=["p_value"])
    if not known["p_value"].notna().any():
        return None
    for (subgroup, contrast), _ in known.groupby(["subgroup", "contrast"], sort=False):
        cells = []
        for table in tested.values():
            found = table[(table["subgroup"] == subgroup) & (table["contrast"] == contrast)]
            p = found["p_value"].iloc[0] if len(found) else math.nan
            cells.append(Cell(_p(p), look="none" if pd.isna(p) else ""))
        rows.append((Cell(plain(str(subgroup)), note=CONTRASTS[str(contrast)].name), *cells))
    return Table("p-values of the interactions", ("Subgroup", *(labels[name] for name in tested)), tuple(rows))


def tell_robustness(robustness: pd.DataFrame, *, primary: Hypothesis) -> tuple[str, ...]:
    """The primary estimate's robustness on the real patients in sentences."""
    found = {row["measure"]: row for row in of_target(robustness, primary).to_dict("records")}
    told = []
    if "e_value" in found:
        row = found["e_value"]
        bound = (
            "its interval holds the null already"
            if row["lower"] == 1
            else f"one of {format_number(row['lower'], decimals=2)} would move its interval to the null"
        )
        told.append(
            f"To explain the primary estimate away, an unmeasured confounder would have to be associated with treatment and with the outcome by risk "
            f"ratios of {format_number(row['value'], decimals=2)} each, beyond the covariates; {bound} (E-values)."
        )
    if "systematic_error" in found and "calibrated" in found:
        row = found["calibrated"]
        words = estimate_words(primary.contrast, row["value"], row["lower"], row["upper"])
        told.append(
            "The negative controls show an expected absolute systematic error of "
            f"{format_number(found['systematic_error']['value'], decimals=3)} on the logarithmic scale; "
            f"with it the primary estimate is {words} ({p_words(float(row['p_value']))})."
        )
    if "permuted_estimate" in found and "permuted_rejections" in found:
        row, share = found["permuted_estimate"], found["permuted_rejections"]
        if not pd.isna(row["value"]):
            words = estimate_words(primary.contrast, row["value"], row["lower"], row["upper"])
            test = "" if pd.isna(row["p_value"]) else f"; the permutation test gives {p_words(float(row['p_value']))}"
            interval = format_estimate(100 * share["value"], 100 * share["lower"], 100 * share["upper"], decimals=1)
            told.append(f"With treatment permuted the estimate is {words}, and {interval}% of the permutations reject at 5%{test}.")
    return tuple(told)


def _p(value: Any) -> str:
    number = math.nan if pd.isna(value) else float(value)
    return NOT_AVAILABLE if math.isnan(number) else "<0.001" if number < 0.001 else format_number(number, decimals=3)


def _horizon(row: Mapping[Any, Any]) -> float | None:
    horizon = float(row["horizon_days"])
    return None if np.isnan(horizon) else horizon
