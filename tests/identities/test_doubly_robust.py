"""Outcome models and doubly robust estimators against each other, and against the slow way."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from parallax.outcomes.adjustment import adjust_means, adjust_risks
from parallax.statistics.arm_means import weighted_means
from parallax.statistics.doubly_robust import ConditionalHazards, Seen, augment, corrections, risk_residuals, target_hazards, target_means

N = 400
ESTIMANDS = ("ATE", "ATT", "ATC")


@pytest.fixture(scope="module")
def data() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(14)
    x = rng.normal(size=(N, 2))
    propensity = expit(0.6 * x[:, 0] - 0.4)
    treated = rng.random(N) < propensity
    days = np.ceil(rng.exponential(40 * np.exp(-0.5 * x[:, 1] + 0.3 * treated)))
    lost = np.ceil(rng.exponential(60, N))
    return {
        "x": x, "propensity": propensity, "treated": treated, "yes": (rng.random(N) < expit(x[:, 1] + 0.5 * treated)).astype(float),
        "days": days, "time": np.minimum(days, lost), "event": days <= lost, "folds": rng.permutation(N) % 5,
    }  # fmt: skip


@pytest.mark.parametrize("estimand", ESTIMANDS)
def test_without_an_outcome_model_aipw_weights_the_outcome(data: dict[str, np.ndarray], estimand: str) -> None:
    """Predictions of zero leave Horvitz–Thompson's estimate."""
    nothing = np.zeros(N)
    pair = augment(nothing, nothing, data["yes"], data["treated"], data["propensity"], estimand)
    weight = corrections(data["treated"], data["propensity"], estimand)
    assert pair.treated == pytest.approx(np.sum((weight * data["yes"])[data["treated"]]))
    assert pair.comparator == pytest.approx(np.sum((weight * data["yes"])[~data["treated"]]))


def test_a_saturated_model_stratifies() -> None:
    """One binary covariate: g-computation, AIPW and TMLE with saturated models all standardise the strata's means."""
    rng = np.random.default_rng(2)
    stratum = rng.random(600) < 0.4
    treated = rng.random(600) < np.where(stratum, 0.7, 0.3)
    value = rng.normal(2.0 * stratum + treated, 1)
    means = {(a, s): value[(treated == a) & (stratum == s)].mean() for a in (True, False) for s in (True, False)}
    expected = [stratum.mean() * means[a, True] + (1 - stratum.mean()) * means[a, False] for a in (True, False)]
    score = np.where(stratum, treated[stratum].mean(), treated[~stratum].mean())
    predicted = [np.where(stratum, means[a, True], means[a, False]) for a in (True, False)]
    aipw = augment(*predicted, value - np.where(treated, *predicted), treated, score, "ATE")
    column = (stratum - stratum.mean())[:, None] / stratum.std()
    standardised = adjust_means(value, treated, score, column, np.zeros(600, int), family="continuous", method="g_computation", estimand="ATE")
    targeted = augment(*(moved := target_means(value, *predicted, treated, score, "ATE")), value - np.where(treated, *moved), treated, score, "ATE")
    for pair in (aipw, standardised, targeted):
        assert (pair.treated, pair.comparator) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("estimand", ESTIMANDS)
def test_tmle_solves_its_score_equation(data: dict[str, np.ndarray], estimand: str) -> None:
    start = [np.full(N, 0.5), np.full(N, 0.4)]
    moved = target_means(data["yes"], *start, data["treated"], data["propensity"], estimand)
    residual = data["yes"] - np.where(data["treated"], *moved)
    weight = corrections(data["treated"], data["propensity"], estimand)
    for arm in (data["treated"], ~data["treated"]):
        assert np.sum((weight * residual)[arm]) == pytest.approx(0, abs=1e-10)
    assert all(((part > 0) & (part < 1)).all() for part in moved)


def test_without_censoring_the_residual_is_outcome_less_risk(data: dict[str, np.ndarray]) -> None:
    time, event = np.minimum(data["days"], 30.0), data["days"] <= 30
    grid = np.unique(time[event])
    hazard = np.random.default_rng(1).uniform(0.001, 0.05, (N, len(grid)))
    hazards = ConditionalHazards(hazard, np.ones_like(hazard))
    risk = 1 - np.prod(1 - hazard, axis=1)
    assert hazards.risk == pytest.approx(risk)
    assert risk_residuals(Seen.of(time, event, grid), hazards) == pytest.approx(event - risk, abs=1e-10)


def test_targeted_hazards_settle(data: dict[str, np.ndarray]) -> None:
    time, event = np.minimum(data["time"], 30.0), data["event"] & (data["time"] <= 30)
    grid = np.unique(time[event])
    hazards = ConditionalHazards(np.full((N, len(grid)), 0.02), np.full((N, len(grid)), 0.9))
    weight = corrections(data["treated"], data["propensity"], "ATE")
    seen = Seen.of(time, event, grid)
    found = target_hazards(seen, hazards, data["treated"], weight)
    residual = (weight * risk_residuals(seen, found))[data["treated"]]
    assert abs(residual.sum()) <= 0.01 * np.sqrt(np.sum(residual**2))


@pytest.mark.parametrize("estimand", ESTIMANDS)
@pytest.mark.parametrize("kind", ["binary", "continuous", "survival"])
def test_the_influence_of_g_computation_is_the_jackknife(data: dict[str, np.ndarray], kind: str, estimand: str) -> None:
    """Leaving a patient out moves the estimate by about minus the influence."""
    value = data["days"] if kind == "continuous" else data["yes"]

    def estimate(rows: np.ndarray) -> tuple[float, np.ndarray]:
        named = {name: data[name][rows] for name in ("treated", "propensity", "x", "folds")}
        if kind == "survival":
            pair = adjust_risks(data["time"][rows], data["event"][rows], *named.values(), 30.0, method="g_computation", estimand=estimand)
        else:
            pair = adjust_means(value[rows], *named.values(), family=kind, method="g_computation", estimand=estimand)
        difference = pair.difference()
        return difference.estimate, difference.influence

    whole, influence = estimate(np.arange(N))
    left = np.array([estimate(np.delete(np.arange(N), i))[0] for i in range(0, N, 4)])
    moved = whole - left
    assert np.corrcoef(moved, influence[::4])[0, 1] > 0.999
    assert np.sqrt(np.sum(moved**2)) == pytest.approx(np.sqrt(np.sum(influence[::4] ** 2)), rel=0.03)


@pytest.mark.parametrize("method", ["aipw", "tmle"])
def test_survival_without_censoring_agrees_with_the_binary_outcome(data: dict[str, np.ndarray], method: str) -> None:
    named = [data[name] for name in ("treated", "propensity", "x", "folds")]
    dead = data["days"] <= 30
    risks = adjust_risks(data["days"], np.ones(N, dtype=bool), *named, 30.0, method=method, estimand="ATE").difference()
    means = adjust_means(dead.astype(float), *named, family="binary", method=method, estimand="ATE").difference()
    assert risks.estimate == pytest.approx(means.estimate, abs=0.3 * means.std_error)  # two outcome models, one propensity score
    assert risks.std_error == pytest.approx(means.std_error, rel=0.06)
    crude = weighted_means(dead.astype(float), data["treated"]).difference()
    assert abs(risks.estimate - crude.estimate) > 1e-4
