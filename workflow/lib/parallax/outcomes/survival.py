"""Effects on a survival outcome, one function per contrast, and survival curves by arm."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from parallax.errors import NotEstimable
from parallax.statistics.arms import ArmDifference
from parallax.statistics.bootstrap import bootstrap_std_error
from parallax.statistics.cox import fit_cox
from parallax.statistics.intervals import normal_interval, normal_p_value
from parallax.statistics.stacked import EstimatedWeights, stack_influence
from parallax.statistics.survival import kaplan_meier, restricted_mean_difference, survival_difference


@dataclass(frozen=True, slots=True)
class Followed:
    """The patients of one replicate under one design.

    ``time`` in days, ``event``, ``treated``, ``weight`` (all (n,)), weight 0 for who is outside the design; ``clusters`` (n,) numbers the
    matched sets, None where patients are independent; ``estimated`` what is known of how the weights were estimated, None where the
    variance takes them as known; ``resampled`` (B, n) the weights of a bootstrap, None where there is none.
    """

    time: NDArray[np.float64]
    event: NDArray[np.bool_]
    treated: NDArray[np.bool_]
    weight: NDArray[np.float64]
    clusters: NDArray[np.int64] | None = None
    estimated: EstimatedWeights | None = None
    resampled: NDArray[np.float64] | None = None

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Who takes part in the design."""
        return self.weight > 0

    @property
    def variance_method(self) -> str:
        """How standard errors deal with the design."""
        if self.resampled is not None:
            return f"bootstrap of {len(self.resampled)} resamples"
        if self.estimated is not None:
            return "stacked estimating equations"
        if self.clusters is not None:
            return "clustered by matched set"
        return "weights as known" if np.ptp(self.weight[self.inside]) > 0 else "unweighted"

    def std_error(self, influence: NDArray[np.float64], effect: Callable[[NDArray[np.float64]], float]) -> float:
        """√ of the summed squares of the patients' influence on an effect, with what the design adds to it; or the bootstrap's.

        ``effect`` estimates anew under other weights.
        """
        if self.resampled is not None:
            return bootstrap_std_error(effect, self.resampled)
        if self.estimated is not None:
            influence = stack_influence(influence, self.weight, self.estimated)
        if self.clusters is not None:
            influence = np.bincount(self.clusters[self.inside], weights=influence[self.inside]).astype(np.float64)
        return float(np.sqrt(np.sum(influence**2)))

    def until(self, horizon_days: float | None) -> Followed:
        """The same patients with follow-up censored at the horizon."""
        if horizon_days is None:
            return self
        late = self.time > horizon_days
        return replace(self, time=np.minimum(self.time, horizon_days), event=self.event & ~late)


@dataclass(frozen=True, slots=True)
class Effect:
    """An estimate on its natural scale; ``std_error`` of the logarithm for ratios."""

    estimate: float
    std_error: float
    lower: float
    upper: float
    p_value: float
    variance_method: str


def estimate_hazard_ratio(patients: Followed, horizon_days: float | None) -> Effect:
    """Marginal hazard ratio: Cox model with the arm alone, Efron ties, follow-up censored at the horizon.

    Variance
        model-based where all weights are equal and patients independent; under weights the robust sandwich (Binder 1992, eq. 2.6; Lin and
        Wei 1989), which accounts for the estimation of the weights where the design asks for it; summed over matched sets under matching
        (Austin 2014).
    """
    seen = patients.until(horizon_days)
    _require_events(seen)
    arm = seen.treated.astype(np.float64)[:, None]
    fit = fit_cox(seen.time, seen.event, arm, weights=seen.weight)
    log_ratio = float(fit.coefficients[0])
    model_based = seen.variance_method == "unweighted"
    std_error = (
        float(np.sqrt(fit.covariance_naive[0, 0]))
        if model_based
        else seen.std_error(fit.influence[:, 0], lambda weight: float(fit_cox(seen.time, seen.event, arm, weights=weight).coefficients[0]))
    )
    lower, upper = normal_interval(log_ratio, std_error)
    method = "model-based" if model_based else seen.variance_method if seen.resampled is not None else f"robust, {seen.variance_method}"
    return Effect(float(np.exp(log_ratio)), std_error, float(np.exp(lower)), float(np.exp(upper)), normal_p_value(log_ratio, std_error), method)


def estimate_risk_difference(patients: Followed, horizon_days: float | None) -> Effect:
    """Risk by the horizon, treated minus comparator, from weighted Kaplan–Meier curves; influence-function variance."""
    _require_events(patients.until(horizon_days))
    return _difference(survival_difference, patients, horizon_days)


def estimate_rmst_difference(patients: Followed, horizon_days: float | None) -> Effect:
    """Mean days lived up to the horizon, treated minus comparator, from weighted Kaplan–Meier curves; influence-function variance."""
    _require_events(patients.until(horizon_days))
    return _difference(restricted_mean_difference, patients, horizon_days)


#: a new contrast is one function above and one line here
CONTRASTS: Final[Mapping[str, Callable[[Followed, float | None], Effect]]] = {
    "hazard_ratio": estimate_hazard_ratio,
    "risk_difference": estimate_risk_difference,
    "rmst_difference": estimate_rmst_difference,
}


def trace_curves(patients: Followed) -> pd.DataFrame:
    """Weighted Kaplan–Meier curve per arm with pointwise 95 % bands; the first row of an arm is day 0.

    ``at_risk`` counts weights scaled to a mean of one, but never more than there are patients: a large weight is no crowd.
    """
    parts = []
    for arm, rows in (("treated", patients.treated), ("comparator", ~patients.treated)):
        inside = rows & patients.inside
        if not inside.any():
            continue
        curve = kaplan_meier(patients.time[inside], patients.event[inside], weights=patients.weight[inside])
        followed = np.sort(patients.time[inside])
        left = followed.size - np.searchsorted(followed, curve.times, side="left")
        at_risk = np.minimum(curve.at_risk * followed.size / curve.at_risk[0], left)
        steps = pd.DataFrame({"time_days": curve.times, "survival": curve.survival, "lower": curve.lower, "upper": curve.upper, "at_risk": at_risk})
        parts.append(steps.assign(arm=arm))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["time_days", "survival", "lower", "upper", "at_risk", "arm"])


def _difference(kernel: Callable[..., ArmDifference], patients: Followed, horizon_days: float | None) -> Effect:
    def under(weight: NDArray[np.float64]) -> ArmDifference:
        return kernel(patients.time, patients.event, patients.treated, horizon_days, weights=weight)

    found = under(patients.weight)
    std_error = patients.std_error(found.influence, lambda weight: under(weight).estimate)
    lower, upper = normal_interval(found.estimate, std_error)
    method = patients.variance_method if patients.resampled is not None else f"influence function, {patients.variance_method}"
    return Effect(found.estimate, std_error, lower, upper, normal_p_value(found.estimate, std_error), method)


def _require_events(patients: Followed) -> None:
    inside = patients.inside
    for arm, rows in (("treated", patients.treated), ("comparator", ~patients.treated)):
        if not (inside & rows).any():
            raise NotEstimable(f"the {arm} arm has no patients")
        if not (inside & rows & patients.event).any():
            raise NotEstimable(f"no events in the {arm} arm by the horizon")
