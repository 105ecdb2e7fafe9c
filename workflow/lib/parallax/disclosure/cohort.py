"""Attrition and Table 1 as they may be shown."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from parallax.disclosure.counts import divide_shown, is_small, record_thresholds, suppress_counts
from parallax.disclosure.numbers import round_digits
from parallax.protocol.disclosure import DisclosureSection
from parallax.vocabulary import MISSING_LEVEL, OTHER_LEVELS

#: two patients may carry half of a sum; of more they are its value
DOMINANT: Final = 0.5


def disclose_attrition(attrition: pd.DataFrame, disclosure: DisclosureSection) -> pd.DataFrame:
    """Attrition, steps in their order, with every count suppressed or rounded.

    How many leave is suppressed also where few of an arm do: with the arms' own counts before and after, their sum would bound each of the two.
    """
    remaining = attrition[["remaining_treated", "remaining_comparator"]].astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
    few = np.vstack([np.zeros((1, 2), dtype=np.bool_), is_small(-np.diff(remaining, axis=0), disclosure)]).any(axis=1)
    shown = {name: suppress_counts(attrition[name], disclosure) for name in ("remaining_treated", "remaining_comparator")}
    return record_thresholds(attrition.assign(excluded=suppress_counts(attrition["excluded"], disclosure, also=few), **shown), disclosure)


def disclose_characteristics(
    characteristics: pd.DataFrame, disclosure: DisclosureSection, *, concentration: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Table 1 without small cells.

    Names
        Levels that fewer than ``minimum_count`` patients of the cohort have are not named: together they are ``OTHER_LEVELS``.
    Levels
        Where exactly one count of a covariate and arm is suppressed, the rest and the arm's total would give it away: the smallest of the
        others is suppressed with it (of two levels, both). Shares are those of shown counts (``mean``), and an SMD that would give a
        suppressed count away is suppressed too.
    Numeric covariates
        To three digits of the standard deviation. Mean and standard deviation are suppressed over few patients, and where few carry them
        (``concentration``, CONCENTRATION: few patients differ from the commonest value, or two carry more than half of the sum of
        squares). Those of a 0/1 column are made from shown counts.
    """
    table = _fold_rare_levels(characteristics, disclosure)
    counted = (table["kind"] != "numeric").to_numpy()
    counts, n = (table[name].astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan) for name in ("count", "n"))
    hidden = counted & is_small(counts, disclosure)
    for _, rows in table[counted].groupby(["covariate", "arm"], sort=False):
        if len(rows) > 1 and hidden[rows.index].sum() == 1:
            others = rows.index[~hidden[rows.index]]
            hidden[others[int(counts[others].argmin())]] = True
    binary = ~counted & _is_binary(table)
    held = np.round(table["mean"].to_numpy(dtype=np.float64) * n)
    few = ~counted & (is_small(n, disclosure) | _is_carried_by_few(table, disclosure, concentration))
    few |= binary & (is_small(held, disclosure) | is_small(n - held, disclosure))
    share = np.where(hidden | few, np.nan, divide_shown(np.where(counted, counts, held), n, disclosure))
    mean, spread = (np.where(few, np.nan, round_digits(table[name], 3, of=table["standard_deviation"])) for name in ("mean", "standard_deviation"))
    telling = pd.Series(hidden | few).groupby([table["covariate"], table["kind"], table["level"].fillna("")]).transform("any").to_numpy()
    return record_thresholds(
        table.assign(
            n=suppress_counts(n, disclosure),
            count=suppress_counts(counts, disclosure, also=hidden),
            mean=np.where(counted | binary, share, mean),
            standard_deviation=np.where(counted, np.nan, np.where(binary, round_digits(np.sqrt(share * (1 - share))), spread)),
            smd=table["smd"].where(~telling).round(2),
        ),
        disclosure,
    )


def disclose_measurement_counts(counts: pd.DataFrame, disclosure: DisclosureSection) -> pd.DataFrame:
    """What became of the rows of repeated measurements, every count suppressed or rounded."""
    numbers = [name for name in counts.columns if name not in ("name", "unit")]
    return record_thresholds(counts.assign(**{name: suppress_counts(counts[name], disclosure) for name in numbers}), disclosure)


def tellable_columns(characteristics: pd.DataFrame) -> set[tuple[str, str]]:
    """Covariates and levels ("" for a number, ``MISSING_LEVEL`` for missing) whose differences between the arms the shown Table 1 tells."""
    told = characteristics[characteristics["smd"].notna()]
    levels = told["level"].fillna("").where(told["kind"] != "missing", MISSING_LEVEL)
    return set(zip(told["covariate"], levels, strict=True))


def _fold_rare_levels(characteristics: pd.DataFrame, disclosure: DisclosureSection) -> pd.DataFrame:
    held = characteristics.groupby(["covariate", "kind", characteristics["level"].fillna("")], sort=False)["count"].transform("sum")
    rare = (characteristics["kind"] == "categorical") & is_small(held.fillna(0), disclosure)
    if not rare.any():
        return characteristics.reset_index(drop=True)
    folded = characteristics[rare].groupby(["covariate", "kind", "arm", "n"], sort=False, as_index=False)["count"].sum()
    table: pd.DataFrame = pd.concat([characteristics[~rare], folded.assign(level=OTHER_LEVELS)], ignore_index=True).astype(
        characteristics.dtypes.to_dict()
    )
    order = {name: place for place, name in enumerate(dict.fromkeys(characteristics["covariate"]))}
    placed: pd.DataFrame = table.sort_values("covariate", key=lambda names: names.map(order), kind="stable", ignore_index=True)
    return placed


def _is_binary(table: pd.DataFrame) -> NDArray[np.bool_]:
    """Rows with the moments of a 0/1 column: variance = n p (1 − p) / (n − 1)."""
    n, mean, spread = (table[name].astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan) for name in ("n", "mean", "standard_deviation"))
    with np.errstate(divide="ignore", invalid="ignore"):
        binary = np.isclose(spread**2, n * mean * (1 - mean) / (n - 1), rtol=1e-9, atol=1e-12)
    return np.asarray(binary & (mean >= 0) & (mean <= 1), dtype=np.bool_)


def _is_carried_by_few(table: pd.DataFrame, disclosure: DisclosureSection, concentration: pd.DataFrame | None) -> NDArray[np.bool_]:
    if concentration is None:
        return np.zeros(len(table), dtype=np.bool_)
    few = carried_by_few(concentration, disclosure)
    return np.array([pair in few for pair in zip(table["covariate"], table["arm"], strict=True)], dtype=np.bool_)


def carried_by_few(concentration: pd.DataFrame, disclosure: DisclosureSection) -> set[tuple[str, str]]:
    """The (variable, arm) pairs of a CONCENTRATION table whose sums few patients carry."""
    few = is_small(concentration["carriers"], disclosure) | (concentration["top_two"] > DOMINANT).to_numpy()
    return set(zip(concentration.loc[few, "variable"], concentration.loc[few, "arm"], strict=True))
