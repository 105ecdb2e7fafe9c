"""The heart of the report: every effect, real against every generator, with the valid and the naive interval."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from parallax.protocol.question import PrimaryEstimate
from parallax.reporting import style
from parallax.reporting.figures.primary import set_scale
from parallax.reporting.wording import CONTRASTS, describe_horizon, estimate_decimals, estimate_words, plain
from parallax.vocabulary import RATIO_CONTRASTS, REAL, VALID_RULES

ROW, GAP = 0.235, 0.3


def draw_effects(
    combined: Mapping[str, pd.DataFrame],
    *,
    outcome: str,
    contrast: str,
    designs: Sequence[str],
    primary: PrimaryEstimate,
    failed: Collection[tuple[str, str]],
    styles: Mapping[str, style.DatasetStyle],
) -> Figure:
    """Columns are horizons, blocks are designs, lines are datasets.

    ``combined`` maps a dataset to its shown COMBINED table, the real one first; ``failed`` holds (dataset, design) that are not to be
    trusted: their marks are hollow. The grey band is the real interval. An interval that leaves the panel ends in an arrow.
    """
    datasets = list(combined)
    words = CONTRASTS[contrast]
    tables = {name: frame[(frame["outcome"] == outcome) & (frame["contrast"] == contrast)] for name, frame in combined.items()}
    horizons = sorted({math.inf if math.isnan(value) else float(value) for value in tables[REAL]["horizon_days"]})
    headings, lines, depth = _place(designs, datasets)
    longest = max(len(styles[name].label) for name in datasets)
    top, bottom, label = 0.62, 0.42, 0.35 + 0.068 * max(longest, 13)
    number = 0.16 + 0.059 * max((len(text) for frame in tables.values() for text in _told(frame, contrast)), default=18)
    width, height = style.WIDTH, top + depth + bottom
    panel = (width - label) / len(horizons)
    with style.drawing():
        figure = style.new_figure(width, height)
        canvas = figure.add_axes((0, bottom / height, 1, depth / height))
        canvas.set_axis_off()
        canvas.set(xlim=(0, width), ylim=(depth, 0))
        for design, y in headings.items():
            is_primary = (outcome, design) == (primary.outcome, primary.design)
            if is_primary:
                canvas.axhspan(y - GAP / 2, y + GAP / 2 + ROW * len(datasets) + 0.04, color="#f0f5fa", lw=0, zorder=0)
            canvas.text(0.06, y + 0.02, plain(design) + (" · primary" if is_primary else ""), fontweight="bold", va="center", fontsize=9)
        for (design, dataset), y in lines.items():
            slant = "italic" if (dataset, design) in failed else "normal"
            canvas.text(0.16, y, styles[dataset].label, va="center", color=styles[dataset].colour, fontsize=8.5, fontstyle=slant)
        for column, horizon in enumerate(horizons):
            left = label + column * panel
            axes = figure.add_axes(((left + 0.06) / width, bottom / height, (panel - number - 0.2) / width, depth / height))
            at = {name: frame[frame["horizon_days"].fillna(math.inf) == horizon] for name, frame in tables.items()}
            set_scale(axes, *_limits(at[REAL], at, words.factor, words.null, ratio=contrast in RATIO_CONTRASTS), ratio=contrast in RATIO_CONTRASTS)
            axes.set(ylim=(depth, 0), yticks=[], xlabel=(words.unit or words.name) + (", log scale" if contrast in RATIO_CONTRASTS else ""))
            axes.spines["left"].set_visible(False)
            axes.axvline(words.null, color="#8a929c", lw=0.8, zorder=1)
            decimals = estimate_decimals(contrast, at[REAL][["estimate", "lower", "upper"]].to_numpy().ravel())
            for design in designs:
                _mark_real(axes, at[REAL], design, words.factor, lines[design, datasets[0]] - ROW / 2, lines[design, datasets[-1]] + ROW / 2)
                for dataset in datasets:
                    rules = {row["rule"]: row for row in at[dataset][at[dataset]["design"] == design].to_dict("records")}
                    y = lines[design, dataset]
                    valid = next((rules[rule] for rule in VALID_RULES if rule in rules), None)
                    if valid is None or valid["status"] != "ok":
                        canvas.text(left + panel - number, y, "not estimable", va="center", fontsize=8, color=style.SOFT, fontstyle="italic")
                        continue
                    _draw_estimate(axes, valid, rules.get("naive"), y, words.factor, styles[dataset], hollow=(dataset, design) in failed)
                    told = estimate_words(contrast, valid["estimate"], valid["lower"], valid["upper"], decimals=decimals)
                    canvas.text(left + panel - number, y, told, va="center", fontsize=8)
            is_primary = (outcome, contrast, horizon) == (primary.outcome, primary.contrast, primary.horizon_days or math.inf)
            title = describe_horizon(None if math.isinf(horizon) else horizon, contrast) or words.name
            axes.set_title(title[0].upper() + title[1:] + (" · primary" if is_primary else ""), pad=5)
            if is_primary:
                corner = (left - 0.06, headings[primary.design] - GAP / 2)
                canvas.add_patch(Rectangle(corner, panel - 0.06, GAP + ROW * len(datasets) + 0.04, fill=False, ec="#0b5c99", lw=1.0, zorder=1))
        _draw_legend(figure, styles, datasets, height)
    return figure


def _place(designs: Sequence[str], datasets: Sequence[str]) -> tuple[dict[str, float], dict[tuple[str, str], float], float]:
    """Depth in inches of each design's heading, of each (design, dataset), and of the whole."""
    headings: dict[str, float] = {}
    lines: dict[tuple[str, str], float] = {}
    depth = 0.0
    for design in designs:
        headings[design] = depth + GAP / 2
        depth += GAP
        for dataset in datasets:
            lines[design, dataset] = depth + ROW / 2
            depth += ROW
        depth += 0.08
    return headings, lines, depth


