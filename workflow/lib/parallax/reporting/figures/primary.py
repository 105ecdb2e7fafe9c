"""The picture of the verdict: the primary estimate, synthetic against real."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from parallax.reporting import style
from parallax.reporting.numbers import format_number
from parallax.reporting.wording import CONTRASTS, estimate_words
from parallax.vocabulary import FLOOR, RATIO_CONTRASTS, REAL


@dataclass(frozen=True, slots=True)
class PrimaryRow:
    """The primary estimate of one dataset on the natural scale, NaN where there is none; how far it is off and what the verdict is, in words."""

    dataset: str
    estimate: float
    lower: float
    upper: float
    std_error: float
    shift: str
    note: str


def draw_primary(rows: Sequence[PrimaryRow], *, contrast: str, gate: float | None, styles: Mapping[str, style.DatasetStyle]) -> Figure:
    """One line per dataset; the shaded zone is the gate, ``gate`` standard errors around the real estimate."""
    words = CONTRASTS[contrast]
    ratio = contrast in RATIO_CONTRASTS
    width, row_height, top, bottom = 10.4, 0.34, 0.28, 0.5
    height = top + bottom + row_height * len(rows)
    with style.drawing():
        figure = style.new_figure(width, height)
        label, right = 1.35, 3.75
        axes = figure.add_axes((label / width, bottom / height, (width - label - right) / width, row_height * len(rows) / height))
        real = next(row for row in rows if row.dataset == REAL)
        ends = [number * words.factor for row in rows for number in (row.lower, row.upper, row.estimate) if math.isfinite(number)]
        ends.append(words.null)
        if gate is not None and math.isfinite(real.estimate) and math.isfinite(real.std_error):
            reach = gate * real.std_error
            zone = [real.estimate * math.exp(-reach), real.estimate * math.exp(reach)] if ratio else [real.estimate - reach, real.estimate + reach]
            zone = [words.factor * number for number in zone]
            ends += zone
            axes.axvspan(zone[0], zone[1], color="#cfe3f2", lw=0, zorder=0)
            centre = math.sqrt(zone[0] * zone[1]) if ratio else sum(zone) / 2
            axes.annotate(
                f"gate: within {gate:g} real SE",
                (centre, len(rows) - 0.46),
                ha="center",
                va="bottom",
                color=style.SOFT,
                fontsize=7.5,
                annotation_clip=False,
            )
        axes.axvline(words.null, color="#8a929c", lw=0.8, zorder=1)
        for position, row in enumerate(rows):
            y = len(rows) - 1 - position
            look = styles[row.dataset]
            figure.text(
                0.02 / width, (bottom + row_height * (y + 0.5)) / height, look.label, va="center", fontsize=9, fontweight="bold", color=look.colour
            )
            if math.isfinite(row.estimate):
                scaled = [words.factor * number for number in (row.estimate, row.lower, row.upper)]
                wide = row.dataset == FLOOR
                axes.plot(scaled[1:], [y, y], color="#b4bac2" if wide else look.colour, lw=9 if wide else 2.2, solid_capstyle="butt", zorder=3)
                axes.plot(
                    [scaled[0]], [y], look.marker, color=look.colour, ms=7, mec=look.colour if wide else "white", mew=1.4 if wide else 0.8, zorder=4
                )
                figure.text(
                    (width - right + 0.2) / width,
                    (bottom + row_height * (y + 0.5)) / height,
                    estimate_words(contrast, row.estimate, row.lower, row.upper),
                    va="center",
                    fontsize=9,
                )
            else:
                figure.text(
                    (width - right + 0.2) / width,
                    (bottom + row_height * (y + 0.5)) / height,
                    "no estimate",
                    va="center",
                    color=style.SOFT,
                    fontsize=9,
                )
            for text, indent in ((row.shift, 1.62), (row.note, 2.4)):
                figure.text(
                    (width - right + indent) / width, (bottom + row_height * (y + 0.5)) / height, text, va="center", fontsize=9, color=style.SOFT
                )
        set_scale(axes, min(ends), max(ends), ratio=ratio)
        axes.set_ylim(-0.5, len(rows) - 0.5)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(words.name[0].upper() + words.name[1:] + (f" ({words.unit})" if words.unit else "") + (", log scale" if ratio else ""))
    return figure


def set_scale(axes: Axes, lowest: float, highest: float, *, ratio: bool) -> None:
    """Limits with a margin and few round ticks; logarithmic for a ratio."""
    if ratio:
        low, high = math.log(max(lowest, 1e-3)), math.log(max(highest, 2e-3))
        margin = 0.06 * max(high - low, 0.1)
        axes.set_xscale("log")
        limits = (math.exp(low - margin), math.exp(high + margin))
        axes.set_xticks(ratio_ticks(*limits))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set_xlim(*limits)
    else:
        margin = 0.06 * max(highest - lowest, 1e-6)
        axes.set_xlim(lowest - margin, highest + margin)
        axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format_number(value, decimals=_decimals(highest - lowest))))


def ratio_ticks(low: float, high: float) -> list[float]:
    """A handful of round ratios between the limits, one among them where it lies inside."""
    for step in (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0):
        ticks = [round(float(tick), 2) for tick in np.arange(1 - 20 * step, high + step, step) if tick > 0 and low <= tick <= high]
        if len(ticks) <= 5:
            break
    if high / low > 4:
        ticks = [tick for tick in (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 10.0, 20.0) if low <= tick <= high]
    return ticks


def _decimals(span: float) -> int:
    return 0 if span > 4 else 1 if span > 0.4 else 2
