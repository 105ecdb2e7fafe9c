"""Effects in subgroups, on the scales of ratios and of differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure

from parallax.reporting import style
from parallax.reporting.figures.primary import set_scale
from parallax.reporting.wording import CONTRASTS, estimate_decimals, estimate_words, plain
from parallax.vocabulary import RATIO_CONTRASTS

_ROW, _GAP = 0.21, 0.27


def draw_subgroups(
    subgroups: Mapping[str, pd.DataFrame],
    interactions: pd.DataFrame,
    *,
    contrasts: Sequence[str],
    styles: Mapping[str, style.DatasetStyle],
) -> Figure:
    """Blocks are the levels of each subgroup, lines are datasets, columns are contrasts; beside a subgroup's name the real interaction's p-value.

    ``subgroups`` maps a dataset to the rows of its shown SUBGROUPS table under the valid rule, the real one first; ``interactions`` are the real
    INTERACTIONS.
    """
    datasets = list(subgroups)
    first = subgroups[datasets[0]]
    lines: list[tuple[str, str, float]] = []
    headings: list[tuple[str, float]] = []
    depth = 0.0
    for subgroup, rows in first.groupby("subgroup", sort=False):
        headings.append((str(subgroup), depth + _GAP / 2))
        depth += _GAP
        for level in dict.fromkeys(rows["level"]):
            lines.append((str(subgroup), str(level), depth + _ROW / 2))
            depth += _ROW * len(datasets) + 0.07
        depth += 0.06
    top, bottom, label = 0.34, 0.45, 2.5
    width, height = style.WIDTH, top + depth + bottom
    panel, number = (width - label) / len(contrasts), 1.55
    with style.drawing():
        figure = style.new_figure(width, height)
        canvas = figure.add_axes((0, bottom / height, 1, depth / height))
        canvas.set_axis_off()
        canvas.set(xlim=(0, width), ylim=(depth, 0))
        for subgroup, y in headings:
            canvas.text(0.06, y, plain(subgroup), fontweight="bold", va="center", fontsize=9)
        for _, level, y in lines:
            canvas.text(0.16, y, plain(level), va="center", fontsize=8.5)
            for position, name in enumerate(datasets):
                canvas.text(1.45, y + _ROW * position, styles[name].label, va="center", fontsize=7.8, color=styles[name].colour)
        for column, contrast in enumerate(contrasts):
            left, words, ratio = label + column * panel, CONTRASTS[contrast], contrast in RATIO_CONTRASTS
            axes = figure.add_axes(((left + 0.06) / width, bottom / height, (panel - number - 0.2) / width, depth / height))
            tables = {name: rows[(rows["contrast"] == contrast) & (rows["status"] == "ok")] for name, rows in subgroups.items()}
            ends = [words.null]
            for rows in tables.values():
                ends += [words.factor * float(value) for name in ("lower", "upper") for value in rows[name]]
            set_scale(axes, min(ends), max(ends), ratio=ratio)
            axes.set(ylim=(depth, 0), yticks=[], xlabel=(words.unit or words.name) + (", log scale" if ratio else ""))
            axes.spines["left"].set_visible(False)
            axes.axvline(words.null, color="#8a929c", lw=0.8, zorder=1)
            axes.set_title(words.name[0].upper() + words.name[1:], pad=4)
            for subgroup, y in headings:
                found = interactions[(interactions["subgroup"] == subgroup) & (interactions["contrast"] == contrast)]
                p = found["p_value"].dropna()
                told = f"interaction p = {p.iloc[0]:.2f}" if len(p) else "interaction not testable"
                canvas.text(left + panel - number, y, told, va="center", fontsize=8, color=style.SOFT, fontstyle="italic")
            for name, rows in tables.items():
                offset, look = _ROW * datasets.index(name), styles[name]
                decimals = estimate_decimals(contrast, rows[["estimate", "lower", "upper"]].to_numpy().ravel())
                by_level = {(row["subgroup"], row["level"]): row for row in rows.to_dict("records")}
                for subgroup, level, y in lines:
                    row = by_level.get((subgroup, level))
                    if row is None:
                        canvas.text(
                            left + panel - number, y + offset, "not estimable", va="center", fontsize=7.5, color=style.SOFT, fontstyle="italic"
                        )
                        continue
                    axes.plot([words.factor * row["lower"], words.factor * row["upper"]], [y + offset] * 2, color=look.colour, lw=1.8, zorder=3)
                    axes.plot([words.factor * row["estimate"]], [y + offset], look.marker, ms=4.8, color=look.colour, zorder=4)
                    told = estimate_words(contrast, row["estimate"], row["lower"], row["upper"], decimals=decimals)
                    canvas.text(left + panel - number, y + offset, told, va="center", fontsize=7.8, color=look.colour)
    return figure
