"""Could these patients have received either treatment? The propensity score by arm, real and synthetic."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from parallax.reporting import style
from parallax.vocabulary import REAL

COLUMNS = 4


def draw_score_overlap(histograms: Mapping[str, pd.DataFrame], *, arm_labels: Mapping[str, str], styles: Mapping[str, style.DatasetStyle]) -> Figure:
    """One panel per dataset: the treated upwards, the comparators downwards, as shares of their arm; the real outline in every panel.

    Suppressed bins are not drawn; bars beyond twice the real peak are cut and end in an arrow.
    """
    names = list(histograms)
    columns = min(COLUMNS, len(names))
    lines = -(-len(names) // columns)
    shares = {name: {arm: _shares(frame, arm) for arm in ("treated", "comparator")} for name, frame in histograms.items()}
    highest = {name: max(float(share.max()) for _, share in by_arm.values()) for name, by_arm in shares.items()}
    peak = 1.15 * min(max(highest.values()), 2 * highest[REAL])
    with style.drawing():
        figure = style.new_figure(style.WIDTH, 0.55 + 2.0 * lines)
        panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False, gridspec_kw={"wspace": 0.09, "hspace": 0.3})
        figure.subplots_adjust(left=0.062, right=0.988, top=1 - 0.28 / (0.55 + 2.0 * lines), bottom=0.46 / (0.55 + 2.0 * lines))
        for position, axes in enumerate(panels.flat):
            if position >= len(names):
                axes.set_axis_off()
                continue
            name = names[position]
            look = styles[name]
            for arm, sign, alpha in (("treated", 1, 0.8), ("comparator", -1, 0.4)):
                edges, share = shares[name][arm]
                axes.stairs(sign * share, edges, fill=True, color=look.colour if name != REAL else "#6b7480", alpha=alpha, lw=0)
                beyond = share > peak
                axes.plot(
                    (edges[:-1] + edges[1:])[beyond] / 2, np.full(beyond.sum(), 0.93 * sign * peak), "^" if sign > 0 else "v", color="white", ms=3.5
                )
                if name != REAL:
                    edges, share = shares[REAL][arm]
                    axes.stairs(sign * share, edges, color=style.INK, lw=1.0, baseline=None)
            axes.axhline(0, color=style.INK, lw=0.7)
            axes.set_title(look.label, color=look.colour)
            axes.set(xlim=(0, 1), ylim=(-peak, peak), xticks=(0, 0.25, 0.5, 0.75, 1), xticklabels=("0", "", "0.5", "", "1"))
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{abs(100 * value):.0f}%"))
            if position % columns == 0:
                axes.set_ylabel("share of the arm")
            axes.set_xlabel("propensity score")
        _name_arms(panels[0, 0], arm_labels)
    return figure


def _shares(histogram: pd.DataFrame, arm: str) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], np.ndarray[tuple[int], np.dtype[np.float64]]]:
    rows = histogram[histogram["arm"] == arm].sort_values("bin_lower")
    counts = rows["count"].astype("Float64").to_numpy(dtype=np.float64, na_value=0.0)
    return np.append(rows["bin_lower"].to_numpy(), rows["bin_upper"].to_numpy()[-1:]), counts / max(counts.sum(), 1.0)


def _name_arms(axes: Axes, arm_labels: Mapping[str, str]) -> None:
    axes.text(0.98, 0.96, arm_labels["treated"] + " ↑", transform=axes.transAxes, ha="right", va="top", fontsize=7.5, color=style.SOFT)
    axes.text(0.98, 0.04, arm_labels["comparator"] + " ↓", transform=axes.transAxes, ha="right", va="bottom", fontsize=7.5, color=style.SOFT)
