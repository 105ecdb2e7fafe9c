"""One inference from the m replicates of a generator: the COMBINED table, a row for every combining rule.

Everything here works on the analysis scale: the logarithm for ratios, the natural scale otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from parallax.errors import NotEstimable, StatisticsError
from parallax.protocol.question import Hypothesis
from parallax.statistics.intervals import t_interval, t_p_value
from parallax.statistics.multiplicity import adjust_holm
from parallax.tables import COMBINED, ESTIMATES
from parallax.validation.rules import Fit, combine_by, rules_beside
from parallax.vocabulary import RATIO_CONTRASTS, VALID_RULES, Rule

TARGET = ["design", "outcome", "contrast", "horizon_days"]
_ROUNDING = 1e-9
_COUNTS = ["n_treated", "n_comparator", "events_treated", "events_comparator"]


def to_analysis_scale(values: ArrayLike, contrast: str) -> NDArray[np.float64]:
    """The logarithm for a ratio, the value itself otherwise."""
    numbers = np.asarray(values, dtype=np.float64)
    return np.log(numbers) if contrast in RATIO_CONTRASTS else numbers


def target_of(row: Any, prefix: str = "") -> tuple[Any, ...]:
    """What a row answers, as a key: a missing horizon is None, so that equal targets are equal."""
    return tuple(None if pd.isna(row[prefix + name]) else row[prefix + name] for name in TARGET)


def take_real(estimates: pd.DataFrame) -> pd.DataFrame:
    """The real dataset's ESTIMATES as a COMBINED table: nothing is combined, the rule is ``none``."""
    return _frame(_row(target, row, "none", 1) for target, row in _targets(estimates))


def adjust_family(combined: pd.DataFrame, family: Sequence[Hypothesis]) -> pd.DataFrame:
    """The COMBINED table with Holm's adjusted p-values (Holm 1979) of the family's hypotheses, for every rule by itself.

    A hypothesis that is not estimable leaves the family: it has no p-value.
    """
    targets = {hypothesis.target for hypothesis in family}
    of_family = np.array([target_of(row) in targets for row in combined[TARGET].to_dict("records")], dtype=bool)
    adjusted = np.full(len(combined), np.nan)
    for rule in combined["rule"].unique():
        rows = np.flatnonzero(of_family & (combined["rule"] == rule).to_numpy())
        if len(rows):
            adjusted[rows] = adjust_holm(combined["p_value"].to_numpy(dtype=np.float64)[rows])
    return COMBINED.validate(combined.assign(p_adjusted=adjusted))


def combine(
    estimates: pd.DataFrame,
    *,
    stacked: pd.DataFrame | None = None,
    patients: int,
    synthetic: int | Mapping[int, int],
    fit: Fit = "single",
    not_estimable: float = 0.0,
) -> pd.DataFrame:
    """The COMBINED table of a generator: the study's rule first, then what stands beside it.

    The rules follow from how the generator was fitted (``fit``) and from m (:func:`parallax.validation.rules.rules_beside`). The naive row is
    replicate 0 as if it were real, T = v₀; the stacked row, where ``stacked`` has its estimates, all replicates as one table of m·k patients,
    as if real. Neither is ever valid; a reader sees by them what the rule buys.

    ``estimates`` (ESTIMATES) has the m replicates, ``patients`` is n, ``synthetic`` is k, by replicate where it differs between them: of a
    subgroup, both count its own patients. Counts of a combining rule are means over replicates; where the effective estimand differs between
    replicates, all are named. Replicates that are not estimable are counted; up to the share ``not_estimable`` of the m they are left out,
    which favours those that look well, and beyond it the combined estimate is not estimable.
    """
    replicates = estimates["replicate"].nunique()
    numbers = map(int, estimates["replicate"].unique())
    drawn = synthetic if isinstance(synthetic, Mapping) else dict.fromkeys(numbers, synthetic)
    stacks = {} if stacked is None else dict(_targets(stacked))
    rows = []
    for target, rows_of_target in _groups(estimates):
        rows += [
            _combined_row(rule, target, rows_of_target, replicates, patients=patients, synthetic=drawn, allowed=not_estimable)
            for rule in rules_beside(fit, replicates)
        ]
        first = rows_of_target[rows_of_target["replicate"] == 0]
        if len(first):
            rows.append(_row(target, first.iloc[0], "naive", 1))
        if target in stacks:
            rows.append(_row(target, stacks[target], "stacked", replicates))
    return _frame(rows)


