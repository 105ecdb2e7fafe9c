"""Do the combining rules' intervals cover the truth as they should, and as they should not?

n real values are N(θ, 1); the generator knows their mean and standard deviation and draws m replicates of k values; each replicate's
estimate is its mean. Var(q) = 1/n + 1/(mk): the partial rule's T estimates it. The naive rule's true coverage is 2Φ(1.96/√(1 + k/n)) − 1
and the stacked rule's 2Φ(1.96/√(1 + mk/n)) − 1.
"""

from __future__ import annotations

from math import inf, sqrt

import numpy as np
import pytest
from scipy.special import ndtr

from parallax.statistics.intervals import t_interval
from parallax.validation.rules import Combined, combine_by


def coverages(n: int, k: int, m: int, repetitions: int, rng: np.random.Generator) -> tuple[float, float, float]:
    hits = np.zeros(3)
    for _ in range(repetitions):
        real = rng.normal(size=n)
        drawn = rng.normal(real.mean(), real.std(ddof=1), size=(m, k))
        q, v = drawn.mean(axis=1), drawn.var(axis=1, ddof=1) / k
        combined = (
            combine_by("partial", q, v, patients=n, synthetic=k),
            Combined(q[0], sqrt(v[0]), inf),
            Combined(drawn.mean(), sqrt(drawn.var(ddof=1) / drawn.size), inf),
        )
        for rule, found in enumerate(combined):
            lower, upper = t_interval(found.estimate, found.std_error, found.df)
            hits[rule] += lower <= 0 <= upper
    return tuple(hits / repetitions)  # type: ignore[return-value]


def check(n: int, k: int, m: int, repetitions: int) -> None:
    found = coverages(n, k, m, repetitions, np.random.default_rng([n, k, m]))
    expected = (0.95, 2 * ndtr(1.96 / sqrt(1 + k / n)) - 1, 2 * ndtr(1.96 / sqrt(1 + m * k / n)) - 1)
    for value, truth in zip(found, expected, strict=True):
        assert value == pytest.approx(truth, abs=3.5 * sqrt(truth * (1 - truth) / repetitions) + 0.003)  # 0.003: t against normal


def test_coverage() -> None:
    check(n=200, k=200, m=10, repetitions=2000)


@pytest.mark.slow
@pytest.mark.parametrize("m", [5, 10])
@pytest.mark.parametrize("k", [50, 100, 200])
def test_coverage_over_sizes(m: int, k: int) -> None:
    check(n=100, k=k, m=m, repetitions=20000)


@pytest.mark.slow
def test_two_replicates_are_too_few() -> None:
    """With m = 2 and small replicates the t approximation covers less than it says, though not by much."""
    partial, _, _ = coverages(100, 50, 2, 20000, np.random.default_rng(2))
    assert 0.91 < partial < 0.945
