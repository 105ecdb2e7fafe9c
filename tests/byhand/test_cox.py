"""Cox regression on three patients, worked by hand with θ = exp(β)."""

from __future__ import annotations

from math import log, sqrt

import numpy as np
import pytest

from parallax.statistics.cox import baseline_hazard, fit_cox

ROOT = sqrt(2.0)


def test_coefficient_and_variances_without_ties() -> None:
    # L = θ/(2θ+1) · 1/(1+θ); its maximum solves 2θ² = 1. With p₁ = 2θ/(2θ+1) = 2−√2 and p₂ = θ/(1+θ) = √2−1 the information is Σ p(1−p)
    # = 6√2−8, and the score residuals are 1−√2/2, 5√2−7 and 6−9/√2 (their sum is zero).
    fit = fit_cox([1.0, 2.0, 3.0], [1, 1, 0], [[1.0], [0.0], [1.0]])
    information = 6.0 * ROOT - 8.0
    residuals = np.array([1.0 - ROOT / 2.0, 5.0 * ROOT - 7.0, 6.0 - 9.0 / ROOT])
    assert fit.coefficients[0] == pytest.approx(-0.5 * log(2.0), abs=1e-12)
    assert fit.covariance_naive[0, 0] == pytest.approx(1.0 / information, rel=1e-12)
    assert fit.covariance_robust[0, 0] == pytest.approx(np.sum(residuals**2) / information**2, rel=1e-12)
    assert fit.log_likelihood == pytest.approx(log((2.0 - ROOT) / 2.0) + log(2.0 - ROOT), rel=1e-12)


def test_clusters_add_their_residuals() -> None:
    # patients 1 and 3 together: their residuals sum to −(5√2−7)
    fit = fit_cox([1.0, 2.0, 3.0], [1, 1, 0], [[1.0], [0.0], [1.0]], clusters=np.array([7, 2, 7]))
    assert fit.covariance_robust[0, 0] == pytest.approx(2.0 * (5.0 * ROOT - 7.0) ** 2 / (6.0 * ROOT - 8.0) ** 2, rel=1e-9)


@pytest.mark.parametrize(("ties", "theta"), [("efron", 1.0 / sqrt(6.0)), ("breslow", 0.5)])
def test_tied_events(ties: str, theta: float) -> None:
    # Efron: θ/{(2θ+1)(3θ+1)/2}, hence 6θ² = 1. Breslow: θ/(2θ+1)², hence 2θ = 1
    fit = fit_cox([1.0, 1.0, 2.0], [1, 1, 0], [[1.0], [0.0], [1.0]], ties=ties)
    assert fit.coefficients[0] == pytest.approx(log(theta), abs=1e-12)


def test_weight_is_a_repeated_patient_under_breslow() -> None:
    # the comparator weighs 2: L = θ/(2θ+2) · {1/(θ+2)}²; its logarithm has derivative 1/θ − 1/(θ+1) − 2/(θ+2), zero at 2θ² + θ − 2 = 0
    fit = fit_cox([1.0, 2.0, 3.0], [1, 1, 0], [[1.0], [0.0], [1.0]], weights=[1.0, 2.0, 1.0], ties="breslow")
    assert fit.coefficients[0] == pytest.approx(log((sqrt(17.0) - 1.0) / 4.0), abs=1e-12)


def test_ridge_penalty() -> None:
    # L = 1/(2+θ) · θ/(1+θ) has the score 1 − θ/(2+θ) − θ/(1+θ): zero at θ = √2, and 1 − 5/13 − 5/9 = 7/117 at θ = 5/4, where the penalty
    # λ log θ balances it if λ = 7/117 / log(5/4)
    fit = fit_cox([1.0, 2.0, 3.0], [1, 1, 0], [[0.0], [1.0], [0.0]], ridge=7.0 / 117.0 / log(1.25))
    assert fit.coefficients[0] == pytest.approx(log(1.25), abs=1e-12)


def test_baseline_hazard() -> None:
    # θ = 1/2: two events over 2θ+1 at risk at time 1; no event at time 2
    time, event, x = [1.0, 1.0, 2.0], [1, 1, 0], [[1.0], [0.0], [1.0]]
    times, increments = baseline_hazard(fit_cox(time, event, x, ties="breslow"), time, event, x)
    assert times.tolist() == [1.0]
    assert increments == pytest.approx([1.0], rel=1e-12)
