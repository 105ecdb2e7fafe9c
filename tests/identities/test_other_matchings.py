"""Optimal and Mahalanobis matching against brute force over all pairs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from parallax.statistics.mahalanobis_matching import match_mahalanobis
from parallax.statistics.optimal_matching import match_optimal

N = 80


@pytest.mark.parametrize("caliper", [0.05, 0.3, 10.0])
@pytest.mark.parametrize("decimals", [9, 1])
@pytest.mark.parametrize("exact", [False, True])
def test_optimal_is_the_dense_assignment(caliper: float, decimals: int, exact: bool) -> None:
    rng = np.random.default_rng(6)
    score, treated, stratum = rng.normal(size=N).round(decimals), rng.random(N) < 0.5, rng.integers(0, 2, N)
    found = match_optimal(score, treated, caliper=caliper, exact=stratum if exact else None)
    distance = np.abs(score[treated][:, None] - score[~treated][None, :])
    allowed = distance <= caliper + 1e-12
    if exact:
        allowed &= stratum[treated][:, None] == stratum[~treated][None, :]
    one, other = linear_sum_assignment(np.where(allowed, distance, 1e4))
    kept = allowed[one, other]
    assert found.focal.size == kept.sum()
    assert np.abs(score[found.focal] - score[found.match]).sum() == pytest.approx(distance[one, other][kept].sum(), abs=1e-8)
    assert np.unique(np.concatenate([found.focal, found.match])).size == 2 * found.focal.size
    assert np.all(treated[found.focal] & ~treated[found.match])


@pytest.mark.parametrize("caliper", [None, 0.4])
@pytest.mark.parametrize("n", [N, 300])
def test_mahalanobis_is_the_greedy_of_its_definition(caliper: float | None, n: int) -> None:
    rng = np.random.default_rng(4)
    columns, treated, stratum = rng.normal(size=(n, 3)) @ rng.normal(size=(3, 3)) + 1e4, rng.random(n) < 0.4, rng.integers(0, 2, n)
    score = columns[:, 0] - 1e4 + rng.normal(size=n)
    pooled = sum((arm.sum() - 1) * np.cov(columns[arm], rowvar=False) for arm in (treated, ~treated)) / (n - 2)
    inverse = np.linalg.inv(pooled)
    free = set(np.flatnonzero(~treated).tolist())
    expected = []
    for i in sorted(np.flatnonzero(treated).tolist(), key=lambda i: -score[i]):
        reach = [j for j in free if stratum[j] == stratum[i] and abs(score[j] - score[i]) <= (np.inf if caliper is None else caliper)]
        if reach:
            nearest = min(reach, key=lambda j: (columns[i] - columns[j]) @ inverse @ (columns[i] - columns[j]))
            free.remove(nearest)
            expected.append((i, nearest))
    found = match_mahalanobis(columns, treated, score=score, caliper=caliper, exact=stratum)
    assert list(zip(found.focal.tolist(), found.match.tolist(), strict=True)) == expected
    assert found.ties_decided_by_row_order == 0
