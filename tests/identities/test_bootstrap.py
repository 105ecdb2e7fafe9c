"""Bootstrap by frequency weights: the same as copying rows, and near the stacked sandwich."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from parallax.errors import NotEstimable, StatisticsError
from parallax.statistics.bootstrap import bootstrap_std_error, resample_sets, resample_weighting
from parallax.statistics.cox import fit_cox
from parallax.statistics.logistic import fit_logistic
from parallax.statistics.stacked import logistic_weights, stack_influence
from parallax.statistics.weighting import propensity_weights, weight_gradient


def simulate(size: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = np.column_stack([np.ones(size), rng.normal(size=(size, 2))])
    treated = rng.random(size) < expit(x @ [-0.3, 0.8, -0.5])
    time = rng.exponential(np.exp(-0.4 * treated + 0.7 * x[:, 1]))
    return x, treated, np.minimum(time, 2.0), time <= 2.0


@pytest.mark.parametrize(("estimand", "stabilised"), [("ATE", True), ("ATE", False), ("ATT", False), ("ATO", False)])
def test_a_resample_weighs_as_copied_rows_do(estimand: str, stabilised: bool) -> None:
    x, treated, _, _ = simulate(80, 1)
    drawn = resample_weighting(x, treated, estimand, stabilised=stabilised, resamples=3, rng=np.random.default_rng(5))  # type: ignore[arg-type]
    rng = np.random.default_rng(5)
    for weights in drawn:
        rows = rng.integers(80, size=80)
        score = fit_logistic(x[rows], treated[rows]).fitted
        copied = propensity_weights(score, treated[rows], estimand, stabilised=stabilised)  # type: ignore[arg-type]
        assert weights == pytest.approx(np.bincount(rows, weights=copied, minlength=80), rel=1e-9)


def test_the_bootstrap_is_near_the_stacked_sandwich_and_below_the_score_taken_as_known() -> None:
    x, treated, time, event = simulate(2000, 2)
    arm = treated.astype(np.float64)[:, None]
    score = fit_logistic(x, treated).fitted
    weight = propensity_weights(score, treated, "ATO", stabilised=False)
    influence = fit_cox(time, event, arm, weights=weight).influence[:, 0]
    slope = weight_gradient(score, treated, "ATO", stabilised=False)
    stacked = np.sqrt(np.sum(stack_influence(influence, weight, logistic_weights(x, treated, score, slope)) ** 2))
    drawn = resample_weighting(x, treated, "ATO", stabilised=False, resamples=300, rng=np.random.default_rng(6))
    found = bootstrap_std_error(lambda weights: float(fit_cox(time, event, arm, weights=weights).coefficients[0]), drawn)
    assert found == pytest.approx(stacked, rel=0.15)  # the standard error of 300 resamples is 4 %
    assert found < 0.95 * np.sqrt(np.sum(influence**2))


def test_sets_are_drawn_whole() -> None:
    sets = np.array([0, 0, 1, 1, -1, 2, 2, 2])
    weights = np.array([1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.5, 0.5])
    drawn = resample_sets(weights, sets, resamples=40, rng=np.random.default_rng(1))
    assert (drawn[:, 4] == 0).all()
    assert (drawn[:, 0] + drawn[:, 2] + drawn[:, 5] == 3).all()
    assert (drawn[:, 5] == 2 * drawn[:, 6]).all()


def test_what_fails_too_often_is_named() -> None:
    def failing(weights: np.ndarray) -> float:
        raise NotEstimable("no events")

    with pytest.raises(NotEstimable, match="not estimable in 50 of 50 resamples: no events"):
        bootstrap_std_error(failing, np.ones((50, 3)))
    with pytest.raises(NotEstimable, match="fewer than two matched sets"):
        resample_sets(np.ones(2), np.array([0, 0]), resamples=50, rng=np.random.default_rng(1))
    x = np.column_stack([np.ones(8), np.arange(8.0)])
    with pytest.raises(NotEstimable, match="cannot be fitted in"):
        resample_weighting(x, np.array([0, 0, 0, 1, 0, 1, 1, 1]), "ATE", stabilised=True, resamples=50, rng=np.random.default_rng(1))
    with pytest.raises(StatisticsError, match="resamples: found 1"):
        resample_sets(np.ones(4), np.array([0, 0, 1, 1]), resamples=1, rng=np.random.default_rng(1))
