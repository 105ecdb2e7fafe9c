"""Parts of the survival-aware generator that answer the same question: what is kept by construction, and what other models must agree on."""

from __future__ import annotations

import numpy as np
import pytest

from parallax.errors import GenerationError
from parallax.protocol.generators import CovariateChain, EmpiricalCopula, IndependentGenerator, SequentialGenerator
from parallax.statistics.survival import kaplan_meier
from parallax.synthesis.forest_hazards import ForestHazard
from parallax.synthesis.registry import draw_replicates, fit_generator
from parallax.synthesis.spline_hazards import SplineHazard
from simulated_cohorts import COVARIATES, OUTCOMES, simulate_cohort

GROUP = np.repeat([[1.0], [-1.0]], 2000, axis=0)


def make(settings: SequentialGenerator, patients: int = 1500, replicates: int = 4):
    real = simulate_cohort(patients, seed=5)
    fitted = fit_generator(settings, real, covariates=COVARIATES, outcomes=OUTCOMES, seed=3)
    return real, draw_replicates(fitted, replicates=replicates, patients=patients, seeds=range(20, 20 + replicates))


def curve_gap(real, drawn, ends: int) -> float:
    days, gaps = np.arange(1.0, 399.0), []
    for arm in (True, False):
        left, right = (
            kaplan_meier(table["death_days"], table["death_event"] == ends).at(days) for table in (t[t["treated"] == arm] for t in (real, drawn))
        )
        gaps.append(np.abs(left - right).max())
    return max(gaps)


@pytest.mark.parametrize(
    "settings",
    [
        {"recipe": "calibrated"},
        {"event_times": "flexible_parametric"},
        {"event_times": "forest"},
        {"covariates": CovariateChain(method="one_by_one", order=("disease", "age", "visits", "albumin", "lactate", "sex", "smoker"))},
        {"covariates": IndependentGenerator(method="independent")},
    ],
    ids=str,
)
def test_every_recipe_keeps_margins_and_curves(settings) -> None:
    real, drawn = make(SequentialGenerator(method="sequential", **settings))
    assert drawn["treated"].mean() == pytest.approx(real["treated"].mean(), abs=0.03)
    for name in COVARIATES.numeric:
        assert drawn[name].mean() == pytest.approx(real[name].mean(), abs=0.15 * real[name].std())
    # independent covariates lose confounding, and with it part of the arms' difference
    allowed = 0.09 if "covariates" in settings and settings["covariates"].method == "independent" else 0.06
    assert curve_gap(real, drawn, ends=1) < allowed


def test_the_calibrated_recipe_keeps_curves_and_censoring_by_construction() -> None:
    real, drawn = make(SequentialGenerator(method="sequential", recipe="calibrated"), replicates=20)
    assert curve_gap(real, drawn, ends=1) < 0.025
    assert curve_gap(real, drawn, ends=0) < 0.03


def test_one_by_one_keeps_what_depends() -> None:
    real, drawn = make(SequentialGenerator(method="sequential", covariates=CovariateChain(method="one_by_one")))
    for columns in (["age", "albumin"], ["age", "visits"]):
        both = [table[columns].corr(method="spearman").iloc[0, 1] for table in (real, drawn)]
        assert both[1] == pytest.approx(both[0], abs=0.07)


@pytest.mark.parametrize("kind", ["spline", "forest"])
def test_hazards_of_two_groups(kind) -> None:
    rng = np.random.default_rng(1)
    times = rng.weibull(1.4, 4000) * np.where(GROUP[:, 0] > 0, 100.0, 200.0)
    end = 150.0
    days, event = np.minimum(times, end), times <= end
    fitted = SplineHazard.fit(days, event, GROUP, ridge=1.0) if kind == "spline" else ForestHazard.fit(days, event, GROUP, rng=rng)
    drawn = fitted.draw(GROUP, rng=rng)
    for sign in (1.0, -1.0):
        for day in (20.0, 60.0, 120.0):
            shares = [np.mean(of[GROUP[:, 0] == sign] > day) for of in (times, drawn)]
            assert shares[1] == pytest.approx(shares[0], abs=0.05)


def test_what_never_happens() -> None:
    days, never = np.arange(1.0, 5.0), np.zeros(4, dtype=bool)
    assert SplineHazard.fit(days, never, np.ones((4, 1)), ridge=1.0) is None
    assert ForestHazard.fit(days, never, np.ones((4, 1)), rng=np.random.default_rng(0)) is None


def test_an_interaction_is_learnt_only_when_asked_for() -> None:
    plain, asked = (
        SequentialGenerator(method="sequential", treatment_interactions=pairs, covariates=EmpiricalCopula(method="empirical_copula"))
        for pairs in ((), (("age", "sex"),))
    )
    real = simulate_cohort(400, seed=2)
    sizes = [fit_generator(s, real, covariates=COVARIATES, outcomes=OUTCOMES, seed=1).baseline.treatment.coefficients.size for s in (plain, asked)]
    assert sizes[1] == sizes[0] + 1


def test_no_penalty_on_separated_arms_is_refused_in_words() -> None:
    real = simulate_cohort(400, seed=2)
    real["treated"] = real["age"] > real["age"].median()
    with pytest.raises(GenerationError, match="a ridge penalty above zero"):
        fit_generator(SequentialGenerator(method="sequential", ridge_treatment=0), real, covariates=COVARIATES, outcomes=OUTCOMES, seed=1)
