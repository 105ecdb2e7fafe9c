"""Counts as they may be shown."""

from __future__ import annotations

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


def record_thresholds(shown: pd.DataFrame, disclosure: DisclosureSection) -> pd.DataFrame:
    """The shown table with the thresholds that made it."""
    return shown.assign(minimum_count=disclosure.minimum_count, round_to=disclosure.round_to).reset_index(drop=True)
