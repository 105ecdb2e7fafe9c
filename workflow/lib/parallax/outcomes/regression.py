"""The effect of treatment between patients alike in all covariates: regression of the outcome on treatment and covariates."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from parallax.errors import NotEstimable
from parallax.outcomes.observed import Followed, Observed, Valued, require_arms
from parallax.outcomes.patients import Effect, Modelled
from parallax.statistics.cox import fit_cox

FloatArray = NDArray[np.float64]


def estimate_conditional(observed: Observed, patients: Modelled, horizon_days: float | None) -> Effect:
    """The coefficient of treatment beside the covariates' main effects.

    Assumption: the model is right, and the effect the same for all patients. Hazard and odds ratios are not collapsible: they differ from the
    marginal ones of other designs even without confounding. Cox regression (Efron ties, model-based variance) for survival; logistic, linear
    or Poisson regression (statsmodels' GLM, the latter with log person-time as offset; HC0 sandwich) for the others.
    Raises NotEstimable where the model has no finite estimate.
    """
    among = observed.among(patients.inside)
    require_arms(among, patients.treated, np.ones(len(patients.treated), dtype=bool), horizon_days)
    columns = np.column_stack([patients.treated.astype(np.float64), patients.regressors])
    if isinstance(among, Followed):
        seen = among.until(horizon_days)
        return _fit_cox(seen, columns)
    return _fit_glm(among, columns)


def _fit_cox(seen: Followed, columns: FloatArray) -> Effect:
    """Each site of pooled patients has a baseline hazard of its own, so that no column may be constant within all of them.

    Where nobody of a level has the event, the likelihood has no maximum but a limit: those patients' hazard is zero, they leave the risk sets,
    and the others are fitted without them (Geyer 2009, section 3.2)."""
    rows, kept = np.ones(len(columns), dtype=bool), np.arange(columns.shape[1])
    stratum = np.zeros(len(columns), dtype=np.int64) if seen.stratum is None else seen.stratum
    while True:
        varying = np.any([np.ptp(columns[rows & (stratum == one)][:, kept], axis=0) > 0 for one in np.unique(stratum[rows])], axis=0)
        kept = kept[varying | (kept == 0)]
        try:
            fit = fit_cox(seen.time[rows], seen.event[rows], columns[rows][:, kept], strata=stratum[rows])
        except NotEstimable as error:
            named = [int(kept[column]) for column in error.columns]
            among_events = columns[rows & seen.event]
            empty = [column for column in named if column > 0 and np.ptp(among_events[:, column]) == 0]
            if empty:
                for column in empty:
                    rows &= columns[:, column] == among_events[0, column]
            elif str(error).startswith("collinear") and 0 not in named:
                kept = np.setdiff1d(kept, named)
            else:
                raise
            continue
        return Effect.of(float(fit.coefficients[0]), float(np.sqrt(fit.covariance_naive[0, 0])), ratio=True, method="model-based")


def _fit_glm(valued: Valued, columns: FloatArray) -> Effect:
    import statsmodels.api as sm
    from statsmodels.tools.sm_exceptions import ConvergenceWarning, DomainWarning, PerfectSeparationWarning

    family = {"binary": sm.families.Binomial, "continuous": sm.families.Gaussian, "count": sm.families.Poisson}[valued.family]()
    offset = {"offset": np.log(valued.exposure)} if valued.family == "count" else {}
    with warnings.catch_warnings():
        for fault in (ConvergenceWarning, DomainWarning, PerfectSeparationWarning, RuntimeWarning):
            warnings.simplefilter("error", fault)
        try:
            fitted = sm.GLM(valued.value, sm.add_constant(columns, has_constant="add"), family=family, **offset).fit(cov_type="HC0", tol=1e-12)
        except (ConvergenceWarning, DomainWarning, PerfectSeparationWarning, RuntimeWarning, np.linalg.LinAlgError) as fault:
            raise NotEstimable("the outcome regression has no finite estimate: the covariates separate the outcome, or there are too many") from fault
    estimate, std_error = float(fitted.params[1]), float(fitted.bse[1])
    if not (np.isfinite(estimate) and np.isfinite(std_error)) or np.abs(fitted.params[1:]).max() > 30:
        raise NotEstimable("the outcome regression has no finite estimate: the covariates separate the outcome, or there are too many")
    return Effect.of(estimate, std_error, ratio=valued.family != "continuous", method="HC0 sandwich")
