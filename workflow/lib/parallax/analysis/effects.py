"""Effects in one dataset, blind to where its patients come from: every contrast under every design, for every replicate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from parallax.analysis.designs import apply_designs, each_replicate, score_name, scores_of, stack
from parallax.capabilities import DESIGNS
from parallax.design.learners import draw_folds
from parallax.design.matrix import build_design_matrix
from parallax.design.propensity import PropensityScore, cross_fit_score, fit_scores
from parallax.design.registry import COMPARISONS, Arms, main_effects
from parallax.design.variance import choose_variance, linearise, resample
from parallax.errors import NotEstimable
from parallax.outcomes.curves import trace_curves, trace_hazard_course
from parallax.outcomes.observed import Followed, Observed, count_events, observe
from parallax.outcomes.patients import Modelled, Weighted
from parallax.outcomes.registry import estimate
from parallax.protocol.cohort import Covariates
from parallax.protocol.designs import (
    Design,
    DesignsSection,
    DoublyRobustDesign,
    EntropyDesign,
    MatchDesign,
    RegressionDesign,
    StandardisedDesign,
    WeightDesign,
)
from parallax.protocol.outcomes import OutcomesSection, asked_of
from parallax.protocol.propensity import DEFAULT_PROPENSITY, PropensitySection
from parallax.protocol.question import Hypothesis
from parallax.tables import (
    CURVES,
    ESTIMATES,
    HAZARD_COURSE,
)
from parallax.vocabulary import Contrast


@dataclass(frozen=True, slots=True)
class Estimated:
    """The tables ``estimates``, ``curves`` and ``hazard_course`` of a dataset."""

    estimates: pd.DataFrame
    curves: pd.DataFrame
    hazard_course: pd.DataFrame


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
    A bootstrap, and the folds of a doubly robust design, are drawn from (seed, replicate) alone.
    """
    rows: list[dict[str, object]] = []
    curves: list[pd.DataFrame] = []
    courses: list[pd.DataFrame] = []
    applied = {(int(str(row.replicate)), str(row.design)): row for row in overlap.itertuples()}
    of_design = dict(iter(weights.groupby(["replicate", "design"], sort=False)))
    of_score = dict(iter(scores.groupby(["replicate", "score"], sort=False)))
    for replicate, patients in each_replicate(cohort):
        matrix = build_design_matrix(patients, covariates)
        treated = patients["treated"].to_numpy(dtype=bool)
        observed = {name: observe(patients, name, outcome) for name, outcome in outcomes.items()}
        streams = np.random.default_rng([seed, replicate]).spawn(len(designs.names))
        for (name, design), rng in zip(designs.items(), streams, strict=True):
            record = applied[replicate, name]
            described = {"replicate": replicate, "design": name, "effective_estimand": record.effective_estimand}
            asked = [
                (outcome, contrast, horizon)
                for outcome, settings in outcomes.items()
                for contrast, horizon in asked_of(settings)
                if design.contrasts is None or contrast in design.contrasts
            ]
            arms = Arms(treated, matrix, patients, _read_score(of_score.get((replicate, propensity.named(score_name(design))))))
            try:
                if record.status != "ok":
                    raise NotEstimable(str(record.reason))
                seen = _see(arms, of_design[replicate, name], design, propensity, rng)
            except NotEstimable as error:
                rows += [described | _target(*each) | _not_estimable(str(error)) for each in asked]
                continue
            if isinstance(seen, Weighted):
                for outcome, followed in observed.items():
                    if isinstance(followed, Followed):
                        curves.append(trace_curves(followed, seen).assign(replicate=replicate, design=name, outcome=outcome))
                        if (outcome, "hazard_ratio_trend", None) in asked:
                            courses.append(trace_hazard_course(followed, seen).assign(replicate=replicate, design=name, outcome=outcome))
            rows += [
                described | _target(outcome, contrast, horizon) | _estimate(observed[outcome], seen, treated, contrast, horizon)
                for outcome, contrast, horizon in asked
            ]
    return Estimated(pd.DataFrame(rows, columns=list(ESTIMATES.columns)), stack(curves, CURVES), stack(courses, HAZARD_COURSE))


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


