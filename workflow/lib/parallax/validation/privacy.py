"""Privacy: does the generator, refitted to part of the real patients, give away whom it saw?"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

from parallax.errors import NotEstimable
from parallax.protocol.cohort import Covariates
from parallax.protocol.outcomes import OutcomesSection
from parallax.protocol.validation import Gates
from parallax.tables import PRIVACY
from parallax.validation.membership import (
    Bounded,
    attack_membership,
    harmless_pass_rate,
    measure_auc,
    measure_true_positives,
    wilson_bound,
)
from parallax.validation.metrics import METRICS, metric_row
from parallax.validation.neighbours import RecordSpace, find_nearest
from parallax.validation.records import RecordColumns

_METRICS = tuple(metric.name for metric in METRICS.values() if metric.table == "privacy")
_SURE_TO_PASS = 0.95


def measure_privacy(
    real: pd.DataFrame,
    split: pd.DataFrame,
    synthetic: pd.DataFrame,
    *,
    covariates: Covariates,
    outcomes: OutcomesSection,
    gates: Gates,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """The PRIVACY table of a generator.

    ``real`` and ``synthetic`` are cohort tables, ``split`` (SPLIT) names the part of each real patient: the generator behind ``synthetic``
    saw ``train`` only. A record is a patient's arm, covariates and outcomes. All replicates are attacked together, since together they are
    released. What is tested is the procedure (a generator fitted to ``train``), not the very draw that would be released. ``rng`` picks the
    train patients that closeness is measured against.
    """
    columns = RecordColumns.of(covariates, outcomes)
    numeric, categorical = columns.numeric, columns.categorical
    if len(synthetic) == 0:
        return _frame([_unmeasured(name, gates, "no synthetic patients") for name in _METRICS])
    part = real[["patient_id"]].merge(split, on="patient_id", how="left", validate="one_to_one")["part"].to_numpy()
    train, control, reference = (np.flatnonzero(part == name) for name in ("train", "control", "reference"))
    hold_out = np.concatenate([control, reference])
    if min(len(train), len(hold_out)) == 0:
        return _frame([_unmeasured(name, gates, "the split has no train patients or no hold-out patients") for name in _METRICS])

    copied = find_copied(real, synthetic, numeric=numeric, categorical=categorical)
    space = RecordSpace.of([real, synthetic], numeric=numeric, categorical=categorical)
    records, drawn = space.place(real), space.place(synthetic)
    near = rng.permutation(train)[: len(hold_out)]
    closeness = measure_closeness(records[near], records[hold_out], drawn)
    rows = [
        *_copies(copied[train], copied[hold_out], gates),
        metric_row("closest_to_train", closeness.value, lower=closeness.lower, upper=closeness.upper),
    ]
    try:
        attack = attack_membership(records[train], records[control], records[reference], drawn)
    except NotEstimable as error:
        return _frame([*rows, *(_unmeasured(name, gates, str(error)) for name in _METRICS if name.startswith("membership"))])
    auc, positives = measure_auc(attack), measure_true_positives(attack)
    threshold = METRICS["membership_tpr_at_1pct_fpr"].threshold(gates)
    too_few = positives.lower <= threshold < positives.upper and harmless_pass_rate(attack, threshold) < _SURE_TO_PASS
    return _frame(
        [
            *rows,
            metric_row("membership_auc", auc.value, lower=auc.lower, upper=auc.upper, threshold=METRICS["membership_auc"].threshold(gates)),
            metric_row(
                "membership_tpr_at_1pct_fpr",
                positives.value,
                lower=positives.lower,
                upper=positives.upper,
                threshold=threshold,
                undecided=too_few,
                reason="the hold-out patients are too few: a harmless generator would often exceed the threshold" if too_few else None,
            ),
        ]
    )


def find_copied(real: pd.DataFrame, synthetic: pd.DataFrame, *, numeric: Sequence[str], categorical: Sequence[str]) -> NDArray[np.bool_]:
    """For each real patient whether a synthetic record is the same in every column; missing equals missing. Compared by 64-bit hashes."""
    keys = [_hash(frame, numeric, categorical) for frame in (real, synthetic)]
    return np.isin(keys[0], keys[1])


def measure_closeness(train: NDArray[np.float32], hold_out: NDArray[np.float32], synthetic: NDArray[np.float32]) -> Bounded:
    """Share of synthetic records nearer to a train than to a hold-out patient, ties half; 0.5 for a generator that tells nothing.

    ``train`` must be subsampled to the hold-out's size, or the larger side wins by number alone.

    Interval
        the unit is the real patient, not the synthetic record: with wⱼ the share of synthetic records whose nearest real patient is j and
        Lⱼ = 1 for a train patient, the share is Σ wⱼLⱼ and its variance J/(J − 1)·Σ wⱼ²(Lⱼ − share)², J real patients. A further replicate
        thus adds no certainty by itself. Normal 95 %, two-sided, kept within [0, 1].
    """
    seen, unseen = find_nearest(synthetic, train), find_nearest(synthetic, hold_out)
    to_train = np.where(seen.distance < unseen.distance, 1.0, np.where(seen.distance == unseen.distance, 0.5, 0.0))
    share = float(to_train.mean())
    weight = np.concatenate(
        [
            np.bincount(seen.index, weights=to_train, minlength=len(train)),
            np.bincount(unseen.index, weights=1 - to_train, minlength=len(hold_out)),
        ]
    ) / len(synthetic)
    label = np.repeat([1.0, 0.0], [len(train), len(hold_out)])
    variance = len(label) / (len(label) - 1) * float((weight**2 * (label - share) ** 2).sum())
    margin = float(ndtri(0.975)) * math.sqrt(variance)
    return Bounded(share, max(0.0, share - margin), min(1.0, share + margin))


def bound_excess(seen: float, n_seen: int, unseen: float, n_unseen: int) -> Bounded:
    """Difference of two independent shares with one-sided 95 % bounds: Wilson's bounds of each, squared and added (Newcombe 1998, method 10)."""
    excess = seen - unseen
    above = math.hypot(wilson_bound(seen, n_seen, upper=True) - seen, unseen - wilson_bound(unseen, n_unseen, upper=False))
    below = math.hypot(seen - wilson_bound(seen, n_seen, upper=False), wilson_bound(unseen, n_unseen, upper=True) - unseen)
    return Bounded(excess, max(-1.0, excess - below), min(1.0, excess + above))


