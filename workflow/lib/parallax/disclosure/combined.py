"""Combined estimates, of all patients and of subgroups, as they may be shown."""

from __future__ import annotations

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
#: the status of an estimate that would tell of few patients
SUPPRESSED: Final = "suppressed"


def disclose_combined(
    combined: pd.DataFrame,
    disclosure: DisclosureSection,
    *,
    concentration: pd.DataFrame | None = None,
    primary: Hypothesis | None = None,
    also: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Estimates to two digits of their standard error, counts suppressed or rounded.

    Events
        are also suppressed where the patients without one are few: the total would give them away.
    Estimates
        of few patients or few events in an arm are suppressed, for estimate and standard error tell the count; those of risks also where few
        patients are without an event, and where few events lie between their horizon and another one that is shown (the horizon of
        ``primary`` first, then the later before the earlier). So are those of an outcome whose sum few patients carry (``concentration``), and
        those with a count that others would give away (``also``, by the names of the counts).
    """
    return _show(combined.reset_index(drop=True), disclosure, also=also, concentration=concentration, primary=primary)


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
    without = _without_event(exact)
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
) -> pd.DataFrame:
    """The table with its counts and estimates controlled; ``also`` marks counts that others would give away."""
    counts = exact[_COUNTS].astype("float64")
    few = pd.DataFrame(is_small(counts, disclosure), columns=_COUNTS)
    few = few if also is None else few | also.astype(bool)
    few[_EVENTS] |= _is_carried(exact, disclosure, concentration)
    few_without = is_small(_without_event(exact), disclosure).any(axis=1)
    risks = exact["contrast"].isin(_OF_SHARES).to_numpy()
    withheld = few.any(axis=1).to_numpy() | (risks & few_without) | _is_crowded(exact, disclosure, primary)
    hidden = few.copy()
    hidden[_EVENTS] |= is_small(_without_event(exact), disclosure)
    shown = exact.assign(
        **{name: suppress_counts(counts[name], disclosure, also=hidden[name]) for name in _COUNTS},
        **{name: exact[name].mask(withheld) for name in _NUMBERS},
        status=exact["status"].mask(withheld, SUPPRESSED),
        reason=exact["reason"].mask(withheld, describe_suppression(disclosure)),
    )
    if "shift_in_real_se" in shown:
        shown["shift_in_real_se"] = shown["shift_in_real_se"].mask(withheld)
    return record_thresholds(round_estimates(shown), disclosure)


def _without_event(exact: pd.DataFrame) -> pd.DataFrame:
    """Patients without an event by the columns of events; missing where events are a sum."""
    sums = exact["contrast"].isin(OF_SUMS)
    found = {f"events_{arm}": (exact[f"n_{arm}"].astype("float64") - exact[f"events_{arm}"].astype("float64")).mask(sums) for arm in ARMS}
    return pd.DataFrame(found)


def _is_carried(exact: pd.DataFrame, disclosure: DisclosureSection, concentration: pd.DataFrame | None) -> NDArray[np.bool_]:
    """By arm, whether few patients carry the sum of the row's outcome."""
    few = set() if concentration is None else carried_by_few(concentration, disclosure)
    return np.array([[(outcome, arm) in few for arm in ARMS] for outcome in exact["outcome"]], dtype=bool).reshape(len(exact), len(ARMS))


def _is_crowded(exact: pd.DataFrame, disclosure: DisclosureSection, primary: Hypothesis | None) -> NDArray[np.bool_]:
    """Risks at a horizon between which and a shown one few events lie."""
    crowded = np.zeros(len(exact), dtype=np.bool_)
    keys = [name for name in ("subgroup", "level", "enrichment", "way", "design", "outcome", "rule") if name in exact]
    rows = exact[exact["contrast"].isin(_OF_SHARES) & exact["horizon_days"].notna() & exact[_EVENTS].notna().all(axis=1)]
    for _, group in rows.groupby(keys, sort=False):
        known = group.drop_duplicates("horizon_days").sort_values("horizon_days", ascending=False)
        if primary is not None and (known["outcome"] == primary.outcome).any():
            known = known.sort_values("horizon_days", key=lambda days: days != primary.horizon_days, kind="stable")
        kept = select_spaced(known[_EVENTS].astype("float64"), range(len(known)), disclosure.minimum_count)
        crowded[group.index] = ~group["horizon_days"].isin(known["horizon_days"].iloc[kept])
    return crowded


def _of_everybody(table: pd.DataFrame, whole: pd.DataFrame | None, *, by_rule: bool = True) -> pd.DataFrame:
    """The counts of all patients for each row's target; missing where they are not known."""
    if whole is None:
        return pd.DataFrame(np.nan, index=table.index, columns=_COUNTS)
    keys = [*_TARGET, "rule"] if by_rule else _TARGET
    return table[keys].merge(whole[keys + _COUNTS], on=keys, how="left")[_COUNTS].astype("float64")
