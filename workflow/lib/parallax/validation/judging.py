"""What an attack's number means for its gate: passed, failed, or no answer, and then why.

A number whose upper bound keeps the threshold passes. One whose lower bound exceeds it fails. In between it fails only where the hold-out is large
enough that a generator that tells nothing would pass in 995 of 1,000 studies, since there are some twenty gates; where it is not, the patients are
too few to tell. An attack that does no better than guessing says nothing at all. Neither is ever a pass.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

from parallax.protocol.validation import Gates
from parallax.validation.bounds import CONFIDENCE, Bounded
from parallax.validation.copies import bound_excess
from parallax.validation.membership import Attack, harmless_pass_rate, measure_true_positives
from parallax.validation.metrics import METRICS, NOT_INFORMATIVE, metric_row
from parallax.validation.risk import Outcome, harmless_margin, measure_risk

#: with fewer patients kept from the generator no attack but the search for copies passes
LEAST_HOLD_OUT: Final = 30

_SURE_TO_PASS: Final = 0.995
#: how many margins of a one-sided 95 % bound must lie between chance and the threshold for a harmless generator to be that sure to pass
_MARGINS: Final = float(1 + ndtri(_SURE_TO_PASS) / ndtri(CONFIDENCE))
_TOO_FEW: Final = "the patients are too few: a harmless generator would often exceed the threshold"
_FAR_TOO_FEW: Final = f"fewer than {LEAST_HOLD_OUT} patients were kept from the generator"


def judge_auc(name: str, found: Bounded, hold_out: int, gates: Gates, *, vital: bool = True) -> dict[str, object]:
    """An area under the ROC curve. A harmless generator surely passes if the bound's margin fits often enough between 0.5 and the threshold."""
    threshold = METRICS[name].threshold(gates)
    return _judge(name, found, threshold, hold_out=hold_out, sure=_margin(found) <= (threshold - 0.5) / _MARGINS, vital=vital)


def judge_positives(name: str, attack: Attack, gates: Gates) -> dict[str, object]:
    """True positives at 1 % false positives."""
    others = sum(len(part) for part in attack.others)
    return judge_true_positives(name, measure_true_positives(attack), attack.members.shape[1], others, gates)


def judge_true_positives(name: str, found: Bounded, members: int, others: int, gates: Gates) -> dict[str, object]:
    """True positives at 1 % false positives with their bounds, of so many patients seen and not seen."""
    threshold = METRICS[name].threshold(gates)
    sure = harmless_pass_rate(members, others, threshold) >= _SURE_TO_PASS
    return _judge(name, found, threshold, hold_out=others, sure=sure, vital=True)


def judge_risk(name: str, outcome: Outcome, hold_out: int, gates: Gates, *, note: str | None = None) -> dict[str, object]:
    """A risk R; ``note`` says what it is of."""
    threshold, found = METRICS[name].threshold(gates), measure_risk(outcome.seen, outcome.control)
    if not outcome.beats_guessing:
        return _row(name, found, threshold, f"{NOT_INFORMATIVE}the attack does no better than guessing")
    if outcome.control.successes == outcome.control.attempts:
        return _row(name, found, threshold, f"{NOT_INFORMATIVE}the attack gets every patient not seen, so that nothing is left to gain")
    sure = harmless_margin(outcome) <= threshold / _MARGINS
    return _judge(name, found, threshold, hold_out=hold_out, sure=sure, vital=False, note=note)


def judge_worst_risk(name: str, outcomes: Mapping[str, Outcome], gates: Gates) -> dict[str, object]:
    """The gravest of the risks of several sensitive columns by their names: one that fails, or else one without an answer, or else the largest bound.

    Every column must keep the threshold, so that none may hide behind one with a wider interval.
    """
    rows = [
        judge_risk(name, outcome, outcome.control.attempts, gates, note=f"of {column}" if len(outcomes) > 1 else None)
        for column, outcome in outcomes.items()
    ]

    def gravity(row: dict[str, object]) -> tuple[bool, bool, float]:
        decided = row["passed"] is not pd.NA
        return decided and not row["passed"], not decided, float(str(row["upper"]))

    return max(rows, key=gravity)


def judge_excess(name: str, seen: NDArray[np.bool_], unseen: NDArray[np.bool_], gates: Gates) -> dict[str, object]:
    """The excess of a share among patients seen over that among those not seen.

    Where patients not seen are matched as well, the excess is judged as any number. Where there are none, an excess proven is a failure; one
    that is not leaves the verdict open if somebody was copied, and tells nothing if nobody was.
    """
    threshold = METRICS[name].threshold(gates)
    if min(len(seen), len(unseen)) == 0:
        reason = f"{NOT_INFORMATIVE}nobody of this kind was seen, or none kept from the generator"
        return metric_row(name, math.nan, threshold=threshold, reason=reason)
    shares = float(seen.mean()), float(unseen.mean())
    found = bound_excess(shares[0], len(seen), shares[1], len(unseen))
    if shares[1] > 0:
        return _judge(name, found, threshold, hold_out=len(unseen), sure=_margin(found) <= threshold / _MARGINS, vital=False)
    if found.upper <= threshold or found.lower > 0:
        return _row(name, found, threshold, None)
    if shares[0] > 0:
        return _row(name, found, threshold, "the patients are too few to tell copies from coincidences")
    return _row(name, found, threshold, f"{NOT_INFORMATIVE}nobody was copied, but the patients are too few to bound it")


def _margin(found: Bounded) -> float:
    return max(found.value - found.lower, found.upper - found.value)


def _judge(name: str, found: Bounded, threshold: float, *, hold_out: int, sure: bool, vital: bool, note: str | None = None) -> dict[str, object]:
    """``vital`` attacks leave the verdict open where they have no answer; others are then not informative."""
    reason = None
    if found.lower <= threshold:
        reason = _FAR_TOO_FEW if hold_out < LEAST_HOLD_OUT else _TOO_FEW if found.upper > threshold and not sure else None
    if reason is not None and not vital:
        reason = f"{NOT_INFORMATIVE}{reason}"
    return _row(name, found, threshold, reason, note=note)


def _row(name: str, found: Bounded, threshold: float, reason: str | None, *, note: str | None = None) -> dict[str, object]:
    numbers = {"lower": found.lower, "upper": found.upper, "threshold": threshold}
    return metric_row(name, found.value, **numbers, undecided=reason is not None, reason=reason or note)
