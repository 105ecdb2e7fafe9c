"""Entropy balancing on a handful of patients."""

from __future__ import annotations

from fractions import Fraction
from math import log

import numpy as np
import pytest

from parallax.errors import NotEstimable, StatisticsError
from parallax.statistics.entropy_balancing import balance_entropy

#   treated: half have the mark; comparators: three of four have it
MARK = np.array([[1.0], [0.0], [1.0], [1.0], [1.0], [0.0]])
TREATED = np.array([True, True, False, False, False, False])


def test_one_mark() -> None:
    # two treated to be matched: one unit of weight with the mark, over three, and one without
    fit = balance_entropy(MARK, TREATED, "ATT")
    assert fit.weights == pytest.approx([1, 1, Fraction(1, 3), Fraction(1, 3), Fraction(1, 3), 1], rel=1e-10)
    assert fit.coefficients == pytest.approx(np.array([[-log(3)]]), rel=1e-10)


def test_one_mark_from_the_other_side() -> None:
    fit = balance_entropy(MARK, TREATED, "ATC")
    assert fit.weights == pytest.approx([3, 1, 1, 1, 1, 1], rel=1e-10)
    assert fit.coefficients == pytest.approx(np.array([[log(3)]]), rel=1e-10)


def test_one_mark_in_everybody() -> None:
    # four of six have it, so either arm stands for four with and two without
    fit = balance_entropy(MARK, TREATED, "ATE")
    assert fit.weights == pytest.approx([4, 2, Fraction(4, 3), Fraction(4, 3), Fraction(4, 3), 2], rel=1e-10)
    assert fit.coefficients == pytest.approx(np.array([[log(2 / 3)], [log(2)]]), rel=1e-10)


def test_base_weights_are_repeated_patients() -> None:
    # the first treated twice: 2 with the mark over the comparators of weight 1 and 2 who have it, 1 without
    fit = balance_entropy(MARK, TREATED, "ATT", base_weights=[2, 1, 1, 2, 0, 1])
    assert fit.weights == pytest.approx([2, 1, Fraction(2, 3), Fraction(4, 3), 0, 1], rel=1e-10)


def test_all_levels_of_a_category_and_a_constant() -> None:
    levels = np.column_stack([MARK, 1 - MARK, np.full(6, 0.1)])
    fit = balance_entropy(levels, TREATED, "ATT")
    assert fit.weights == pytest.approx(balance_entropy(MARK, TREATED, "ATT").weights, rel=1e-10)
    assert fit.coefficients[0, 1:].tolist() == [0, 0]
    assert fit.gradient.shape == fit.influence.shape == (6, 2)


def test_what_no_weights_balance_is_named() -> None:
    other = np.arange(6.0)
    # every treated patient has the mark
    with pytest.raises(NotEstimable, match="at or beyond their range") as fault:
        balance_entropy(np.column_stack([other % 2, [1, 1, 1, 1, 1, 0]]), TREATED, "ATT")
    assert fault.value.columns == (1,)
    # no comparator has it
    with pytest.raises(NotEstimable, match="at or beyond their range") as fault:
        balance_entropy(np.array([[1.0], [0], [0], [0], [0], [0]]), TREATED, "ATT")
    assert fault.value.columns == (0,)
    # each mean is inside its range, the pair is outside the triangle of the comparators
    pair = np.array([[0.8, 0.8], [0.9, 0.9], [0, 0], [1, 0], [0, 1], [0.1, 0.1]])
    with pytest.raises(NotEstimable, match="convex hull") as fault:
        balance_entropy(pair, TREATED, "ATT")
    assert fault.value.columns == (0, 1)
    # equal among the comparators, not among the treated
    same = np.array([[0.2, 0.6], [0.4, 0.7], [0, 0], [1, 1], [0.3, 0.3], [0.1, 0.1]])
    with pytest.raises(NotEstimable, match="follow from the others") as fault:
        balance_entropy(same, TREATED, "ATT")
    assert fault.value.columns == (1,)


def test_bad_input_is_named() -> None:
    with pytest.raises(NotEstimable, match="one arm is empty"):
        balance_entropy([[1.0]], [1], "ATT")
    with pytest.raises(NotEstimable, match="one arm is empty"):
        balance_entropy(MARK, TREATED, "ATT", base_weights=TREATED.astype(float))
    with pytest.raises(StatisticsError, match="weights: 1 of 6 values are negative"):
        balance_entropy(MARK, TREATED, "ATT", base_weights=[-1, 1, 1, 1, 1, 1])
    with pytest.raises(StatisticsError, match="columns: 6 of 6 values are NaN"):
        balance_entropy(MARK * np.nan, TREATED, "ATT")
    with pytest.raises(StatisticsError, match="estimand: found 'ATO'"):
        balance_entropy(MARK, TREATED, "ATO")  # type: ignore[arg-type]
