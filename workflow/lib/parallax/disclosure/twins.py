"""Virtual twins as they may be shown."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from parallax.disclosure.counts import record_thresholds, select_spaced
from parallax.disclosure.numbers import round_digits
from parallax.protocol.disclosure import DisclosureSection


def disclose_averages(averages: pd.DataFrame, disclosure: DisclosureSection) -> pd.DataFrame:
    """The TWIN_AVERAGES at times beyond which either arm of the real patients still has ``minimum_count`` followed, and between any two of which
    either arm has as many events: a step of a curve then never stands for few patients. Averages of an outcome without times stay where
    either arm has as many patients and events. Counts are left out, values are to three digits.
    """
    kept = [
        rows[_may_be_shown(rows["at_risk"].to_numpy(), rows["events"].to_numpy(), rows["time_days"].to_numpy(), disclosure.minimum_count)]
        for _, rows in averages.groupby(["outcome", "arm", "quantity"], sort=False)
    ]
    shown = pd.concat(kept) if kept else averages
    rounded = {name: round_digits(shown[name]) for name in ("value", "lower", "upper")}
    return record_thresholds(shown.drop(columns=["at_risk", "events"]).assign(**rounded), disclosure)


def _may_be_shown(at_risk: NDArray[np.int64], events: NDArray[np.int64], times: NDArray[np.float64], minimum: int) -> NDArray[np.bool_]:
    """By time, increasing: day 0 always; then the last time that may be shown. NaN is no time."""
    enough: NDArray[np.bool_] = (at_risk >= minimum) & (events >= minimum)
    if np.isnan(times).all():
        return enough
    kept: NDArray[np.bool_] = times == 0
    allowed = np.flatnonzero(enough & (times > 0)).tolist()
    kept[select_spaced(events, [*allowed[-1:], *allowed], minimum)] = True
    return kept
