"""The study's analysis of one dataset, blind to where its patients come from: designs, then effects, for every replicate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandera.pandas import DataFrameSchema

from parallax.capabilities import DESIGNS
from parallax.design.diagnostics import (
    SCORE_STATISTICS,
    count_scores,
    count_strata,
    judge_design,
    measure_balance,
    measure_calibration,
    measure_sample,
)
from parallax.design.matrix import build_design_matrix
from parallax.design.propensity import PropensityScore, fit_scores
from parallax.design.registry import COMPARISONS, Arms
from parallax.design.variance import choose_variance, linearise, resample
from parallax.errors import NotEstimable
from parallax.outcomes.survival import CONTRASTS, Effect, Followed, trace_curves
from parallax.protocol.cohort import Covariates
from parallax.protocol.designs import Design, DesignsSection, EntropyDesign, MatchDesign, ScoredDesign, WeightDesign
from parallax.protocol.outcomes import OutcomesSection, SurvivalOutcome
from parallax.protocol.propensity import DEFAULT_PROPENSITY, PropensitySection
from parallax.tables import BALANCE, CALIBRATION, CURVES, ESTIMATES, OVERLAP, POSITIVITY, PROPENSITY, SCORE_HISTOGRAM, WEIGHTS


@dataclass(frozen=True, slots=True)
class Designed:
    """The tables of a dataset's designs, each by its name in ``parallax.tables``."""

    propensity: pd.DataFrame
    weights: pd.DataFrame
    balance: pd.DataFrame
    overlap: pd.DataFrame
    score_histogram: pd.DataFrame
    calibration: pd.DataFrame
    positivity: pd.DataFrame


@dataclass(frozen=True, slots=True)
class Estimated:
    """The tables ``estimates`` and ``curves`` of a dataset."""

    estimates: pd.DataFrame
    curves: pd.DataFrame


def apply_designs(
    cohort: pd.DataFrame,
    *,
    covariates: Covariates,
    designs: DesignsSection,
    propensity: PropensitySection = DEFAULT_PROPENSITY,
    imbalance: float,
    effective_patients: float,
    seed: int,
) -> Designed:
    """Every design on every replicate; a design that cannot be applied is a row of ``overlap`` with the reason.

    A design fails where an absolute standardised mean difference exceeds ``imbalance`` or an arm's effective sample size is below
    ``effective_patients``. Replicate i draws (folds, random order) from (seed, i) alone.
    """
    scores, weights, balances, overlaps, histograms, calibrations, strata = [], [], [], [], [], [], []
    for replicate, patients in _replicates(cohort):
        treated = patients["treated"].to_numpy(dtype=bool)
        matrix = build_design_matrix(patients, covariates)
        of_scores, of_designs = np.random.default_rng([seed, replicate]).spawn(2)
        fitted = fit_scores(matrix, treated, propensity, rng=of_scores)
        strata.append(count_strata(matrix, treated).assign(replicate=replicate))
        for name, score in fitted.items():
            if isinstance(score, PropensityScore):
                rows = {"replicate": replicate, "score": name, "patient_id": patients["patient_id"]}
                scores.append(pd.DataFrame(rows | {"propensity": score.score, "comparable": score.comparable}))
                histograms.append(count_scores(score.score, treated).assign(replicate=replicate, score=name))
                calibrations.append(measure_calibration(score.score, treated).assign(replicate=replicate, score=name))
        for (name, design), rng in zip(designs.items(), of_designs.spawn(len(designs.names)), strict=True):
            score = fitted[propensity.named(_score_name(design))]
            described = {"replicate": replicate, "design": name} | _describe_score(score, treated)
            try:
                comparison = COMPARISONS[design.method](design, Arms(treated, matrix, patients, score), rng)
                balance = measure_balance(matrix, treated, comparison.weight)
            except NotEstimable as error:
                unapplied = {"effective_estimand": "none", "n_treated": 0, "n_comparator": 0}
                overlaps.append(described | unapplied | {"status": "not_estimable", "reason": str(error)})
                continue
            sample, largest = measure_sample(treated, comparison.weight), float(balance["smd"].abs().max())
            failure = judge_design(sample, largest, imbalance=imbalance, effective_patients=effective_patients)
            balances.append(balance.assign(replicate=replicate, design=name))
            rows = {"replicate": replicate, "design": name, "patient_id": patients["patient_id"]}
            weights.append(pd.DataFrame(rows | {"weight": comparison.weight, "matched_set": comparison.matched_set}))
            overlaps.append(
                described
                | sample
                | {
                    "effective_estimand": comparison.effective_estimand,
                    "max_abs_smd": largest,
                    "tied_pairs": comparison.tied_pairs,
                    "failure": failure,
                    "status": "ok",
                    "reason": None,
                }
            )
    return Designed(
        _stack(scores, PROPENSITY),
        _stack(weights, WEIGHTS),
        _stack(balances, BALANCE),
        pd.DataFrame(overlaps, columns=list(OVERLAP.columns)),
        _stack(histograms, SCORE_HISTOGRAM),
        _stack(calibrations, CALIBRATION),
        _stack(strata, POSITIVITY),
    )


