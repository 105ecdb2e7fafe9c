"""Which function estimates a contrast of an outcome under a design."""

from __future__ import annotations

from parallax.outcomes.averages import estimate_modelled, estimate_weighted
from parallax.outcomes.hazards import HAZARD_CONTRASTS
from parallax.outcomes.observed import Followed, Observed
from parallax.outcomes.patients import Effect, Modelled, Weighted
from parallax.outcomes.regression import estimate_conditional
from parallax.vocabulary import Contrast


def estimate(observed: Observed, patients: Weighted | Modelled, contrast: Contrast, horizon_days: float | None) -> Effect:
    """The effect; which combinations there are is said by :data:`parallax.capabilities.DESIGNS`. Raises NotEstimable with the reason."""
    if isinstance(patients, Modelled):
        if patients.method == "regression":
            return estimate_conditional(observed, patients, horizon_days)
        return estimate_modelled(observed, patients, contrast, horizon_days)
    if contrast in HAZARD_CONTRASTS and isinstance(observed, Followed):
        return HAZARD_CONTRASTS[contrast](observed, patients, horizon_days)
    return estimate_weighted(observed, patients, contrast, horizon_days)