def _told(table: pd.DataFrame, contrast: str) -> list[str]:
    shown = table[table["status"] == "ok"]
    return [estimate_words(contrast, *row) for row in shown[["estimate", "lower", "upper"]].itertuples(index=False)]


def _draw_estimate(
    axes: Axes, valid: Mapping[Any, Any], naive: Mapping[Any, Any] | None, y: float, factor: float, look: style.DatasetStyle, *, hollow: bool
) -> None:
    _draw_interval(axes, factor * valid["lower"], factor * valid["upper"], y, look.colour, 2.0)
    if naive is not None and naive["status"] == "ok":
        _draw_interval(axes, factor * naive["lower"], factor * naive["upper"], y + 0.075, look.colour, 0.6)
    low, high = axes.get_xlim()
    if low <= factor * valid["estimate"] <= high:
        face = "white" if hollow else look.colour
        axes.plot([factor * valid["estimate"]], [y], look.marker, ms=5.6, mfc=face, mec=look.colour, mew=1.1, zorder=4)


def _draw_interval(axes: Axes, lower: float, upper: float, y: float, colour: str, width: float) -> None:
    low, high = axes.get_xlim()
    inside = [min(max(value, low), high) for value in (lower, upper)]
    if inside[0] < inside[1]:
        axes.plot(inside, [y, y], color=colour, lw=width, solid_capstyle="butt", zorder=3)
    for beyond, edge, arrow in ((lower < low, low, "<"), (upper > high, high, ">")):
        if beyond:
            axes.plot([edge], [y], arrow, color=colour, ms=2.4 + width, mew=0, clip_on=False, zorder=3)


def _mark_real(axes: Axes, real: pd.DataFrame, design: str, factor: float, top: float, bottom: float) -> None:
    row = real[(real["design"] == design) & (real["status"] == "ok")]
    if len(row):
        lower, upper = factor * row["lower"].iloc[0], factor * row["upper"].iloc[0]
        axes.fill_between([lower, upper], top, bottom, color=style.BAND, lw=0, zorder=0)
        estimate = factor * row["estimate"].iloc[0]
        axes.plot([estimate, estimate], [top, bottom], color="#aab1ba", lw=0.7, zorder=1)


def _limits(real: pd.DataFrame, tables: Mapping[str, pd.DataFrame], factor: float, null: float, *, ratio: bool) -> tuple[float, float]:
    """Room for every real interval, and for the synthetic ones up to one and a half times as far again."""
    change, back = (math.log, math.exp) if ratio else (float, float)
    rows = real[real["status"] == "ok"]
    ends = [change(factor * value) for name in ("lower", "upper") for value in rows[name].dropna() if not ratio or value > 0] + [change(null)]
    others = pd.concat([frame[frame["status"] == "ok"] for frame in tables.values()])
    reach = [change(factor * value) for name in ("lower", "upper") for value in others[name].dropna() if not ratio or value > 0]
    low, high = min(ends), max(ends)
    span = max(high - low, 1e-6)
    return back(max(low - 0.75 * span, min([low, *reach]))), back(min(high + 0.75 * span, max([high, *reach])))


def _draw_legend(figure: Figure, styles: Mapping[str, style.DatasetStyle], datasets: Sequence[str], height: float) -> None:
    handles = [Line2D([], [], color=styles[name].colour, marker=styles[name].marker, ms=5.6, lw=2, label=styles[name].label) for name in datasets]
    handles += [
        Line2D([], [], color=style.SOFT, lw=2, label="valid interval"),
        Line2D([], [], color=style.SOFT, lw=0.6, label="naive interval (invalid)"),
        Line2D([], [], color=style.BAND, lw=7, solid_capstyle="butt", label=" real interval"),
        Line2D([], [], color=style.SOFT, marker="o", mfc="white", ms=5.6, lw=0, label="design failed"),
    ]
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0.0, 1 - 0.02 / height),
        ncols=len(handles),
        fontsize=7.8,
        columnspacing=1.3,
        handletextpad=0.5,
        borderpad=0,
    )
