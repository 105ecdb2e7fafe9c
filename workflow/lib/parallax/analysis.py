"""The study's analysis of one dataset, blind to where its patients come from: designs, then effects, for every replicate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandera.pandas import DataFrameSchema

from parallax.capabilities import DESIGNS
from parallax.design.diagnostics import count_scores, measure_balance, measure_sample
from parallax.design.matrix import build_design_matrix
from parallax.design.propensity import PropensityScore, fit_propensity
from parallax.design.registry import COMPARISONS, Comparison
from parallax.errors import NotEstimable
from parallax.outcomes.survival import CONTRASTS, Effect, Followed, trace_curves
from parallax.protocol.cohort import Covariates
from parallax.protocol.designs import Design, DesignsSection
from parallax.protocol.outcomes import OutcomesSection, SurvivalOutcome
from parallax.statistics.balance import c_statistic, equipoise_share
from parallax.tables import BALANCE, CURVES, ESTIMATES, OVERLAP, PROPENSITY, SCORE_HISTOGRAM, WEIGHTS


@dataclass(frozen=True, slots=True)
class Designed:
    """The tables ``propensity``, ``weights``, ``balance``, ``overlap`` and ``score_histogram`` of a dataset."""

    propensity: pd.DataFrame
    weights: pd.DataFrame
    balance: pd.DataFrame
    overlap: pd.DataFrame
    score_histogram: pd.DataFrame


@dataclass(frozen=True, slots=True)
class Estimated:
    """The tables ``estimates`` and ``curves`` of a dataset."""

    estimates: pd.DataFrame
    curves: pd.DataFrame


def apply_designs(cohort: pd.DataFrame, *, covariates: Covariates, designs: DesignsSection, imbalance: float) -> Designed:
    """Every design on every replicate; a design that cannot be applied is a row of ``overlap`` with the reason.

    A design is ``balanced`` where no absolute standardised mean difference exceeds ``imbalance``.
    """
    propensities, weights, balances, overlaps, histograms = [], [], [], [], []
    for replicate, patients in _replicates(cohort):
        treated = patients["treated"].to_numpy(dtype=bool)
        matrix = build_design_matrix(patients, covariates)
        try:
            propensity: PropensityScore | str = fit_propensity(matrix, treated)
        except NotEstimable as error:
            propensity = str(error)
        described = {"c_statistic": np.nan, "equipoise": np.nan}
        if isinstance(propensity, PropensityScore):
            score = propensity.score
            described = {"c_statistic": c_statistic(score, treated), "equipoise": equipoise_share(score, treated)}
            propensities.append(pd.DataFrame({"replicate": replicate, "patient_id": patients["patient_id"], "propensity": score}))
            histograms.append(count_scores(score, treated).assign(replicate=replicate))
        for name, design in designs.items():
            try:
                comparison = _compare(design, propensity, treated)
                balance = measure_balance(matrix, treated, comparison.weight)
            except NotEstimable as error:
                overlaps.append(_unapplied(replicate, name, str(error)) | described)
                continue
            largest = float(balance["smd"].abs().max())
            balances.append(balance.assign(replicate=replicate, design=name))
            weights.append(
                pd.DataFrame(
                    {
                        "replicate": replicate,
                        "design": name,
                        "patient_id": patients["patient_id"],
                        "weight": comparison.weight,
                        "matched_set": comparison.matched_set,
                    }
                )
            )
            overlaps.append(
                {"replicate": replicate, "design": name, "effective_estimand": comparison.effective_estimand}
                | measure_sample(treated, comparison.weight)
                | described
                | {"max_abs_smd": largest, "balanced": largest <= imbalance, "status": "ok", "reason": None}
            )
    return Designed(
        _stack(propensities, PROPENSITY),
        _stack(weights, WEIGHTS),
        _stack(balances, BALANCE),
        pd.DataFrame(overlaps, columns=list(OVERLAP.columns)),
        _stack(histograms, SCORE_HISTOGRAM),
    )


def estimate_effects(
    cohort: pd.DataFrame, weights: pd.DataFrame, overlap: pd.DataFrame, *, designs: DesignsSection, outcomes: OutcomesSection
) -> Estimated:
    """Every contrast of every outcome under every design, for every replicate; what cannot be estimated is a row with the reason."""
    rows: list[dict[str, object]] = []
    curves: list[pd.DataFrame] = []
    applied = {(int(str(row.replicate)), str(row.design)): row for row in overlap.itertuples()}
    comparisons = dict(iter(weights.groupby(["replicate", "design"], sort=False)))
    for replicate, patients in _replicates(cohort):
        for name, design in designs.items():
            record = applied[replicate, name]
            for outcome_name, outcome in outcomes.items():
                target = {"replicate": replicate, "design": name, "outcome": outcome_name}
                described = {"effective_estimand": record.effective_estimand}
                if record.status != "ok":
                    rows += [target | asked | described | _not_estimable(str(record.reason)) for asked in _asked(outcome)]
                    continue
                followed = _follow(patients, comparisons[replicate, name], outcome_name, clustered=DESIGNS[design.method].clustered)
                curves.append(trace_curves(followed).assign(replicate=replicate, design=name, outcome=outcome_name))
                rows += [target | asked | described | _estimate(followed, asked) for asked in _asked(outcome)]
    return Estimated(
        pd.DataFrame(rows, columns=list(ESTIMATES.columns)),
        _stack(curves, CURVES),
    )


def analyse(cohort: pd.DataFrame, *, covariates: Covariates, designs: DesignsSection, outcomes: OutcomesSection) -> Estimated:
    """Designs and effects in one call, for whoever needs only the effects; balance is not judged."""
    designed = apply_designs(cohort, covariates=covariates, designs=designs, imbalance=np.inf)
    return estimate_effects(cohort, designed.weights, designed.overlap, designs=designs, outcomes=outcomes)


def _replicates(cohort: pd.DataFrame) -> Iterator[tuple[int, pd.DataFrame]]:
    for replicate, patients in cohort.groupby("replicate", sort=True):
        yield int(str(replicate)), patients.reset_index(drop=True)


def _compare(design: Design, propensity: PropensityScore | str, treated: NDArray[np.bool_]) -> Comparison:
    if isinstance(propensity, str):
        if design.method != "none":
            raise NotEstimable(propensity)
        propensity = PropensityScore(np.full(len(treated), treated.mean()), np.ones(len(treated), dtype=bool))
    return COMPARISONS[design.method](design, propensity, treated)


def _follow(patients: pd.DataFrame, weights: pd.DataFrame, outcome: str, *, clustered: bool) -> Followed:
    weight = weights["weight"].to_numpy(dtype=np.float64)
    sets = weights["matched_set"].to_numpy(dtype=np.int64)
    inside = weight > 0
    return Followed(
        patients[f"{outcome}_days"].to_numpy(dtype=np.float64)[inside],
        patients[f"{outcome}_event"].to_numpy(dtype=np.int64)[inside] == 1,
        patients["treated"].to_numpy(dtype=bool)[inside],
        weight[inside],
        sets[inside] if clustered else None,
        bool(np.ptp(weight[inside]) > 0),
    )


def _asked(outcome: SurvivalOutcome) -> list[dict[str, object]]:
    """Contrast and horizon of every estimate that the protocol asks for; a hazard ratio is also taken over all follow-up."""
    return [
        {"contrast": contrast, "horizon_days": horizon}
        for contrast in outcome.contrasts
        for horizon in (*outcome.horizons_days, *([np.nan] if contrast == "hazard_ratio" else []))
    ]


def _estimate(followed: Followed, asked: dict[str, object]) -> dict[str, object]:
    horizon = None if np.isnan(float(str(asked["horizon_days"]))) else float(str(asked["horizon_days"]))
    seen = followed.until(horizon)
    counts = {
        "n_treated": int(followed.treated.sum()),
        "n_comparator": int((~followed.treated).sum()),
        "events_treated": int((seen.event & seen.treated).sum()),
        "events_comparator": int((seen.event & ~seen.treated).sum()),
    }
    try:
        effect: Effect = CONTRASTS[str(asked["contrast"])](followed, horizon)
    except NotEstimable as error:
        return counts | _not_estimable(str(error))
    return counts | {
        "estimate": effect.estimate,
        "std_error": effect.std_error,
        "lower": effect.lower,
        "upper": effect.upper,
        "p_value": effect.p_value,
        "variance_method": effect.variance_method,
        "df": np.inf,
        "status": "ok",
        "reason": None,
    }


def _not_estimable(reason: str) -> dict[str, object]:
    return {"variance_method": "none", "status": "not_estimable", "reason": reason}


def _unapplied(replicate: int, design: str, reason: str) -> dict[str, object]:
    counts = {"n_treated": 0, "n_comparator": 0, "ess_treated": np.nan, "ess_comparator": np.nan, "max_weight": np.nan, "max_abs_smd": np.nan}
    return (
        {"replicate": replicate, "design": design, "effective_estimand": "none"}
        | counts
        | {"balanced": False, "status": "not_estimable", "reason": reason}
    )


def _stack(parts: list[pd.DataFrame], schema: DataFrameSchema) -> pd.DataFrame:
    columns = list(schema.columns)
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
