"""Combined estimates, of all patients and of subgroups, as they may be shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from parallax.disclosure.cohort import carried_by_few
from parallax.disclosure.counts import is_small, record_thresholds, select_spaced, suppress_counts
from parallax.disclosure.numbers import round_digits, round_estimates
from parallax.protocol.disclosure import DisclosureSection
from parallax.protocol.question import Hypothesis
from parallax.vocabulary import ARMS

_COUNTS: Final = ["n_treated", "n_comparator", "events_treated", "events_comparator"]
_EVENTS: Final = _COUNTS[2:]
_TARGET: Final = ["design", "outcome", "contrast", "horizon_days"]
_NUMBERS: Final = ("estimate", "std_error", "lower", "upper", "p_value", "p_adjusted", "df")
#: made of the shares of patients with an event: with several of them the shares can be solved for
_OF_SHARES: Final = frozenset({"risk_difference", "risk_ratio", "odds_ratio"})
#: their events are a sum, of which patients without one say nothing
OF_SUMS: Final = frozenset({"mean_difference", "rate_ratio"})
#: rows of the same patients: they keep their horizons together
_PARTS: Final = ("way", "design", "rule")
#: the status of an estimate that would tell of few patients
SUPPRESSED: Final = "suppressed"


def disclose_combined(
    combined: pd.DataFrame,
    disclosure: DisclosureSection,
    *,
    concentration: pd.DataFrame | None = None,
    primary: Hypothesis | None = None,
    horizons: Mapping[str, Sequence[float]] | None = None,
    also: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Estimates to two digits of their standard error, counts suppressed or rounded.

    Events
        are also suppressed where the patients without one are few: the total would give them away.
    Estimates
        of few patients or few events in an arm are suppressed, for estimate and standard error tell the count; those of risks also where few
        patients are without an event, and at a horizon that :func:`keep_horizons` does not keep (``primary`` comes first; ``horizons`` are those
        that other tables of the same patients keep). So are those of an outcome whose sum few patients carry (``concentration``), and those
        with a count that others would give away (``also``, by the names of the counts).
    """
    exact = combined.reset_index(drop=True)
    return _show(exact, disclosure, also=also, concentration=concentration, primary=primary, horizons=horizons)


def keep_horizons(
    combined: pd.DataFrame, disclosure: DisclosureSection, *, primary: Hypothesis | None = None, horizons: Mapping[str, Sequence[float]] | None = None
) -> dict[str, list[float]]:
    """By outcome the horizons at which risks may be shown, in days, the most important first: that of ``primary``, then the later before the earlier.

    Between any two of them lie ``minimum_count`` events or more in either arm under every design; a count that is itself suppressed takes no part,
    for nothing shows it. ``horizons`` by outcome are those to choose from, where other tables of the same patients keep some already.
    """
    exact = combined.reset_index(drop=True)
    events = exact[_EVENTS].astype("float64")
    told = events.mask(is_small(events, disclosure) | is_small(without_event(exact), disclosure))
    kept = {}
    for outcome, rows in exact[_is_risk(exact)].groupby("outcome", sort=False):
        first = primary.horizon_days if primary is not None and primary.outcome == outcome else None
        days = sorted(set(rows["horizon_days"]), key=lambda day: (day != first, -day))
        if horizons is not None:
            days = [day for day in days if day in horizons.get(str(outcome), ())]
        parts = [name for name in _PARTS if name in rows]
        by_day = rows[["horizon_days", *parts]].join(told).pivot_table(index="horizon_days", columns=parts, values=_EVENTS, aggfunc="min")
        kept[str(outcome)] = [days[position] for position in select_spaced(by_day.reindex(days), range(len(days)), disclosure.minimum_count)]
    return kept


