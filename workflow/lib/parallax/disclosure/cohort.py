"""Attrition and Table 1 as they may be shown."""

from __future__ import annotations

import numpy as np
import pandas as pd

from parallax.disclosure.counts import is_small, record_thresholds, suppress_counts
from parallax.protocol.disclosure import DisclosureSection


def disclose_attrition(attrition: pd.DataFrame, disclosure: DisclosureSection) -> pd.DataFrame:
    """Attrition with every count suppressed or rounded."""
    counts = ("excluded", "remaining_treated", "remaining_comparator")
    return record_thresholds(attrition.assign(**{name: suppress_counts(attrition[name], disclosure) for name in counts}), disclosure)


def disclose_characteristics(characteristics: pd.DataFrame, disclosure: DisclosureSection) -> pd.DataFrame:
    """Table 1 without small cells.

    Levels
        Where exactly one count of a covariate and arm is suppressed, the rest and the arm's total would give it away: the smallest of the
        others is suppressed with it (of two levels, both). Shares are recomputed from shown counts (``mean``), and an SMD that would give a
        suppressed count away is suppressed too.
    Numeric covariates
        A mean over fewer than ``minimum_count`` patients is suppressed; that of a 0/1 column also where either value is that rare.
    """
    table = characteristics.reset_index(drop=True)
    counted = (table["kind"] != "numeric").to_numpy()
    hidden = counted & is_small(table["count"].astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan), disclosure)
    for _, rows in table[counted].groupby(["covariate", "arm"], sort=False):
        if len(rows) > 1 and hidden[rows.index].sum() == 1:
            others = rows.index[~hidden[rows.index]]
            hidden[others[int(table["count"].loc[others].astype("int64").to_numpy().argmin())]] = True
    shown_n = suppress_counts(table["n"], disclosure)
    shown_count = suppress_counts(table["count"].astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan), disclosure, also=hidden)
    share = pd.Series(shown_count).astype("Float64") / pd.Series(shown_n).astype("Float64")
    few = ~counted & (is_small(table["n"], disclosure) | _is_rare_binary(table, disclosure))
    telling = pd.Series(hidden | few).groupby([table["covariate"], table["level"].fillna("")]).transform("any").to_numpy()
    return record_thresholds(
        table.assign(
            n=shown_n,
            count=shown_count,
            mean=np.where(counted, share.to_numpy(dtype=np.float64, na_value=np.nan), table["mean"].where(~few)),
            standard_deviation=table["standard_deviation"].where(~counted & ~few),
            smd=table["smd"].where(~telling),
        ),
        disclosure,
    )


def disclose_measurement_counts(counts: pd.DataFrame, disclosure: DisclosureSection) -> pd.DataFrame:
    """What became of the rows of repeated measurements, every count suppressed or rounded."""
    numbers = [name for name in counts.columns if name not in ("name", "unit")]
    return record_thresholds(counts.assign(**{name: suppress_counts(counts[name], disclosure) for name in numbers}), disclosure)


def _is_rare_binary(table: pd.DataFrame, disclosure: DisclosureSection) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Numeric rows with the moments of a 0/1 column (variance = n p (1 − p) / (n − 1)) in which a value is held by few patients."""
    n, mean, variance = (table[name].to_numpy(dtype=np.float64) for name in ("n", "mean", "standard_deviation"))
    variance = variance**2
    with np.errstate(divide="ignore", invalid="ignore"):
        binary = np.isclose(variance, n * mean * (1 - mean) / (n - 1), rtol=1e-9, atol=1e-12) & (mean >= 0) & (mean <= 1)
        rare = is_small(np.round(np.minimum(mean, 1 - mean) * n), disclosure)
    return np.asarray(binary & rare, dtype=np.bool_)
