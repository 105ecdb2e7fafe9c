"""Repeated measurements as a long table, and what a cohort keeps of them: the same for real and for synthetic patients."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from parallax.protocol.cohort import CohortSection
from parallax.protocol.measurements import Measurement
from parallax.statistics.series import summarise_series


def select_measurements(rows: pd.DataFrame, asked: Mapping[str, Measurement]) -> pd.DataFrame:
    """The known values within each measurement's window, by patient, measurement and time.

    ``rows`` has ``patient_id, name, time_days, value``; several values of a patient at one time become their mean.
    """
    windows = pd.DataFrame.from_dict({name: entry.window_days for name, entry in asked.items()}, orient="index", columns=["first", "last"])
    known = rows[rows["name"].isin(list(asked)) & rows["value"].notna()]
    first, last = (known["name"].map(windows[bound]).to_numpy(np.float64) for bound in ("first", "last"))
    within = known[(known["time_days"] >= first) & (known["time_days"] <= last)]
    return within.groupby(["patient_id", "name", "time_days"], sort=True)[["value"]].mean().reset_index()


def summarise_measurements(measurements: pd.DataFrame, people: pd.DataFrame, cohort: CohortSection) -> pd.DataFrame:
    """The summaries that ``cohort`` asks for, a row for each of ``people``, in their order and with their index.

    ``people`` has ``patient_id``, and ``replicate`` where there are several; measurements of others count for nobody. Only rows of
    :func:`select_measurements` may be given: nothing after the index date is among them.
    """
    keys = [key for key in ("replicate", "patient_id") if key in people]
    number = pd.MultiIndex.from_frame(people[keys]).get_indexer(pd.MultiIndex.from_frame(measurements[keys]))
    columns: dict[str, NDArray[np.float64]] = {}
    for name, entry in cohort.measurements.items():
        chosen = (measurements["name"] == name).to_numpy(bool) & (number >= 0)
        times, values = (measurements.loc[chosen, column].to_numpy(np.float64) for column in ("time_days", "value"))
        found = summarise_series(number[chosen].astype(np.int64), times, values, patients=len(people))
        columns |= {f"{name}_{statistic}": found[statistic] for statistic in entry.summaries}
    return pd.DataFrame(columns, index=people.index)