def disclose_external_control(
    combined: pd.DataFrame, disclosure: DisclosureSection, *, concentration: pd.DataFrame, primary: Hypothesis, compared_here: bool
) -> pd.DataFrame:
    """Estimates of treated patients beside comparators whom everybody may have, as in :func:`disclose_combined`.

    Each difference tells the risk of the treated. Where the site has comparators of its own (``compared_here``) the site's tables tell it as well,
    so that of each outcome's horizons only the most important is shown: every table keeps that one.
    """
    kept = keep_horizons(combined, disclosure, primary=primary)
    first = {outcome: days[:1] for outcome, days in kept.items()} if compared_here else kept
    return disclose_combined(combined, disclosure, concentration=concentration, primary=primary, horizons=first)


def disclose_subgroups(
    subgroups: pd.DataFrame, disclosure: DisclosureSection, *, whole: pd.DataFrame | None = None, primary: Hypothesis | None = None
) -> pd.DataFrame:
    """Estimates and counts of subgroups as in :func:`disclose_combined`.

    Where one level's count is suppressed, the other levels and the count of all patients (``whole``, the same dataset's COMBINED table) would
    give it away: the smallest of the others is suppressed with it. So it is where few patients are in no level.
    """
    exact = subgroups.reset_index(drop=True)
    also = pd.DataFrame(False, index=exact.index, columns=_COUNTS)
    totals = _of_everybody(exact, whole)
    without = without_event(exact)
    for _, levels in exact.groupby(["subgroup", *_TARGET, "rule"], sort=False, dropna=False):
        for name in _COUNTS:
            counts = levels[name].to_numpy(dtype=np.float64)
            hidden = is_small(counts, disclosure)
            if name in _EVENTS:
                hidden |= is_small(without.loc[levels.index, name], disclosure)
            outside = totals.loc[levels.index[0], name] - counts.sum()
            alone = int(hidden.sum()) + int(0 < outside < disclosure.minimum_count) == 1
            if alone and not hidden.all() and (len(levels) > 1 or outside > 0):
                also.loc[levels.index[~hidden][int(np.nanargmin(counts[~hidden]))], name] = True
    return _show(exact, disclosure, also=also, primary=primary)


def disclose_enrichment(
    enrichment: pd.DataFrame, disclosure: DisclosureSection, *, whole: pd.DataFrame, primary: Hypothesis | None = None
) -> pd.DataFrame:
    """Estimates and counts of enriched subgroups as in :func:`disclose_combined`.

    A real subgroup is also suppressed where the patients outside it are few: ``whole``, the real dataset's COMBINED table, shows all of them,
    and the difference would give these away.
    """
    exact = enrichment.reset_index(drop=True)
    outside = _of_everybody(exact, whole[whole["rule"] == "none"], by_rule=False) - exact[_COUNTS].astype("float64")
    few = pd.DataFrame(is_small(outside, disclosure), columns=_COUNTS).mul(exact["rule"] == "none", axis=0)
    shown = _show(exact, disclosure, also=few, primary=primary)
    return shown.assign(shift_in_real_se=round_digits(shown["shift_in_real_se"]))


def suppressed_targets(shown: pd.DataFrame) -> set[tuple[object, ...]]:
    """The targets with a suppressed estimate, a missing horizon as None."""
    rows = shown.loc[shown["status"] == SUPPRESSED, _TARGET]
    return set(rows.astype(object).where(rows.notna(), None).itertuples(index=False, name=None))


def is_target_in(table: pd.DataFrame, targets: set[tuple[object, ...]]) -> pd.Series:
    """Which rows are of these targets."""
    rows = table[_TARGET].astype(object).where(table[_TARGET].notna(), None)
    return pd.Series([row in targets for row in rows.itertuples(index=False, name=None)], index=table.index, dtype=bool)


def describe_suppression(disclosure: DisclosureSection) -> str:
    """Why an estimate is not shown."""
    return f"it would tell of fewer than {disclosure.minimum_count} patients"


