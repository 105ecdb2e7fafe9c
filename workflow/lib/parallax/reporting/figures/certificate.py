"""What simulated studies say of the rules and of the agreement gate: rates with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from parallax.reporting import style
from parallax.reporting.wording import RULES, plain
from parallax.validation.combining import answering_rule
from parallax.vocabulary import REAL

_ROW: Final = 0.235
_GAP: Final = 0.1
#: mark and fill of each effect, so that three lines of a row can be told apart in grey
EFFECTS: Final[Mapping[str, tuple[str, bool]]] = {"no_effect": ("o", False), "minimal_important": ("o", True), "stronger": ("D", True)}
_PANELS: Final = (
    ("type_1_error", "Type I error, %", ("no_effect",), (0.0, 50.0), 5.0),
    ("coverage", "Coverage, %", ("minimal_important",), (40.0, 100.0), 95.0),
    ("power", "Power, %", ("minimal_important",), (0.0, 100.0), None),
    ("gate_failure", "Agreement gate fails, %", tuple(EFFECTS), (0.0, 100.0), None),
)


def draw_certificate(rates: pd.DataFrame, *, generators: Sequence[str], styles: Mapping[str, style.DatasetStyle], detection: float) -> Figure:
    """A line for the study's own analysis and one for each generator and rule; panels for error rates, coverage, power, and the gate.

    ``rates`` is a site's part of certification.csv, ``generators`` in the order of the lines, ``detection`` the share of bad generators that the
    gate must catch.
    """
    lines, depth = _lines(rates, generators)
    label, top, bottom, between, width = 2.15, 0.42, 0.68, 0.22, style.WIDTH
    panel = (width - label - between * len(_PANELS)) / len(_PANELS)
    height = top + depth + bottom
    found = {(row["generator"], row["rule"], row["effect"], row["metric"]): row for row in rates.to_dict("records")}
    with style.drawing():
        figure = style.new_figure(width, height)
        canvas = figure.add_axes((0, bottom / height, label / width, depth / height))
        canvas.set_axis_off()
        canvas.set(xlim=(0, label), ylim=(depth, 0))
        for (generator, rule), y in lines.items():
            answers = rule == answering_rule(rates[rates["generator"] == generator])
            if answers:
                canvas.text(0.06, y, styles[generator].label, va="center", fontsize=8.5, fontweight="bold", color=styles[generator].colour)
            told = "" if generator == REAL else RULES["partial"] if answers else RULES.get(rule, plain(rule))
            canvas.text(label - 0.1, y, told, va="center", ha="right", fontsize=8, color=style.SOFT)
        for place, (metric, title, effects, limits, line) in enumerate(_PANELS):
            left = label + place * (panel + between)
            axes = figure.add_axes((left / width, bottom / height, panel / width, depth / height))
            axes.set(xlim=limits, ylim=(depth, 0), yticks=[], title=title)
            axes.spines["left"].set_visible(False)
            axes.grid(axis="x", color=style.FAINT, lw=0.5)
            axes.set_axisbelow(True)
            reference = 100 * detection if metric == "gate_failure" else line
            if reference is not None:
                axes.axvline(reference, color="#8a929c", lw=0.9, dashes=(4, 2))
            for (generator, rule), y in lines.items():
                for turn, effect in enumerate(effects):
                    row = found.get((generator, rule, effect, metric))
                    if row is not None:
                        offset = 0.0 if len(effects) == 1 else 0.062 * (turn - 1)
                        _mark(axes, row, y + offset, styles[generator], effect if len(effects) > 1 else "minimal_important", limits)
        words = "Agreement gate:   ○ no effect   ● smallest effect that matters   ◆ stronger effect.   Bars: 95% intervals from simulation."
        figure.text(0.06 / width, 0.1 / height, words, fontsize=8, color=style.SOFT)
    return figure


def _lines(rates: pd.DataFrame, generators: Sequence[str]) -> tuple[dict[tuple[str, str], float], float]:
    """The height of the line of every generator and rule, and the depth of all."""
    lines: dict[tuple[str, str], float] = {}
    depth = 0.0
    for generator in (REAL, *generators):
        for rule in rates.loc[rates["generator"] == generator, "rule"].unique():
            lines[generator, str(rule)] = depth + _ROW / 2
            depth += _ROW
        depth += _GAP
    return lines, depth


def _mark(axes: Axes, row: Mapping[Any, Any], y: float, look: style.DatasetStyle, effect: str, limits: tuple[float, float]) -> None:
    """One rate with its interval; one beyond the panel is an arrow at its edge."""
    value, lower, upper = (100 * float(row[name]) for name in ("value", "lower", "upper"))
    marker, filled = EFFECTS[effect]
    if not limits[0] <= value <= limits[1]:
        marker, filled = (">" if value > limits[1] else "<"), True
    shown = min(max(value, limits[0]), limits[1])
    ends = [min(max(end, limits[0]), limits[1]) for end in (lower, upper)]
    axes.plot(ends, [y, y], color=look.colour, lw=1.4, solid_capstyle="butt", clip_on=False)
    axes.plot([shown], [y], marker, color=look.colour, ms=4.2, mew=0.9, mfc=look.colour if filled else "white", lw=0, zorder=4, clip_on=False)
