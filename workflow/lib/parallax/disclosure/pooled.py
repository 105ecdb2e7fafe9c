"""Pooled answers as they may be shown."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from parallax.disclosure.combined import disclose_combined
from parallax.disclosure.counts import is_small, record_thresholds, suppress_counts
from parallax.protocol.disclosure import DisclosureSection

_TARGET = ["design", "outcome", "contrast", "horizon_days"]
_COUNTS = ["n_treated", "n_comparator", "events_treated", "events_comparator"]


def disclose_pooled(pooled: pd.DataFrame, disclosure: DisclosureSection, *, sites: Iterable[pd.DataFrame], overlap: pd.DataFrame) -> pd.DataFrame:
    """Estimates as they are with ``design_failure``, counts as in :func:`parallax.disclosure.combined.disclose_combined`.

    A pooled count is also suppressed where a site's own is: the other sites' counts and the total would give it away. ``sites`` are the exact
    COMBINED tables of the sites, ``overlap`` (POOLED_OVERLAP) says in which replicates a design is not to be trusted.
    """
    failed = overlap[overlap["failure"].notna()].drop_duplicates(["way", "design"]).set_index(["way", "design"])["failure"].to_dict()
    shown = disclose_combined(pooled, disclosure)
    shown["design_failure"] = [failed.get(key) for key in zip(pooled["way"], pooled["design"], strict=True)]
    for table in sites:
        fewest = table.groupby(_TARGET, sort=False, dropna=False)[_COUNTS].min().reset_index()
        of_site = pooled[_TARGET].merge(fewest, on=_TARGET, how="left")
        for name in _COUNTS:
            patients = of_site[name.replace("events", "n")].to_numpy(dtype=np.float64)
            counts = of_site[name].to_numpy(dtype=np.float64)
            rest = is_small(patients - counts, disclosure) if name.startswith("events") else np.zeros(len(counts), dtype=bool)
            shown.loc[is_small(counts, disclosure) | rest, name] = pd.NA
    return shown


def disclose_comparison(comparison: pd.DataFrame, disclosure: DisclosureSection) -> pd.DataFrame:
    """Ways of pooling compared, the effective numbers of patients rounded as counts are."""
    return record_thresholds(comparison.assign(effective_patients=suppress_counts(comparison["effective_patients"], disclosure)), disclosure)
