"""Shifts read against the floor: which estimates can be tested here, and what sampling alone does to them."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import pandas as pd

from parallax.protocol.designs import Design, DesignsSection, EntropyDesign, MatchDesign, WeightDesign
from parallax.protocol.question import PrimaryEstimate
from parallax.protocol.validation import Gates
from parallax.statistics.intervals import t_interval
from parallax.tables import AGREEMENT
from parallax.validation.combining import TARGET, to_analysis_scale
from parallax.validation.metrics import floor_of, metric_row

#: a rule to be tested: overlap allows the average effect in all patients where the largest weight is smaller; a mark, never a gate
LARGEST_WEIGHT: Final = 20.0

_SHIFT: Final = "shift_in_real_se"
_BEYOND: Final = "shift_beyond_floor_in_real_se"
_SAMPLED: Final = "cohorts resampled from the real patients"


def measure_floor_shifts(real: pd.DataFrame, floor: pd.DataFrame) -> pd.DataFrame:
    """The floor's shift of every target of the real study, as AGREEMENT rows.

    Formula
        With Q, V real and q₁ … q_m from the m resampled cohorts, on the analysis scale: d = (Σqᵢ/m − Q)/√V, and with s their standard
        deviation in √V the band d ± t(0.975; m − 1)·s·√(2/m): where the shift of a generator lies in 95 of 100 studies whose m replicates
        scatter as the resampled cohorts do, the floor's own error counted in.
    Assumption
        The qᵢ are independent and roughly normal given the real patients.
    Degenerate cases
        A target that is not estimable on the real patients, or not on every resampled cohort, has no number and the reason: leaving such
        cohorts out would favour those that look well, as in :func:`parallax.validation.combining.combine`. m = 1: no band.

    ``real`` is a COMBINED table, ``floor`` ESTIMATES.
    """
    found = {_target(rows.iloc[0]): rows for _, rows in floor.groupby(TARGET, sort=False, dropna=False)}
    rows = [{name: row[name] for name in TARGET} | _floor_shift(row, found.get(_target(row))) for _, row in real.iterrows()]
    return AGREEMENT.validate(pd.DataFrame(rows, columns=list(AGREEMENT.columns)))


def _floor_shift(real: Any, replicates: pd.DataFrame | None) -> dict[str, object]:
    name = floor_of(_SHIFT)
    missing = _why_missing(real, replicates)
    if missing is not None or replicates is None:
        return metric_row(name, math.nan, reason=missing)
    contrast, std_error = str(real["contrast"]), float(real["std_error"])
    own = float(to_analysis_scale(float(real["estimate"]), contrast))
    shifts = (to_analysis_scale(replicates["estimate"].to_numpy(dtype=np.float64), contrast) - own) / std_error
    m, mean = len(shifts), float(shifts.mean())
    if m < 2:
        return metric_row(name, mean)
    lower, upper = t_interval(mean, float(shifts.std(ddof=1)) * math.sqrt(2 / m), m - 1)
    return metric_row(name, mean, lower=lower, upper=upper)


def _why_missing(real: Any, replicates: pd.DataFrame | None) -> str | None:
    if real["status"] != "ok":
        return f"not estimable on the real patients: {real['reason']}"
    if replicates is None:
        return f"no estimate on {_SAMPLED}"
    failed = replicates[replicates["status"] != "ok"]
    if len(failed):
        return f"not estimable on {len(failed)} of {len(replicates)} {_SAMPLED}: {failed['reason'].iloc[0]}"
    return None if float(real["std_error"]) > 0 else "the real estimate has no standard error"


def read_against_floor(
    agreement: pd.DataFrame,
    shifts: pd.DataFrame,
    *,
    real_overlap: pd.DataFrame,
    designs: DesignsSection,
    primary: PrimaryEstimate,
    gates: Gates,
) -> pd.DataFrame:
    """A generator's AGREEMENT table with the floor beside every shift; a gate that the floor itself misses is left open.

    * floor_shift_in_real_se: ``shifts``, from :func:`measure_floor_shifts`.
    * shift_beyond_floor_in_real_se: the generator's shift less the floor's. A matched effect is judged by it alone, for matching moves when
      the same patients are drawn again: where the primary design matches, the gate stands here.
    * testable_here: 1 where the floor's shift keeps within the primary gate, which serves as the bound of every target; 0 where it does not,
      or the floor is not estimable. A shift that is not testable here is not judged, and its reason says so.
    * largest_weight: of designs that weight everybody (ATE), on the real patients; the reason marks one that reaches ``LARGEST_WEIGHT``.
    """
    floors = {_target(row): row for _, row in shifts.iterrows()}
    largest = dict(zip(real_overlap["design"], real_overlap["max_weight"], strict=True))
    decisive = (primary.design, primary.outcome, primary.contrast, primary.horizon_days)
    rows: list[dict[Any, Any]] = []
    for _, row in agreement.iterrows():
        if row["metric"] != _SHIFT:
            rows.append(row.to_dict())
            continue
        target, design = _target(row), designs[str(row["design"])]
        found = _read(row, floors[target], design, gates.shift_in_real_se, decides=target == decisive)
        if isinstance(design, WeightDesign | EntropyDesign) and design.estimand == "ATE":
            found.append(_mark_weight(float(largest[target[0]])))
        rows += [{name: row[name] for name in TARGET} | metric for metric in found]
    return AGREEMENT.validate(pd.DataFrame(rows, columns=list(AGREEMENT.columns)))


def _read(row: Any, floor: Any, design: Design, allowed: float, *, decides: bool) -> list[dict[str, Any]]:
    """A shift and what is read beside it."""
    shift, sampled = float(row["value"]), float(floor["value"])
    own, sampling = (None if pd.isna(entry["reason"]) else str(entry["reason"]) for entry in (row, floor))
    untestable = _why_untestable(sampled, sampling, allowed)
    threshold = allowed if decides else math.nan
    matched = isinstance(design, MatchDesign)
    told = own or untestable
    return [
        metric_row(
            _SHIFT,
            shift,
            threshold=math.nan if matched else threshold,
            undecided=untestable is not None,
            reason=told or ("matched: read beyond the floor" if matched else None),
        ),
        metric_row(floor_of(_SHIFT), sampled, lower=float(floor["lower"]), upper=float(floor["upper"]), reason=sampling),
        metric_row(_BEYOND, shift - sampled, threshold=threshold if matched else math.nan, undecided=untestable is not None, reason=told),
        metric_row("testable_here", float(untestable is None), reason=untestable),
    ]


def _why_untestable(shift: float, reason: str | None, allowed: float) -> str | None:
    """Why an estimand cannot be tested on these patients; None where it can."""
    if math.isnan(shift):
        return f"not testable here: {reason}"
    if abs(shift) <= allowed:
        return None
    return f"not testable here: the floor itself misses it, {_SAMPLED} shift by {shift:+.2f} real standard errors".replace("-", "−")


def _mark_weight(largest: float) -> dict[str, Any]:
    reached = f"overlap hardly allows the effect in all patients: a weight reaches {LARGEST_WEIGHT:g}" if largest >= LARGEST_WEIGHT else None
    return metric_row("largest_weight", largest, reason=reached)


def _target(row: Any) -> tuple[Any, ...]:
    return tuple(None if pd.isna(row[name]) else row[name] for name in TARGET)
