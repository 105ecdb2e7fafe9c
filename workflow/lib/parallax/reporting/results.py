"""The tables that a reader opens beside the report, long and on the natural scale."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pandas as pd

ESTIMATES_COLUMNS: Final = (
    "site", "dataset", "design", "outcome", "contrast", "horizon_days", "estimate", "lower", "upper", "std_error", "p_value", "rule", "replicates",
    "variance_method", "effective_estimand", "n_treated", "n_comparator", "events_treated", "events_comparator", "design_failure", "status", "reason",
)  # fmt: skip
AGREEMENT_COLUMNS: Final = (
    "site", "generator", "design", "outcome", "contrast", "horizon_days", "metric", "value", "lower", "upper", "threshold", "passed",
)  # fmt: skip
PRIVACY_COLUMNS: Final = ("site", "generator", "metric", "value", "lower", "upper", "threshold", "passed")


def collect_estimates(combined: Mapping[tuple[str, str], pd.DataFrame], overlap: Mapping[tuple[str, str], pd.DataFrame]) -> pd.DataFrame:
    """``estimates.csv`` from the shown COMBINED and OVERLAP tables by (site, dataset), in the first mapping's order.

    A suppressed count is an empty field. ``design_failure`` says why a row's design is not to be trusted (in one replicate or more).
    """
    failures = {key: dict(zip(table["design"], table["failure"], strict=True)) for key, table in overlap.items()}
    flagged = {key: table.assign(design_failure=table["design"].map(failures.get(key, {}))) for key, table in combined.items()}
    return _stack(flagged, "dataset", ESTIMATES_COLUMNS)


def collect_agreement(agreement: Mapping[tuple[str, str], pd.DataFrame]) -> pd.DataFrame:
    """``agreement.csv`` from the AGREEMENT tables by (site, generator)."""
    return _stack(agreement, "generator", AGREEMENT_COLUMNS)


def collect_privacy(privacy: Mapping[tuple[str, str], pd.DataFrame]) -> pd.DataFrame:
    """``privacy.csv`` from the PRIVACY tables by (site, generator)."""
    return _stack(privacy, "generator", PRIVACY_COLUMNS)


def _stack(tables: Mapping[tuple[str, str], pd.DataFrame], second: str, columns: tuple[str, ...]) -> pd.DataFrame:
    labelled = [table.astype(object).assign(**{"site": site, second: name}) for (site, name), table in tables.items()]
    stacked = pd.concat(labelled, ignore_index=True) if labelled else pd.DataFrame(columns=list(columns))
    return stacked[list(columns)].convert_dtypes(convert_integer=False)
