"""Combining rules: one inference from the m replicates of a generator.

Everything here works on the analysis scale: the logarithm for ratios, the natural scale otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from parallax.errors import NotEstimable, StatisticsError
from parallax.protocol.question import Hypothesis
from parallax.statistics.intervals import t_interval, t_p_value
from parallax.statistics.multiplicity import adjust_holm
from parallax.tables import COMBINED, ESTIMATES
from parallax.vocabulary import RATIO_CONTRASTS, Rule

TARGET = ["design", "outcome", "contrast", "horizon_days"]
_COUNTS = ["n_treated", "n_comparator", "events_treated", "events_comparator"]


@dataclass(frozen=True, slots=True)
class Combined:
    """An estimate on the analysis scale, its standard error and the degrees of freedom of its t interval (infinite: normal)."""

    estimate: float
    std_error: float
    df: float


def to_analysis_scale(values: ArrayLike, contrast: str) -> NDArray[np.float64]:
    """The logarithm for a ratio, the value itself otherwise."""
    numbers = np.asarray(values, dtype=np.float64)
    return np.log(numbers) if contrast in RATIO_CONTRASTS else numbers


def combine_partial(estimates: ArrayLike, variances: ArrayLike, *, patients: int, synthetic: int) -> Combined:
    """Partially synthetic data (Reiter 2003, sections 2 and 3.1), scaled for replicates of another size than the real data.

    Assumption
        Each replicate holds ``synthetic`` = k patients drawn independently given the ``patients`` = n real ones; the m estimates scatter
        around the real estimate; all m analyses are the same.
    Formula
        q = Σqᵢ/m, v = Σvᵢ/m, b = Σ(qᵢ − q)²/(m − 1); T = v·k/n + b/m; df = (m − 1)(1 + (v·k/n)/(b/m))². The factor k/n carries the
        variance of a replicate of k patients back to the n patients that the knowledge rests on (Raab, Nowok and Dibben 2016, table 1).
        Where b = 0 the interval is normal.
    Shapes
        estimates (m,) and variances (m,), on the analysis scale.
    Errors
        NotEstimable for m = 1 or T = 0; StatisticsError for numbers that are not finite or variances below zero.
    """
    q, v = _check(estimates, variances)
    if min(patients, synthetic) < 1:
        raise StatisticsError(f"combine_partial: found {patients} real and {synthetic} synthetic patients; at least one of each is needed")
    m = len(q)
    if m < 2:
        raise NotEstimable("the partial rule needs at least two replicates")
    within = float(v.mean()) * synthetic / patients
    between = float(q.var(ddof=1)) / m
    if within + between == 0:
        raise NotEstimable("the replicates carry no variance")
    df = (m - 1) * (1 + within / between) ** 2 if between > 0 else np.inf
    return Combined(float(q.mean()), float(np.sqrt(within + between)), df)


def take_real(estimates: pd.DataFrame) -> pd.DataFrame:
    """The real dataset's ESTIMATES as a COMBINED table: nothing is combined, the rule is ``none``."""
    return _frame(_row(target, row, "none", 1) for target, row in _targets(estimates))


def adjust_family(combined: pd.DataFrame, family: Sequence[Hypothesis]) -> pd.DataFrame:
    """The COMBINED table with Holm's adjusted p-values (Holm 1979) of the family's hypotheses, for every rule by itself.

    A hypothesis that is not estimable leaves the family: it has no p-value.
    """
    targets = {hypothesis.target for hypothesis in family}
    of_family = np.array([_key(row) in targets for row in combined[TARGET].to_dict("records")], dtype=bool)
    adjusted = np.full(len(combined), np.nan)
    for rule in combined["rule"].unique():
        rows = np.flatnonzero(of_family & (combined["rule"] == rule).to_numpy())
        if len(rows):
            adjusted[rows] = adjust_holm(combined["p_value"].to_numpy(dtype=np.float64)[rows])
    return COMBINED.validate(combined.assign(p_adjusted=adjusted))


def _key(row: Mapping[Any, Any]) -> tuple[Any, ...]:
    return tuple(None if pd.isna(row[name]) else row[name] for name in TARGET)


