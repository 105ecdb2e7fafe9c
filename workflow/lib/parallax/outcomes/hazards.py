"""Contrasts of hazards under a design that weights or matches; where events compete, hazards are those of the event's own cause.

Of pooled patients, each site has a baseline hazard of its own: patients are compared with those at risk at their site.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from parallax.errors import NotEstimable
from parallax.outcomes.observed import Followed, require_arms
from parallax.outcomes.patients import Effect, Weighted
from parallax.statistics.cox import fit_cox
from parallax.statistics.log_rank import LogRank, compare_hazards
from parallax.statistics.proportional_hazards import HazardTrend, measure_trend

FloatArray = NDArray[np.float64]


def estimate_hazard_ratio(followed: Followed, patients: Weighted, horizon_days: float | None) -> Effect:
    """Marginal hazard ratio: Cox model with the arm alone, Efron ties, follow-up censored at the horizon.

    Variance
        model-based where all weights are equal and patients independent; under weights the robust sandwich (Binder 1992, eq. 2.6; Lin and
        Wei 1989), which accounts for the estimation of the weights where the design asks for it; summed over matched sets under matching
        (Austin 2014).
    """
    require_arms(followed, patients.treated, patients.inside, horizon_days)
    seen, arm = followed.until(horizon_days), patients.treated.astype(np.float64)[:, None]
    fit = fit_cox(seen.time, seen.event, arm, weights=patients.weight, strata=seen.stratum)
    log_ratio = float(fit.coefficients[0])
    if patients.variance_method == "unweighted":
        return Effect.of(log_ratio, float(np.sqrt(fit.covariance_naive[0, 0])), ratio=True, method="model-based")

    def anew(weight: FloatArray) -> float:
        return float(fit_cox(seen.time, seen.event, arm, weights=weight, strata=seen.stratum).coefficients[0])

    return patients.infer(log_ratio, fit.influence[:, 0], anew, ratio=True, label="robust")


def estimate_interval_hazard_ratio(followed: Followed, patients: Weighted, horizon_days: float | None) -> Effect:
    """Hazard ratio from the horizon before (or the index date) to this one, among the patients still followed then.

    Assumption: hazards are proportional within the interval only. Those still at risk are a selection by treatment: the ratios of later
    intervals are descriptions, not effects (Hernán 2010).
    """
    start = followed.start_of_interval(horizon_days)
    at_risk = followed.time > start
    if not (at_risk & patients.inside).any():
        raise NotEstimable("nobody is followed into the interval")
    resampled = None if patients.resampled is None else patients.resampled * at_risk
    there = replace(patients, weight=patients.weight * at_risk, resampled=resampled)
    return estimate_hazard_ratio(followed, there, horizon_days)


def estimate_log_rank(followed: Followed, patients: Weighted, horizon_days: float | None) -> Effect:
    """Peto's one-step hazard ratio; its p-value is the log-rank test's (with weights the robust score test of the Cox model's)."""
    require_arms(followed, patients.treated, patients.inside, horizon_days)
    seen = followed.until(horizon_days)

    def under(weight: FloatArray) -> LogRank:
        return compare_hazards(seen.time, seen.event, patients.treated, weights=weight, strata=seen.stratum)

    found = under(patients.weight)
    if patients.variance_method == "unweighted":
        return Effect.of(found.log_ratio, float(np.sqrt(found.variance)), ratio=True, method="hypergeometric")
    return patients.infer(found.log_ratio, found.influence, lambda weight: under(weight).log_ratio, ratio=True, label="robust")


def estimate_hazard_ratio_trend(followed: Followed, patients: Weighted, horizon_days: float | None) -> Effect:
    """The ratio of the hazard ratio at the end of follow-up to that at the beginning; its p-value is the test of proportional hazards."""
    require_arms(followed, patients.treated, patients.inside, horizon_days)
    seen = followed.until(horizon_days)

    def under(weight: FloatArray) -> HazardTrend:
        return measure_trend(seen.time, seen.event, patients.treated, weights=weight, strata=seen.stratum)

    found = under(patients.weight)
    if patients.variance_method == "unweighted":
        return Effect.of(found.slope, float(np.sqrt(found.variance)), ratio=True, method="model-based")
    return patients.infer(found.slope, found.influence, lambda weight: under(weight).slope, ratio=True, label="robust")


#: a new contrast of hazards is one function above and one line here
HAZARD_CONTRASTS: Final[Mapping[str, Callable[[Followed, Weighted, float | None], Effect]]] = {
    "hazard_ratio": estimate_hazard_ratio,
    "interval_hazard_ratio": estimate_interval_hazard_ratio,
    "hazard_ratio_trend": estimate_hazard_ratio_trend,
    "log_rank": estimate_log_rank,
}
