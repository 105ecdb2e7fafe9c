"""Counts as they may be shown."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from parallax.protocol.disclosure import DisclosureSection


def is_small(counts: ArrayLike, disclosure: DisclosureSection) -> NDArray[np.bool_]:
    """Where a count lies below ``minimum_count``; zero is small as well, for "none of the treated died" is a fact about each of them."""
    values = np.asarray(counts, dtype=np.float64)
    return np.asarray(values < disclosure.minimum_count, dtype=np.bool_)


def suppress_counts(counts: ArrayLike, disclosure: DisclosureSection, *, also: ArrayLike | None = None) -> pd.api.extensions.ExtensionArray:
    """Counts to show: missing where small or where ``also`` says so, the others rounded to the nearest multiple of ``round_to``.

    Halves are rounded up, and never to below ``minimum_count``. A missing count stays missing.
    """
    values = np.asarray(counts, dtype=np.float64)
    hidden = np.isnan(values) | is_small(values, disclosure)
    if also is not None:
        hidden |= np.asarray(also, dtype=np.bool_)
    step = disclosure.round_to
    lowest = -(-disclosure.minimum_count // step) * step
    rounded = np.maximum(np.floor(np.where(hidden, 0.0, values) / step + 0.5) * step, lowest)
    return pd.array(np.where(hidden, np.nan, rounded), dtype="Int64")


def divide_shown(part: ArrayLike, whole: ArrayLike, disclosure: DisclosureSection) -> NDArray[np.float64]:
    """Shares of shown counts, for an exact share would tell the exact count; missing where either is hidden."""
    shares = [pd.Series(suppress_counts(counts, disclosure)).astype("Float64") for counts in (part, whole)]
    return np.asarray((shares[0] / shares[1]).clip(upper=1.0).to_numpy(dtype=np.float64, na_value=np.nan))


def select_spaced(cumulative: ArrayLike, order: Iterable[int], minimum: int) -> list[int]:
    """The positions that may be shown of counts that only grow (events by time): no difference of two of them is small.

    Positions are taken in the ``order`` of their importance, each if its count is ``minimum`` or more away from that of every one taken before.
    Shapes: ``cumulative`` (k,), or (k, arms) where it must hold in every arm; a missing count is away from any. Increasing positions are returned.
    """
    counts = np.asarray(cumulative, dtype=np.float64)
    counts = counts[:, np.newaxis] if counts.ndim == 1 else counts
    kept: list[int] = []
    for position in order:
        if not (np.abs(counts[kept] - counts[position]) < minimum - 1e-9).any():
            kept.append(position)
    return sorted(set(kept))


def record_thresholds(shown: pd.DataFrame, disclosure: DisclosureSection) -> pd.DataFrame:
    """The shown table with the thresholds that made it."""
    return shown.assign(minimum_count=disclosure.minimum_count, round_to=disclosure.round_to).reset_index(drop=True)
