"""Shifts read against the floor: what a generator does beyond sampling, and which estimates can be tested on these patients."""

from __future__ import annotations

import math
from typing import Any, Final

import pandas as pd

from parallax.protocol.designs import Design, DesignsSection, EntropyDesign, MatchDesign, WeightDesign
from parallax.tables import AGREEMENT
from parallax.validation.combining import TARGET, target_of
from parallax.validation.metrics import floor_of, metric_row

#: a rule to be tested: overlap allows the average effect in all patients where the largest weight is smaller; a mark, never a gate
LARGEST_WEIGHT: Final = 20.0

_SHIFT: Final = "shift_in_real_se"


def read_against_floor(agreement: pd.DataFrame, *, real_overlap: pd.DataFrame, designs: DesignsSection) -> pd.DataFrame:
    """An AGREEMENT table that holds the floor, with what is read from it after each of its shifts.

    * shift_beyond_floor_in_real_se: the generator's shift less the floor's. A matched effect is judged by it alone, for matching moves when
      the same patients are drawn again: where the primary design matches, the gate stands here.
    * testable_here: 1 where the floor keeps within the primary gate, which serves as the bound of every target; 0 where it does not.
    * largest_weight: of designs that weight everybody (ATE), on the real patients (``real_overlap``, OVERLAP); the reason marks one that
      reaches ``LARGEST_WEIGHT``.

    A target without a floor is left as it is.
    """
    floors = {target_of(row): row for _, row in agreement[agreement["metric"] == floor_of(_SHIFT)].iterrows()}
    largest = dict(zip(real_overlap["design"], real_overlap["max_weight"], strict=True))
    rows: list[dict[Any, Any]] = []
    for _, row in agreement.iterrows():
        floor = floors.get(target_of(row))
        if row["metric"] != _SHIFT or floor is None:
            rows.append(row.to_dict())
            continue
        design = designs[str(row["design"])]
        found = _read(row, floor, matched=isinstance(design, MatchDesign))
        if _weights_everybody(design):
            found.append(_mark_weight(float(largest[row["design"]])))
        rows += [{name: row[name] for name in TARGET} | metric for metric in found]
    return AGREEMENT.validate(pd.DataFrame(rows, columns=list(AGREEMENT.columns)))


def _read(row: Any, floor: Any, *, matched: bool) -> list[dict[str, Any]]:
    shift, sampled, threshold = float(row["value"]), float(floor["value"]), float(row["threshold"])
    own, untestable = (None if pd.isna(entry["reason"]) else str(entry["reason"]) for entry in (row, floor))
    undecided = untestable is not None
    testable = math.nan if math.isnan(sampled) and not undecided else float(not undecided)
    as_it_is, beyond = (math.nan, threshold) if matched else (threshold, math.nan)
    return [
        metric_row(_SHIFT, shift, threshold=as_it_is, undecided=undecided, reason=own),
        metric_row("shift_beyond_floor_in_real_se", shift - sampled, threshold=beyond, undecided=undecided, reason=own),
        metric_row("testable_here", testable, reason=untestable if undecided or not math.isnan(testable) else own),
    ]


def _weights_everybody(design: Design) -> bool:
    return isinstance(design, WeightDesign | EntropyDesign) and design.estimand == "ATE"


def _mark_weight(largest: float) -> dict[str, Any]:
    reached = f"overlap hardly allows the effect in all patients: a weight reaches {LARGEST_WEIGHT:g}" if largest >= LARGEST_WEIGHT else None
    return metric_row("largest_weight", largest, reason=reached)
