"""Fidelity: do the synthetic patients look, get treated and fare like the real ones?"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from parallax.protocol.cohort import Covariates
from parallax.protocol.outcomes import OutcomesSection
from parallax.protocol.question import PrimaryEstimate
from parallax.protocol.validation import Gates
from parallax.tables import FIDELITY
from parallax.validation.marginals import measure_half_split_ks, measure_ks, measure_sdmetrics_quality, measure_total_variation
from parallax.validation.metrics import METRICS, metric_row
from parallax.validation.survival_fidelity import FollowUp, measure_half_split_band, measure_km_gap
from parallax.vocabulary import ARMS


def measure_fidelity(
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    *,
    real_overlap: pd.DataFrame,
    synthetic_overlap: pd.DataFrame,
    primary: PrimaryEstimate,
    covariates: Covariates,
    outcomes: OutcomesSection,
    gates: Gates,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """The FIDELITY table of a generator.

    ``real`` and ``synthetic`` are cohort tables, the overlaps OVERLAP tables. Gates: ``propensity_c_gap`` (mean over replicates of the
    primary design's c-statistic, minus the real one) and ``km_gap`` of either arm of the primary outcome (``outcome_gap`` of one that is no
    follow-up): it passes up to the protocol's threshold or up to the real patients' half-split band, whichever is larger. Everything else is
    reported: other outcomes' and censoring's gaps; for each covariate and the arm the distance of the marginals, all replicates together; the
    SDMetrics quality of replicate 0. ``variable`` is the covariate, or ``outcome/arm``. ``rng`` draws the splits.
    """
    rows = [
        _propensity_gap(real_overlap, synthetic_overlap, primary.design, gates),
        *_curve_gaps(real, synthetic, primary.outcome, outcomes, gates, rng),
        *_value_gaps(real, synthetic, primary.outcome, outcomes, gates, rng),
        *_marginal_gaps(real, synthetic, covariates),
        _quality(real, synthetic, covariates, outcomes),
    ]
    return FIDELITY.validate(pd.DataFrame(rows, columns=list(FIDELITY.columns)))


def _propensity_gap(real: pd.DataFrame, synthetic: pd.DataFrame, design: str, gates: Gates) -> dict[str, object]:
    threshold = METRICS["propensity_c_gap"].threshold(gates)
    found = [overlap.loc[overlap["design"] == design, "c_statistic"].to_numpy(dtype=float) for overlap in (real, synthetic)]
    failed = int(np.isnan(found[1]).sum())
    reason = (
        "no propensity score on the real patients"
        if len(found[0]) == 0 or np.isnan(found[0]).any()
        else "no synthetic patients"
        if len(found[1]) == 0
        else f"no propensity score on {failed} of {len(found[1])} replicates"
        if failed
        else None
    )
    value = math.nan if reason else float(found[1].mean() - found[0].mean())
    return {"variable": None} | metric_row("propensity_c_gap", value, threshold=threshold, reason=reason)


def _curve_gaps(
    real: pd.DataFrame, synthetic: pd.DataFrame, primary: str, outcomes: OutcomesSection, gates: Gates, rng: np.random.Generator
) -> Iterator[dict[str, object]]:
    for outcome, section in outcomes.survival.items():
        horizon = max(section.horizons_days)
        for arm in ARMS:
            key: dict[str, object] = {"variable": f"{outcome}/{arm}"}
            allowed = METRICS["km_gap"].threshold(gates) if outcome == primary else math.nan
            patients = _follow(real, outcome, arm)
            drawn = [_follow(replicate, outcome, arm) for _, replicate in synthetic.groupby("replicate", sort=True)]
            empty = sum(len(replicate.time) == 0 for replicate in drawn)
            if len(patients.time) < 2 or not drawn or empty:
                who = "fewer than two real patients" if len(patients.time) < 2 else f"{empty} of {len(drawn)} replicates without patients"
                reason = f"{who} in the {arm} arm" if drawn else "no synthetic patients"
                yield key | metric_row("km_gap", math.nan, threshold=allowed, reason=reason)
                yield key | metric_row("censoring_km_gap", math.nan, reason=reason)
                continue
            gap = measure_km_gap(patients, drawn, horizon_days=horizon)
            band = measure_half_split_band(patients, horizon_days=horizon, rng=rng)
            wider = f"random halves of the real patients differ by up to {band:.3f}, which is allowed" if band > allowed else None
            yield key | metric_row("km_gap", gap, threshold=math.nan if math.isnan(allowed) else max(allowed, band), reason=wider)
            yield key | metric_row("km_half_split_band", band)
            censored = measure_km_gap(patients.censoring(), [replicate.censoring() for replicate in drawn], horizon_days=horizon)
            yield key | metric_row("censoring_km_gap", censored)


def _value_gaps(
    real: pd.DataFrame, synthetic: pd.DataFrame, primary: str, outcomes: OutcomesSection, gates: Gates, rng: np.random.Generator
) -> Iterator[dict[str, object]]:
    """The distance of the distribution functions of each outcome that is no follow-up, by arm; all replicates together."""
    for outcome in outcomes.values:
        for arm in ARMS:
            key: dict[str, object] = {"variable": f"{outcome}/{arm}"}
            allowed = METRICS["outcome_gap"].threshold(gates) if outcome == primary else math.nan
            values = [cohort.loc[cohort["treated"] == (arm == "treated"), f"{outcome}_value"].to_numpy(float) for cohort in (real, synthetic)]
            if len(values[0]) < 2 or len(values[1]) == 0:
                reason = f"{'fewer than two real patients' if len(values[0]) < 2 else 'no synthetic patients'} in the {arm} arm"
                yield key | metric_row("outcome_gap", math.nan, threshold=allowed, reason=reason)
                continue
            band = measure_half_split_ks(values[0], rng=rng)
            wider = f"random halves of the real patients differ by up to {band:.3f}, which is allowed" if band > allowed else None
            gap = measure_ks(values[0], values[1])
            yield key | metric_row("outcome_gap", gap, threshold=math.nan if math.isnan(allowed) else max(allowed, band), reason=wider)
            yield key | metric_row("outcome_half_split_band", band)


def _follow(cohort: pd.DataFrame, outcome: str, arm: str) -> FollowUp:
    patients = cohort[cohort["treated"] == (arm == "treated")]
    return FollowUp(patients[f"{outcome}_days"].to_numpy(dtype=np.float64), patients[f"{outcome}_event"].to_numpy() == 1)


def _marginal_gaps(real: pd.DataFrame, synthetic: pd.DataFrame, covariates: Covariates) -> Iterator[dict[str, object]]:
    if len(synthetic) == 0:
        return
    for name in ("treated", *covariates.categorical):
        yield {"variable": name} | metric_row("marginal_tv", measure_total_variation(real[name], synthetic[name]))
    for name in covariates.numeric:
        values = [frame[name].to_numpy(dtype=np.float64) for frame in (real, synthetic)]
        distance = measure_ks(values[0], values[1])
        yield {"variable": name} | metric_row("marginal_ks", distance, reason="no observed values" if math.isnan(distance) else None)
        missing = [float(np.isnan(column).mean()) for column in values]
        if any(missing):
            yield {"variable": name} | metric_row("missing_gap", abs(missing[1] - missing[0]))


def _quality(real: pd.DataFrame, synthetic: pd.DataFrame, covariates: Covariates, outcomes: OutcomesSection) -> dict[str, object]:
    if len(synthetic) == 0:
        return {"variable": None} | metric_row("sdmetrics_quality", math.nan, reason="no synthetic patients")
    events = [f"{outcome}_event" for outcome in outcomes.survival]
    numeric = [*covariates.numeric, *(column for column in outcomes.cohort_columns if column not in events)]
    categorical = ["treated", *covariates.categorical, *events]
    first = synthetic[synthetic["replicate"] == synthetic["replicate"].min()]
    score = measure_sdmetrics_quality(real, first, numeric=numeric, categorical=categorical)
    return {"variable": None} | metric_row("sdmetrics_quality", score, reason="SDMetrics gave no score" if math.isnan(score) else "of replicate 0")
