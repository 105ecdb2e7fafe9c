"""Whom an attack would hit first: outliers, and the patients with the rarest levels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

#: the share of patients that either group holds
SHARE: Final = 0.1


def find_outliers(records: NDArray[np.float32]) -> NDArray[np.bool_]:
    """The tenth of the patients furthest from the mean record, (n,): numbers far out and levels that few have, in the units of ``RecordSpace``."""
    centre = records.mean(axis=0, dtype=np.float64)
    # rounded, so that the order in which the mean is summed decides no tie
    return _top(np.round(np.linalg.norm(records - centre, axis=1), 6))


def find_rare(real: pd.DataFrame, categorical: Sequence[str]) -> NDArray[np.bool_]:
    """The tenth of the patients with the least likely levels, (n,): by −Σ log of each level's share among them, columns as if independent."""
    rarity = np.zeros(len(real))
    for name in categorical:
        levels = real[name].astype("string").fillna("")
        rarity -= np.log(levels.map(levels.value_counts(normalize=True)).to_numpy(dtype=np.float64))
    return _top(rarity)


def _top(score: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The highest tenth; of equal scores all or none, so that the order of patients is of no account."""
    top: NDArray[np.bool_] = score > np.quantile(score, 1 - SHARE, method="lower") if len(score) else np.zeros(0, dtype=bool)
    return top
