"""Bounds and distances beside scipy, statsmodels and scikit-learn, all live."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, ks_2samp
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors
from statsmodels.stats.proportion import confint_proportions_2indep

from parallax.validation.bounds import wilson_bound
from parallax.validation.copies import bound_excess
from parallax.validation.marginals import measure_ks
from parallax.validation.membership import Attack, measure_auc
from parallax.validation.neighbours import find_nearest


@pytest.mark.parametrize(("count", "size"), [(0, 40), (1, 40), (20, 40), (40, 40), (57, 4588)])
def test_wilson(count: int, size: int) -> None:
    reference = binomtest(count, size).proportion_ci(0.90, method="wilson")  # two-sided 90 %: each side 95 %
    assert wilson_bound(count / size, size, upper=True) == pytest.approx(reference.high, rel=1e-10)
    assert wilson_bound(count / size, size, upper=False) == pytest.approx(reference.low, rel=1e-10, abs=1e-15)


@pytest.mark.parametrize(("seen", "unseen"), [((56, 70), (48, 80)), ((0, 10), (0, 20)), ((60, 4588), (2, 1147))])
def test_newcombe(seen: tuple[int, int], unseen: tuple[int, int]) -> None:
    low, high = confint_proportions_2indep(*seen, *unseen, method="newcomb", alpha=0.10)
    bounds = bound_excess(seen[0] / seen[1], seen[1], unseen[0] / unseen[1], unseen[1])
    assert (bounds.lower, bounds.upper) == (pytest.approx(low, rel=1e-9), pytest.approx(high, rel=1e-9))


def test_auc() -> None:
    rng = np.random.default_rng(7)
    members, others = rng.integers(0, 30, (2, 200)) + 3.0, rng.integers(0, 30, (2, 50)).astype(float)
    expected = [roc_auc_score(np.repeat([1, 0], [200, 50]), np.concatenate([members[i], others[i]])) for i in (0, 1)]
    assert measure_auc(Attack(members, (others[0], others[1]))).value == pytest.approx(np.mean(expected), rel=1e-12)


def test_kolmogorov_smirnov() -> None:
    rng = np.random.default_rng(8)
    a, b = rng.integers(0, 20, 300).astype(float), rng.integers(2, 25, 120).astype(float)
    assert measure_ks(a, b) == pytest.approx(ks_2samp(a, b, method="asymp").statistic, abs=1e-12)


def test_nearest_neighbours() -> None:
    rng = np.random.default_rng(9)
    records, among = rng.normal(size=(700, 12)).astype(np.float32), rng.normal(size=(900, 12)).astype(np.float32)
    among[:50] = records[:50]
    expected, _ = NearestNeighbors(n_neighbors=2, algorithm="kd_tree").fit(among.astype(float)).kneighbors(records.astype(float))
    found = find_nearest(records, among)
    assert (found.distance[:50] == 0).all()
    assert found.distance == pytest.approx(expected[:, 0], rel=1e-5)
    assert find_nearest(records, among, without=found.index).distance == pytest.approx(expected[:, 1], rel=1e-5)
