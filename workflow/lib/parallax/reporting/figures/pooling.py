"""One effect by site and by way of pooling."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from parallax.reporting import style
from parallax.reporting.figures.primary import set_scale
from parallax.reporting.wording import CONTRASTS, estimate_decimals, estimate_words
from parallax.vocabulary import RATIO_CONTRASTS

_ROW, _GAP = 0.24, 0.32


@dataclass(frozen=True, slots=True)
class PoolingRow:
    """An answer: the block that it stands in, who answers, the dataset, estimate and interval (not a number: not estimable), a note, and whether
    several sites are in it."""

    block: str
    label: str
    dataset: str
    estimate: float
    lower: float
    upper: float
    note: str
    pooled: bool


def draw_pooling(rows: Sequence[PoolingRow], *, contrast: str, styles: Mapping[str, style.DatasetStyle]) -> Figure:
    """Blocks of lines: a site's answers bear their dataset's mark, pooled ones a diamond as wide as the interval; a note on the right.

    The grey band is the interval of the first pooled answer that there is.
    """
    words, ratio = CONTRASTS[contrast], contrast in RATIO_CONTRASTS
    places, depth = [], 0.0
    for position, row in enumerate(rows):
        depth += _GAP if not position or rows[position - 1].block != row.block else 0.0
        places.append(depth + _ROW / 2)
        depth += _ROW
    top, bottom, label, number, note = 0.28, 0.45, 3.3, 1.25, 2.55
    width, height = style.WIDTH, top + depth + bottom
    known = [row for row in rows if math.isfinite(row.estimate)]
    ends = [words.factor * value for row in known for value in (row.lower, row.upper)] + [words.null]
    decimals = estimate_decimals(contrast, [value for row in known for value in (row.estimate, row.lower, row.upper)])
    with style.drawing():
        figure = style.new_figure(width, height)
        canvas = figure.add_axes((0, bottom / height, 1, depth / height))
        canvas.set_axis_off()
        canvas.set(xlim=(0, width), ylim=(depth, 0))
        axes = figure.add_axes((label / width, bottom / height, (width - label - number - note - 0.2) / width, depth / height))
        set_scale(axes, min(ends), max(ends), ratio=ratio)
        axes.set(ylim=(depth, 0), yticks=[], xlabel=(words.unit or words.name) + (", log scale" if ratio else ""))
        axes.spines["left"].set_visible(False)
        axes.axvline(words.null, color="#8a929c", lw=0.8, zorder=1)
        benchmark = next((row for row in known if row.pooled), None)
        if benchmark is not None:
            axes.axvspan(words.factor * benchmark.lower, words.factor * benchmark.upper, color=style.BAND, lw=0, zorder=0)
        for position, (row, y) in enumerate(zip(rows, places, strict=True)):
            look = styles[row.dataset]
            if not position or rows[position - 1].block != row.block:
                canvas.text(0.06, y - _ROW / 2 - _GAP / 2, row.block, fontweight="bold", va="center", fontsize=9)
            canvas.text(0.16, y, row.label, va="center", fontsize=8.5)
            canvas.text(2.25, y, look.label, va="center", fontsize=8.5, color=look.colour)
            canvas.text(width - note, y, row.note, va="center", fontsize=7.8, color=style.SOFT)
            told, slant = "not estimable", "italic"
            if math.isfinite(row.estimate):
                told, slant = estimate_words(contrast, row.estimate, row.lower, row.upper, decimals=decimals), "normal"
                at = [words.factor * value for value in (row.lower, row.estimate, row.upper)]
                if row.pooled:
                    corners = [(at[0], y), (at[1], y - 0.075), (at[2], y), (at[1], y + 0.075)]
                    axes.add_patch(Polygon(corners, closed=True, fc=look.colour, ec=look.colour, lw=0.6, zorder=3))
                else:
                    axes.plot([at[0], at[2]], [y, y], color=look.colour, lw=1.8, zorder=3)
                    axes.plot([at[1]], [y], look.marker, ms=4.8, color=look.colour, zorder=4)
            canvas.text(width - note - number - 0.08, y, told, va="center", fontsize=8, fontstyle=slant)
    return figure