def combine(estimates: pd.DataFrame, *, stacked: pd.DataFrame | None = None, patients: int, synthetic: int) -> pd.DataFrame:
    """The COMBINED table of a generator: rules ``partial`` and ``naive``, and ``stacked`` where its estimates are given.

    The naive row is replicate 0 as if it were real, T = v₀; the stacked row all replicates as one table of m·k patients, as if real. Neither
    is ever valid; a reader sees by them what the partial rule buys.

    ``estimates`` (ESTIMATES) has the m replicates, ``stacked`` the estimates from the one table of all their patients, ``patients`` is n,
    ``synthetic`` is k. Counts of the partial rule are means over replicates; where the effective estimand differs between replicates, all are
    named. If any replicate is not estimable, the combined estimate is not: leaving such replicates out would favour those that look well.
    """
    replicates = estimates["replicate"].nunique()
    stacks = {} if stacked is None else dict(_targets(stacked))
    rows = []
    for target, rows_of_target in _groups(estimates):
        rows.append(_partial_row(target, rows_of_target, replicates, patients=patients, synthetic=synthetic))
        first = rows_of_target[rows_of_target["replicate"] == 0]
        if len(first):
            rows.append(_row(target, first.iloc[0], "naive", 1))
        if target in stacks:
            rows.append(_row(target, stacks[target], "stacked", replicates))
    return _frame(rows)


def leave_out(real: pd.DataFrame, reason: str) -> pd.DataFrame:
    """The COMBINED table of a generator that drew no patients: every target of the ``real`` one, not estimable for this reason."""
    blank = dict.fromkeys(("estimate", "std_error", "lower", "upper", "p_value", "p_adjusted", "df", *_COUNTS), np.nan)
    named = dict.fromkeys(("effective_estimand", "variance_method"), "none")
    return COMBINED.validate(real.assign(**blank, **named, rule="partial", replicates=0, status="not_estimable", reason=reason))


def _check(estimates: ArrayLike, variances: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    q, v = np.asarray(estimates, dtype=np.float64), np.asarray(variances, dtype=np.float64)
    if q.ndim != 1 or q.shape != v.shape or len(q) == 0:
        raise StatisticsError(f"combining: found {q.shape} estimates and {v.shape} variances; each of at least one estimate needs a variance")
    if not (np.isfinite(q).all() and np.isfinite(v).all() and (v >= 0).all()):
        raise StatisticsError("combining: every estimate must be finite, every variance finite and at least zero")
    return q, v


def _groups(estimates: pd.DataFrame) -> Iterable[tuple[tuple[Any, ...], pd.DataFrame]]:
    """Rows by target in the table's order; a missing horizon is None, so that targets can be compared."""
    for target, rows in estimates.groupby(TARGET, sort=False, dropna=False):
        parts: tuple[Any, ...] = tuple(target)
        yield tuple(None if pd.isna(part) else part for part in parts), rows


def _targets(estimates: pd.DataFrame) -> Iterable[tuple[tuple[Any, ...], Any]]:
    for target, rows in _groups(estimates):
        if len(rows) > 1:
            raise StatisticsError(f"estimates of {target}: found {len(rows)} replicates where one is allowed")
        yield target, rows.iloc[0]


def _row(target: tuple[Any, ...], row: Any, rule: Rule, replicates: int) -> dict[str, Any]:
    kept = {column: row[column] for column in ESTIMATES.columns if column in COMBINED.columns}
    return kept | dict(zip(TARGET, target, strict=True)) | {"rule": rule, "replicates": replicates}


def _partial_row(target: tuple[Any, ...], rows: pd.DataFrame, replicates: int, *, patients: int, synthetic: int) -> dict[str, Any]:
    estimable = rows[rows["status"] == "ok"]
    described = (
        dict(zip(TARGET, target, strict=True))
        | {"rule": "partial", "replicates": replicates}
        | {column: rows[column].astype("float64").mean() for column in _COUNTS}
        | {name: " or ".join((estimable if len(estimable) else rows)[name].unique()) for name in ("effective_estimand", "variance_method")}
    )
    missing = replicates - len(estimable)
    try:
        targets = sorted({str(name).partition(" among ")[0] for name in estimable["effective_estimand"]})
        if len(targets) > 1:
            raise NotEstimable(f"the replicates answer for different patients: {' and '.join(targets)}")
        if missing:
            reasons = rows.loc[rows["status"] != "ok", "reason"].dropna()
            raise NotEstimable(f"{missing} of {replicates} replicates not estimable" + (f": {reasons.iloc[0]}" if len(reasons) else ""))
        contrast = str(target[TARGET.index("contrast")])
        combined = combine_partial(
            to_analysis_scale(rows["estimate"], contrast), rows["std_error"].to_numpy() ** 2, patients=patients, synthetic=synthetic
        )
    except NotEstimable as error:
        return described | {"status": "not_estimable", "reason": str(error)}
    natural = np.exp if contrast in RATIO_CONTRASTS else float
    lower, upper = t_interval(combined.estimate, combined.std_error, combined.df)
    return described | {
        "estimate": natural(combined.estimate),
        "std_error": combined.std_error,
        "lower": natural(lower),
        "upper": natural(upper),
        "p_value": t_p_value(combined.estimate, combined.std_error, combined.df),
        "df": combined.df,
        "status": "ok",
        "reason": None,
    }


def _frame(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    return COMBINED.validate(pd.DataFrame(list(rows), columns=list(COMBINED.columns)))
