"""Logistic regression on ten patients: a two-by-two table."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from parallax.statistics.logistic import fit_logistic

# x = 0: 1 of 3 respond; x = 1: 4 of 7
X = np.array([0, 0, 0, 1, 1, 1, 1, 1, 1, 1], dtype=float)
Y = np.array([1, 0, 0, 1, 1, 1, 1, 0, 0, 0])
DESIGN = np.column_stack([np.ones(10), X])


def test_two_by_two_table() -> None:
    fit = fit_logistic(DESIGN, Y)
    assert fit.coefficients == pytest.approx([log(1 / 2), log((4 / 3) / (1 / 2))], abs=1e-12)
    assert fit.covariance[0, 0] == pytest.approx(1 + 1 / 2, rel=1e-10)
    assert fit.covariance[0, 1] == pytest.approx(-(1 + 1 / 2), rel=1e-10)
    assert fit.covariance[1, 1] == pytest.approx(1 + 1 / 2 + 1 / 4 + 1 / 3, rel=1e-10)
    assert fit.fitted == pytest.approx([1 / 3] * 3 + [4 / 7] * 7, rel=1e-12)
    assert fit.log_likelihood == pytest.approx(log(1 / 3) + 2 * log(2 / 3) + 4 * log(4 / 7) + 3 * log(3 / 7), rel=1e-12)


def test_weights_count_patients() -> None:
    # the responder at x = 0 weighs 4: 4 of 6 respond there
    fit = fit_logistic(DESIGN, Y, weights=np.r_[4.0, np.ones(9)])
    assert fit.coefficients == pytest.approx([log(2), log((4 / 3) / 2)], abs=1e-12)


def test_weight_zero_leaves_a_patient_out() -> None:
    # without the responders at x = 1 but one: 1 of 4
    fit = fit_logistic(DESIGN, Y, weights=[1, 1, 1, 1, 0, 0, 0, 1, 1, 1])
    assert fit.coefficients == pytest.approx([log(1 / 2), log((1 / 3) / (1 / 2))], abs=1e-12)
    assert fit.fitted[4] == pytest.approx(1 / 4, rel=1e-12)


def test_ridge_penalty() -> None:
    # intercept alone, 9 of 10 respond; at p = 3/4, β = log 3, the score is 9 − 10·3/4 = 3/2 = λ log 3
    response = np.r_[np.ones(9), 0.0]
    fit = fit_logistic(np.ones((10, 1)), response, ridge=1.5 / log(3))
    assert fit.coefficients == pytest.approx([log(3)], abs=1e-12)
    assert fit.covariance[0, 0] == pytest.approx(1 / (10 * 3 / 16 + 1.5 / log(3)), rel=1e-10)