def _copies(seen: NDArray[np.bool_], unseen: NDArray[np.bool_], gates: Gates) -> list[dict[str, object]]:
    shares = float(seen.mean()), float(unseen.mean())
    excess = bound_excess(shares[0], len(seen), shares[1], len(unseen))
    return [
        metric_row("copies_of_train", shares[0]),
        metric_row("copies_of_hold_out", shares[1]),
        metric_row("excess_copies", excess.value, lower=excess.lower, upper=excess.upper, threshold=METRICS["excess_copies"].threshold(gates)),
    ]


def _hash(frame: pd.DataFrame, numeric: Sequence[str], categorical: Sequence[str]) -> NDArray[np.uint64]:
    numbers = frame[list(numeric)].astype("float64") + 0.0  # adding zero makes −0 and 0 one value
    texts = frame[list(categorical)].astype("string")
    return np.asarray(pd.util.hash_pandas_object(pd.concat([numbers, texts], axis=1), index=False), dtype=np.uint64)


def _unmeasured(name: str, gates: Gates, reason: str) -> dict[str, object]:
    return metric_row(name, math.nan, threshold=METRICS[name].threshold(gates), reason=reason)


def _frame(rows: list[dict[str, object]]) -> pd.DataFrame:
    return PRIVACY.validate(pd.DataFrame(rows, columns=list(PRIVACY.columns)))
