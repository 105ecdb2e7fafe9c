"""Treated patients against an AI-generated control: the primary contrast by design, as a figure and in words."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from parallax.protocol.question import PrimaryEstimate
from parallax.reporting.figures.primary import set_scale
from parallax.reporting.style import INK, SOFT, WIDTH, drawing, new_figure
from parallax.reporting.wording import CONTRASTS, describe_effect, estimate_words, plain
from parallax.vocabulary import RATIO_CONTRASTS

#: never just "synthetic control", which means something else: a weighted mean of real units
CONTROL: Final = "AI-generated control"


def of_primary(table: pd.DataFrame, primary: PrimaryEstimate) -> pd.DataFrame:
    """The rows of the primary outcome, contrast and horizon, under every design and at every site."""
    horizon = math.nan if primary.horizon_days is None else primary.horizon_days
    same = np.isclose(table["horizon_days"].astype("Float64").to_numpy(dtype=float, na_value=np.nan), horizon, equal_nan=True)
    return table[same & ((table["outcome"] == primary.outcome) & (table["contrast"] == primary.contrast)).to_numpy(dtype=bool)]


def draw_external_control(table: pd.DataFrame, primary: PrimaryEstimate) -> Figure:
    """One line per site and design, with the combined estimate and its 95 % interval, hollow where the design failed; ``table`` has the columns of
    estimates.csv.
    """
    rows = of_primary(table, primary).to_dict("records")
    words = CONTRASTS[primary.contrast]
    several = len({row["site"] for row in rows}) > 1
    known = [row for row in rows if row["status"] == "ok"]
    with drawing():
        figure = new_figure(WIDTH, 1.25 + 0.34 * len(rows))
        axes = figure.add_subplot()
        axes.set_title(f"Treated patients against the {CONTROL}: {describe_effect(primary.outcome, primary.contrast, primary.horizon_days)}")
        for place, row in enumerate(rows):
            if row["status"] == "ok":
                ends = [words.factor * row[name] for name in ("lower", "upper")]
                axes.plot(ends, [place, place], color=INK, linewidth=2.0, solid_capstyle="butt")
                inside, edge = (INK, "white") if pd.isna(row["design_failure"]) else ("white", INK)
                axes.plot(words.factor * row["estimate"], place, "D", markersize=6, markerfacecolor=inside, markeredgecolor=edge)
            told = estimate_words(primary.contrast, row["estimate"], row["lower"], row["upper"]) if row["status"] == "ok" else "no estimate"
            axes.annotate(told, (1.02, place), xycoords=axes.get_yaxis_transform(), va="center", annotation_clip=False)
        names = [f"{plain(row['site'])} · {plain(row['design'])}" if several else plain(row["design"]) for row in rows]
        axes.set_yticks(range(len(rows)), names)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.axvline(words.null, color=SOFT, linewidth=0.8)
        found = [words.factor * row[name] for row in known for name in ("lower", "upper")] + [words.null]
        set_scale(axes, min(found), max(found), ratio=primary.contrast in RATIO_CONTRASTS)
        axes.set_xlabel(f"{words.name}{f' ({words.unit})' if words.unit else ''}; comparators: {CONTROL}, all replicates combined; 95 % intervals")
        figure.tight_layout()
    return figure


def summarise_external_control(table: pd.DataFrame, primary: PrimaryEstimate, path: str) -> str:
    """The primary estimate of every site in a line, and where the rest is."""
    rows = of_primary(table, primary)
    effect = describe_effect(primary.outcome, primary.contrast, primary.horizon_days)
    lines = [f"Treated patients against an {CONTROL}: {effect}", ""]
    for row in rows[rows["design"] == primary.design].to_dict("records"):
        numbers = (row["estimate"], row["lower"], row["upper"])
        told = estimate_words(primary.contrast, *numbers) if row["status"] == "ok" else f"no estimate: {row['reason']}"
        lines.append(f"  {plain(row['site'])}, design {plain(row['design'])}: {told}")
    return "\n".join([*lines, f"  all estimates  {path}"])
