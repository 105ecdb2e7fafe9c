"""The log-rank test of two arms, and the hazard ratio in one step that it tests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from parallax.errors import NotEstimable
from parallax.statistics.domain import FloatArray, check_binary, check_labels, check_times, check_weights


@dataclass(frozen=True, slots=True)
class LogRank:
    """``log_ratio`` (O − E)/V of the treated, Peto's one-step log hazard ratio; ``variance`` 1/V of it under the null where weights are equal;
    ``influence`` (n,) of each patient on it; ``observed`` and ``expected`` events of the treated."""

    log_ratio: float
    variance: float
    influence: FloatArray
    observed: float
    expected: float

    @property
    def statistic(self) -> float:
        """The test's χ² with one degree of freedom, all patients weighing the same."""
        return self.log_ratio**2 / self.variance


def compare_hazards(
    time: ArrayLike, event: ArrayLike, treated: ArrayLike, *, weights: ArrayLike | None = None, strata: ArrayLike | None = None
) -> LogRank:
    """Observed less expected events of the treated over their variance (Mantel 1966; Peto & Peto 1972, §3; Yusuf et al. 1985, appendix).

    With d_k events among Y_k at risk, a share p_k of them treated: O − E = Σ d_1k − Σ d_k p_k, and V = Σ d_k p_k (1 − p_k) (Y_k − d_k)/(Y_k − 1),
    the hypergeometric variance. With weights all sums are weighted, V lacks the last factor, and the variance comes from the influences: the
    score residuals at a hazard ratio of one, over V (the robust score test of the weighted Cox model; Lin & Wei 1989, eq. 2.7). Those at risk
    are the patients of a stratum; O − E and V are summed over the strata (Mantel 1966, §3).
    ``time`` (n,) above zero, ``event``, ``treated`` (n,) 0/1, ``weights`` (n,) at least zero, ``strata`` (n,) integers.
    Raises NotEstimable without events, or where nobody of one arm is at risk at any of them.
    """
    t = check_times("time", time)
    d = check_binary("event", event, size=t.size)
    arm = check_binary("treated", treated, size=t.size)
    w = check_weights(weights, size=t.size)
    stratum = np.zeros(t.size, dtype=np.int64) if strata is None else check_labels("strata", strata, size=t.size)
    equal = np.ptp(w[w > 0.0]) == 0.0 if (w > 0.0).any() else True
    observed = expected = total = 0.0
    residual = np.zeros(t.size)
    for one in np.unique(stratum):
        rows = np.flatnonzero((stratum == one) & (w > 0.0))
        if not rows.size:
            continue
        times, rank = np.unique(t[rows], return_inverse=True)
        happens, among, weight = d[rows], arm[rows], w[rows]
        at_risk, of_treated = (np.cumsum(np.bincount(rank, weights=part)[::-1])[::-1] for part in (weight, weight * among))
        events = np.bincount(rank, weights=weight * happens)
        share = of_treated / at_risk
        information = events * share * (1.0 - share)
        if equal:
            patients = at_risk / weight[0]
            information *= np.divide(patients - events / weight[0], patients - 1.0, out=np.zeros(times.size), where=patients > 1.0)
        total += float(information.sum())
        observed, expected = observed + float(weight @ (happens & among)), expected + float(events @ share)
        hazard, of_arm = np.cumsum(events / at_risk), np.cumsum(events / at_risk * share)
        residual[rows] = weight * (happens * (among - share[rank]) - (among * hazard[rank] - of_arm[rank]))
    if total <= 0.0:
        raise NotEstimable("no events while both arms are at risk")
    return LogRank((observed - expected) / total, 1.0 / total, residual / total, observed, expected)
