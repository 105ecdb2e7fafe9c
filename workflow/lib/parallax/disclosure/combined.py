"""Combined estimates, of all patients and of subgroups, as they may be shown."""

from __future__ import annotations

import numpy as np
import pandas as pd

from parallax.disclosure.counts import is_small, record_thresholds, suppress_counts
from parallax.protocol.disclosure import DisclosureSection


def disclose_combined(combined: pd.DataFrame, disclosure: DisclosureSection) -> pd.DataFrame:
    """Estimates as they are, counts suppressed or rounded.

    Events are also suppressed where the patients without one are few: the total would give them away.
    """
    shown = combined.copy()
    for arm in ("treated", "comparator"):
        patients, events = (combined[f"{name}_{arm}"].to_numpy(dtype=np.float64) for name in ("n", "events"))
        shown[f"n_{arm}"] = suppress_counts(patients, disclosure)
        shown[f"events_{arm}"] = suppress_counts(events, disclosure, also=is_small(patients - events, disclosure))
    return record_thresholds(shown, disclosure)


def disclose_subgroups(subgroups: pd.DataFrame, disclosure: DisclosureSection) -> pd.DataFrame:
    """Estimates of subgroups as they are, counts as in :func:`disclose_combined`.

    Where exactly one level's count is suppressed, the other levels and the count of all patients would give it away: the smallest of the
    others is suppressed with it.
    """
    shown = disclose_combined(subgroups, disclosure)
    exact = subgroups.reset_index(drop=True)
    keys = ["subgroup", "design", "outcome", "contrast", "horizon_days", "rule"]
    for _, levels in exact.groupby(keys, sort=False, dropna=False):
        for name in ("n_treated", "n_comparator", "events_treated", "events_comparator"):
            hidden = shown.loc[levels.index, name].isna()
            if hidden.sum() == 1 and len(levels) > 1:
                shown.loc[exact.loc[levels.index[~hidden], name].idxmin(), name] = pd.NA
    return shown


def disclose_enrichment(enrichment: pd.DataFrame, disclosure: DisclosureSection, *, whole: pd.DataFrame) -> pd.DataFrame:
    """Estimates of enriched subgroups as they are, counts as in :func:`disclose_combined`.

    A real subgroup's count is also suppressed where the patients outside it are few: ``whole``, the real dataset's COMBINED table, shows all of
    them, and the difference would give these away.
    """
    shown = disclose_combined(enrichment, disclosure)
    keys = ["design", "outcome", "contrast", "horizon_days"]
    names = ["n_treated", "n_comparator", "events_treated", "events_comparator"]
    everybody = enrichment[keys].merge(whole[keys + names], on=keys, how="left")
    real = (enrichment["rule"] == "none").to_numpy()
    for name in names:
        outside = everybody[name].to_numpy(dtype=np.float64) - enrichment[name].to_numpy(dtype=np.float64)
        shown.loc[real & is_small(outside, disclosure), name] = pd.NA
    return shown
