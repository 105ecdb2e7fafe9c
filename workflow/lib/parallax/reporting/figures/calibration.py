"""Is a propensity score of 0.3 a share of 0.3 treated? Tenths of the patients by score, one panel per score."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from parallax.reporting import style
from parallax.reporting.wording import plain

COLUMNS = 5


def draw_calibration(calibration: pd.DataFrame) -> Figure:
    """Share treated against mean score in tenths of the patients, of the shown CALIBRATION table of one dataset; the line is equality."""
    names = list(dict.fromkeys(calibration["score"]))
    lines = -(-len(names) // COLUMNS)
    side = style.WIDTH / COLUMNS
    height = side * lines + 0.35
    with style.drawing():
        figure = style.new_figure(style.WIDTH, height)
        panels = figure.subplots(lines, COLUMNS, sharex=True, sharey=True, squeeze=False)
        for position, axes in enumerate(panels.flat):
            if position >= len(names):
                axes.set_axis_off()
                continue
            rows = calibration[calibration["score"] == names[position]].sort_values("bin")
            axes.plot([0, 1], [0, 1], color=style.SOFT, lw=0.8, ls=(0, (2, 2)))
            axes.plot(rows["predicted"], rows["observed"], "o-", color=style.INK, ms=3.5, lw=1.0)
            axes.set(xlim=(0, 1), ylim=(0, 1), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1), aspect="equal")
            axes.set_title(plain(names[position]))
            axes.set_xlabel("mean score")
            if position % COLUMNS == 0:
                axes.set_ylabel("share treated")
        figure.tight_layout()
    return figure
