"""Numbers that are no counts as they may be shown: with the digits that say something, and not those that tell the counts behind them.

169 of 187 patients alive are 0.9037433…: ten digits name the fraction, and with it both counts that rounding hid.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from parallax.vocabulary import RATIO_CONTRASTS


def round_digits(values: ArrayLike, digits: int = 3, *, of: ArrayLike | None = None) -> NDArray[np.float64]:
    """Values to so many significant digits, of ``of`` where given (a standard error, a standard deviation), else of their own."""
    numbers = np.asarray(values, dtype=np.float64)
    scales = numbers if of is None else np.broadcast_to(np.asarray(of, dtype=np.float64), numbers.shape)
    usable = np.isfinite(scales) & (scales != 0)
    pairs = zip(numbers, np.where(usable, scales, numbers), strict=True)
    return np.array([_round(value, digits, scale) for value, scale in pairs], dtype=np.float64)


def round_shares(values: ArrayLike, patients: float) -> NDArray[np.float64]:
    """Shares of so many patients, in steps of two of them or more: the least of 0.5, 0.2, 0.1, 0.05, … that is at least 2/patients.

    Of 50 patients 0.05, of 187 still 0.02, of 200 0.01; of fewer than four, 0.5. The exact step 2/patients would name their number.
    """
    share = min(2 / max(patients, 1.0), 0.5)
    decimals = math.floor(-math.log10(share) + 1e-9)
    step, decimals = next((unit, decimals + 1) for unit in (1, 2, 5, 10) if unit >= share * 10 ** (decimals + 1) - 1e-9)
    scaled = np.asarray(values, dtype=np.float64) * 10**decimals / step
    return np.asarray(np.round(np.round(scaled) * step / 10**decimals, decimals))


def round_measures(table: pd.DataFrame, columns: list[str], *, decimals: int = 4) -> pd.DataFrame:
    """A table's measures to three significant digits and at most so many decimals."""
    return table.assign(**{name: np.round(round_digits(table[name]), decimals) for name in columns})


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
    return round(float(value), digits - 1 - math.floor(math.log10(abs(scale)))) + 0.0  # no minus before a zero
