"""Pooled answers as they may be shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd

from parallax.disclosure.combined import describe_suppression, disclose_combined, is_target_in, keep_horizons
from parallax.disclosure.counts import is_small, record_thresholds, suppress_counts
from parallax.disclosure.numbers import round_digits, round_estimates
from parallax.protocol.disclosure import DisclosureSection
from parallax.protocol.question import Hypothesis
from parallax.vocabulary import REAL

_TARGET: Final = ["design", "outcome", "contrast", "horizon_days"]
_COUNTS: Final = ["n_treated", "n_comparator", "events_treated", "events_comparator"]
_NUMBERS: Final = ["value", "lower", "upper", "std_error", "p_value", "df"]
#: decimals that name no fraction of a small number of patients, as those of a design's overlap
_DECIMALS: Final = {"smd": 2, "membership_c": 3, "common_support": 2}


def disclose_pooled(
    pooled: pd.DataFrame,
    disclosure: DisclosureSection,
    *,
    sites: Mapping[str, Sequence[pd.DataFrame]],
    overlap: pd.DataFrame,
    primary: Hypothesis | None = None,
) -> pd.DataFrame:
    """Estimates and counts as in :func:`parallax.disclosure.combined.disclose_combined`, with ``design_failure``.

    Where one site's count is suppressed, the others' and the pooled one would give it away, and so would the estimates: the pooled row is
    suppressed with it. Risks are shown at the horizons that every site keeps, for the same reason. ``sites`` are the exact COMBINED tables of
    every site, ``overlap`` (POOLED_OVERLAP) says in which replicates a design is not to be trusted.
    """
    failed = overlap[overlap["failure"].notna()].drop_duplicates(["way", "design"]).set_index(["way", "design"])["failure"].to_dict()
    small = [_small_counts(pooled, tables, disclosure) for tables in sites.values()]
    alone = pd.DataFrame(np.sum(small, axis=0) == 1 if small else False, index=pooled.index, columns=_COUNTS)
    horizons = _common_horizons([keep_horizons(table, disclosure, primary=primary) for tables in sites.values() for table in tables])
    shown = disclose_combined(pooled, disclosure, primary=primary, horizons=horizons, also=alone.reset_index(drop=True))
    flags = pd.Series([failed.get(key) for key in zip(pooled["way"], pooled["design"], strict=True)], dtype="object")
    return shown.assign(design_failure=flags)


def _common_horizons(kept: Sequence[Mapping[str, Sequence[float]]]) -> dict[str, list[float]] | None:
    """By outcome the horizons that every site keeps; None where there is no site."""
    outcomes = {outcome for each in kept for outcome in each}
    of_outcome = {name: [set(each[name]) for each in kept if name in each] for name in outcomes}
    return {name: sorted(set.intersection(*days)) for name, days in of_outcome.items()} if kept else None


def _small_counts(pooled: pd.DataFrame, tables: Sequence[pd.DataFrame], disclosure: DisclosureSection) -> np.ndarray:
    """Which counts of a site (rows × counts) are small for the target of each pooled row, in any of the site's tables."""
    found = np.zeros((len(pooled), len(_COUNTS)), dtype=bool)
    for table in tables:
        fewest = table.groupby(_TARGET, sort=False, dropna=False)[_COUNTS].min().reset_index()
        of_site = pooled[_TARGET].merge(fewest, on=_TARGET, how="left")[_COUNTS].astype("float64")
        without = np.column_stack([np.full((len(pooled), 2), np.inf), of_site.iloc[:, :2].to_numpy() - of_site.iloc[:, 2:].to_numpy()])
        found |= is_small(of_site, disclosure) | is_small(without, disclosure)
    return found


def disclose_comparison(
    comparison: pd.DataFrame, disclosure: DisclosureSection, *, suppressed: Mapping[str, set[tuple[object, ...]]]
) -> pd.DataFrame:
    """Ways of pooling compared, to three digits, the effective numbers of patients rounded as counts are; none of a target of which an estimate
    is ``suppressed`` (targets by dataset), for the shift would tell it."""
    told = pd.Series(False, index=comparison.index)
    for dataset, targets in suppressed.items():
        told |= is_target_in(comparison, targets) & ((comparison["dataset"] == dataset) | (dataset == REAL))
    numbers = {name: round_digits(comparison[name].mask(told)) for name in ("shift", "width_ratio")}
    patients = suppress_counts(comparison["effective_patients"].mask(told), disclosure)
    reason = comparison["reason"].mask(told, describe_suppression(disclosure))
    return record_thresholds(comparison.assign(**numbers, effective_patients=patients, reason=reason), disclosure)


def disclose_ways(
    judged: Sequence[Mapping[str, object]],
    disclosure: DisclosureSection,
    *,
    primary: Hypothesis,
    suppressed: Mapping[str, set[tuple[object, ...]]],
) -> list[dict[str, object]]:
    """Verdicts on ways of pooling, their shifts to three digits; where the way's primary estimate or its benchmark's is ``suppressed`` (targets by
    dataset) the verdict stands without a number: shift, and with it the sites' own, would tell the estimate."""
    shown: list[dict[str, object]] = []
    for entry in judged:
        if entry["shift"] is None:
            shown.append(dict(entry))
        elif any(primary.target in suppressed.get(dataset, set()) for dataset in (str(entry["dataset"]), REAL)):
            shown.append({**entry, "shift": None, "reason": f"how far it lies from the benchmark is not shown: {describe_suppression(disclosure)}"})
        else:
            shown.append({**entry, "shift": float(round_digits([float(str(entry["shift"]))])[0])})
    return shown


def disclose_heterogeneity(heterogeneity: pd.DataFrame) -> pd.DataFrame:
    """Effects at a site and without it to two digits of their standard error, as the sites' own tables show them; all else to three digits."""
    numbers = {name: round_digits(heterogeneity[name]) for name in _NUMBERS}
    effects = round_estimates(heterogeneity.rename(columns={"value": "estimate"}).assign(p_adjusted=np.nan)).rename(columns={"estimate": "value"})
    return heterogeneity.assign(**numbers).where(heterogeneity["std_error"].isna(), effects)


def disclose_site_overlap(overlap: pd.DataFrame) -> pd.DataFrame:
    """Differences and shares with as many decimals as those within a site have."""
    rounded = [round(value, _DECIMALS[measure]) for measure, value in zip(overlap["measure"], overlap["value"].astype("float64"), strict=True)]
    return overlap.assign(value=rounded)
