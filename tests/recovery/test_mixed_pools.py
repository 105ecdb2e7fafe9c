"""Real patients of one site beside synthetic ones of another: does the partial rule's variance hold? Means, where every variance is known.

Site H has n_H real patients, site S n_S of whom only m synthetic cohorts are seen, each k_S draws from the normal that was fitted to the n_S.
The answer is the mean of all; its variance is (n_H + k_S²/n_S + k_S/m)/(n_H + k_S)² in units of σ². For k_S = n_S that is 1/n + (n_S/n²)/m, and the
partial rule's v·k/n + b/m has just this expectation: b is of the synthetic part alone, as the real patients are the same in every cohort.
"""

from __future__ import annotations

import numpy as np
import pytest

from parallax.statistics.intervals import t_interval
from parallax.validation.rules import combine_by

REPETITIONS = 4000


def answers(n_here: int, n_there: int, size: float, replicates: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """q_i and v_i of one study."""
    here, there = rng.standard_normal(n_here), rng.standard_normal(n_there)
    drawn = rng.normal(there.mean(), there.std(ddof=1), (replicates, round(size * n_there)))
    pooled = np.hstack([np.broadcast_to(here, (replicates, n_here)), drawn])
    return pooled.mean(axis=1), pooled.var(axis=1, ddof=1) / pooled.shape[1]


def simulate(n_here: int, n_there: int, size: float = 1.0, replicates: int = 10) -> tuple[float, float, float, float]:
    """Coverage of the partial and of the naive 95 % interval, the mean of T, and the variance of q over the repetitions."""
    rng = np.random.default_rng([2026, n_here, n_there, replicates, int(10 * size)])
    covered, naive, estimated, found = [], [], [], []
    for _ in range(REPETITIONS):
        q, v = answers(n_here, n_there, size, replicates, rng)
        combined = combine_by("partial", q, v, patients=n_here + n_there, synthetic=n_here + round(size * n_there))
        lower, upper = t_interval(combined.estimate, combined.std_error, combined.df)
        covered.append(lower <= 0 <= upper)
        naive.append(abs(q[0]) <= 1.96 * np.sqrt(v[0]))
        estimated.append(combined.std_error**2)
        found.append(combined.estimate)
    return float(np.mean(covered)), float(np.mean(naive)), float(np.mean(estimated)), float(np.var(found))


@pytest.mark.slow
@pytest.mark.parametrize(("n_here", "n_there"), [(200, 200), (100, 400), (400, 60)])
def test_the_partial_rule_holds_for_real_beside_synthetic_patients(n_here: int, n_there: int) -> None:
    coverage, naive, estimated, true = simulate(n_here, n_there)
    n = n_here + n_there
    known = 1 / n + n_there / n**2 / 10
    monte_carlo = 4 * np.sqrt(0.95 * 0.05 / REPETITIONS)
    assert coverage == pytest.approx(0.95, abs=monte_carlo)
    assert estimated == pytest.approx(known, rel=0.02)
    assert true == pytest.approx(known, rel=4 * np.sqrt(2 / REPETITIONS))
    assert naive < coverage


@pytest.mark.slow
def test_larger_replicates_of_the_other_site_are_refused_for_a_reason() -> None:
    """With k_S = 3 n_S the other site counts for three times what it knows, and v·k/n no longer is the variance: (n + 9n)/16n² against 1/2n."""
    coverage, _, estimated, true = simulate(200, 200, size=3.0)
    assert estimated == pytest.approx(1 / 400 + 600 / 800**2 / 10, rel=0.02)
    assert true == pytest.approx((200 + 9 * 200 + 600 / 10) / 800**2, rel=4 * np.sqrt(2 / REPETITIONS))
    assert true > 1.15 * estimated
    assert coverage < 0.95 - 4 * np.sqrt(0.95 * 0.05 / REPETITIONS)
