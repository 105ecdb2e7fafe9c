"""Pooled answers as they may be shown."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from parallax.disclosure.combined import OF_SUMS, SUPPRESSED, describe_suppression, disclose_combined, is_target_in, without_event
from parallax.disclosure.counts import is_small, record_thresholds, suppress_counts
from parallax.disclosure.numbers import round_digits, round_estimates
from parallax.disclosure.site import disclose_site
from parallax.protocol.disclosure import DisclosureSection
from parallax.protocol.protocol import Protocol
from parallax.protocol.question import Hypothesis
from parallax.vocabulary import REAL

_TARGET: Final = ["design", "outcome", "contrast", "horizon_days"]
_COUNTS: Final = ["n_treated", "n_comparator", "events_treated", "events_comparator"]
_NUMBERS: Final = ["value", "lower", "upper", "std_error", "p_value", "df"]
#: decimals that name no fraction of a small number of patients, as those of a design's overlap
_DECIMALS: Final = {"smd": 2, "membership_c": 3, "common_support": 2}


@dataclass(frozen=True, slots=True)
class SiteAnswers:
    """A site's COMBINED table of one dataset, ``exact`` and, row by row, as it is ``shown``."""

    exact: pd.DataFrame
    shown: pd.DataFrame

    @classmethod
    def of(cls, exact: Mapping[tuple[str, str], pd.DataFrame], dataset: str, protocol: Protocol) -> SiteAnswers:
        """From a site's ``exact`` tables, by dataset and name, as far as its gate asks them about this table."""
        key = (dataset, "combined")
        return cls(exact[key], disclose_site(exact, protocol)[key])


def disclose_pooled(
    pooled: pd.DataFrame,
    disclosure: DisclosureSection,
    *,
    real: Mapping[str, SiteAnswers],
    synthetic: Mapping[str, SiteAnswers],
    here: Collection[str] = (),
    overlap: pd.DataFrame | None = None,
    primary: Hypothesis | None = None,
) -> pd.DataFrame:
    """Estimates and counts as in :func:`parallax.disclosure.combined.disclose_combined`, with ``design_failure``.

    Pooled patients less those of the sites that show theirs are the patients of the sites that do not: a pooled row is suppressed where it would
    tell what these hide (:func:`_gives_away`). In a pool of real patients ``here`` and synthetic ones elsewhere, the synthetic ones are known to
    whoever has the release: there the real ones are looked at alone as well. Aggregates are made of what sites show, and hide nothing more.

    ``real`` and ``synthetic`` by site; a site elsewhere, whose release alone is here, hides nothing and is not among them. ``overlap``
    (POOLED_OVERLAP) says in which replicates of pooled patients a design is not to be trusted.
    """
    told = pd.DataFrame(columns=["way", "design", "failure"]) if overlap is None else overlap[overlap["failure"].notna()]
    failed = told.drop_duplicates(["way", "design"]).set_index(["way", "design"])["failure"].to_dict()
    exact = pooled.reset_index(drop=True)
    also = pd.DataFrame(False, index=exact.index, columns=_COUNTS)
    of_patients = exact["way"].str.startswith("individual") & (exact["shared"] != "nothing")
    for (way, sites), rows in exact[of_patients].groupby(["way", "sites"], sort=False):
        named = str(sites).split(", ")
        in_person = {"individual_real": named, "individual_mixed": [site for site in named if site in here]}.get(str(way), [])
        known = [_align(real[site], rows) for site in in_person]
        drawn = [_align(synthetic[site], rows) for site in named if site not in in_person and site in synthetic]
        also.loc[rows.index] = _gives_away(known, rows, disclosure) | _gives_away([*known, *drawn], rows, disclosure)
    shown = disclose_combined(exact, disclosure, primary=primary, also=also)
    flags = pd.Series([failed.get(key) for key in zip(exact["way"], exact["design"], strict=True)], dtype="object")
    return shown.assign(design_failure=flags)


