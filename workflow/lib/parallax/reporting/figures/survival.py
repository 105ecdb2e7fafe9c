"""Survival of real and synthetic patients, arm by arm, and the difference under a magnifying glass."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from parallax.reporting import style
from parallax.reporting.numbers import format_number
from parallax.vocabulary import ARMS, REAL


def draw_survival(
    curves: Mapping[str, pd.DataFrame], *, outcome: str, design: str, arm_labels: Mapping[str, str], styles: Mapping[str, style.DatasetStyle]
) -> Figure:
    """Above: survival per arm, the real curve with its pointwise 95% band. Below: synthetic minus real, the band that of the real curve.

    ``curves`` maps a dataset to its shown CURVES table. A generator's line is the mean of its replicates, its band their range.
    """
    chosen = {name: frame[(frame["outcome"] == outcome) & (frame["design"] == design)] for name, frame in curves.items()}
    with style.drawing():
        figure = style.new_figure(style.WIDTH, 4.9)
        panels = figure.subplots(2, 2, sharex=True, sharey="row", gridspec_kw={"height_ratios": [2.1, 1], "hspace": 0.14, "wspace": 0.08})
        figure.subplots_adjust(left=0.062, right=0.995, top=0.91, bottom=0.095)
        for column, arm in enumerate(ARMS):
            by_arm = {name: frame[frame["arm"] == arm].sort_values("time_days") for name, frame in chosen.items()}
            upper, lower = panels[0, column], panels[1, column]
            for name, curve in by_arm.items():
                _draw_curve(upper, curve, styles[name], real=name == REAL)
            _draw_difference(lower, by_arm, styles)
            upper.set_title(arm_labels[arm])
            lower.set_xlabel("days since the index date")
            lower.xaxis.set_major_locator(MaxNLocator(7, integer=True, steps=[1, 2, 3, 5, 6, 10]))
        panels[0, 0].set_ylabel("survival")
        panels[1, 0].set_ylabel("synthetic − real")
        lowest = min([float(frame["survival"].min()) for frame in chosen.values() if len(frame)], default=0.0)
        panels[0, 0].set_ylim(max(0.0, np.floor(10 * (lowest - 0.05)) / 10), 1.005)
        panels[1, 0].yaxis.set_major_locator(MaxNLocator(4))
        panels[1, 0].yaxis.set_major_formatter(FuncFormatter(lambda value, _: format_number(value, decimals=2)))
        panels[0, 1].legend(loc="upper right", fontsize=8.5)
    return figure


def _draw_curve(axes: Axes, curve: pd.DataFrame, look: style.DatasetStyle, *, real: bool) -> None:
    if real and curve["lower"].notna().any():
        axes.fill_between(curve["time_days"], curve["lower"], curve["upper"], color="#c9ced5", lw=0, zorder=1)
    line = axes.plot(curve["time_days"], curve["survival"], color=look.colour, lw=1.9 if real else 1.5, label=look.label, zorder=4 if real else 3)[0]
    if look.dashes:
        line.set_dashes(look.dashes)
    axes.grid(axis="y", color="#eceff2", lw=0.6, zorder=0)


def _draw_difference(axes: Axes, curves: Mapping[str, pd.DataFrame], styles: Mapping[str, style.DatasetStyle]) -> None:
    real = curves[REAL]
    axes.axhline(0, color=style.INK, lw=1.3, zorder=4)
    axes.grid(axis="y", color="#eceff2", lw=0.6, zorder=0)
    if len(real) < 2:
        return
    time = real["time_days"].to_numpy()
    survival = real["survival"].to_numpy()
    axes.fill_between(time, real["lower"].to_numpy() - survival, real["upper"].to_numpy() - survival, color="#c9ced5", lw=0, zorder=1)
    for name, curve in curves.items():
        if name == REAL or len(curve) < 2:
            continue
        look = styles[name]
        days = curve["time_days"].to_numpy()
        days, rows = days[days <= time[-1]], curve[curve["time_days"] <= time[-1]]
        there = np.interp(days, time, survival)
        axes.fill_between(days, rows["lower"] - there, rows["upper"] - there, color=look.colour, alpha=0.13, lw=0, zorder=2)
        line = axes.plot(days, rows["survival"] - there, color=look.colour, lw=1.5, zorder=3)[0]
        if look.dashes:
            line.set_dashes(look.dashes)
