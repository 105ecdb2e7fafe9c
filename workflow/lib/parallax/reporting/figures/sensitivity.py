"""How the real answer holds up: the primary contrast under every design, with what would explain it away."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from parallax.reporting import style
from parallax.reporting.figures.primary import set_scale
from parallax.reporting.wording import CONTRASTS, plain
from parallax.vocabulary import RATIO_CONTRASTS, REAL

_ROW = 0.3


@dataclass(frozen=True, slots=True)
class SensitivityColumn:
    """A column of words beside the figure: its heading, and the words by design."""

    heading: str
    words: Mapping[str, str]


def draw_sensitivity(
    estimates: Mapping[str, pd.DataFrame],
    *,
    contrast: str,
    designs: Sequence[str],
    primary: str,
    failed: Collection[tuple[str, str]],
    columns: Sequence[SensitivityColumn],
    styles: Mapping[str, style.DatasetStyle],
) -> Figure:
    """One line per design: the real estimate with its 95% interval, and the generators' estimates as small marks below it.

    ``estimates`` maps a dataset to the valid rows of one outcome, contrast and horizon of its shown COMBINED table, the real one first;
    ``failed`` holds (dataset, design) that are not to be trusted: their marks are hollow.
    """
    words, ratio = CONTRASTS[contrast], contrast in RATIO_CONTRASTS
    rows = {name: {row["design"]: row for row in table[table["status"] == "ok"].to_dict("records")} for name, table in estimates.items()}
    label, top, bottom, cell = 1.45, 0.5, 0.45, 1.55
    width, depth = style.WIDTH, _ROW * len(designs)
    height, panel = top + depth + bottom, width - label - cell * len(columns) - 0.2
    ends = [words.null, *(words.factor * row[name] for row in rows[REAL].values() for name in ("lower", "upper"))]
    ends += [words.factor * row["estimate"] for by_design in rows.values() for row in by_design.values()]
    with style.drawing():
        figure = style.new_figure(width, height)
        canvas = figure.add_axes((0, bottom / height, 1, depth / height))
        canvas.set_axis_off()
        canvas.set(xlim=(0, width), ylim=(depth, 0))
        axes = figure.add_axes((label / width, bottom / height, panel / width, depth / height))
        set_scale(axes, min(ends), max(ends), ratio=ratio)
        axes.set(ylim=(depth, 0), yticks=[], xlabel=(words.unit or words.name) + (", log scale" if ratio else ""))
        axes.spines["left"].set_visible(False)
        axes.axvline(words.null, color="#8a929c", lw=0.8, zorder=1)
        for line, design in enumerate(designs):
            y = _ROW * (line + 0.5)
            if design == primary:
                canvas.axhspan(y - _ROW / 2, y + _ROW / 2, color="#f0f5fa", lw=0, zorder=0)
            canvas.text(0.06, y, plain(design), va="center", fontsize=8.5, fontweight="bold" if design == primary else "normal")
            for name, by_design in rows.items():
                if design not in by_design:
                    continue
                row, look, real = by_design[design], styles[name], name == REAL
                if real:
                    axes.plot([words.factor * row["lower"], words.factor * row["upper"]], [y, y], color=look.colour, lw=2, solid_capstyle="butt")
                axes.plot(
                    [words.factor * row["estimate"]], [y if real else y + 0.095], look.marker, color=look.colour, ms=5.6 if real else 3.6, mew=0.9,
                    mfc="white" if (name, design) in failed else look.colour, lw=0, zorder=4, clip_on=False,
                )  # fmt: skip
            for position, column in enumerate(columns):
                canvas.text(label + panel + 0.2 + cell * position, y, column.words.get(design, "–"), va="center", fontsize=8)
        for position, column in enumerate(columns):
            canvas.text(label + panel + 0.2 + cell * position, -0.12, column.heading, va="center", fontsize=8, color=style.SOFT, clip_on=False)
        handles = [
            Line2D([], [], color=styles[name].colour, marker=styles[name].marker, ms=5.6 if name == REAL else 3.6, lw=0, label=styles[name].label)
            for name in rows
        ]
        axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=len(rows), fontsize=8, borderpad=0.2, handletextpad=0.1)
    return figure