@dataclass(frozen=True, slots=True)
class _Part:
    """A site's part in pooled rows (rows × counts, in the order of ``_COUNTS``): its ``counts``, the patients ``without`` an event (missing where
    there is no such number), which counts it hides; by row, whether it suppresses its estimate."""

    counts: NDArray[np.float64]
    without: NDArray[np.float64]
    hidden: NDArray[np.bool_]
    suppressed: NDArray[np.bool_]


def _align(answers: SiteAnswers, rows: pd.DataFrame) -> _Part:
    """A site's part in these rows: of a target that it answers by several rules, the fewest, and hidden where one is."""
    exact, shown = (table.reset_index(drop=True) for table in (answers.exact, answers.shown))
    counts = exact[_COUNTS].to_numpy(dtype=np.float64)
    without = np.full_like(counts, np.nan)
    without[:, 2:] = without_event(exact)
    hidden = shown[_COUNTS].isna().to_numpy() & ~np.isnan(counts)
    suppressed = (shown["status"] == SUPPRESSED).to_numpy()[:, None]
    parts = {"counts": (counts, "min"), "without": (without, "min"), "hidden": (hidden, "max"), "suppressed": (suppressed, "max")}
    found = {}
    for name, (values, fold) in parts.items():
        table = pd.DataFrame(values.astype(np.float64)).groupby([exact[key] for key in _TARGET], sort=False, dropna=False).agg(fold)
        found[name] = rows[_TARGET].merge(table.reset_index(), on=_TARGET, how="left").drop(columns=_TARGET).to_numpy(dtype=np.float64)
    return _Part(found["counts"], found["without"], found["hidden"] == 1.0, found["suppressed"][:, 0] == 1.0)


def _gives_away(parts: Sequence[_Part], rows: pd.DataFrame, disclosure: DisclosureSection) -> NDArray[np.bool_]:
    """Which counts of these pooled rows (rows × counts) would tell what sites hide, were they shown; with a count its row's estimate goes.

    Few
        The S patients (or events, or patients without one) of the k sites that have few are what is left of the pool. They are a crowd from
        ``minimum_count`` on, and one site's are known only to be within k(minimum_count − 1) − S of its most: there must be ``round_to`` values or
        more. Of one site S is always too small.
    Other reasons
        Few who carry a sum, and events between horizons: no count says how much of them is hidden in a pool, so that one such site is enough.
    """
    found = np.zeros((len(rows), len(_COUNTS)), dtype=np.bool_)
    if not parts:
        return found
    counts, without, hidden, suppressed = (
        np.stack([getattr(part, name) for part in parts]) for name in ("counts", "without", "hidden", "suppressed")
    )
    for numbers in (counts, without):
        small = is_small(numbers, disclosure)
        together, most = np.where(small, numbers, 0.0).sum(axis=0), small.sum(axis=0) * (disclosure.minimum_count - 1)
        found |= small.any(axis=0) & ((together < disclosure.minimum_count) | (most - together + 1 < disclosure.round_to))
    few = is_small(counts, disclosure) | is_small(without, disclosure)
    found |= (hidden & ~few).any(axis=0)
    sums = rows["contrast"].isin(OF_SUMS).to_numpy()
    otherwise = suppressed & (sums | ~few.any(axis=2))
    found[:, 2:] |= np.any(otherwise, axis=0, keepdims=True).T
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
    dataset) the verdict stands without a number or a reason: shift, and with it the sites' own, would tell the estimate, the reason a count."""
    shown: list[dict[str, object]] = []
    for entry in judged:
        if any(primary.target in suppressed.get(dataset, set()) for dataset in (str(entry["dataset"]), REAL)):
            untold = "why it cannot be compared" if entry["shift"] is None else "how far it lies from the benchmark"
            shown.append({**entry, "shift": None, "reason": f"{untold} is not shown: {describe_suppression(disclosure)}"})
        elif entry["shift"] is None:
            shown.append(dict(entry))
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
