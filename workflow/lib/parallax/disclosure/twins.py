"""Average curves of virtual twins as they may be shown."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from parallax.protocol.disclosure import DisclosureSection


def disclose_averages(averages: pd.DataFrame, disclosure: DisclosureSection) -> pd.DataFrame:
    """The TWIN_AVERAGES at times beyond which either arm of the real patients still has ``minimum_count`` followed, and before each of which,
    since the time shown before, either arm has as many events: a step of a curve then never stands for few patients. Averages of an outcome
    without times stay where either arm has as many patients and events. Counts are left out.
    """
    kept = [
        rows[_may_be_shown(rows["at_risk"].to_numpy(), rows["events"].to_numpy(), rows["time_days"].to_numpy(), disclosure.minimum_count)]
        for _, rows in averages.groupby(["outcome", "arm", "quantity"], sort=False)
    ]
    shown = pd.concat(kept) if kept else averages
    return shown.drop(columns=["at_risk", "events"]).reset_index(drop=True)


def _may_be_shown(at_risk: NDArray[np.int64], events: NDArray[np.int64], times: NDArray[np.float64], minimum: int) -> NDArray[np.bool_]:
    """By time, increasing: day 0 always; the last time that may be shown always, at the cost of those just before it. NaN is no time."""
    if np.isnan(times).all():
        kept_without: NDArray[np.bool_] = (at_risk >= minimum) & (events >= minimum)
        return kept_without
    allowed = np.flatnonzero((at_risk >= minimum) & (events >= minimum) & (times > 0))
    kept: NDArray[np.bool_] = times == 0
    since, until = 0, events[allowed[-1]] if allowed.size else 0
    for place in allowed:
        if events[place] - since >= minimum and (until - events[place] >= minimum or place == allowed[-1]):
            kept[place] = True
            since = events[place]
    return kept
