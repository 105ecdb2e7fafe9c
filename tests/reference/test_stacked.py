"""The stacked sandwich against delicatessen, which solves all estimating equations at once and differentiates them numerically."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from parallax.statistics.cox import fit_cox
from parallax.statistics.logistic import fit_logistic
from parallax.statistics.stacked import arm_share_weights, logistic_weights, stack_influence
from parallax.statistics.survival import restricted_mean_difference, survival_difference
from parallax.statistics.weighting import propensity_weights, weight_gradient
from parallax.vocabulary import Estimand

delicatessen = pytest.importorskip("delicatessen")

Array = NDArray[np.float64]
HORIZON = 2.0
CASES: list[tuple[Estimand, bool]] = [("ATE", True), ("ATE", False), ("ATT", False), ("ATC", False), ("ATO", False)]


@pytest.fixture(scope="module")
def patients() -> tuple[Array, Array, Array]:
    """300 patients, followed to the end: intercept and two covariates, treated, time (no ties)."""
    rng = np.random.default_rng(20)
    x = np.column_stack([np.ones(300), rng.normal(size=(300, 2))])
    treated = (rng.random(300) < expit(x @ [-0.3, 0.8, -0.5])).astype(np.float64)
    return x, treated, rng.exponential(np.exp(-0.5 * treated + 0.6 * x[:, 1]))


def weigh(score: Array, treated: Array, share: float, estimand: Estimand, stabilised: bool) -> Array:
    """The weights from their definition, as a smooth function of score and share."""
    tilt = {"ATE": np.ones_like(score), "ATT": score, "ATC": 1 - score, "ATO": score * (1 - score)}[estimand]
    weight = tilt * np.where(treated == 1, 1 / score, 1 / (1 - score))
    return weight * np.where(treated == 1, share, 1 - share) if stabilised else weight


def solve(patients: tuple[Array, Array, Array], estimand: Estimand, stabilised: bool, effect: Callable[[Array, Array], Array], start: list[float]):
    """Standard error of the last parameter when score, share and effect are solved together."""
    x, treated, _ = patients

    def equations(theta: Array) -> Array:
        score = expit(x @ theta[:3])
        weight = weigh(score, treated, theta[3], estimand, stabilised)
        return np.vstack([x.T * (treated - score), treated - theta[3], effect(theta[4:], weight)])

    initial = [*fit_logistic(x, treated).coefficients, treated.mean(), *start]
    estimator = delicatessen.MEstimator(equations, init=initial)
    estimator.estimate(deriv_method="approx", dx=1e-7, tolerance=1e-11)
    return estimator.theta[-1], float(np.sqrt(estimator.variance[-1, -1]))


def stack(patients: tuple[Array, Array, Array], estimand: Estimand, stabilised: bool, influence: Array) -> float:
    x, treated, _ = patients
    score = fit_logistic(x, treated).fitted
    weight = propensity_weights(score, treated, estimand, stabilised=stabilised)
    estimated = logistic_weights(x, treated, score, weight_gradient(score, treated, estimand, stabilised=stabilised))
    if stabilised:
        estimated = estimated.beside(arm_share_weights(weight, treated))
    return float(np.sqrt(np.sum(stack_influence(influence, weight, estimated) ** 2)))


@pytest.mark.parametrize(("estimand", "stabilised"), CASES)
@pytest.mark.parametrize("contrast", ["risk_difference", "rmst_difference"])
def test_differences(patients: tuple[Array, Array, Array], contrast: str, estimand: Estimand, stabilised: bool) -> None:
    x, treated, time = patients
    outcome = (time > HORIZON).astype(np.float64) if contrast == "risk_difference" else np.minimum(time, HORIZON)

    def effect(theta: Array, weight: Array) -> Array:
        return np.vstack(
            [weight * treated * (outcome - theta[0]), weight * (1 - treated) * (outcome - theta[1]), np.full(300, theta[0] - theta[1] - theta[2])]
        )

    found, std_error = solve(patients, estimand, stabilised, effect, [0.5, 0.5, 0.0])
    weight = propensity_weights(fit_logistic(x, treated).fitted, treated, estimand, stabilised=stabilised)
    kernel = survival_difference if contrast == "risk_difference" else restricted_mean_difference
    ours = kernel(time, np.ones(300), treated, HORIZON, weights=weight)
    sign = -1 if contrast == "risk_difference" else 1
    assert sign * ours.estimate == pytest.approx(found, rel=1e-6)
    assert stack(patients, estimand, stabilised, ours.influence) == pytest.approx(std_error, rel=1e-6)


@pytest.mark.parametrize(("estimand", "stabilised"), CASES)
def test_hazard_ratio(patients: tuple[Array, Array, Array], estimand: Estimand, stabilised: bool) -> None:
    """The weighted partial likelihood's score in its sum over independent patients (Lin and Wei 1989, eq. 2.7); every patient has an event."""
    x, treated, time = patients
    at_risk = (time[None, :] >= time[:, None]).astype(np.float64)

    def effect(theta: Array, weight: Array) -> Array:
        relative = np.exp(theta[0] * treated)
        total = at_risk @ (weight * relative)
        mean = at_risk @ (weight * relative * treated) / total
        compensated = (at_risk.T * relative[:, None]) @ (weight / total) * treated - (at_risk.T * relative[:, None]) @ (weight * mean / total)
        return (weight * (treated - mean - compensated))[None, :]

    log_ratio, std_error = solve(patients, estimand, stabilised, effect, [0.0])
    weight = propensity_weights(fit_logistic(x, treated).fitted, treated, estimand, stabilised=stabilised)
    ours = fit_cox(time, np.ones(300), treated[:, None], weights=weight)
    assert ours.coefficients[0] == pytest.approx(log_ratio, rel=1e-6)
    assert stack(patients, estimand, stabilised, ours.influence[:, 0]) == pytest.approx(std_error, rel=1e-6)