def estimate_hypothesis(
    cohort: pd.DataFrame,
    hypothesis: Hypothesis,
    *,
    covariates: Covariates,
    designs: DesignsSection,
    propensity: PropensitySection = DEFAULT_PROPENSITY,
    outcomes: OutcomesSection,
    seed: int,
) -> pd.DataFrame:
    """One estimate of every replicate and nothing else: no balance, no curves, no other design.

    For whoever repeats one estimate a thousand times. Returns ESTIMATES; the numbers are those of :func:`analyse` with that design alone.
    """
    name, contrast, horizon = hypothesis.design, hypothesis.contrast, hypothesis.horizon_days
    design = designs[name]
    scores = scores_of(design, propensity)
    own = scores.named(score_name(design))
    rows = []
    for replicate, patients in each_replicate(cohort):
        described = {"replicate": replicate, "design": name, "effective_estimand": "none"} | _target(hypothesis.outcome, contrast, horizon)
        treated = patients["treated"].to_numpy(dtype=bool)
        matrix = build_design_matrix(patients, covariates)
        of_scores, of_designs = np.random.default_rng([seed, replicate]).spawn(2)
        (of_design,), (of_estimate,) = of_designs.spawn(1), np.random.default_rng([seed, replicate]).spawn(1)
        arms = Arms(treated, matrix, patients, fit_scores(matrix, treated, scores, rng=of_scores)[own])
        try:
            comparison = COMPARISONS[design.method](design, arms, of_design)
            weights = pd.DataFrame({"weight": comparison.weight, "matched_set": comparison.matched_set})
            seen = _see(arms, weights, design, scores, of_estimate)
        except NotEstimable as error:
            rows.append(described | _not_estimable(str(error)))
            continue
        observed = observe(patients, hypothesis.outcome, outcomes[hypothesis.outcome])
        rows.append(described | {"effective_estimand": comparison.effective_estimand} | _estimate(observed, seen, treated, contrast, horizon))
    return pd.DataFrame(rows, columns=list(ESTIMATES.columns))


def _read_score(rows: pd.DataFrame | None) -> PropensityScore | str:
    if rows is None:
        return "the propensity score could not be fitted"
    return PropensityScore(rows["propensity"].to_numpy(dtype=np.float64), rows["comparable"].to_numpy(dtype=bool))


def _see(arms: Arms, weights: pd.DataFrame, design: Design, propensity: PropensitySection, rng: np.random.Generator) -> Weighted | Modelled:
    """The patients of one replicate as a design sees them."""
    weight, sets = weights["weight"].to_numpy(dtype=np.float64), weights["matched_set"].to_numpy(dtype=np.int64)
    if isinstance(design, RegressionDesign | StandardisedDesign | DoublyRobustDesign):
        return _model(arms, weight > 0, design, propensity, rng)
    clusters = sets if DESIGNS[design.method].clustered and (sets >= 0).any() else None
    variance, estimated, resampled = choose_variance(design, propensity), None, None
    if isinstance(design, WeightDesign | MatchDesign) and variance == "bootstrap":
        resampled = resample(design, arms, weight, sets, propensity, rng)
    elif isinstance(design, WeightDesign | EntropyDesign) and variance == "stacked":
        estimated = linearise(design, arms, weight, propensity)
    return Weighted(arms.treated, weight, clusters, estimated, resampled)


def _model(
    arms: Arms,
    inside: NDArray[np.bool_],
    design: RegressionDesign | StandardisedDesign | DoublyRobustDesign,
    propensity: PropensitySection,
    rng: np.random.Generator,
) -> Modelled:
    treated = arms.treated[inside]
    nobody = np.zeros(len(treated))
    score, folds = nobody, nobody.astype(np.int64)
    if isinstance(design, DoublyRobustDesign):
        folds = draw_folds(treated, design.folds, rng=rng)
        score = cross_fit_score(arms.matrix, arms.treated, propensity[propensity.named(design.score)], arms.fitted, folds, rng=rng)
    estimand = "conditional" if isinstance(design, RegressionDesign) else design.estimand
    return Modelled(inside, treated, main_effects(arms, inside), score, folds, design.method, estimand)


def _target(outcome: str, contrast: Contrast, horizon: float | None) -> dict[str, object]:
    return {"outcome": outcome, "contrast": contrast, "horizon_days": np.nan if horizon is None else horizon}


def _estimate(
    observed: Observed, seen: Weighted | Modelled, treated: NDArray[np.bool_], contrast: Contrast, horizon: float | None
) -> dict[str, object]:
    counts = {
        f"{what}_{arm}": count
        for arm, rows in (("treated", treated & seen.inside), ("comparator", ~treated & seen.inside))
        for what, count in (("n", float(rows.sum())), ("events", count_events(observed, rows, horizon)))
    }
    try:
        effect = estimate(observed, seen, contrast, horizon)
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
