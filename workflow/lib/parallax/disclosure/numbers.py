"""Numbers that are no counts as they may be shown: with the digits that say something, and not those that tell the counts behind them.

169 of 187 patients alive are 0.9037433…: ten digits name the fraction, and with it both counts that rounding hid.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from parallax.vocabulary import RATIO_CONTRASTS

#: a share or difference is not shown in finer steps
_DECIMALS = 4


def round_digits(values: ArrayLike, digits: int = 3, *, of: ArrayLike | None = None) -> NDArray[np.float64]:
    """Values to so many significant digits, of ``of`` where given (a standard error, a standard deviation), else of their own."""
    numbers = np.asarray(values, dtype=np.float64)
    scales = numbers if of is None else np.broadcast_to(np.asarray(of, dtype=np.float64), numbers.shape)
    usable = np.isfinite(scales) & (scales != 0)
    return np.array(
        [_round(value, digits, scale if known else value) for value, scale, known in zip(numbers, scales, usable, strict=True)], dtype=float
    )


def round_measures(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """A table's measures to three significant digits and at most four decimals."""
    return table.assign(**{name: np.round(round_digits(table[name]), _DECIMALS) for name in columns})


def round_estimates(table: pd.DataFrame) -> pd.DataFrame:
    """Estimates and their bounds to two digits of their standard error (for ratios, that of the logarithm times the value), errors, p-values and
    degrees of freedom to two of their own."""
    error = table["std_error"].to_numpy(dtype=np.float64)
    ratio = table["contrast"].isin(RATIO_CONTRASTS).to_numpy()
    found = {}
    for name in ("estimate", "lower", "upper"):
        values = table[name].to_numpy(dtype=np.float64)
        found[name] = round_digits(values, 2, of=np.where(ratio, error * np.abs(values), error))
    return table.assign(**found, **{name: round_digits(table[name], 2) for name in ("std_error", "p_value", "p_adjusted", "df")})


def _round(value: float, digits: int, scale: float) -> float:
    if not math.isfinite(value) or not math.isfinite(scale) or scale == 0:
        return value
    return round(float(value), digits - 1 - math.floor(math.log10(abs(scale))))
