"""Three studies on paper: y = 0, 1, 4 with variances 1, 1, 2.

w = 1, 1, ½; Σw = 5/2, θ = (0 + 1 + 2)/(5/2) = 6/5, variance 2/5. Q = 36/25 + 1/25 + ½ · 196/25 = 135/25 = 27/5. Σw² = 9/4, so that
τ² = (27/5 − 2)/(5/2 − 9/10) = (17/5)/(8/5) = 17/8, I² = (17/5)/(27/5) = 17/27. With τ²: w = 8/25, 8/25, 8/33.
"""

from __future__ import annotations

from fractions import Fraction
from math import inf, isinf, isnan, nan, sqrt

import numpy as np
import pytest

from parallax.errors import NotEstimable, StatisticsError
from parallax.statistics.meta_analysis import measure_spread, pool_fixed, pool_random, prediction_interval

Y, SE = [0.0, 1.0, 4.0], [1.0, 1.0, sqrt(2.0)]


def test_one_effect() -> None:
    pooled = pool_fixed(Y, SE)
    assert pooled.estimate == pytest.approx(6 / 5)
    assert pooled.std_error**2 == pytest.approx(2 / 5)
    assert isinf(pooled.df)
    assert pooled.shares == pytest.approx([2 / 5, 2 / 5, 1 / 5])


def test_spread() -> None:
    spread = measure_spread(Y, SE)
    assert (spread.q, spread.df) == (pytest.approx(27 / 5), 2)
    assert spread.p_value == pytest.approx(np.exp(-27 / 10)), "χ² of two degrees of freedom is an exponential"
    assert (spread.tau2, spread.i2) == (pytest.approx(17 / 8), pytest.approx(17 / 27))
    assert spread.tau2_lower == 0.0
    assert spread.i2_lower == 0.0
    assert spread.tau2 < spread.tau2_upper


def test_varying_effects() -> None:
    w = [Fraction(8, 25), Fraction(8, 25), Fraction(8, 33)]
    total = sum(w)
    centre = (w[1] + 4 * w[2]) / total
    scale = sum(weight * (y - centre) ** 2 for weight, y in zip(w, (0, 1, 4), strict=True)) / 2
    wald, bounded, free = (pool_random(Y, SE, interval=name) for name in ("wald", "hartung_knapp", "hartung_knapp_untruncated"))
    assert wald.estimate == bounded.estimate == free.estimate == pytest.approx(float(centre))
    assert wald.std_error**2 == pytest.approx(float(1 / total))
    assert free.std_error**2 == pytest.approx(float(scale / total))
    assert bounded.std_error**2 == pytest.approx(float(max(scale, Fraction(1)) / total))
    assert (isinf(wald.df), bounded.df, free.df) == (True, 2.0, 2.0)


def test_prediction_of_three_studies_has_one_degree_of_freedom() -> None:
    pooled = pool_random(Y, SE, interval="wald")
    lower, upper = prediction_interval(Y, SE)
    assert lower + upper == pytest.approx(2 * pooled.estimate)
    assert (upper - lower) / 2 == pytest.approx(np.tan(0.475 * np.pi) * sqrt(17 / 8 + pooled.std_error**2)), "t of one df is Cauchy's"


def test_equal_estimates() -> None:
    """Q = 0: no variance between studies; θ and SE of one effect; without the bound Hartung and Knapp's variance would be zero."""
    y, se = [0.3, 0.3, 0.3], [0.1, 0.2, 0.3]
    spread = measure_spread(y, se)
    assert (spread.q, spread.tau2, spread.i2) == (pytest.approx(0.0, abs=1e-30), 0.0, 0.0)
    assert isnan(spread.tau2_upper)
    assert isnan(spread.i2_lower)
    fixed, bounded = pool_fixed(y, se), pool_random(y, se)
    assert (bounded.estimate, bounded.std_error) == (fixed.estimate, fixed.std_error)
    with pytest.raises(NotEstimable, match="estimates of all studies are equal"):
        pool_random(y, se, interval="hartung_knapp_untruncated")


def test_two_studies() -> None:
    """y = ±1, v = 1: θ = 0, Q = 2, τ² = (2 − 1)/(2 − 1) = 1; Hartung and Knapp's s = (1/2 + 1/2)/1 = 1, one degree of freedom."""
    bounded = pool_random([-1.0, 1.0], [1.0, 1.0])
    assert (bounded.estimate, bounded.std_error**2, bounded.df) == (pytest.approx(0.0), pytest.approx(1.0), 1.0)
    with pytest.raises(NotEstimable, match="fewer than three independent"):
        prediction_interval([-1.0, 1.0], [1.0, 1.0])


def test_one_study() -> None:
    alone = pool_fixed([0.4], [0.2])
    assert (alone.estimate, alone.std_error) == (pytest.approx(0.4), pytest.approx(0.2))
    for estimate in (pool_random, measure_spread, prediction_interval):
        with pytest.raises(NotEstimable, match="fewer than"):
            estimate([0.4], [0.2])


@pytest.mark.parametrize("error", [0.0, inf])
def test_a_study_without_or_beyond_all_variance(error: float) -> None:
    for estimate in (pool_fixed, pool_random, measure_spread, prediction_interval):
        with pytest.raises(NotEstimable, match="zero or infinite"):
            estimate([0.1, 0.2, 0.3], [0.1, error, 0.1])


@pytest.mark.parametrize(("y", "se"), [([0.1, nan], [0.1, 0.1]), ([0.1, 0.2], [0.1, nan]), ([0.1, 0.2], [0.1, -0.1]), ([0.1, 0.2], [0.1])])
def test_what_is_no_study(y: list[float], se: list[float]) -> None:
    for estimate in (pool_fixed, pool_random, measure_spread, prediction_interval):
        with pytest.raises(StatisticsError):
            estimate(y, se)


def test_an_unknown_interval() -> None:
    with pytest.raises(StatisticsError, match="allowed are wald"):
        pool_random(Y, SE, interval="bayes")  # type: ignore[arg-type]
