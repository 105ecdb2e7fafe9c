"""Agreement: does the study reach on synthetic patients what it reaches on the real ones?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from parallax.errors import StatisticsError
from parallax.protocol.question import PrimaryEstimate
from parallax.protocol.validation import Gates
from parallax.tables import AGREEMENT
from parallax.validation.combining import TARGET, select_answers, target_of, to_analysis_scale
from parallax.validation.metrics import METRICS, metric_row

_METRICS = (
    "shift_in_real_se",
    "ci_overlap",
    "decision_agreement",
    "estimate_agreement",
    "standardised_difference",
    "same_side_of_null",
    "shift_in_replicate_se",
)
#: directions in which estimates vary less than this share of the largest say the same as others: a risk ratio, and the risk difference
_RANK = 1e-2
_DECISIONS = {-1: "below the null", 0: "not significant", 1: "above the null"}


def measure_agreement(
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    *,
    floor: pd.DataFrame,
    primary: PrimaryEstimate,
    gates: Gates,
    size: float = 1.0,
    covariance: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """The AGREEMENT table of a generator: every metric for every target of the real study.

    ``real`` and ``synthetic`` are COMBINED tables; of the latter the study's rule is compared (:func:`select_answers`). ``size`` is k/n.
    With Q, V, [L_r, U_r] real and q, T, [L_s, U_s] synthetic, on the analysis scale:

    * shift_in_real_se: (q − Q)/√V. The only gate, and on the primary estimate only.
    * ci_overlap: ½[(min U − max L)/(U_r − L_r) + (min U − max L)/(U_s − L_s)], not clipped: below zero where the intervals are apart
      (Karr et al. 2006, section 3.1).
    * decision_agreement: 1 if both intervals lie below the null, both include it, or both lie above.
    * estimate_agreement: 1 if q lies in [L_r, U_r].
    * standardised_difference: |q − Q|/√(V + T). Lenient, since the two are not independent.
    * same_side_of_null: 1 if q and Q have the same sign; only where |Q| > 2√V.
    * shift_in_replicate_se (z_m; Raab, Nowok & Dibben 2021, section 4): (q − Q)/√(V·n/(k·m)), m the replicates used. A description: its
      denominator takes the generator's estimator to be as efficient as the study's, and a correct generator exceeds 1.96 in more than 5 of 100.
    * lack_of_fit, on the primary estimate: d'(C·n/(k·m))⁻d over the rank of C, with d the differences of all estimates that ``covariance``
      (COVARIANCE, bootstrapped on the real patients) has and both sides can give; a description likewise, about 1 for a correct generator.
    * replicates_not_estimable, on the primary estimate: the share of replicates without one. It gates, and beyond its threshold nothing is
      decided.

    * floor_shift_in_real_se: that of cohorts resampled from the real patients (``floor``, a FLOOR table), with its interval. Where it is beyond
      the gate itself, or half of those cohorts or more have no estimate, sampling alone moves the answer so far that no generator can be
      tested on this target: "not testable here", and its gate is not evaluated. Nor is it on a floor of one cohort, which the workflow never makes.

    A target that is not estimable on either side has missing values and the reason. Raises StatisticsError where the real table lacks the
    primary estimate.
    """
    asked = (primary.design, primary.outcome, primary.contrast, primary.horizon_days)
    answers = select_answers(synthetic)
    found = {target_of(row): row for _, row in answers.iterrows()}
    floors = {target_of(row): row for _, row in floor.iterrows()}
    rows: list[dict[str, object]] = []
    seen_primary = False
    for _, row in real.iterrows():
        target = target_of(row)
        threshold = METRICS["shift_in_real_se"].threshold(gates) if target == asked else math.nan
        seen_primary = seen_primary or target == asked
        keys = {name: row[name] for name in TARGET}
        compared = _compare(row, found.get(target), _Floor.of(floors.get(target), gates), threshold, size)
        if target == asked:
            compared.append(_count_not_estimable(found.get(target), gates))
            compared += [] if covariance is None else [_lack_of_fit(real, answers, covariance, size)]
        rows += [keys | metric for metric in compared]
    if not seen_primary:
        raise StatisticsError(f"agreement: the real estimates lack the primary estimate {asked}; estimate it before it is compared")
    return AGREEMENT.validate(pd.DataFrame(rows, columns=list(AGREEMENT.columns)))


@dataclass(frozen=True, slots=True)
class _Floor:
    """The row of what resampled real patients do to a target, none where that is unknown, and why it cannot be tested (None: it can)."""

    rows: list[dict[str, object]]
    untestable: str | None

    @classmethod
    def of(cls, row: Any, gates: Gates) -> Self:
        if row is None:
            return cls([], None)
        shift, allowed = float(row["shift"]), METRICS["shift_in_real_se"].threshold(gates)
        untestable = None
        if 2 * int(row["estimable"]) <= int(row["replicates"]):
            untestable = "not testable here: the floor itself misses it, most cohorts resampled from the real patients have no estimate"
        elif int(row["estimable"]) < 2:
            untestable = "not testable here: the floor takes two cohorts resampled from the real patients with an estimate, and there is one"
        elif abs(shift) > allowed:
            moved = f"{shift:+.2f}".replace("-", "−")
            untestable = (
                f"not testable here: the floor itself misses it, cohorts resampled from the real patients shift by {moved} real standard errors"
            )
        lower, upper = float(row["lower"]), float(row["upper"])
        return cls([metric_row("floor_shift_in_real_se", shift, lower=lower, upper=upper, reason=untestable)], untestable)


def _compare(real: Any, synthetic: Any, floor: _Floor, threshold: float, size: float) -> list[dict[str, object]]:
    missing = _why_missing(real, synthetic)
    if missing is not None:
        unknown = [metric_row(name, math.nan, threshold=threshold if METRICS[name].gate else math.nan, reason=missing) for name in _METRICS]
        return [*unknown, *floor.rows]
    contrast = str(real["contrast"])
    columns = ["estimate", "lower", "upper"]
    Q, lower_r, upper_r = (float(number) for number in to_analysis_scale(real[columns].to_numpy(dtype=float), contrast))
    q, lower_s, upper_s = (float(number) for number in to_analysis_scale(synthetic[columns].to_numpy(dtype=float), contrast))
    se_r, se_s = float(real["std_error"]), float(synthetic["std_error"])
    shared = min(upper_r, upper_s) - max(lower_r, lower_s)
    decisions = _decide(lower_r, upper_r), _decide(lower_s, upper_s)
    clear = abs(Q) > 2 * se_r
    return [
        metric_row("shift_in_real_se", (q - Q) / se_r, threshold=threshold, undecided=floor.untestable is not None, reason=floor.untestable),
        *floor.rows,
        metric_row("ci_overlap", (shared / (upper_r - lower_r) + shared / (upper_s - lower_s)) / 2),
        metric_row(
            "decision_agreement",
            float(decisions[0] == decisions[1]),
            reason=f"real {_DECISIONS[decisions[0]]}, synthetic {_DECISIONS[decisions[1]]}",
        ),
        metric_row("estimate_agreement", float(lower_r <= q <= upper_r)),
        metric_row("standardised_difference", abs(q - Q) / math.hypot(se_r, se_s)),
        metric_row(
            "same_side_of_null",
            float(q * Q > 0) if clear else math.nan,
            reason=None if clear else "the real estimate lies within two standard errors of the null",
        ),
        metric_row("shift_in_replicate_se", (q - Q) / se_r * math.sqrt(size * _used(synthetic))),
    ]


def _used(synthetic: Any) -> int:
    return int(synthetic["replicates"]) - int(synthetic["not_estimable"])


def _count_not_estimable(synthetic: Any, gates: Gates) -> dict[str, object]:
    threshold = METRICS["replicates_not_estimable"].threshold(gates)
    if synthetic is None or int(synthetic["replicates"]) == 0:
        return metric_row("replicates_not_estimable", math.nan, threshold=threshold, reason="no synthetic estimate")
    share = int(synthetic["not_estimable"]) / int(synthetic["replicates"])
    return metric_row(
        "replicates_not_estimable",
        share,
        threshold=threshold,
        undecided=share > threshold,
        reason=None if not share or pd.isna(synthetic["reason"]) else str(synthetic["reason"]),
    )


def _lack_of_fit(real: pd.DataFrame, synthetic: pd.DataFrame, covariance: pd.DataFrame, size: float) -> dict[str, object]:
    """The joint distance of all estimates that the covariance matrix has."""
    sides = [{target_of(row): row for _, row in table[table["status"] == "ok"].iterrows()} for table in (real, synthetic)]
    targets = [target for target in dict.fromkeys(target_of(row) for _, row in covariance.iterrows()) if all(target in side for side in sides)]
    if not targets:
        return metric_row("lack_of_fit", math.nan, reason="no estimate that both sides and the bootstrap have")
    known = {(target_of(row), target_of(row, "other_")): float(row["covariance"]) for _, row in covariance.iterrows()}
    matrix = np.array([[known[first, second] for second in targets] for first in targets])
    differences = np.array(
        [
            np.diff([to_analysis_scale(float(side[target]["estimate"]), str(target[TARGET.index("contrast")])) for side in sides])[0]
            for target in targets
        ]
    )
    used = min(_used(sides[1][target]) for target in targets)
    scale = np.sqrt(np.diag(matrix))
    if not (scale > 0).all():
        return metric_row("lack_of_fit", math.nan, reason="an estimate does not vary between resamples of the real patients")
    values, vectors = np.linalg.eigh(matrix / np.outer(scale, scale))
    kept = values > _RANK * values.max()
    projected = vectors[:, kept].T @ (differences / scale)
    statistic = float((projected**2 / values[kept]).sum()) * size * used
    told = f"over {int(kept.sum())} independent directions of {len(targets)} estimates"
    return metric_row("lack_of_fit", statistic / int(kept.sum()), reason=told)


def _why_missing(real: Any, synthetic: Any) -> str | None:
    if real["status"] != "ok":
        return f"not estimable on the real patients: {real['reason']}"
    if synthetic is None:
        return "no synthetic estimate"
    if synthetic["status"] != "ok":
        return f"not estimable on the synthetic patients: {synthetic['reason']}"
    if min(real["std_error"], synthetic["std_error"]) <= 0:
        return "an estimate has no standard error"
    return None


def _decide(lower: float, upper: float) -> int:
    return int(lower > 0) - int(upper < 0)
