"""Verbatim copies: whose record reappears among the synthetic ones, and in how many more of those seen than of those not seen."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from parallax.validation.bounds import Bounded, wilson_bound


def find_copied(real: pd.DataFrame, synthetic: pd.DataFrame, *, numeric: Sequence[str], categorical: Sequence[str]) -> NDArray[np.bool_]:
    """For each real patient whether a synthetic record is the same in every column; missing equals missing. Compared by 64-bit hashes."""
    keys = [hash_records(frame, numeric, categorical) for frame in (real, synthetic)]
    return np.isin(keys[0], keys[1])


def hash_records(frame: pd.DataFrame, numeric: Sequence[str], categorical: Sequence[str]) -> NDArray[np.uint64]:
    """One number for each record, (n,), equal for records that are the same in every column."""
    numbers = frame[list(numeric)].astype("float64") + 0.0  # adding zero makes −0 and 0 one value
    texts = frame[list(categorical)].astype("string")
    return np.asarray(pd.util.hash_pandas_object(pd.concat([numbers, texts], axis=1), index=False), dtype=np.uint64)


def bound_excess(seen: float, n_seen: int, unseen: float, n_unseen: int) -> Bounded:
    """Difference of two independent shares with one-sided 95 % bounds: Wilson's bounds of each, squared and added (Newcombe 1998, method 10)."""
    excess = seen - unseen
    above = math.hypot(wilson_bound(seen, n_seen, upper=True) - seen, unseen - wilson_bound(unseen, n_unseen, upper=False))
    below = math.hypot(seen - wilson_bound(seen, n_seen, upper=False), wilson_bound(unseen, n_unseen, upper=True) - unseen)
    return Bounded(excess, max(-1.0, excess - below), min(1.0, excess + above))
