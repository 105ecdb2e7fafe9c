"""Tilts and increments whose solutions are logarithms of fractions."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from parallax.errors import StatisticsError
from parallax.statistics.increments import solve_increments
from parallax.statistics.tilting import tilt

ONE = np.zeros(1, dtype=np.int64)


def test_a_share_of_three_quarters() -> None:
    # weights 1 and exp(λ): exp(λ)/(1 + exp(λ)) = 3/4
    assert tilt([[0.0], [1.0]], [0.75], penalty=1e-9) == pytest.approx([log(3)], abs=1e-6)


def test_a_penalty_misses_the_target_by_itself_times_the_slope() -> None:
    (slope,) = tilt([[0.0], [1.0]], [0.75], penalty=0.2)
    reached = np.exp(slope) / (1 + np.exp(slope))
    assert 0.75 - reached == pytest.approx(0.2 * slope, abs=1e-8)


def test_a_target_outside_the_hull_has_a_finite_answer_only_with_a_penalty() -> None:
    assert np.isfinite(tilt([[0.0], [1.0]], [2.0], penalty=0.1)).all()
    with pytest.raises(StatisticsError, match="penalty: found 0"):
        tilt([[0.0], [1.0]], [0.5], penalty=0.0)


def test_increments_of_equal_patients_are_those_of_the_product_limit() -> None:
    # of four one leaves, of the three left two: −log 3/4 and −log 1/3; then all
    found = solve_increments(np.ones((1, 4)), np.zeros(3, dtype=np.int64), np.array([1 / 4, 2 / 3, 1.0]))
    assert found == pytest.approx([log(4 / 3), log(3), np.inf])


def test_the_increment_of_two_unequal_patients() -> None:
    # risks 1 and 2, half leave: x + x² = 1 with x = exp(−h), the golden section
    (increment,) = solve_increments(np.array([[1.0, 2.0]]), ONE, np.array([0.5]))
    assert np.exp(-increment) == pytest.approx((np.sqrt(5) - 1) / 2)
