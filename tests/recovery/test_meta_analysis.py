"""Coverage of the pooled intervals where theory gives it.

Studies of one known variance v and effects N(0, τ²): y ~ N(0, v + τ²), all weights equal. Hartung and Knapp's interval without its bound is then
Student's of the mean, which covers 95 % for every k and τ; with the bound at least that. One common effect covers 2Φ(1.96 √(v/(v + τ²))) − 1.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import ttest_1samp

from parallax.statistics.intervals import t_interval
from parallax.statistics.meta_analysis import Pooled, pool_fixed, pool_random, prediction_interval


def covers(pooled: Pooled) -> bool:
    lower, upper = t_interval(pooled.estimate, pooled.std_error, pooled.df)
    return lower <= 0.0 <= upper


def check(k: int, tau2: float, repetitions: int) -> None:
    rng = np.random.default_rng([k, int(100 * tau2)])
    hits, ones = np.zeros(4), np.ones(k)
    for _ in range(repetitions):
        y = rng.normal(0.0, np.sqrt(1.0 + tau2), k)
        intervals = ("hartung_knapp_untruncated", "hartung_knapp", "wald")
        hits += [covers(pool_fixed(y, ones)), *(covers(pool_random(y, ones, interval=interval)) for interval in intervals)]
    fixed, free, bounded, wald = hits / repetitions
    error = 3.5 * np.sqrt(0.95 * 0.05 / repetitions)
    truth = 2 * ndtr(1.96 / np.sqrt(1.0 + tau2)) - 1
    assert fixed == pytest.approx(truth, abs=3.5 * np.sqrt(truth * (1 - truth) / repetitions))
    assert free == pytest.approx(0.95, abs=error)
    assert bounded >= free
    assert wald >= fixed
    if tau2 and k <= 5:
        assert wald < 0.95 - error, "few studies know too little of τ² for a normal interval"


@pytest.mark.parametrize("tau2", [0.0, 2.0])
def test_coverage(tau2: float) -> None:
    check(5, tau2, 1500)


@pytest.mark.slow
@pytest.mark.parametrize("tau2", [0.0, 1.0, 4.0])
@pytest.mark.parametrize("k", [2, 3, 5, 10])
def test_coverage_over_studies(k: int, tau2: float) -> None:
    check(k, tau2, 20000)


@pytest.mark.slow
def test_one_more_study_lies_in_the_prediction_interval() -> None:
    """With many studies τ² is known and t all but normal; with five it is approximate, as its authors say."""
    for k, least, most in ((100, 0.94, 0.96), (5, 0.88, 0.97)):
        rng = np.random.default_rng(k)
        hits = 0
        for _ in range(5000):
            lower, upper = prediction_interval(rng.normal(0.0, np.sqrt(3.0), k), np.ones(k))
            hits += lower <= rng.normal(0.0, np.sqrt(2.0)) <= upper
        assert least <= hits / 5000 <= most, (k, hits / 5000)


def test_with_equal_variances_it_is_the_t_test() -> None:
    y = np.array([0.4, -1.2, 2.2, 0.9])
    found = pool_random(y, np.ones(4), interval="hartung_knapp_untruncated")
    test = ttest_1samp(y, 0.0)
    assert found.estimate / found.std_error == pytest.approx(test.statistic)
    assert t_interval(found.estimate, found.std_error, found.df) == pytest.approx(tuple(test.confidence_interval()))
