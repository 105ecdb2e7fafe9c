"""The figure of the virtual twins: average curves under either arm, and the study's designs against the truth."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from parallax.protocol.question import Hypothesis
from parallax.reporting.style import INK, SOFT, WIDTH, drawing, new_figure
from parallax.reporting.uses import of_primary
from parallax.reporting.wording import CONTRASTS, plain
from parallax.vocabulary import RATIO_CONTRASTS

_OF_ARM = {"treated": ("#0072b2", "-"), "comparator": ("#d55e00", "--")}


def draw_twins(averages: pd.DataFrame, truths: pd.DataFrame, *, primary: Hypothesis) -> Figure:
    """Left the curves of the primary outcome averaged over the twin patients, right the primary contrast by design with its truth as a line.

    ``averages`` and ``truths`` are the shown tables of one site and generator.
    """
    with drawing():
        figure = new_figure(WIDTH, 3.4)
        left, right = figure.subplots(1, 2, width_ratios=(1.2, 1.0))
        _draw_curves(left, averages[averages["outcome"] == primary.outcome])
        _draw_truths(right, of_primary(truths, primary), primary)
        figure.tight_layout()
    return figure


def _draw_curves(axes: Axes, averages: pd.DataFrame) -> None:
    axes.set_title("The same twin patients under either arm")
    quantity = "incidence" if (averages["quantity"] == "incidence").any() else "survival"
    if averages["time_days"].isna().all():
        _draw_means(axes, averages)
        return
    for arm, (colour, dashes) in _OF_ARM.items():
        rows = averages[(averages["arm"] == arm) & (averages["quantity"] == quantity)]
        axes.plot(rows["time_days"], rows["value"], color=colour, linestyle=dashes, label=f"all {arm}")
        axes.fill_between(rows["time_days"], rows["lower"], rows["upper"], color=colour, alpha=0.15, linewidth=0)
    axes.set_xlabel(f"days\n{_what_the_band_is(averages)}")
    axes.set_ylabel("cumulative incidence" if quantity == "incidence" else "survival")
    axes.legend()


def _draw_means(axes: Axes, averages: pd.DataFrame) -> None:
    rows = averages[averages["arm"].isin(list(_OF_ARM))].to_dict("records")
    for place, row in enumerate(rows):
        axes.plot([place, place], [row["lower"], row["upper"]], color=_OF_ARM[row["arm"]][0])
        axes.plot(place, row["value"], "o", color=_OF_ARM[row["arm"]][0])
    axes.set_xticks(range(len(rows)), [f"all {row['arm']}" for row in rows])
    axes.set_xlim(-0.7, 1.7)
    axes.set_xlabel(_what_the_band_is(averages))
    axes.set_ylabel(rows[0]["quantity"] if rows else "")


def _what_the_band_is(averages: pd.DataFrame) -> str:
    return f"band: 2.5th to 97.5th percentile over {averages['refits'].iloc[0]} refits to resampled patients" if len(averages) else ""


def _draw_truths(axes: Axes, truths: pd.DataFrame, primary: Hypothesis) -> None:
    axes.set_title("Designs on the twin cohort (○ truth)")
    for place, row in enumerate(truths.to_dict("records")):
        axes.plot([row["lower"], row["upper"]], [place, place], color=INK, linewidth=1.2)
        axes.plot(row["estimate"], place, "D", color=INK, markersize=4)
        axes.plot(row["truth"], place, "o", markerfacecolor="none", markeredgecolor="#d55e00", markersize=9)
    axes.set_yticks(range(len(truths)), [f"{plain(row['design'])} · {row['effective_estimand']}" for row in truths.to_dict("records")])
    axes.invert_yaxis()
    axes.axvline(1.0 if primary.contrast in RATIO_CONTRASTS else 0.0, color=SOFT, linewidth=0.7)
    axes.set_xlabel(CONTRASTS[primary.contrast].name)
