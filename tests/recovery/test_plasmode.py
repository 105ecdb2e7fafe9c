"""The simulator before it judges anything: analysed by its own true model, a simulated study gives its stated truth.

The population is a cohort with real-looking columns; models are fitted to it, then bent and given an effect. Weights are those of the true score,
so the sandwich that takes the score as known is right, and Monte-Carlo error is all that may lie between estimate and truth.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.special import expit, logit

from parallax.design.matrix import build_design_matrix
from parallax.simulation.fitting import fit_binary, fit_continuous, fit_hazard, fit_survival, fit_treatment
from parallax.simulation.models import BinaryModel, ContinuousModel, OutcomeModel, SurvivalModel, TreatmentModel, regression_terms
from parallax.simulation.plasmode import Drawn, Plasmode, draw_cohort, draw_study
from parallax.simulation.truth import MarginalCourse, Target, follow, true_effect
from parallax.statistics.cox import fit_cox
from parallax.statistics.logistic import fit_logistic
from parallax.statistics.survival import restricted_mean_difference, survival_difference
from parallax.statistics.weighting import propensity_weights
from parallax.tables import cohort_schema
from parallax.vocabulary import ESTIMANDS
from simulated_cohorts import COVARIATES, OUTCOMES, simulate_cohort

POPULATION = simulate_cohort(1500, seed=5)
HORIZONS = (30.0, 180.0)


@cache
def realistic(*, null: bool = False) -> Plasmode:
    """Treatment and hazards as fitted to the population, on squares and products too; the effect fades, differs between patients, or is none;
    losses depend on covariates and treatment.
    """
    matrix = build_design_matrix(POPULATION, COVARIATES)
    columns = matrix.values[:, matrix.modelled(np.ones(len(POPULATION), dtype=bool))]
    terms = regression_terms(columns, squares=[0, 2], products=[(0, 1), (0, 4)], limit=2.0)
    treated, days, event = (POPULATION[name].to_numpy() for name in ("treated", "death_days", "death_event"))
    treatment = fit_treatment(terms, treated, ridge=1.0)
    bend = np.zeros(terms.shape[1])
    bend[-4:] = 0.2, -0.15, 0.25, 0.15
    outcome = fit_survival(terms, treated, days, event, end_days=400.0, edges=(0.0, 60.0, 180.0), ridge=10.0, shape=0.9)
    modifiers = np.zeros(terms.shape[1])
    modifiers[0] = 0.0 if null else 0.4
    outcome = outcome.with_effect(0.0 if null else [0.6, 0.3, -0.1], modifiers=modifiers)
    event_hazard = replace(outcome.event, coefficients=outcome.event.coefficients + bend)
    dropout = replace(outcome.dropout.with_effect(0.5), rates=2.0 * outcome.dropout.rates, coefficients=-outcome.event.coefficients)
    return Plasmode(terms, replace(treatment, coefficients=treatment.coefficients + bend), SurvivalModel(event_hazard, 400.0, dropout))


def weigh(plasmode: Plasmode, drawn: Drawn, estimand: str | None, *, stabilised: bool = False) -> np.ndarray:
    if estimand is None:
        return np.ones(drawn.treated.size)
    return propensity_weights(plasmode.propensity[drawn.rows], drawn.treated, estimand, stabilised=stabilised)


def estimates(drawn: Drawn, weights: np.ndarray) -> np.ndarray:
    """Rows log hazard ratio, risk difference and restricted mean difference at each horizon, columns estimate and standard error."""
    days, event, treated = drawn.outcome["days"], drawn.outcome["event"], drawn.treated
    found = []
    for horizon in HORIZONS:
        fit = fit_cox(np.minimum(days, horizon), event * (days <= horizon), treated[:, None], weights=weights)
        found.append((fit.coefficients[0], np.sqrt(fit.covariance_robust[0, 0])))
        for measure in (survival_difference, restricted_mean_difference):
            difference = measure(days, event, treated, horizon, weights=weights)
            found.append((difference.estimate, difference.std_error))
    return np.array(found)


def truths(course: MarginalCourse) -> np.ndarray:
    return np.array(
        [
            value
            for horizon in HORIZONS
            for value in (np.log(course.hazard_ratio(horizon)), course.risk_difference(horizon), course.rmst_difference(horizon))
        ]
    )


def test_a_huge_study_by_its_true_score_gives_the_integrated_truth() -> None:
    plasmode = realistic()
    drawn = draw_study(plasmode, patients=120_000, rng=np.random.default_rng(1))
    for estimand, stabilised in (*((name, False) for name in ESTIMANDS), ("ATE", True), (None, False)):
        target = Target.of(plasmode.propensity, estimand, stabilised=stabilised)
        found = estimates(drawn, weigh(plasmode, drawn, estimand, stabilised=stabilised))
        away = (found[:, 0] - truths(follow(plasmode, target, censored=True))) / found[:, 1]
        assert np.abs(away).max() < 4, (estimand, stabilised, away)
    # confounding, informative loss and the choice of estimand each move the truth by many of these standard errors: they could not hide
    without_loss = {name: truths(follow(plasmode, Target.of(plasmode.propensity, name))) for name in (None, "ATE", "ATT", "ATC")}
    with_loss = truths(follow(plasmode, Target.of(plasmode.propensity, "ATE"), censored=True))
    for one, other in ((without_loss[None], without_loss["ATE"]), (with_loss, without_loss["ATE"]), (without_loss["ATT"], without_loss["ATC"])):
        assert np.abs((one - other) / found[:, 1]).max() > 4


def test_weights_for_loss_by_its_true_model_give_the_truth_without_loss() -> None:
    plasmode = realistic()
    drawn = draw_study(plasmode, patients=200_000, rng=np.random.default_rng(2))
    weights = weigh(plasmode, drawn, "ATE")
    days, event = drawn.outcome["days"], drawn.outcome["event"]
    kept = np.empty(days.size)
    for day in np.unique(days):
        for arm in (True, False):
            those = (days == day) & (drawn.treated == arm)
            kept[those] = np.exp(-plasmode.outcome.dropout.cumulative(plasmode.terms[drawn.rows[those]], arm, np.array([day - 1.0]))[:, 0])
    for horizon in HORIZONS:
        died = weights * event * (days <= horizon) / kept
        risk, spread = [], 0.0
        for arm in (False, True):
            those = drawn.treated == arm
            risk.append(np.average(died[those] / weights[those], weights=weights[those]))
            spread += np.sum((died[those] - risk[-1] * weights[those]) ** 2) / weights[those].sum() ** 2
        truth = true_effect(plasmode, "risk_difference", Target.of(plasmode.propensity, "ATE"), horizon_days=horizon)
        assert abs(risk[1] - risk[0] - truth) < 3.5 * np.sqrt(spread)


def test_stated_models_are_found_in_a_huge_study() -> None:
    plasmode = realistic()
    outcome = plasmode.outcome
    assert isinstance(outcome, SurvivalModel)
    drawn = draw_study(plasmode, patients=40_000, rng=np.random.default_rng(3))
    terms, days = plasmode.terms[drawn.rows], drawn.outcome["days"]
    treatment = fit_treatment(terms, drawn.treated)
    assert np.abs(treatment.coefficients - plasmode.treatment.coefficients).max() < 0.08
    assert treatment.intercept == pytest.approx(plasmode.treatment.intercept, abs=0.05)
    columns = np.column_stack([drawn.treated, drawn.treated * terms[:, 0], terms])
    for stated, happens in ((outcome.event, drawn.outcome["event"] == 1), (outcome.dropout, (drawn.outcome["event"] == 0) & (days < 400))):
        for j, (start, end) in enumerate(zip(stated.edges, [*stated.edges[1:], 400.0], strict=True)):
            those = days > start
            fit = fit_cox(np.minimum(days[those], end), happens[those] & (days[those] <= end), columns[those])
            truth = np.concatenate([[stated.effects[j], stated.modifiers[j, 0]], stated.coefficients[j]])
            away = (fit.coefficients - truth) / np.sqrt(np.diag(fit.covariance_naive))
            assert np.abs(away).max() < 4.5, away
    found = fit_hazard(terms, drawn.treated, days, drawn.outcome["event"], edges=outcome.event.edges, shape=0.9, ridge=0.0)
    # recorded times are up to a day late, and the fit has no modifier
    np.testing.assert_allclose(found.rates, outcome.event.rates, rtol=0.08)


@pytest.mark.parametrize("model", [BinaryModel, ContinuousModel])
def test_binary_and_continuous_outcomes(model) -> None:
    terms = realistic().terms
    coefficients, modifiers = np.full(terms.shape[1], 0.1), np.full(terms.shape[1], 0.05)
    outcome: OutcomeModel = model(-0.5, coefficients, 0.4, modifiers, *((2.0,) if model is ContinuousModel else ()))
    plasmode = Plasmode(terms, realistic().treatment, outcome)
    drawn = draw_study(plasmode, patients=200_000, rng=np.random.default_rng(4))
    value = drawn.outcome["value"]
    for estimand in ESTIMANDS:
        weights = weigh(plasmode, drawn, estimand)
        means, variance = [], []
        for arm in (False, True):
            w, y = weights[drawn.treated == arm], value[drawn.treated == arm]
            means.append(np.average(y, weights=w))
            variance.append(np.sum((w * (y - means[-1])) ** 2) / w.sum() ** 2)
        contrast = "risk_difference" if model is BinaryModel else "mean_difference"
        target = Target.of(plasmode.propensity, estimand)
        assert abs(means[1] - means[0] - true_effect(plasmode, contrast, target)) < 4 * np.sqrt(sum(variance))
        if model is BinaryModel:
            error = np.sqrt(sum(v / (m * (1 - m)) ** 2 for m, v in zip(means, variance, strict=True)))
            assert abs(logit(means[1]) - logit(means[0]) - np.log(true_effect(plasmode, "odds_ratio", target))) < 4 * error
    same = replace(outcome, modifiers=np.zeros(terms.shape[1]))
    again = draw_study(Plasmode(terms, plasmode.treatment, same), patients=100_000, rng=np.random.default_rng(5))
    fit = (fit_binary if model is BinaryModel else fit_continuous)(terms[again.rows], again.treated, again.outcome["value"])
    assert (fit.intercept, fit.effect) == pytest.approx((-0.5, 0.4), abs=0.06)
    np.testing.assert_allclose(fit.coefficients, coefficients, atol=0.06)


def judge(plasmode: Plasmode, *, studies: int, patients: int | None, seed: int) -> None:
    """Bias and coverage over many studies, by the true score, for every estimand."""
    rng = np.random.default_rng(seed)
    found: dict[str, list[np.ndarray]] = {name: [] for name in ESTIMANDS}
    for _ in range(studies):
        drawn = draw_study(plasmode, patients=patients, rng=rng)
        for name in ESTIMANDS:
            found[name].append(estimates(drawn, weigh(plasmode, drawn, name)))
    for name, results in found.items():
        values = np.array(results)
        truth = truths(follow(plasmode, Target.of(plasmode.propensity, name), censored=True))
        spread = values[:, :, 0].std(axis=0, ddof=1)
        # a tenth of a standard deviation for the estimators' own small-sample bias
        assert (np.abs(values[:, :, 0].mean(axis=0) - truth) < (4 / np.sqrt(studies) + 0.1) * spread).all(), name
        covered = (np.abs(values[:, :, 0] - truth) <= 1.96 * values[:, :, 1]).mean(axis=0)
        assert (covered > 0.95 - 4 * np.sqrt(0.05 * 0.95 / studies) - 0.015).all(), (name, covered)
        assert (covered < 0.95 + 4 * np.sqrt(0.05 * 0.95 / studies) + 0.005).all(), (name, covered)


@pytest.mark.parametrize("null", [True, False])
def test_the_true_score_is_unbiased(null) -> None:
    judge(realistic(null=null), studies=100, patients=800, seed=6)


@pytest.mark.slow
@pytest.mark.parametrize("null", [True, False])
def test_the_true_score_is_unbiased_over_many_studies(null) -> None:
    judge(realistic(null=null), studies=2000, patients=800, seed=7)


def test_under_the_null_the_truth_is_null_but_the_crude_comparison_is_not() -> None:
    plasmode = realistic(null=True)
    for estimand in ESTIMANDS:
        np.testing.assert_allclose(truths(follow(plasmode, Target.of(plasmode.propensity, estimand))), 0.0, atol=1e-9)
    assert (np.abs(truths(follow(plasmode, Target.of(plasmode.propensity, None)))) > [0.1, 0.02, 0.2, 0.1, 0.02, 1.0]).all()


def test_the_outcome_model_is_confounded_as_stated() -> None:
    """A score without the squares and products is not enough: confounding bends."""
    plasmode = realistic(null=True)
    drawn = draw_study(plasmode, patients=100_000, rng=np.random.default_rng(8))
    straight = plasmode.terms[drawn.rows, :-4]
    score = fit_logistic(np.column_stack([np.ones(len(straight)), straight]), drawn.treated).fitted
    found = estimates(drawn, propensity_weights(score, drawn.treated, "ATO", stabilised=False))
    assert (np.abs(found[:, 0] / found[:, 1]) > 5).all()


def test_a_drawn_cohort_is_a_cohort_table() -> None:
    cohort = draw_cohort(realistic(), POPULATION, covariates=COVARIATES, outcome="death", patients=500, rng=np.random.default_rng(9), replicate=3)
    cohort_schema(COVARIATES, OUTCOMES).validate(cohort)
    assert (cohort["replicate"] == 3).all()
    assert cohort["patient_id"].is_unique
    assert cohort["death_days"].between(1, 400).all()
    drawn = draw_study(realistic(), patients=500, rng=np.random.default_rng(9))
    np.testing.assert_array_equal(cohort["age"], POPULATION["age"].to_numpy()[drawn.rows])
    np.testing.assert_array_equal(cohort["death_days"], drawn.outcome["days"])


def test_randomisation_is_a_treatment_model() -> None:
    plasmode = replace(realistic(), treatment=TreatmentModel(0.3, np.zeros(realistic().terms.shape[1])))
    course = {name: truths(follow(plasmode, Target.of(plasmode.propensity, name))) for name in (None, "ATT", "ATO")}
    np.testing.assert_allclose(plasmode.propensity, expit(0.3))
    np.testing.assert_allclose(course["ATT"], course["ATO"])
    np.testing.assert_allclose(course[None][[1, 2, 4, 5]], course["ATO"][[1, 2, 4, 5]])