def estimate_effects(
    cohort: pd.DataFrame,
    *,
    weights: pd.DataFrame,
    overlap: pd.DataFrame,
    scores: pd.DataFrame,
    covariates: Covariates,
    designs: DesignsSection,
    propensity: PropensitySection = DEFAULT_PROPENSITY,
    outcomes: OutcomesSection,
    seed: int,
) -> Estimated:
    """Every contrast of every outcome under every design, for every replicate; what cannot be estimated is a row with the reason.

    ``weights``, ``overlap`` and ``scores`` (PROPENSITY) are what :func:`apply_designs` made of the same cohort.
    A bootstrap draws from (seed, replicate) alone.
    """
    rows: list[dict[str, object]] = []
    curves: list[pd.DataFrame] = []
    applied = {(int(str(row.replicate)), str(row.design)): row for row in overlap.itertuples()}
    of_design = dict(iter(weights.groupby(["replicate", "design"], sort=False)))
    of_score = dict(iter(scores.groupby(["replicate", "score"], sort=False)))
    for replicate, patients in _replicates(cohort):
        matrix = build_design_matrix(patients, covariates)
        streams = np.random.default_rng([seed, replicate]).spawn(len(designs.names))
        for (name, design), rng in zip(designs.items(), streams, strict=True):
            record = applied[replicate, name]
            described = {"replicate": replicate, "design": name, "effective_estimand": record.effective_estimand}
            score = of_score.get((replicate, propensity.named(_score_name(design))))
            arms = Arms(patients["treated"].to_numpy(dtype=bool), matrix, patients, _read_score(score))
            try:
                if record.status != "ok":
                    raise NotEstimable(str(record.reason))
                follow = _follow(arms, of_design[replicate, name], design, propensity, rng)
            except NotEstimable as error:
                missing = described | _not_estimable(str(error))
                rows += [missing | {"outcome": outcome} | asked for outcome, settings in outcomes.items() for asked in _asked(settings)]
                continue
            for outcome, settings in outcomes.items():
                followed = follow(outcome)
                curves.append(trace_curves(followed).assign(replicate=replicate, design=name, outcome=outcome))
                rows += [described | {"outcome": outcome} | asked | _estimate(followed, asked) for asked in _asked(settings)]
    return Estimated(
        pd.DataFrame(rows, columns=list(ESTIMATES.columns)),
        _stack(curves, CURVES),
    )


def analyse(
    cohort: pd.DataFrame,
    *,
    covariates: Covariates,
    designs: DesignsSection,
    propensity: PropensitySection = DEFAULT_PROPENSITY,
    outcomes: OutcomesSection,
    seed: int = 0,
) -> Estimated:
    """Designs and effects in one call, for whoever needs only the effects; no design is judged."""
    settings = {"covariates": covariates, "designs": designs, "propensity": propensity}
    designed = apply_designs(cohort, **settings, imbalance=np.inf, effective_patients=0, seed=seed)  # type: ignore[arg-type]
    made = {"weights": designed.weights, "overlap": designed.overlap, "scores": designed.propensity}
    return estimate_effects(cohort, **made, **settings, outcomes=outcomes, seed=seed)  # type: ignore[arg-type]


def _replicates(cohort: pd.DataFrame) -> Iterator[tuple[int, pd.DataFrame]]:
    for replicate, patients in cohort.groupby("replicate", sort=True):
        yield int(str(replicate)), patients.reset_index(drop=True)


def _score_name(design: Design) -> str | None:
    return design.score if isinstance(design, ScoredDesign) else None


def _describe_score(score: PropensityScore | str, treated: NDArray[np.bool_]) -> dict[str, object]:
    if isinstance(score, str):
        return dict.fromkeys(SCORE_STATISTICS, np.nan)
    return {name: measure(score.score, treated) for name, measure in SCORE_STATISTICS.items()}


def _read_score(rows: pd.DataFrame | None) -> PropensityScore | str:
    if rows is None:
        return "the propensity score could not be fitted"
    return PropensityScore(rows["propensity"].to_numpy(dtype=np.float64), rows["comparable"].to_numpy(dtype=bool))


def _follow(arms: Arms, weights: pd.DataFrame, design: Design, propensity: PropensitySection, rng: np.random.Generator) -> Callable[[str], Followed]:
    """The patients of one replicate under one design, by outcome."""
    weight, sets = weights["weight"].to_numpy(dtype=np.float64), weights["matched_set"].to_numpy(dtype=np.int64)
    clusters = sets if DESIGNS[design.method].clustered and (sets >= 0).any() else None
    variance, estimated, resampled = choose_variance(design, propensity), None, None
    if isinstance(design, WeightDesign | MatchDesign) and variance == "bootstrap":
        resampled = resample(design, arms, weight, sets, propensity, rng)
    elif isinstance(design, WeightDesign | EntropyDesign) and variance == "stacked":
        estimated = linearise(design, arms, weight, propensity)

    def of(outcome: str) -> Followed:
        time = arms.patients[f"{outcome}_days"].to_numpy(dtype=np.float64)
        event = arms.patients[f"{outcome}_event"].to_numpy(dtype=np.int64) == 1
        return Followed(time, event, arms.treated, weight, clusters, estimated, resampled)

    return of


def _asked(outcome: SurvivalOutcome) -> list[dict[str, object]]:
    """Contrast and horizon of every estimate that the protocol asks for; a hazard ratio is also taken over all follow-up."""
    return [
        {"contrast": contrast, "horizon_days": horizon}
        for contrast in outcome.contrasts
        for horizon in (*outcome.horizons_days, *([np.nan] if contrast == "hazard_ratio" else []))
    ]


def _estimate(followed: Followed, asked: dict[str, object]) -> dict[str, object]:
    horizon = None if np.isnan(float(str(asked["horizon_days"]))) else float(str(asked["horizon_days"]))
    seen, inside = followed.until(horizon), followed.inside
    counts = {
        "n_treated": int((inside & seen.treated).sum()),
        "n_comparator": int((inside & ~seen.treated).sum()),
        "events_treated": int((inside & seen.event & seen.treated).sum()),
        "events_comparator": int((inside & seen.event & ~seen.treated).sum()),
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


def _stack(parts: list[pd.DataFrame], schema: DataFrameSchema) -> pd.DataFrame:
    columns = list(schema.columns)
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