def _show(
    exact: pd.DataFrame,
    disclosure: DisclosureSection,
    *,
    also: pd.DataFrame | None = None,
    concentration: pd.DataFrame | None = None,
    primary: Hypothesis | None = None,
    horizons: Mapping[str, Sequence[float]] | None = None,
) -> pd.DataFrame:
    """The table with its counts and estimates controlled; ``also`` marks counts that others would give away."""
    counts = exact[_COUNTS].astype("float64")
    few = pd.DataFrame(is_small(counts, disclosure), columns=_COUNTS)
    few = few if also is None else few | also.astype(bool)
    few[_EVENTS] |= _is_carried(exact, disclosure, concentration)
    few_without = is_small(without_event(exact), disclosure).any(axis=1)
    risks = exact["contrast"].isin(_OF_SHARES).to_numpy()
    withheld = few.any(axis=1).to_numpy() | (risks & few_without) | _is_crowded(exact, disclosure, primary, horizons)
    hidden = few.copy()
    hidden[_EVENTS] |= is_small(without_event(exact), disclosure)
    shown = exact.assign(
        **{name: suppress_counts(counts[name], disclosure, also=hidden[name]) for name in _COUNTS},
        **{name: exact[name].mask(withheld) for name in _NUMBERS},
        status=exact["status"].mask(withheld, SUPPRESSED),
        reason=exact["reason"].mask(withheld, describe_suppression(disclosure)),
    )
    if "shift_in_real_se" in shown:
        shown["shift_in_real_se"] = shown["shift_in_real_se"].mask(withheld)
    return record_thresholds(round_estimates(shown), disclosure)


def without_event(exact: pd.DataFrame) -> pd.DataFrame:
    """Patients without an event by the columns of events of a COMBINED table; missing where events are a sum."""
    sums = exact["contrast"].isin(OF_SUMS)
    found = {f"events_{arm}": (exact[f"n_{arm}"].astype("float64") - exact[f"events_{arm}"].astype("float64")).mask(sums) for arm in ARMS}
    return pd.DataFrame(found)


def _is_carried(exact: pd.DataFrame, disclosure: DisclosureSection, concentration: pd.DataFrame | None) -> NDArray[np.bool_]:
    """By arm, whether few patients carry the sum of the row's outcome."""
    few = set() if concentration is None else carried_by_few(concentration, disclosure)
    return np.array([[(outcome, arm) in few for arm in ARMS] for outcome in exact["outcome"]], dtype=bool).reshape(len(exact), len(ARMS))


def _is_risk(exact: pd.DataFrame) -> NDArray[np.bool_]:
    return np.asarray(exact["contrast"].isin(_OF_SHARES) & exact["horizon_days"].notna(), dtype=np.bool_)


def _is_crowded(
    exact: pd.DataFrame, disclosure: DisclosureSection, primary: Hypothesis | None, horizons: Mapping[str, Sequence[float]] | None
) -> NDArray[np.bool_]:
    """Risks at a horizon that is not kept; each subgroup's patients keep their own."""
    crowded = np.zeros(len(exact), dtype=np.bool_)
    apart = [name for name in ("subgroup", "level", "enrichment") if name in exact]
    risks = exact[_is_risk(exact)]
    for rows in [group for _, group in risks.groupby(apart, sort=False)] if apart else [risks]:
        kept = keep_horizons(rows, disclosure, primary=primary, horizons=horizons)
        crowded[rows.index] = [day not in kept[outcome] for outcome, day in zip(rows["outcome"], rows["horizon_days"], strict=True)]
    return crowded


def _of_everybody(table: pd.DataFrame, whole: pd.DataFrame | None, *, by_rule: bool = True) -> pd.DataFrame:
    """The counts of all patients for each row's target; missing where they are not known."""
    if whole is None:
        return pd.DataFrame(np.nan, index=table.index, columns=_COUNTS)
    keys = [*_TARGET, "rule"] if by_rule else _TARGET
    return table[keys].merge(whole[keys + _COUNTS], on=keys, how="left")[_COUNTS].astype("float64")
