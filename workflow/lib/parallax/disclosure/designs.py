"""Balance, overlap and score distribution as they may be shown: averaged over replicates, counts suppressed or rounded."""

from __future__ import annotations

import numpy as np
import pandas as pd

from parallax.disclosure.cohort import tellable_columns
from parallax.disclosure.counts import divide_shown, is_small, record_thresholds, suppress_counts
from parallax.disclosure.numbers import round_digits, round_shares
from parallax.protocol.disclosure import DisclosureSection

#: an effective sample size is a count wherever all weights are equal
_COUNTED = ("n_treated", "n_comparator", "ess_treated", "ess_comparator")
#: decimals that name no fraction of a small number of patients
_DECIMALS = {"c_statistic": 3, "top_share": 2, "max_abs_smd": 2}
_AVERAGED = (*_DECIMALS, "equipoise", "max_weight")


def disclose_balance(balance: pd.DataFrame, disclosure: DisclosureSection, *, characteristics: pd.DataFrame | None = None) -> pd.DataFrame:
    """Mean balance statistics over the replicates, to two decimals; the distance of a level's shares says no more than its SMD and is left out.

    Rows whose SMD the shown ``characteristics`` of the real patients do not tell are left out: it would give the count away.
    """
    keys = ["design", "covariate", "level"]
    shown = balance.groupby(keys, sort=False, dropna=False, as_index=False)[["smd", "variance_ratio", "ks"]].mean().round(2)
    shown["ks"] = shown["ks"].where(shown["level"].isna())
    if characteristics is not None:
        told = tellable_columns(characteristics)
        shown = shown[[pair in told for pair in zip(shown["covariate"], shown["level"].fillna(""), strict=True)]]
    return record_thresholds(shown, disclosure)


def disclose_overlap(overlap: pd.DataFrame, disclosure: DisclosureSection) -> pd.DataFrame:
    """One row per design: means over the replicates in which it could be applied, how many those are, and how many of them failed.

    Equipoise, the share of so many patients, is in steps of two of them or more.
    """
    rows = []
    for design, replicates in overlap.groupby("design", sort=False):
        applied = replicates[replicates["status"] == "ok"]
        reasons = replicates.loc[replicates["status"] != "ok", "reason"].dropna()
        first = (applied if len(applied) else replicates).iloc[0]
        rows.append(
            {
                "design": design,
                "effective_estimand": first["effective_estimand"],
                "replicates": len(replicates),
                "applied": len(applied),
                "failed": int(applied["failure"].notna().sum()),
                "failure": next(iter(applied["failure"].dropna()), None),
                **{name: applied[name].mean() for name in (*_COUNTED, *_AVERAGED)},
                "status": "ok" if len(applied) else "not_estimable",
                "reason": reasons.iloc[0] if len(reasons) else None,
            }
        )
    columns = ["design", "effective_estimand", "replicates", "applied", "failed", "failure", *_COUNTED, *_AVERAGED, "status", "reason"]
    shown = pd.DataFrame(rows, columns=columns)
    counts = {name: suppress_counts(shown[name], disclosure) for name in _COUNTED}
    rounded = {name: shown[name].astype("float64").round(decimals) for name, decimals in _DECIMALS.items()}
    patients = (shown["n_treated"] + shown["n_comparator"]).fillna(0.0)
    equipoise = [float(round_shares(share, n)) for share, n in zip(shown["equipoise"], patients, strict=True)]
    return record_thresholds(shown.assign(**counts, **rounded, equipoise=equipoise, max_weight=round_digits(shown["max_weight"], 2)), disclosure)


def disclose_score_histogram(histogram: pd.DataFrame, disclosure: DisclosureSection) -> pd.DataFrame:
    """Patients per bin of each propensity score, averaged over the replicates."""
    shown = histogram.groupby(["score", "arm", "bin_lower", "bin_upper"], sort=False, as_index=False)["count"].mean()
    return record_thresholds(shown.assign(count=suppress_counts(shown["count"], disclosure)), disclosure)


def disclose_calibration(calibration: pd.DataFrame, disclosure: DisclosureSection) -> pd.DataFrame:
    """Mean score and share treated (of shown counts) per tenth, averaged over the replicates; tenths of few treated or few comparators are left
    out."""
    shown = calibration.groupby(["score", "bin"], sort=False, as_index=False)[["predicted", "observed", "count"]].mean()
    treated = shown["observed"] * shown["count"]
    small = is_small(treated, disclosure) | is_small(shown["count"] - treated, disclosure)
    shown = shown.assign(observed=divide_shown(treated, shown["count"], disclosure), predicted=shown["predicted"].round(2))
    return record_thresholds(shown[~small].drop(columns="count"), disclosure)


def disclose_positivity(positivity: pd.DataFrame, disclosure: DisclosureSection, *, characteristics: pd.DataFrame | None = None) -> pd.DataFrame:
    """Strata in which one arm is empty or nearly so, largest first: of an arm below ``minimum_count`` only that is told.

    Strata of fewer than five times ``minimum_count`` patients are not told at all, nor those that name a level (also by what it is not) which
    the shown ``characteristics`` of the real patients do not.
    """
    if characteristics is not None:
        named = set(zip(characteristics["covariate"], characteristics["level"].fillna(""), strict=True))
        levels = positivity["level"].where(~_is_unnamed(positivity["level"]), "")
        pairs = zip(positivity["covariate"], levels, levels.str.removeprefix("not "), strict=True)
        positivity = positivity[[level == "" or bool({(name, level), (name, other)} & named) for name, level, other in pairs]]
    shown = positivity.groupby(["covariate", "level"], sort=False, as_index=False)[["n", "n_treated"]].mean()
    few_treated = is_small(shown["n_treated"], disclosure)
    told = (few_treated | is_small(shown["n"] - shown["n_treated"], disclosure)) & (shown["n"] >= 5 * disclosure.minimum_count).to_numpy()
    strata = shown.assign(arm=np.where(few_treated, "treated", "comparator"), n=suppress_counts(shown["n"], disclosure))[told]
    return record_thresholds(strata[["covariate", "level", "arm", "n"]].sort_values("n", ascending=False), disclosure)


def _is_unnamed(levels: pd.Series) -> pd.Series:
    """Strata that name no level: parts of a number, and patients without a value."""
    return levels.str.fullmatch(r"part \d+ of \d+, from low to high") | levels.isin(("missing", "not missing"))
