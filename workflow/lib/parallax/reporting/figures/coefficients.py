"""How treatment and the outcome depend on the covariates: synthetic coefficients against real ones."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from parallax.reporting import style

_PANEL = 2.75


def draw_coefficients(tables: Mapping[str, pd.DataFrame], *, outcome: str, styles: Mapping[str, style.DatasetStyle]) -> Figure:
    """A column for each generator, a row for each model; whiskers are real 95% intervals, filled marks lie beyond the halves' band."""
    models = {"treatment": "treatment given covariates", "outcome": f"{outcome} given treatment and covariates"}
    left, bottom, gap, top = 0.75, 0.5, 0.45, 0.7
    columns = max(len(tables), 3)
    panel = min(_PANEL, (style.WIDTH - left - gap * columns) / columns)
    height = bottom + len(models) * (panel + top)
    with style.drawing():
        figure = style.new_figure(style.WIDTH, height)
        for row, (model, words) in enumerate(models.items()):
            rows = {name: table[table["model"] == model] for name, table in tables.items()}
            reach = 1.08 * max(float(table[["real", "synthetic"]].abs().to_numpy().max()) for table in rows.values())
            low = height - (row + 1) * (panel + top) + 0.1
            for column, (name, table) in enumerate(rows.items()):
                place = (left + column * (panel + gap)) / style.WIDTH, low / height, panel / style.WIDTH, panel / height
                axes, look = figure.add_axes(place), styles[name]
                beyond = (table["gap"].abs() > table["band"]).to_numpy()
                axes.plot([-reach, reach], [-reach, reach], color="#8a929c", lw=0.8, zorder=1)
                axes.hlines(
                    table["synthetic"],
                    table["real"] - 1.96 * table["std_error"],
                    table["real"] + 1.96 * table["std_error"],
                    color=style.FAINT,
                    lw=0.8,
                )
                for chosen, face in ((~beyond, "white"), (beyond, look.colour)):
                    axes.plot(
                        table["real"][chosen], table["synthetic"][chosen], look.marker, color=look.colour, mfc=face, ms=4.5, mew=0.9, ls="", zorder=3
                    )
                axes.set(xlim=(-reach, reach), ylim=(-reach, reach), xlabel="real")
                axes.xaxis.set_major_locator(MaxNLocator(5))
                axes.yaxis.set_major_locator(MaxNLocator(5))
                axes.set_title(f"{look.label}" if row == 0 else "", color=look.colour, pad=16)
                if not column:
                    axes.set_ylabel("synthetic")
                    figure.text(left / style.WIDTH, (low + panel + 0.06) / height, words[0].upper() + words[1:], fontsize=8.5, color=style.SOFT)
    return figure
