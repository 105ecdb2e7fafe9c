"""The parts of the adversarial random forest on a handful of patients."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import truncnorm

from parallax.synthesis.arf import Arf, _truncated

#: x0 ≤ 2 | x0 > 2, and of the latter x1 ≤ 0.5 | x1 > 0.5
TREE = SimpleNamespace(
    children_left=np.array([1, -1, 3, -1, -1]),
    children_right=np.array([2, -1, 4, -1, -1]),
    feature=np.array([0, -2, 1, -2, -2]),
    threshold=np.array([2.0, -2.0, 0.5, -2.0, -2.0]),
)
PATIENTS = np.array([[1.0, 0.0], [2.0, 1.0], [3.0, 0.0], [4.0, 0.0], [5.0, 1.0]])


def test_every_patient_is_in_the_leaf_that_the_splits_lead_to() -> None:
    leaves = list(Arf(1, 1, 0)._leaves(TREE, PATIENTS))
    assert [leaf.rows.tolist() for leaf in leaves] == [[0, 1], [2, 3], [4]]
    assert [(leaf.lower.tolist(), leaf.upper.tolist()) for leaf in leaves] == [
        ([-np.inf, -np.inf], [2.0, np.inf]),
        ([2.0, -np.inf], [np.inf, 0.5]),
        ([2.0, 0.5], [np.inf, np.inf]),
    ]


def test_a_branch_of_too_few_patients_is_cut_and_they_join_its_sibling() -> None:
    leaves = list(Arf(1, 2, 0)._leaves(TREE, PATIENTS))
    assert [leaf.rows.tolist() for leaf in leaves] == [[0, 1], [2, 3, 4]]
    assert leaves[1].lower.tolist() == [2.0, -np.inf]
    assert leaves[1].upper.tolist() == [np.inf, np.inf]
    (leaf,) = Arf(1, 3, 0)._leaves(TREE, PATIENTS)
    assert leaf.rows.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("lower", "upper"), [(-1.0, 2.0), (2.5, 3.0), (-9.0, -8.0), (8.0, 9.0)])
def test_truncated_numbers_follow_scipys_distribution(lower: float, upper: float) -> None:
    shape = (4000, 1)
    drawn = _truncated(*(np.full(shape, value) for value in (1.0, 0.5, lower, upper)), rng=np.random.default_rng(5)).ravel()
    law = truncnorm((lower - 1.0) / 0.5, (upper - 1.0) / 0.5, loc=1.0, scale=0.5)
    assert drawn.min() >= lower
    assert drawn.max() <= upper
    assert drawn.mean() == pytest.approx(law.mean(), abs=4 * law.std() / np.sqrt(4000))
    assert drawn.std() == pytest.approx(law.std(), rel=0.1)


def test_patients_alike_in_a_leaf_are_drawn_alike() -> None:
    assert _truncated(np.array([[3.0]]), np.zeros((1, 1)), np.array([[1.0]]), np.array([[9.0]]), rng=np.random.default_rng(1)) == 3.0
