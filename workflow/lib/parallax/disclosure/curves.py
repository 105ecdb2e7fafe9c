"""Survival curves as they may be shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from parallax.disclosure.counts import record_thresholds, select_spaced, suppress_counts
from parallax.disclosure.numbers import round_shares
from parallax.protocol.disclosure import DisclosureSection
from parallax.vocabulary import ARMS

INTERVALS = 60


def curve_grid(horizons_days: Sequence[float]) -> NDArray[np.float64]:
    """The times at which curves are shown: zero, every horizon, and equal steps to the last one."""
    return np.union1d(np.linspace(0.0, max(horizons_days), INTERVALS + 1), np.asarray(horizons_days, dtype=np.float64))


def disclose_curves(
    curves: pd.DataFrame,
    disclosure: DisclosureSection,
    *,
    grids: Mapping[str, NDArray[np.float64]],
    horizons: Mapping[str, Sequence[float]] = MappingProxyType({}),
) -> pd.DataFrame:
    """Curves on a fixed grid (days, by outcome), averaged over the replicates, in which every step is made by many patients.

    Band
        One replicate: its own interval. Several: their range.
    Digits
        Survival in steps of two patients or more (:func:`parallax.disclosure.numbers.round_shares`).
    Steps
        A grid time is shown where at least ``minimum_count`` patients are at risk and at least as many events lie between it and every other
        time shown; the events of an interval are at_risk · (1 − S(t)/S(t−)) summed over it. The ``horizons`` (by outcome, the most
        important first), at which the same patients' estimates tell risks, come first, then the last time that may be shown, then the others,
        none of them a few events from a horizon, whether the curve shows that one or not. All designs of an outcome and arm share their times,
        and the design with the fewest patients or events decides, so that a large weight cannot stand for a crowd.
    """
    shown = []
    for (outcome, arm), rows in curves.groupby(["outcome", "arm"], sort=False):
        grid = grids[str(outcome)]
        by_design = {str(design): _average(group, grid) for design, group in rows.groupby("design", sort=False)}
        at_risk = np.min([curve["at_risk"].to_numpy() for curve in by_design.values()], axis=0)
        events = np.min([curve["events"].to_numpy() for curve in by_design.values()], axis=0)
        first = [int(np.searchsorted(grid, day)) for day in horizons.get(str(outcome), ())]
        kept = _shown_times(at_risk, events, first, disclosure.minimum_count)
        for design, curve in by_design.items():
            shares = {name: round_shares(curve[name], at_risk[0]) for name in ("survival", "lower", "upper")}
            shown.append(curve.assign(**shares, design=design, outcome=str(outcome), arm=str(arm)).iloc[kept])
    columns = ["design", "outcome", "arm", "time_days", "survival", "lower", "upper", "at_risk"]
    table = pd.concat(shown, ignore_index=True) if shown else pd.DataFrame(columns=[*columns, "events"])
    table = table[columns].assign(at_risk=suppress_counts(table["at_risk"].astype("float64"), disclosure))
    return record_thresholds(table, disclosure)


def disclose_hazard_course(
    course: pd.DataFrame, disclosure: DisclosureSection, *, curves: pd.DataFrame, grids: Mapping[str, NDArray[np.float64]]
) -> pd.DataFrame:
    """The smoothed log hazard ratio on the curves' grid (days, by outcome), averaged over the replicates, to three decimals.

    ``curves`` are the shown ones of the same dataset: the course ends where the first arm's curve does, and is not shown where an arm has none.

    Band
        One replicate: its own. Several: the mean of theirs.
    """
    columns = ["design", "outcome", "time_days", "log_hazard_ratio", "lower", "upper"]
    ends = curves.groupby(["outcome", "arm"])["time_days"].max()
    shown = [pd.DataFrame(columns=columns)]
    for (design, outcome), rows in course.groupby(["design", "outcome"], sort=False):
        mean = rows.groupby("time_days")[columns[3:]].mean()
        known = mean.index.to_numpy(dtype=np.float64)
        last = min(float(ends.get((outcome, arm), 0.0)) for arm in ARMS)
        days = grids[str(outcome)]
        days = days[(days >= known[0]) & (days <= min(last, known[-1]))]
        values = {name: np.round(np.interp(days, known, mean[name]), 3) for name in columns[3:]}
        if days.size:
            shown.append(pd.DataFrame({"time_days": days} | values).assign(design=str(design), outcome=str(outcome))[columns])
    return record_thresholds(pd.concat(shown[1:] or shown, ignore_index=True), disclosure)


def _average(rows: pd.DataFrame, grid: NDArray[np.float64]) -> pd.DataFrame:
    """The curve of one design on the grid: mean survival, band, patients at risk, and events in the interval that ends there."""
    replicates = [_on_grid(replicate, grid) for _, replicate in rows.groupby("replicate", sort=True)]
    survival, lower, upper, at_risk, events = (np.array([replicate[column] for replicate in replicates]) for column in range(5))
    several = len(replicates) > 1
    return pd.DataFrame(
        {
            "time_days": grid,
            "survival": survival.mean(axis=0),
            "lower": survival.min(axis=0) if several else lower[0],
            "upper": survival.max(axis=0) if several else upper[0],
            "at_risk": at_risk.mean(axis=0),
            "events": events.mean(axis=0),
        }
    )


def _on_grid(curve: pd.DataFrame, grid: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Survival, band, number at risk just after each grid time, and events since the grid time before, (grid,) each."""
    curve = curve.sort_values("time_days")
    time, survival, lower, upper, at_risk = (
        curve[name].to_numpy(dtype=np.float64) for name in ("time_days", "survival", "lower", "upper", "at_risk")
    )
    before = np.concatenate([[1.0], survival[:-1]])
    events = np.cumsum(at_risk * (1 - np.divide(survival, before, out=np.ones_like(survival), where=before > 0)))
    last = np.searchsorted(time, grid, side="right") - 1
    started = last >= 0
    at = np.maximum(last, 0)
    # at_risk counts those just before a time, so the next time of the curve tells who is left; beyond the last nobody is known to be
    left = np.append(at_risk, 0.0)[np.searchsorted(time, grid, side="right")]
    return (
        np.where(started, survival[at], 1.0),
        np.where(started, lower[at], 1.0),
        np.where(started, upper[at], 1.0),
        left,
        np.diff(np.where(started, events[at], 0.0), prepend=0.0),
    )


def _shown_times(at_risk: NDArray[np.float64], events: NDArray[np.float64], first: Sequence[int], minimum: int) -> list[int]:
    """Positions on the grid that may be shown; the grid's start (survival one) always may."""
    known = np.cumsum(events)
    allowed = [position for position in range(1, len(at_risk)) if at_risk[position] >= minimum]
    others = [position for position in allowed if (np.abs(known[list(first)] - known[position]) >= minimum - 1e-9).all()]
    order = [0, *(position for position in first if position in allowed), *others[-1:], *others]
    return select_spaced(known, order, minimum)
