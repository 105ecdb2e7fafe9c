"""Contrasts of averages over patients: risks, means, rates and restricted means, by weights or by outcome models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from parallax.outcomes.adjustment import adjust_means, adjust_risks
from parallax.outcomes.observed import Observed, Valued, require_arms
from parallax.outcomes.patients import Effect, Modelled, Weighted
from parallax.statistics.arm_means import weighted_means, weighted_rates
from parallax.statistics.arms import ArmDifference, ArmPair
from parallax.statistics.competing_risks import cumulative_incidences
from parallax.statistics.survival import restricted_means, risks
from parallax.vocabulary import RATIO_CONTRASTS

FloatArray = NDArray[np.float64]

#: by contrast: how it is made of the two arms' quantities; a new one is one line here
AVERAGE_CONTRASTS: Final[Mapping[str, Callable[[ArmPair], ArmDifference]]] = {
    "risk_difference": ArmPair.difference,
    "risk_ratio": ArmPair.log_ratio,
    "odds_ratio": ArmPair.log_odds_ratio,
    "rmst_difference": ArmPair.difference,
    "rmst_ratio": ArmPair.log_ratio,
    "mean_difference": ArmPair.difference,
    "rate_ratio": ArmPair.log_ratio,
}


def estimate_weighted(observed: Observed, patients: Weighted, contrast: str, horizon_days: float | None) -> Effect:
    """The contrast of weighted averages, variance by influence function.

    Risks and restricted means come from weighted Kaplan–Meier curves, or from Aalen–Johansen cumulative incidences where events compete (a
    restricted mean is then the mean time free of any of the events); means and rates are weighted ones, the estimates of a generalised linear
    model with the arm alone (HC0 or clustered).
    """
    require_arms(observed, patients.treated, patients.inside, horizon_days)
    measure = AVERAGE_CONTRASTS[contrast]

    def under(weight: FloatArray) -> ArmDifference:
        return measure(_average(observed, patients.treated, weight, contrast, horizon_days))

    found = under(patients.weight)
    ratio = contrast in RATIO_CONTRASTS
    return patients.infer(found.estimate, found.influence, lambda weight: under(weight).estimate, ratio=ratio, label="influence function")


def estimate_modelled(observed: Observed, patients: Modelled, contrast: str, horizon_days: float | None) -> Effect:
    """The contrast of averages by g-computation, AIPW or TMLE (:mod:`parallax.outcomes.adjustment`), variance by influence function."""
    among = observed.among(patients.inside)
    require_arms(among, patients.treated, np.ones(len(patients.treated), dtype=bool), horizon_days)
    nuisances = (patients.treated, patients.propensity, patients.regressors, patients.folds)
    asked = {"method": patients.method, "estimand": patients.estimand}
    if isinstance(among, Valued):
        pair = adjust_means(among.value, *nuisances, family=among.family, **asked)  # type: ignore[arg-type]
    else:
        assert horizon_days is not None, "a risk has a horizon"  # noqa: S101 -- the protocol's checks see to it
        pair = adjust_risks(among.time, among.event, *nuisances, horizon_days, **asked)  # type: ignore[arg-type]
    found = AVERAGE_CONTRASTS[contrast](pair)
    return Effect.of(found.estimate, found.std_error, ratio=contrast in RATIO_CONTRASTS, method="influence function of the outcome model")


def _average(observed: Observed, treated: NDArray[np.bool_], weight: FloatArray, contrast: str, horizon_days: float | None) -> ArmPair:
    if isinstance(observed, Valued):
        if observed.family == "count":
            return weighted_rates(observed.value, observed.exposure, treated, weights=weight)
        return weighted_means(observed.value, treated, weights=weight)
    assert horizon_days is not None, "a risk or a restricted mean has a horizon"  # noqa: S101 -- the protocol's checks see to it
    if contrast.startswith("rmst"):
        return restricted_means(observed.time, observed.kind > 0, treated, horizon_days, weights=weight)
    if observed.competing:
        return cumulative_incidences(observed.time, observed.kind, treated, horizon_days, 1, weights=weight)
    return risks(observed.time, observed.event, treated, horizon_days, weights=weight)
