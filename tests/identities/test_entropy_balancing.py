"""Entropy balancing against its moments, a general optimiser and numerical derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from parallax.statistics.entropy_balancing import BalancedEstimand, EntropyBalance, balance_entropy


def draw(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(12)
    x = np.column_stack([rng.normal(size=n), 1e5 + 300 * rng.normal(size=n), rng.random(n) < 0.3, rng.exponential(size=n)])
    treated = rng.random(n) < expit(0.8 * x[:, 0] - 0.5 * x[:, 3])
    return x, treated, rng.uniform(0.2, 3, n)


@pytest.mark.parametrize("estimand", ["ATT", "ATC", "ATE"])
@pytest.mark.parametrize("n", [60, 5_000])
def test_moments(estimand: BalancedEstimand, n: int) -> None:
    x, treated, base = draw(n)
    weights = balance_entropy(x, treated, estimand, base_weights=base).weights
    target = {"ATT": treated, "ATC": ~treated, "ATE": np.ones(n, dtype=bool)}[estimand]
    mean = np.average(x[target], axis=0, weights=base[target])
    for arm in (treated, ~treated):
        assert (np.average(x[arm], axis=0, weights=weights[arm]) - mean) / x.std(axis=0) == pytest.approx(np.zeros(4), abs=1e-8)
        assert weights[arm].sum() == pytest.approx(base[target].sum(), rel=1e-10)
    assert np.all(weights > 0)


def test_nearest_to_the_base_weights() -> None:
    x, treated, base = draw(40)
    x = x[:, [0, 2]]
    prior = base[~treated] / base[~treated].sum()
    mean = np.average(x[treated], axis=0, weights=base[treated])
    found = minimize(
        lambda w: np.sum(w * np.log(w / prior)), prior, jac=lambda w: np.log(w / prior) + 1, method="SLSQP", bounds=[(1e-9, 1)] * prior.size,
        constraints=[{"type": "eq", "fun": lambda w: w @ x[~treated] - mean}, {"type": "eq", "fun": lambda w: w.sum() - 1}],
        options={"ftol": 1e-14, "maxiter": 500},
    )  # fmt: skip
    weights = balance_entropy(x, treated, "ATT", base_weights=base).weights[~treated]
    assert weights / weights.sum() == pytest.approx(found.x, abs=1e-6)


@pytest.mark.parametrize("estimand", ["ATT", "ATC", "ATE"])
def test_influence_by_differences(estimand: BalancedEstimand) -> None:
    # a patient's base weight moves its own weight, and through the parameters all others
    n = 60
    x, treated, base = draw(n)
    fit = balance_entropy(x, treated, estimand, base_weights=base)
    assert fit.gradient.shape == fit.influence.shape == (n, 10 if estimand == "ATE" else 5)
    expected = fit.gradient @ fit.influence.T + np.diag(fit.weights)
    step = 1e-5
    for i in range(n):
        up, down = (balanced_with(x, treated, base, estimand, i, factor).weights for factor in (1 + step, 1 - step))
        assert (up - down) / (2 * step) == pytest.approx(expected[:, i], rel=1e-5, abs=1e-7)


def balanced_with(x: np.ndarray, treated: np.ndarray, base: np.ndarray, estimand: BalancedEstimand, patient: int, factor: float) -> EntropyBalance:
    changed = base.copy()
    changed[patient] *= factor
    return balance_entropy(x, treated, estimand, base_weights=changed)


def test_influence_on_the_dual_parameters_by_differences() -> None:
    x, treated, base = draw(60)
    fit = balance_entropy(x, treated, "ATT", base_weights=base)
    step = 1e-5
    for i in (0, 7, 20, 41):
        up, down = (balanced_with(x, treated, base, "ATT", i, factor).coefficients[0] for factor in (1 + step, 1 - step))
        assert (up - down) / (2 * step) == pytest.approx(fit.influence[i, 1:], rel=1e-5, abs=1e-12)


def test_units_do_not_matter() -> None:
    x, treated, _ = draw(200)
    one, other = balance_entropy(x, treated, "ATT"), balance_entropy(x * [1, 1e-3, 5, 1e4] + [0, 7, 0, -3], treated, "ATT")
    assert other.weights == pytest.approx(one.weights, rel=1e-8)
    assert other.coefficients[0] * [1, 1e-3, 5, 1e4] == pytest.approx(one.coefficients[0], rel=1e-7)
