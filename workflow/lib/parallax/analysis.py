"""The study's analysis of one dataset, blind to where its patients come from: designs, then effects, for every replicate."""

from __future__ import annotations

from collections.abc import Iterator
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
from parallax.design.learners import draw_folds
from parallax.design.matrix import build_design_matrix
from parallax.design.propensity import PropensityScore, cross_fit_score, fit_scores
from parallax.design.registry import COMPARISONS, Arms, main_effects
from parallax.design.variance import choose_variance, linearise, resample
from parallax.errors import CohortError, NotEstimable
from parallax.expressions import evaluate
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
    ScoredDesign,
    StandardisedDesign,
    WeightDesign,
)
from parallax.protocol.outcomes import OutcomesSection, asked_of
from parallax.protocol.propensity import DEFAULT_PROPENSITY, EnsembleScore, PropensitySection
from parallax.protocol.question import Hypothesis
from parallax.protocol.subgroups import SubgroupsSection
from parallax.tables import (
    BALANCE,
    CALIBRATION,
    CURVES,
    ESTIMATES,
    HAZARD_COURSE,
    OVERLAP,
    PERMUTATIONS,
    POSITIVITY,
    PROPENSITY,
    SCORE_HISTOGRAM,
    SUBGROUP_ESTIMATES,
    WEIGHTS,
)
from parallax.vocabulary import DIAGNOSTIC_CONTRASTS, Contrast


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
    """The tables ``estimates``, ``curves`` and ``hazard_course`` of a dataset."""

    estimates: pd.DataFrame
    curves: pd.DataFrame
    hazard_course: pd.DataFrame


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
            allowed = imbalance if DESIGNS[design.method].balances else np.inf
            failure = judge_design(sample, largest, imbalance=allowed, effective_patients=effective_patients)
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
    A bootstrap, and the folds of a doubly robust design, are drawn from (seed, replicate) alone.
    """
    rows: list[dict[str, object]] = []
    curves: list[pd.DataFrame] = []
    courses: list[pd.DataFrame] = []
    applied = {(int(str(row.replicate)), str(row.design)): row for row in overlap.itertuples()}
    of_design = dict(iter(weights.groupby(["replicate", "design"], sort=False)))
    of_score = dict(iter(scores.groupby(["replicate", "score"], sort=False)))
    for replicate, patients in _replicates(cohort):
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
            arms = Arms(treated, matrix, patients, _read_score(of_score.get((replicate, propensity.named(_score_name(design))))))
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
    return Estimated(pd.DataFrame(rows, columns=list(ESTIMATES.columns)), _stack(curves, CURVES), _stack(courses, HAZARD_COURSE))


def estimate_subgroups(
    cohort: pd.DataFrame,
    *,
    subgroups: SubgroupsSection,
    primary: Hypothesis,
    covariates: Covariates,
    designs: DesignsSection,
    propensity: PropensitySection = DEFAULT_PROPENSITY,
    outcomes: OutcomesSection,
    seed: int,
) -> pd.DataFrame:
    """The primary outcome's effects under the primary design, made anew among the patients of every level of every subgroup.

    At the primary horizon, for all contrasts of the outcome that answer a question, so that interactions can be looked at on the scales of
    ratios and of differences. Since the design (and its score) is made anew, the levels' estimates are independent of each other.
    Returns ESTIMATES with ``subgroup`` and ``level``. Raises CohortError where a patient belongs to two levels of a subgroup.
    """
    contrasts = tuple(contrast for contrast in outcomes[primary.outcome].contrasts if contrast not in DIAGNOSTIC_CONTRASTS)
    asked = _ask_only(outcomes, primary, contrasts)
    design = DesignsSection({primary.design: designs[primary.design]})
    propensity = scores_of(designs[primary.design], propensity)
    parts = []
    for name, levels in subgroups.items():
        belongs = {level: evaluate(cohort, expression, where=f"subgroups.{name}.{level}") for level, expression in levels.items()}
        if (pd.DataFrame(belongs).sum(axis=1) > 1).any():
            raise CohortError(
                f"subgroups.{name}\n    found    patients who belong to two levels\n    allowed  levels that exclude each other\n"
                "    to do    correct the expressions"
            )
        for level, rows in belongs.items():
            if not rows.any():
                continue
            found = analyse(
                cohort[rows].reset_index(drop=True), covariates=covariates, designs=design, propensity=propensity, outcomes=asked, seed=seed
            ).estimates
            parts.append(found[_at_horizon(found, primary)].assign(subgroup=name, level=level))
    return _stack(parts, SUBGROUP_ESTIMATES)


def estimate_primary(
    cohort: pd.DataFrame,
    *,
    primary: Hypothesis,
    covariates: Covariates,
    designs: DesignsSection,
    propensity: PropensitySection = DEFAULT_PROPENSITY,
    outcomes: OutcomesSection,
    seed: int,
) -> pd.DataFrame:
    """ESTIMATES of the primary contrast at its horizon, for every replicate, under every design that the protocol asks for it."""
    settings = {"covariates": covariates, "designs": designs_asked(designs, primary.contrast), "propensity": propensity, "seed": seed}
    found = analyse(cohort, outcomes=_ask_only(outcomes, primary, (primary.contrast,)), **settings).estimates  # type: ignore[arg-type]
    return found[_at_horizon(found, primary)].reset_index(drop=True)


def permute_treatment(
    cohort: pd.DataFrame,
    *,
    permutations: int,
    primary: Hypothesis,
    covariates: Covariates,
    designs: DesignsSection,
    propensity: PropensitySection = DEFAULT_PROPENSITY,
    outcomes: OutcomesSection,
    seed: int,
) -> pd.DataFrame:
    """The primary estimate of replicate 0 under treatment permuted among its patients, again and again: what chance and the method alone make.

    Under a permutation treatment acts on nobody and is independent of the covariates: the estimates scatter around the null, and a level of 5 %
    rejects 5 % of them. Returns PERMUTATIONS; a permutation that cannot be estimated has missing values.
    """
    patients = cohort[cohort["replicate"] == cohort["replicate"].min()].assign(replicate=0).reset_index(drop=True)
    settings = {
        "covariates": covariates,
        "designs": DesignsSection({primary.design: designs[primary.design]}),
        "propensity": scores_of(designs[primary.design], propensity),
        "outcomes": _ask_only(outcomes, primary, (primary.contrast,)),
        "seed": seed,
    }
    rng = np.random.default_rng([seed, 0])
    rows = []
    for permutation in range(permutations):
        permuted = patients.assign(treated=rng.permutation(patients["treated"].to_numpy(dtype=bool)))
        found = analyse(permuted, **settings).estimates  # type: ignore[arg-type]
        row = found[_at_horizon(found, primary)].iloc[0]
        rows.append({"permutation": permutation} | {name: row[name] for name in ("estimate", "std_error", "p_value")})
    return pd.DataFrame(rows, columns=list(PERMUTATIONS.columns))


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
    own = scores.named(_score_name(design))
    rows = []
    for replicate, patients in _replicates(cohort):
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


def _ask_only(outcomes: OutcomesSection, asked: Hypothesis, contrasts: tuple[str, ...]) -> OutcomesSection:
    """The outcome of a hypothesis with these contrasts, at its horizon only."""
    changed: dict[str, object] = {"contrasts": contrasts}
    if asked.horizon_days is not None:
        changed["horizons_days"] = (asked.horizon_days,)
    return OutcomesSection({asked.outcome: outcomes[asked.outcome].model_copy(update=changed)})


def _at_horizon(found: pd.DataFrame, asked: Hypothesis) -> pd.Series:
    return found["horizon_days"].isna() if asked.horizon_days is None else found["horizon_days"] == asked.horizon_days


def designs_asked(designs: DesignsSection, contrast: str) -> DesignsSection:
    """The designs that the protocol asks for a contrast."""
    return DesignsSection({name: design for name, design in designs.items() if design.contrasts is None or contrast in design.contrasts})


def balancing(designs: DesignsSection) -> DesignsSection:
    """The designs that weight or match."""
    return DesignsSection({name: design for name, design in designs.items() if DESIGNS[design.method].balances})


def _replicates(cohort: pd.DataFrame) -> Iterator[tuple[int, pd.DataFrame]]:
    for replicate, patients in cohort.groupby("replicate", sort=True):
        yield int(str(replicate)), patients.reset_index(drop=True)


def _score_name(design: Design) -> str | None:
    return design.score if isinstance(design, ScoredDesign) else None


def scores_of(design: Design, propensity: PropensitySection) -> PropensitySection:
    """The scores that a design needs, its own first."""
    if not isinstance(design, ScoredDesign):
        return DEFAULT_PROPENSITY
    own = propensity.named(design.score)
    model = propensity[own]
    return PropensitySection({name: propensity[name] for name in (own, *(model.members if isinstance(model, EnsembleScore) else ()))})


def _describe_score(score: PropensityScore | str, treated: NDArray[np.bool_]) -> dict[str, object]:
    if isinstance(score, str):
        return dict.fromkeys(SCORE_STATISTICS, np.nan)
    return {name: measure(score.score, treated) for name, measure in SCORE_STATISTICS.items()}


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


def _stack(parts: list[pd.DataFrame], schema: DataFrameSchema) -> pd.DataFrame:
    columns = list(schema.columns)
    parts = [part for part in parts if len(part)]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
