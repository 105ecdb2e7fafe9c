"""Weights against their derivatives, their estimands and the optimum that a trim claims."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from parallax.statistics.trimming import trim_crump
from parallax.statistics.weighting import propensity_weights, weight_gradient
from parallax.vocabulary import ESTIMANDS, Estimand


def draw(n: int, *, spread: float = 1.0, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    logit = spread * rng.normal(size=n) - 0.5
    return logit, rng.random(n) < expit(logit)


@pytest.mark.parametrize("estimand", ESTIMANDS)
@pytest.mark.parametrize("stabilised", [False, True])
def test_gradient_by_differences(estimand: Estimand, stabilised: bool) -> None:
    logit, treated = draw(400, spread=2.0)
    step = 1e-6
    up, down = (propensity_weights(expit(logit + d), treated, estimand, stabilised=stabilised) for d in (step, -step))
    found = weight_gradient(expit(logit), treated, estimand, stabilised=stabilised)
    assert found == pytest.approx((up - down) / (2 * step), rel=1e-6, abs=1e-8)


def test_gradient_at_the_kink_is_that_from_below() -> None:
    treated = np.array([True, False])
    step = 1e-7
    here, below = (propensity_weights(expit(np.full(2, d)), treated, "ATM", stabilised=False) for d in (0.0, -step))
    assert weight_gradient([0.5, 0.5], treated, "ATM", stabilised=False) == pytest.approx((here - below) / step, abs=1e-6)


@pytest.mark.parametrize(
    ("estimand", "tilt"),
    [
        ("ATE", lambda e: np.ones_like(e)),
        ("ATT", lambda e: e),
        ("ATC", lambda e: 1 - e),
        ("ATO", lambda e: e * (1 - e)),
        ("ATM", lambda e: np.minimum(e, 1 - e)),
    ],
)
def test_both_arms_stand_for_one_population(estimand: Estimand, tilt) -> None:
    # in expectation over treatment given the score, each arm's weights are h(e)
    score = expit(draw(50, spread=2.0)[0])
    twice, arm = np.concatenate([score, score]), np.repeat([True, False], 50)
    weights = propensity_weights(twice, arm, estimand, stabilised=False)
    assert weights[:50] * score == pytest.approx(tilt(score))
    assert weights[50:] * (1 - score) == pytest.approx(tilt(score))


@pytest.mark.parametrize("seed", range(6))
def test_crump_is_the_most_precise_symmetric_trim(seed: int) -> None:
    logit, treated = draw(300, spread=1.0 + seed / 2, seed=seed)
    score = expit(logit)
    cost = 1 / (score * (1 - score))
    variances = [cost[cost <= bound].sum() / np.count_nonzero(cost <= bound) ** 2 for bound in cost]
    trim = trim_crump(score, treated)
    assert cost[trim.kept].sum() / trim.kept.sum() ** 2 == pytest.approx(min(variances), rel=1e-12)
    if trim.lower > 0:
        assert 1 / (trim.lower * trim.upper) == pytest.approx(2 * cost[trim.kept].mean())
