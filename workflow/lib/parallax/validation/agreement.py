"""Agreement: does the study reach on synthetic patients what it reaches on the real ones?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

import pandas as pd

from parallax.errors import StatisticsError
from parallax.protocol.question import PrimaryEstimate
from parallax.protocol.validation import Gates
from parallax.tables import AGREEMENT
from parallax.validation.combining import TARGET, to_analysis_scale
from parallax.validation.metrics import METRICS, metric_row

_METRICS = ("shift_in_real_se", "ci_overlap", "decision_agreement", "estimate_agreement", "standardised_difference", "same_side_of_null")
_DECISIONS = {-1: "below the null", 0: "not significant", 1: "above the null"}


def measure_agreement(real: pd.DataFrame, synthetic: pd.DataFrame, *, floor: pd.DataFrame, primary: PrimaryEstimate, gates: Gates) -> pd.DataFrame:
    """The AGREEMENT table of a generator: every metric for every target of the real study.

    ``real`` and ``synthetic`` are COMBINED tables; of the latter the rule ``partial`` is compared. With Q, V, [L_r, U_r] real and q, T,
    [L_s, U_s] synthetic, on the analysis scale:

    * shift_in_real_se: (q − Q)/√V. The only gate, and on the primary estimate only.
    * ci_overlap: ½[(min U − max L)/(U_r − L_r) + (min U − max L)/(U_s − L_s)], not clipped: below zero where the intervals are apart
      (Karr et al. 2006, section 3.1).
    * decision_agreement: 1 if both intervals lie below the null, both include it, or both lie above.
    * estimate_agreement: 1 if q lies in [L_r, U_r].
    * standardised_difference: |q − Q|/√(V + T). Lenient, since the two are not independent.
    * same_side_of_null: 1 if q and Q have the same sign; only where |Q| > 2√V.

    * floor_shift_in_real_se: that of cohorts resampled from the real patients (``floor``, a FLOOR table), with its interval. Where it is beyond
      the gate itself, or half of those cohorts or more have no estimate, sampling alone moves the answer so far that no generator can be
      tested on this target: "not testable here", and its gate is not evaluated.

    A target that is not estimable on either side has missing values and the reason. Raises StatisticsError where the real table lacks the
    primary estimate.
    """
    asked = (primary.design, primary.outcome, primary.contrast, primary.horizon_days)
    found = {_target(row): row for _, row in synthetic[synthetic["rule"] == "partial"].iterrows()}
    floors = {_target(row): row for _, row in floor.iterrows()}
    rows: list[dict[str, object]] = []
    seen_primary = False
    for _, row in real.iterrows():
        target = _target(row)
        threshold = METRICS["shift_in_real_se"].threshold(gates) if target == asked else math.nan
        seen_primary = seen_primary or target == asked
        keys = {name: row[name] for name in TARGET}
        rows += [keys | metric for metric in _compare(row, found.get(target), _Floor.of(floors.get(target), gates), threshold)]
    if not seen_primary:
        raise StatisticsError(f"agreement: the real estimates lack the primary estimate {asked}; estimate it before it is compared")
    return AGREEMENT.validate(pd.DataFrame(rows, columns=list(AGREEMENT.columns)))


def _target(row: Any) -> tuple[Any, ...]:
    return tuple(None if pd.isna(row[name]) else row[name] for name in TARGET)


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
        elif abs(shift) > allowed:
            moved = f"{shift:+.2f}".replace("-", "−")
            untestable = (
                f"not testable here: the floor itself misses it, cohorts resampled from the real patients shift by {moved} real standard errors"
            )
        lower, upper = float(row["lower"]), float(row["upper"])
        return cls([metric_row("floor_shift_in_real_se", shift, lower=lower, upper=upper, reason=untestable)], untestable)


def _compare(real: Any, synthetic: Any, floor: _Floor, threshold: float) -> list[dict[str, object]]:
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
    ]


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
