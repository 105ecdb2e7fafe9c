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
from parallax.reporting.wording import CONTRASTS, describe_horizon, estimate_words, plain
from parallax.vocabulary import RATIO_CONTRASTS, REAL

ROW, GAP = 0.235, 0.3


def draw_effects(
    combined: Mapping[str, pd.DataFrame],
    *,
    outcome: str,
    contrast: str,
    designs: Sequence[str],
    primary: PrimaryEstimate,
    unbalanced: Collection[tuple[str, str]],
    styles: Mapping[str, style.DatasetStyle],
) -> Figure:
    """Columns are horizons, blocks are designs, lines are datasets.

    ``combined`` maps a dataset to its shown COMBINED table, the real one first; ``unbalanced`` holds (dataset, design) whose covariates are not
    balanced: their marks are hollow. The grey band is the real interval. An interval that leaves the panel ends in an arrow.
    """
    datasets = list(combined)
    tables = {name: frame[(frame["outcome"] == outcome) & (frame["contrast"] == contrast)] for name, frame in combined.items()}
    horizons = sorted({float(value) for value in tables[REAL]["horizon_days"]} if len(tables[REAL]) else set(), key=_last_if_missing)
    horizons = [value for position, value in enumerate(horizons) if not (math.isnan(value) and any(map(math.isnan, horizons[:position])))]
    y_of, headings, depth = {}, {}, 0.0
    for design in designs:
        headings[design] = depth + GAP / 2
        depth += GAP
        for dataset in datasets:
            y_of[design, dataset] = depth + ROW / 2
            depth += ROW
        depth += 0.08
    longest = max(len(look.label) for name, look in styles.items() if name in combined)
    top, bottom, label = 0.62, 0.42, 0.35 + 0.068 * max(longest, 13)
    number = 0.16 + 0.059 * max((len(text) for frame in tables.values() for text in _told(frame, contrast)), default=18)
    width, height = style.WIDTH, top + depth + bottom
    panel = (width - label) / len(horizons)
    words = CONTRASTS[contrast]
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
        for (design, dataset), y in y_of.items():
            hollow = (dataset, design) in unbalanced
            canvas.text(
                0.16, y, styles[dataset].label, va="center", color=styles[dataset].colour, fontsize=8.5, fontstyle="italic" if hollow else "normal"
            )
        for column, horizon in enumerate(horizons):
            left = label + column * panel
            axes = figure.add_axes(((left + 0.06) / width, bottom / height, (panel - number - 0.2) / width, depth / height))
            at = {name: frame[_same_horizon(frame["horizon_days"], horizon)] for name, frame in tables.items()}
            limits = _limits(at[REAL], at, words.factor, words.null, ratio=contrast in RATIO_CONTRASTS)
            set_scale(axes, *limits, ratio=contrast in RATIO_CONTRASTS)
            axes.set_ylim(depth, 0)
            axes.set_yticks([])
            axes.spines["left"].set_visible(False)
            axes.axvline(words.null, color="#8a929c", lw=0.8, zorder=1)
            for design in designs:
                _mark_real(axes, at[REAL], design, words.factor, y_of[design, datasets[0]] - ROW / 2, y_of[design, datasets[-1]] + ROW / 2)
                for dataset in datasets:
                    rows = {row["rule"]: row for row in at[dataset][at[dataset]["design"] == design].to_dict("records")}
                    _draw_row(
                        axes,
                        canvas,
                        rows,
                        y_of[design, dataset],
                        left + panel - number,
                        contrast,
                        styles[dataset],
                        hollow=(dataset, design) in unbalanced,
                    )
            is_primary = (outcome, contrast) == (primary.outcome, primary.contrast) and _same(horizon, primary.horizon_days)
            title = describe_horizon(horizon)
            axes.set_title(title[0].upper() + title[1:] + (" · primary" if is_primary else ""), pad=5)
            if is_primary and primary.design in headings:
                start = headings[primary.design] - GAP / 2
                size = (panel - 0.06, GAP + ROW * len(datasets) + 0.04)
                canvas.add_patch(Rectangle((left - 0.06, start), *size, fill=False, ec="#0b5c99", lw=1.0, zorder=1))
            axes.set_xlabel((words.unit or words.name) + (", log scale" if contrast in RATIO_CONTRASTS else ""))
        _legend(figure, styles, datasets, height)
    return figure


def _told(table: pd.DataFrame, contrast: str) -> list[str]:
    shown = table[table["status"] == "ok"]
    return [estimate_words(contrast, *row) for row in shown[["estimate", "lower", "upper"]].itertuples(index=False)]


def _draw_row(
    axes: Axes, canvas: Axes, rows: Mapping[str, Mapping[Any, Any]], y: float, x_text: float, contrast: str, look: style.DatasetStyle, *, hollow: bool
) -> None:
    valid, naive = rows.get("none", rows.get("partial")), rows.get("naive")
    if valid is None or valid["status"] != "ok":
        canvas.text(x_text, y, "not estimable" if valid else "no result", va="center", fontsize=8, color=style.SOFT, fontstyle="italic")
        return
    factor = CONTRASTS[contrast].factor
    _interval(axes, factor * valid["lower"], factor * valid["upper"], y, look.colour, 2.0)
    if naive is not None and naive["status"] == "ok":
        _interval(axes, factor * naive["lower"], factor * naive["upper"], y + 0.075, look.colour, 0.6)
    low, high = axes.get_xlim()
    if low <= factor * valid["estimate"] <= high:
        face = "white" if hollow else look.colour
        axes.plot([factor * valid["estimate"]], [y], look.marker, ms=5.6, mfc=face, mec=look.colour, mew=1.1, zorder=4)
    canvas.text(x_text, y, estimate_words(contrast, valid["estimate"], valid["lower"], valid["upper"]), va="center", fontsize=8)


def _interval(axes: Axes, lower: float, upper: float, y: float, colour: str, width: float) -> None:
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


def _legend(figure: Figure, styles: Mapping[str, style.DatasetStyle], datasets: Sequence[str], height: float) -> None:
    handles = [Line2D([], [], color=styles[name].colour, marker=styles[name].marker, ms=5.6, lw=2, label=styles[name].label) for name in datasets]
    handles += [
        Line2D([], [], color=style.SOFT, lw=2, label="valid interval"),
        Line2D([], [], color=style.SOFT, lw=0.6, label="naive interval (invalid)"),
        Line2D([], [], color=style.BAND, lw=7, solid_capstyle="butt", label=" real interval"),
        Line2D([], [], color=style.SOFT, marker="o", mfc="white", ms=5.6, lw=0, label="not balanced"),
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


def _same(horizon: float, other: float | None) -> bool:
    return math.isnan(horizon) if other is None else horizon == other


def _same_horizon(column: pd.Series, horizon: float) -> pd.Series:
    return column.isna() if math.isnan(horizon) else column == horizon


def _last_if_missing(horizon: float) -> float:
    return math.inf if math.isnan(horizon) else horizon
