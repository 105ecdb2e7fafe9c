"""The membership attack by shadow models: a likelihood ratio of how near a generator draws with the patient and without."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from parallax.errors import NotEstimable, StatisticsError
from parallax.protocol.validation import Gates
from parallax.validation.bounds import CONFIDENCE, Bounded, rank_above_quantile, rank_below_quantile, wilson_bound
from parallax.validation.judging import judge_auc, judge_true_positives
from parallax.validation.membership import FALSE_POSITIVES, share_below
from parallax.validation.metrics import METRICS, NOT_INFORMATIVE, SHADOWED, metric_row

_RARELY: Final = 0.001
_STATISTICS: Final = ["nearest", "typical"]
_GROUPS: Final = {"shadow_outlier_auc": "outlier", "shadow_rare_auc": "rare"}
_NOT_ASKED_FOR: Final = "not asked for: the protocol's privacy.shadow_models is 0"


@dataclass(frozen=True, slots=True)
class ShadowAttack:
    """Scores of n patients in each of P pairs of shadow models, one of which saw the patient and one did not: ``members`` and ``others`` (P, n).

    A high score says "member".
    """

    members: NDArray[np.float64]
    others: NDArray[np.float64]

    def among(self, group: NDArray[np.bool_]) -> Self:
        """The attack on a group of the patients, (n,); NotEstimable where there are fewer than two."""
        if group.sum() < 2:
            raise NotEstimable("fewer than two of them were attacked")
        return type(self)(self.members[:, group], self.others[:, group])


def attack_pairs(statistics: NDArray[np.float64], member: NDArray[np.bool_]) -> ShadowAttack:
    """Likelihood-ratio attack (Carlini et al. 2022, LiRA, eq. 4 and algorithm 1) on every pair of shadow models, each a target for the others.

    ``statistics`` (K, n, q) of n patients in K shadow models, ``member`` (K, n) who saw whom; models 2p and 2p + 1 saw complementary halves.

    Score
        t the patient's statistics in the target; log N(t; μ + δ/2, Σ) − log N(t; μ − δ/2, Σ) = δᵀΣ⁻¹(t − μ). μ is the patient's own mean over the
        other pairs; δ, what seeing a patient changes, and Σ are those of all patients in the other pairs, from the differences within pairs
        (mean δ, covariance 2Σ). A direction in which Σ has no spread is left out. The scale of the ratio rests on δ, which few pairs tell badly: the
        score is its rank among the target pair's, as a share.
    Assumption
        none for a harmless generator: both models of the target's pair are left out, so that every patient was seen by half of the models that are
        left, and the target's two scores could be exchanged. With the target alone left out the means with and without the patient would rest on
        different numbers of models, and the area under the curve fall below one half. Normality is what the power rests on.
    """
    if statistics.shape[0] < 4 or statistics.shape[0] % 2 or not np.array_equal(member[::2], ~member[1::2]):
        raise StatisticsError("shadow models: at least two pairs are needed, each of two complementary halves")
    if statistics.shape[1] < 2:
        raise NotEstimable("fewer than two patients were attacked")
    first, second, seen = statistics[::2], statistics[1::2], member[::2, :, None]
    pairs = np.stack([np.where(seen, first, second), np.where(seen, second, first)])
    scores = np.empty(pairs.shape[:3])
    for target in range(pairs.shape[1]):
        known = np.delete(pairs, target, axis=1)
        changes = (known[0] - known[1]).reshape(-1, pairs.shape[3])
        spread = np.atleast_2d(np.cov(changes, rowvar=False)) / 2
        weights = np.linalg.pinv(spread, hermitian=True) @ changes.mean(axis=0)
        ratios = ((pairs[:, target] - known.mean(axis=(0, 1))) @ weights).ravel()
        scores[:, target] = share_below(ratios, ratios).reshape(2, -1)
    return ShadowAttack(scores[0], scores[1])


def measure_shadow_auc(attack: ShadowAttack) -> Bounded:
    """Area under the ROC curve over patients and shadow models; ties count half.

    Bounds
        normal, one-sided 95 %, kept within [0, 1]. A patient occurs in every pair, as a member and as none, so that the patient is the unit: the
        sum of both placement values, averaged over pairs, varies between patients (Obuchowski 1997, Biometrics 53:567). A fit that gives away
        more than another does so for all of its patients: what the pairs' means vary by beyond that is added (two-way clustering, Cameron,
        Gelbach and Miller 2011: the variance by patient and that by pair, less that of single scores), with Student's quantile for P − 1. Of a
        harmless generator it is zero but for chance.
    """
    others, members = attack.others.ravel(), attack.members.ravel()
    placed = share_below(members, others).reshape(attack.members.shape)
    passed = 1 - share_below(others, members).reshape(attack.others.shape)
    value, told = float(placed.mean()), placed + passed
    own = float(ndtri(CONFIDENCE)) * math.sqrt(told.mean(axis=0).var(ddof=1) / told.shape[1])
    margin = math.hypot(own, _margin_of_pairs(told, float(stdtrit(len(told) - 1, CONFIDENCE))))
    return Bounded(value, max(0.0, value - margin), min(1.0, value + margin))


def measure_shadow_positives(attack: ShadowAttack, false_positives: float = FALSE_POSITIVES) -> Bounded:
    """Share of members' scores above the threshold that a share of ``false_positives`` of the non-members' exceed.

    Bounds
        as in ``measure_true_positives``, with the n patients for the number of scores on either side, whatever the number of pairs: a mean of a
        patient's P scores varies at most as much as one of them. What pairs vary by beyond it is joined by squares, with the normal quantile, since
        the rest is more than enough already.
    """
    pairs, n = attack.members.shape
    others = np.sort(attack.others.ravel())[::-1]
    caught = attack.members > others[math.floor(false_positives * len(others))]
    value, shared = float(caught.mean()), _margin_of_pairs(caught.astype(np.float64), float(ndtri(CONFIDENCE)))
    low, high = rank_below_quantile(n, false_positives), rank_above_quantile(n, false_positives)
    loose = float((attack.members > others[low * pairs - 1]).mean()) if low <= n else 1.0
    strict = float((attack.members > others[high * pairs - 1]).mean()) if high >= 1 else 0.0
    return Bounded(
        value,
        max(0.0, value - math.hypot(value - strict, value - wilson_bound(value, n, upper=False), shared)),
        min(1.0, value + math.hypot(loose - value, wilson_bound(value, n, upper=True) - value, shared)),
    )


def attack_by_shadows(tables: Sequence[pd.DataFrame], gates: Gates) -> list[dict[str, object]]:
    """The rows of PRIVACY that rest on shadow models, from their SHADOW tables in order; where there are none they were not asked for."""
    if not tables:
        return [metric_row(name, math.nan, reason=_NOT_ASKED_FOR) for name in SHADOWED]
    patients = tables[0]["patient_id"]
    if not all(table["patient_id"].equals(patients) for table in tables):
        return _unmeasured(gates, "a shadow model could not be fitted, or drew nobody")
    try:
        statistics, member = np.stack([table[_STATISTICS].to_numpy() for table in tables]), np.stack([table["member"] for table in tables])
        attack = attack_pairs(statistics, member)
    except NotEstimable as error:
        return _unmeasured(gates, str(error))
    rarely = measure_shadow_positives(attack, _RARELY)
    rows = [
        judge_auc("shadow_auc", measure_shadow_auc(attack), len(patients), gates),
        judge_true_positives("shadow_tpr_at_1pct_fpr", measure_shadow_positives(attack), len(patients), len(patients), gates),
        metric_row("shadow_tpr_at_01pct_fpr", rarely.value, lower=rarely.lower, upper=rarely.upper),
    ]
    for name, group in _GROUPS.items():
        inside = tables[0][group].to_numpy()
        try:
            rows.append(judge_auc(name, measure_shadow_auc(attack.among(inside)), int(inside.sum()), gates, vital=False))
        except NotEstimable as error:
            rows.append(metric_row(name, math.nan, threshold=METRICS[name].threshold(gates), reason=f"{NOT_INFORMATIVE}{error}"))
    return rows


def _unmeasured(gates: Gates, reason: str) -> list[dict[str, object]]:
    return [metric_row(name, math.nan, threshold=METRICS[name].threshold(gates), reason=reason) for name in SHADOWED]


def _margin_of_pairs(values: NDArray[np.float64], quantile: float) -> float:
    """The margin that pairs add to the mean of ``values`` (P, n): what the pairs' means vary by, less what patients alone cause."""
    pairs, n = values.shape
    excess = values.mean(axis=1).var(ddof=1) / pairs - values.var(axis=1, ddof=1).mean() / (pairs * n)
    return quantile * math.sqrt(max(0.0, float(excess)))
