"""Pooled answers from the sites' own answers: estimates, variances and counts are all that leaves a site."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from parallax.errors import NotEstimable
from parallax.statistics.intervals import t_interval, t_p_value
from parallax.statistics.meta_analysis import Pooled, pool_fixed, pool_random
from parallax.tables import POOLED
from parallax.validation.combining import TARGET, target_of, to_analysis_scale
from parallax.validation.ways import NOTHING_SENT
from parallax.vocabulary import DIAGNOSTIC_CONTRASTS, RATIO_CONTRASTS, REAL, Way

COUNTS: Final = ("n_treated", "n_comparator", "events_treated", "events_comparator")
SHARED: Final = "estimates, variances and counts"
#: sites below which nothing is pooled
_FEWEST: Final = 2

#: how aggregates are pooled, the answer first
POOLING_RULES: Final[Mapping[str, Callable[[ArrayLike, ArrayLike], Pooled]]] = {
    "fixed_effect": pool_fixed,
    "random_effects": lambda y, error: pool_random(y, error, interval="wald"),
    "hartung_knapp": pool_random,
}


@dataclass(frozen=True, slots=True)
class Gathered:
    """What the sites say of one target, on the analysis scale: ``rows`` by site of those that have an estimate, and why the others have none."""

    target: tuple[Any, ...]
    rows: Mapping[str, Mapping[Any, Any]]
    left_out: Mapping[str, str]

    @property
    def estimates(self) -> list[float]:
        """By site, on the analysis scale."""
        contrast = str(self.target[TARGET.index("contrast")])
        return [float(number) for number in to_analysis_scale([row["estimate"] for row in self.rows.values()], contrast)]

    @property
    def std_errors(self) -> list[float]:
        """By site, on the analysis scale."""
        return [float(row["std_error"]) for row in self.rows.values()]

    def natural(self, value: float) -> float:
        """A number of the analysis scale on that of the contrast."""
        return float(np.exp(value)) if self.target[TARGET.index("contrast")] in RATIO_CONTRASTS else value


def gather(answers: Mapping[str, pd.DataFrame], *, excluded: Mapping[str, str]) -> Iterator[Gathered]:
    """Every target that a site answers, but for diagnostic contrasts, in the order of the sites' tables.

    ``answers`` (COMBINED, one row per target) by site; ``excluded``: sites that are left out of everything, and why. A site is also left out of a
    target that it cannot answer: not estimable, or without a variance, as where nobody had an event.
    """
    tables = {site: {target_of(row): row for row in table.to_dict("records")} for site, table in answers.items()}
    targets = dict.fromkeys(target for site, table in tables.items() for target in table)
    for target in targets:
        if target[TARGET.index("contrast")] in DIAGNOSTIC_CONTRASTS:
            continue
        rows: dict[str, Mapping[Any, Any]] = {}
        left_out = dict(excluded)
        for site, table in tables.items():
            row = table.get(target)
            if site in excluded:
                continue
            if row is None:
                left_out[site] = "does not answer this"
            elif row["status"] != "ok":
                left_out[site] = str(row["reason"] or "not estimable")
            elif not (isfinite(row["std_error"]) and row["std_error"] > 0):
                left_out[site] = "its estimate has no variance"
            else:
                rows[site] = row
        yield Gathered(target, rows, left_out)


def withhold(exact: pd.DataFrame, shown: pd.DataFrame) -> pd.DataFrame:
    """A site's answers (COMBINED) with their numbers as computed, but of counts and suppressed answers no more than its ``shown`` table tells.

    What a site may not tell is not pooled: the pooled answer and those of the other sites would give it away.
    """
    return exact.reset_index(drop=True).assign(**{name: shown[name].array for name in (*COUNTS, "status", "reason")})


def list_excluded(dataset: str, here: Mapping[str, Any], elsewhere: Mapping[str, Mapping[str, str]], *, released: Collection[str]) -> dict[str, str]:
    """The sites that may not take part with this dataset, and why: those ``released`` that sent no site results, whose AI-generated patients are no
    answer of theirs, and but for the real patients those whose generator was not released.

    ``here`` are the entries of verdict.json by site and generator, ``elsewhere`` the verdicts in site results by site and generator.
    """
    absent = {site: NOTHING_SENT for site in released if site not in elsewhere}
    if dataset == REAL:
        return absent
    verdicts = {site: str(entries[dataset]["verdict"]) for site, entries in here.items()}
    verdicts |= {site: found.get(dataset, "not known") for site, found in elsewhere.items()}
    return absent | {site: f"verdict {verdict.replace('_', ' ')}" for site, verdict in verdicts.items() if verdict != "release"}


def pool_aggregates(answers: Mapping[str, pd.DataFrame], *, way: Way, excluded: Mapping[str, str], unverified: tuple[str, ...] = ()) -> pd.DataFrame:
    """The sites' answers (COMBINED by site, counts as they may be shown) pooled by every rule of ``POOLING_RULES`` (POOLED).

    Assumption: the sites' patients differ, and each site's estimate is normal with a known variance; of a generator the combining rule's T, which
    holds what synthesis adds. That a variance from few replicates is itself uncertain is not in the pooled interval.
    Counts are sums over the sites in it; a count that one site suppresses is suppressed in the sum, which would give it away.
    ``unverified`` names sites whose files no public key vouches for.
    """
    shared = SHARED + (f"; not verified by a signature: {', '.join(unverified)}" if unverified else "")
    rows = [
        {"way": way, "shared": shared if len(gathered.rows) >= _FEWEST else "nothing"} | row
        for gathered in gather(answers, excluded=excluded)
        for row in _pooled_rows(gathered)
    ]
    return POOLED.validate(pd.DataFrame(rows, columns=list(POOLED.columns)))


def _pooled_rows(gathered: Gathered) -> Iterator[dict[str, Any]]:
    sites, told = list(gathered.rows), "; ".join(f"{site}: {reason}" for site, reason in gathered.left_out.items())
    described: dict[str, Any] = dict(zip(TARGET, gathered.target, strict=True)) | {
        "sites": ", ".join(sites),
        "left_out": told or None,
        "replicates": max((int(row["replicates"]) for row in gathered.rows.values()), default=0),
        "not_estimable": 0,
        **{name: sum(_count(row[name]) for row in gathered.rows.values()) if sites else np.nan for name in COUNTS},
        **{name: " or ".join(dict.fromkeys(str(row[name]) for row in gathered.rows.values())) or "none" for name in _NAMED},
    }
    for rule, pool in POOLING_RULES.items():
        try:
            if len(sites) < _FEWEST:
                raise NotEstimable("fewer than two sites have an estimate" + (f" ({told})" if told else ""))
            numbers = _finish(pool(gathered.estimates, gathered.std_errors), gathered)
        except NotEstimable as error:
            yield described | {"rule": rule, "status": "not_estimable", "reason": str(error)}
        else:
            yield described | numbers | {"rule": rule, "status": "ok", "reason": None}


_NAMED: Final = ("effective_estimand", "variance_method")


def _count(value: Any) -> float:
    return np.nan if pd.isna(value) else float(value)


def _finish(pooled: Pooled, gathered: Gathered) -> dict[str, float]:
    lower, upper = t_interval(pooled.estimate, pooled.std_error, pooled.df)
    return {
        "estimate": gathered.natural(pooled.estimate),
        "std_error": pooled.std_error,
        "lower": gathered.natural(lower),
        "upper": gathered.natural(upper),
        "p_value": t_p_value(pooled.estimate, pooled.std_error, pooled.df),
        "df": pooled.df,
    }
