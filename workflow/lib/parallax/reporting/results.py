"""The tables that a reader opens beside the report, long and on the natural scale."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import pandas as pd

from parallax.tables import INTERACTIONS, empty_table

ESTIMATES_COLUMNS: Final = (
    "site", "dataset", "design", "outcome", "contrast", "horizon_days", "estimate", "lower", "upper", "std_error", "p_value", "p_adjusted", "rule",
    "replicates", "not_estimable", "number_needed", "number_needed_lower", "number_needed_upper", "variance_method", "effective_estimand",
    "n_treated", "n_comparator", "events_treated", "events_comparator", "design_failure", "status", "reason", "way", "sites", "left_out", "shared",
)  # fmt: skip
POOLING_COLUMNS: Final = (
    "way", "dataset", "benchmark", "design", "outcome", "contrast", "horizon_days", "rule", "shift", "width_ratio", "effective_patients", "reason",
)  # fmt: skip
AGREEMENT_COLUMNS: Final = (
    "site", "generator", "design", "outcome", "contrast", "horizon_days", "metric", "value", "lower", "upper", "threshold", "passed",
    "reason",
)  # fmt: skip
SUBGROUPS_COLUMNS: Final = (
    "site", "dataset", "subgroup", "level", "design", "outcome", "contrast", "horizon_days", "estimate", "lower", "upper", "std_error", "p_value",
    "rule", "replicates", "number_needed", "number_needed_lower", "number_needed_upper", "variance_method", "effective_estimand", "n_treated",
    "n_comparator", "events_treated", "events_comparator", "interaction_p_value", "status", "reason",
)  # fmt: skip
ROBUSTNESS_COLUMNS: Final = (
    "site", "dataset", "design", "outcome", "contrast", "horizon_days", "measure", "value", "lower", "upper", "p_value", "reason",
)  # fmt: skip
ENRICHMENT_COLUMNS: Final = (
    "site", "dataset", "enrichment", "design", "outcome", "contrast", "horizon_days", "estimate", "lower", "upper", "std_error", "p_value", "rule",
    "replicates", "not_estimable", "variance_method", "effective_estimand", "n_treated", "n_comparator", "events_treated", "events_comparator",
    "shift_in_real_se", "status", "reason",
)  # fmt: skip
HETEROGENEITY_COLUMNS: Final = (
    "dataset", "design", "outcome", "contrast", "horizon_days", "measure", "site", "value", "lower", "upper", "std_error", "df", "p_value",
    "reason",
)  # fmt: skip
CERTIFICATION_COLUMNS: Final = (
    "site", "generator", "effect", "rule", "metric", "value", "monte_carlo_error", "lower", "upper", "repetitions",
)  # fmt: skip
PRIVACY_COLUMNS: Final = ("site", "generator", "metric", "value", "lower", "upper", "threshold", "passed")


def collect_estimates(
    combined: Mapping[tuple[str, str], pd.DataFrame],
    overlap: Mapping[tuple[str, str], pd.DataFrame],
    pooled: Mapping[tuple[str, str], pd.DataFrame] = MappingProxyType({}),
) -> pd.DataFrame:
    """``estimates.csv`` from the shown COMBINED, OVERLAP and POOLED tables by (site, dataset), in the mappings' order.

    A suppressed count is an empty field. ``design_failure`` says why a row's design is not to be trusted (in one replicate or more). Of pooled
    answers ``way`` says how, ``shared`` what had to leave a site for it; both are empty for a site's own.
    """
    failures = {key: dict(zip(table["design"], table["failure"], strict=True)) for key, table in overlap.items()}
    own = dict.fromkeys(("way", "sites", "left_out", "shared"))
    flagged = {
        key: _with_number_needed(table).assign(design_failure=table["design"].map(failures.get(key, {})), **own) for key, table in combined.items()
    }
    together = {key: _with_number_needed(table) for key, table in pooled.items()}
    return _stack(flagged | together, "dataset", ESTIMATES_COLUMNS)


def collect_pooling(comparison: pd.DataFrame) -> pd.DataFrame:
    """``pooling.csv`` from the shown POOLED_COMPARISON: what each way of pooling costs."""
    return comparison[list(POOLING_COLUMNS)].convert_dtypes(convert_integer=False)


def _with_number_needed(combined: pd.DataFrame) -> pd.DataFrame:
    """Of a risk difference: how many patients must be treated for one event more or less, 1/|difference|.

    Its bounds are empty where the difference's interval holds zero: it then runs from a benefit through infinity to a harm (Altman 1998).
    """
    difference = (combined["contrast"] == "risk_difference") & (combined["status"] == "ok") & (combined["estimate"] != 0)
    bounded = difference & (combined["lower"] * combined["upper"] > 0)
    ends = pd.DataFrame({name: 1 / combined[name].where(bounded).abs() for name in ("lower", "upper")})
    return combined.assign(
        number_needed=1 / combined["estimate"].where(difference).abs(), number_needed_lower=ends.min(axis=1), number_needed_upper=ends.max(axis=1)
    )


def collect_subgroups(subgroups: Mapping[tuple[str, str], pd.DataFrame], interactions: Mapping[tuple[str, str], pd.DataFrame]) -> pd.DataFrame:
    """``subgroups.csv`` from the shown SUBGROUPS and INTERACTIONS tables by (site, dataset)."""
    keys = ["subgroup", "design", "outcome", "contrast", "horizon_days", "rule"]
    tested = {
        key: _with_number_needed(table).merge(
            interactions.get(key, empty_table(INTERACTIONS))[[*keys, "p_value"]].rename(columns={"p_value": "interaction_p_value"}),
            on=keys,
            how="left",
        )
        for key, table in subgroups.items()
    }
    return _stack(tested, "dataset", SUBGROUPS_COLUMNS)


def collect_robustness(robustness: Mapping[tuple[str, str], pd.DataFrame]) -> pd.DataFrame:
    """``robustness.csv`` from the ROBUSTNESS tables by (site, dataset)."""
    return _stack(robustness, "dataset", ROBUSTNESS_COLUMNS)


def collect_enrichment(enrichment: Mapping[tuple[str, str], pd.DataFrame]) -> pd.DataFrame:
    """``enrichment.csv`` from the shown ENRICHMENT tables by (site, dataset); without a row where the protocol enriches no subgroup."""
    return _stack(enrichment, "dataset", ENRICHMENT_COLUMNS)


def collect_agreement(agreement: Mapping[tuple[str, str], pd.DataFrame]) -> pd.DataFrame:
    """``agreement.csv`` from the AGREEMENT tables by (site, generator)."""
    return _stack(agreement, "generator", AGREEMENT_COLUMNS)


def collect_privacy(privacy: Mapping[tuple[str, str], pd.DataFrame]) -> pd.DataFrame:
    """``privacy.csv`` from the PRIVACY tables by (site, generator)."""
    return _stack(privacy, "generator", PRIVACY_COLUMNS)


def collect_heterogeneity(heterogeneity: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """``heterogeneity.csv`` from the HETEROGENEITY tables by dataset."""
    labelled = [table.astype(object).assign(dataset=dataset) for dataset, table in heterogeneity.items()]
    return pd.concat(labelled, ignore_index=True)[list(HETEROGENEITY_COLUMNS)].convert_dtypes(convert_integer=False)


def _stack(tables: Mapping[tuple[str, str], pd.DataFrame], second: str, columns: tuple[str, ...]) -> pd.DataFrame:
    labelled = [table.astype(object).assign(**{"site": site, second: name}) for (site, name), table in tables.items()]
    stacked = pd.concat(labelled, ignore_index=True) if labelled else pd.DataFrame(columns=list(columns))
    return stacked[list(columns)].convert_dtypes(convert_integer=False)


def collect_certification(rates: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """``certification.csv`` from the CERTIFICATION tables by site; how many patients there are is not shown."""
    labelled = [table.assign(site=site) for site, table in rates.items()]
    return pd.concat(labelled, ignore_index=True)[list(CERTIFICATION_COLUMNS)]
