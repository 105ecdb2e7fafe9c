"""The hazard ratio as follow-up goes on: constant within intervals, and smoothed."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from parallax.reporting import style
from parallax.reporting.numbers import format_number
from parallax.vocabulary import REAL

#: hazard ratios beyond these are cut
_RANGE = (0.2, 5.0)


def draw_hazard_course(
    intervals: Mapping[str, pd.DataFrame],
    courses: Mapping[str, pd.DataFrame],
    *,
    overall: float | None,
    last_day: float,
    styles: Mapping[str, style.DatasetStyle],
) -> Figure:
    """Steps: the hazard ratio of each interval, with the real one's 95 % interval as a box; the thin line is the real course, smoothed.

    The dotted line is the real hazard ratio over all follow-up (``overall``). Generators have steps, or courses where there are no intervals.

    ``intervals`` maps a dataset to the rows of its shown COMBINED table (one outcome and design, ``interval_hazard_ratio``, the valid rule),
    ``courses`` to those of its shown HAZARD_COURSE.
    """
    with style.drawing():
        figure = style.new_figure(style.WIDTH, 3.1)
        axes = figure.add_axes((0.062, 0.16, 0.72, 0.76))
        axes.axhline(1.0, color="#8a929c", lw=0.8, zorder=1)
        reached = [1.0]
        for dataset, rows in intervals.items():
            look, start = styles[dataset], 0.0
            ordered = rows.assign(end=rows["horizon_days"].fillna(math.inf)).sort_values("end")
            for row in ordered.to_dict("records"):
                end = min(float(row["end"]), last_day)
                if row["status"] == "ok" and start < end:
                    if dataset == REAL:
                        axes.fill_between([start, end], row["lower"], row["upper"], color=style.BAND, lw=0, zorder=0)
                        reached += [row["lower"], row["upper"]]
                    reached.append(row["estimate"])
                    line = axes.plot([start, end], [row["estimate"]] * 2, color=look.colour, lw=2.2 if dataset == REAL else 1.6, zorder=3)[0]
                    if look.dashes:
                        line.set_dashes(look.dashes)
                start = end
            axes.plot([], [], color=look.colour, lw=2, label=look.label)
        course = courses.get(REAL)
        if course is not None and len(course):
            axes.plot(course["time_days"], np.exp(course["log_hazard_ratio"]), color=style.INK, lw=0.9, zorder=2, label="real, smoothed")
            for name in ("lower", "upper"):
                axes.plot(course["time_days"], np.exp(course[name]), color=style.SOFT, lw=0.6, ls=(0, (1, 1.5)), zorder=2)
            reached += [value for name in ("log_hazard_ratio", "lower", "upper") for value in np.exp(course[name].dropna())]
        for dataset, rows in courses.items():
            if dataset != REAL and not len(intervals.get(dataset, ())):
                look = styles[dataset]
                line = axes.plot(rows["time_days"], np.exp(rows["log_hazard_ratio"]), color=look.colour, lw=1.4, zorder=3)[0]
                if look.dashes:
                    line.set_dashes(look.dashes)
        if overall is not None:
            axes.axhline(overall, color=style.INK, lw=0.9, ls=(0, (1.5, 2.5)), zorder=2, label="real, all follow-up")
            reached.append(overall)
        low, high = (float(np.clip(value, *_RANGE)) for value in (min(reached), max(reached)))
        axes.set(
            yscale="log", ylim=(low * 0.92, high * 1.08), xlim=(0, last_day), xlabel="days since the index date", ylabel="hazard ratio, log scale"
        )
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 8.0)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: format_number(value, decimals=2)))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=8.5)
    return figure
