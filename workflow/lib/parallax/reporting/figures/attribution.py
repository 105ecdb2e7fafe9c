"""Which mechanism of each generator carries what it gets wrong: of the primary estimate, and of how treatment follows the covariates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from parallax.reporting import style
from parallax.reporting.wording import MECHANISMS

_LINE = 0.19
_GAP = 0.16


@dataclass(frozen=True, slots=True)
class AttributionPanel:
    """A quantity of ATTRIBUTION, its title and axis, and the change that its gate allows."""

    quantity: str
    title: str
    axis: str
    gate: float


def draw_attribution(tables: Mapping[str, pd.DataFrame], *, panels: tuple[AttributionPanel, ...], styles: Mapping[str, style.DatasetStyle]) -> Figure:
    """A row for each mechanism, a mark with its 95% interval for each generator; the shaded zone is what the gate allows."""
    generators = list(tables)
    names = [name for name in MECHANISMS if any((table["mechanism"] == name).any() for table in tables.values())]
    depth = len(names) * (len(generators) * _LINE + _GAP)
    label, top, bottom, between = 2.35, 0.5, 0.72, 0.3
    width, height = style.WIDTH, top + depth + bottom
    panel = (width - label - between * len(panels)) / len(panels)
    with style.drawing():
        figure = style.new_figure(width, height)
        for place, chosen in enumerate(panels):
            left = label + place * (panel + between)
            axes = figure.add_axes((left / width, bottom / height, panel / width, depth / height))
            axes.axvspan(-chosen.gate, chosen.gate, color="#cfe3f2", lw=0, zorder=0)
            axes.axvline(0, color="#8a929c", lw=0.8, zorder=1)
            ends = [-1.15 * chosen.gate, 1.15 * chosen.gate]
            for row, name in enumerate(names):
                start = row * (len(generators) * _LINE + _GAP) + _GAP / 2
                if row:
                    axes.axhline(start - _GAP / 2, color=style.FAINT, lw=0.6, zorder=0)
                for line, generator in enumerate(generators):
                    table, look = tables[generator], styles[generator]
                    found = table[(table["quantity"] == chosen.quantity) & (table["mechanism"] == name)]
                    if not len(found) or math.isnan(found["value"].iloc[0]):
                        continue
                    value, lower, upper = (float(found[column].iloc[0]) for column in ("value", "lower", "upper"))
                    y = start + (line + 0.5) * _LINE
                    axes.plot([lower, upper], [y, y], color=look.colour, lw=1.6, solid_capstyle="butt", zorder=3)
                    axes.plot([value], [y], look.marker, color=look.colour, ms=5.5, mec="white", mew=0.7, zorder=4)
                    ends += [lower, upper]
                if not place:
                    middle = start + len(generators) * _LINE / 2
                    weight = "bold" if name not in ("together", "remainder") else "normal"
                    words = MECHANISMS[name][0].upper() + MECHANISMS[name][1:]
                    figure.text(0.02 / width, (bottom + depth - middle) / height, words, va="center", fontsize=8.5, fontweight=weight)
            margin = 0.04 * (max(ends) - min(ends))
            axes.set(xlim=(min(ends) - margin, max(ends) + margin), ylim=(depth, 0), yticks=[], xlabel=chosen.axis)
            axes.spines["left"].set_visible(False)
            axes.set_title(chosen.title, pad=6)
        marks = [
            Line2D([], [], color=styles[name].colour, marker=styles[name].marker, ms=5.5, mec="white", lw=1.6, label=styles[name].label)
            for name in generators
        ]
        figure.legend(handles=marks, loc="lower left", bbox_to_anchor=(0.0, 0.0), ncols=len(marks), fontsize=8.5)
    return figure
