"""Summaries of patients' series: many short series of irregular times, stored one after another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def summarise_series(patient: IntArray, times: FloatArray, values: FloatArray, *, patients: int) -> Mapping[str, FloatArray]:
    """Summaries by name, each of length ``patients``, of values (n,) measured at ``times`` (n,) in the patients numbered 0 … ``patients`` − 1.

    ``count``; ``mean``; ``minimum``; ``maximum``; ``last`` (the value at the latest time); ``slope``, the least-squares line's
    Σ(t − t̄)(y − ȳ)/Σ(t − t̄)² per unit of time. All but ``count`` are NaN without a value, ``slope`` also where all times are the same.
    Times of one patient differ; rows may be in any order.
    """
    order = np.lexsort((times, patient))
    patient, times, values = patient[order], times[order], values[order]
    count = np.bincount(patient, minlength=patients).astype(np.float64)
    known = count > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        mean, centre = (np.bincount(patient, weights=column, minlength=patients) / count for column in (values, times))
        spread = np.bincount(patient, weights=(times - centre[patient]) ** 2, minlength=patients)
        product = np.bincount(patient, weights=(times - centre[patient]) * (values - mean[patient]), minlength=patients)
        slope = np.where(spread > 0, product / spread, np.nan)
    last, least, most = (np.full(patients, np.nan) for _ in range(3))
    begins = np.flatnonzero(np.diff(patient, prepend=-1))
    if begins.size:
        last[known] = values[np.append(begins[1:], len(values)) - 1]
        least[known], most[known] = np.minimum.reduceat(values, begins), np.maximum.reduceat(values, begins)
    return {"count": count, "mean": mean, "last": last, "slope": slope, "minimum": least, "maximum": most}


def batch_series(patient: IntArray, times: FloatArray, values: FloatArray) -> Iterator[tuple[IntArray, FloatArray, FloatArray]]:
    """Patients, times and values (B,), (B, n), (B, n) of all series of n values, for every n from the shortest; times increase.

    Rows may be in any order; patients stay in the order of their numbers.
    """
    order = np.lexsort((times, patient))
    patient, times, values = patient[order], times[order], values[order]
    people, begins, lengths = np.unique(patient, return_index=True, return_counts=True)
    for length in np.unique(lengths):
        rows = begins[lengths == length][:, None] + np.arange(length)
        yield people[lengths == length], times[rows], values[rows]