def select_answers(combined: pd.DataFrame) -> pd.DataFrame:
    """The rows of a COMBINED (or SUBGROUPS) table that are the dataset's answers: of the real patients all, of a generator its study's rule."""
    return combined[combined["rule"].isin([answering_rule(combined)])]


def answering_rule(combined: pd.DataFrame) -> str:
    """The rule of a COMBINED table's answers: the first in the order of ``VALID_RULES`` that it holds."""
    held = set(combined["rule"])
    return next((rule for rule in VALID_RULES if rule in held), VALID_RULES[0])


def leave_out(real: pd.DataFrame, reason: str) -> pd.DataFrame:
    """The COMBINED table of a generator that drew no patients: every target of the ``real`` one, not estimable for this reason."""
    blank = dict.fromkeys(("estimate", "std_error", "lower", "upper", "p_value", "p_adjusted", "df", *_COUNTS), np.nan)
    named = dict.fromkeys(("effective_estimand", "variance_method"), "none")
    return COMBINED.validate(real.assign(**blank, **named, rule="partial", replicates=0, not_estimable=0, status="not_estimable", reason=reason))


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
    return kept | dict(zip(TARGET, target, strict=True)) | {"rule": rule, "replicates": replicates, "not_estimable": int(row["status"] != "ok")}


def _combined_row(
    rule: Rule, target: tuple[Any, ...], rows: pd.DataFrame, replicates: int, *, patients: int, synthetic: Mapping[int, int], allowed: float
) -> dict[str, Any]:
    estimable = rows[rows["status"] == "ok"]
    missing = replicates - len(estimable)
    described = (
        dict(zip(TARGET, target, strict=True))
        | {"rule": rule, "replicates": replicates, "not_estimable": missing}
        | {column: rows[column].astype("float64").mean() for column in _COUNTS}
        | {name: " or ".join((estimable if len(estimable) else rows)[name].unique()) for name in ("effective_estimand", "variance_method")}
    )
    try:
        targets = sorted({str(name).partition(" among ")[0] for name in estimable["effective_estimand"]})
        if len(targets) > 1:
            raise NotEstimable(f"the replicates answer for different patients: {' and '.join(targets)}")
        lacking = _tell_lacking(rows, missing, replicates)
        if missing and (missing > allowed * replicates + _ROUNDING or not len(estimable)):
            raise NotEstimable(str(lacking))
        if patients < 1:
            raise NotEstimable("no real patient is in it")
        contrast = str(target[TARGET.index("contrast")])
        q, v = to_analysis_scale(estimable["estimate"], contrast), estimable["std_error"].to_numpy(dtype=np.float64) ** 2
        sizes = [synthetic[int(replicate)] for replicate in estimable["replicate"]]
        combined = combine_by(rule, q, v, patients=patients, synthetic=sizes)
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
        "reason": f"{lacking}; they are left out" if lacking else None,
    }


def _tell_lacking(rows: pd.DataFrame, missing: int, replicates: int) -> str | None:
    if not missing:
        return None
    reasons = rows.loc[rows["status"] != "ok", "reason"].dropna()
    return f"{missing} of {replicates} replicates not estimable" + (f": {reasons.iloc[0]}" if len(reasons) else "")


def _frame(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    return COMBINED.validate(pd.DataFrame(list(rows), columns=list(COMBINED.columns)))
