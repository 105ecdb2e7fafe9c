"""Constraints on a handful of patients: who keeps them, and what stands in a gap."""

from __future__ import annotations

import numpy as np
import pandas as pd

from parallax.protocol import FixedCombinationsConstraint, InequalityConstraint, RangeConstraint
from parallax.synthesis.constraints import Rules, fill_in_order

GAP = np.nan
RANGE = RangeConstraint(type="range", low="a", middle="b", high="c")


def test_two_known_values_must_be_in_order_and_a_gap_breaks_nothing():
    table = pd.DataFrame({"a": [1, 2, 2, GAP, 3, 3, GAP], "b": [2, 2, 1, 1, GAP, GAP, GAP], "c": [3, 2, 3, GAP, 2, 4, GAP]}, dtype=float)
    pairs = InequalityConstraint(type="inequality", low="a", high="b")
    rules = Rules((RANGE, RANGE.model_copy(update={"strict": True}), pairs), {})
    assert [kept.astype(int).tolist() for kept in rules.each(table)] == [[1, 1, 0, 1, 0, 1, 1], [1, 0, 0, 1, 0, 1, 1], [1, 1, 0, 1, 1, 1, 1]]
    assert rules.kept(table).astype(int).tolist() == [1, 0, 0, 1, 0, 1, 1]


def test_levels_go_together_as_they_did_and_a_gap_goes_with_all():
    seen = pd.DataFrame({"x": ["p", "p", "q", "q"], "y": ["1", "2", "3", None]}, dtype="string")
    rules = Rules.of(seen, [FixedCombinationsConstraint(type="fixed_combinations", columns=("x", "y"))])
    drawn = pd.DataFrame({"x": ["p", "q", "q", None], "y": ["1", "1", None, "2"]}, dtype="string")
    assert rules.kept(drawn).tolist() == [True, False, True, True]


def test_gaps_are_filled_in_order():
    # known steps: b - a is 2 (patients 1, 3), c - b is 4 (patients 1, 4); the median of a is 1
    table = pd.DataFrame({"a": [1, 1, 1, GAP, GAP, GAP], "b": [3, GAP, 3, 5, GAP, GAP], "c": [7, 9, GAP, 9, 20, GAP]}, dtype=float)
    filled = fill_in_order(table, RANGE)
    expected = pd.DataFrame({"a": [1, 1, 1, 3, 14, 1], "b": [3, 5, 3, 5, 16, 3], "c": [7, 9, 7, 9, 20, 7]}, dtype=float)
    pd.testing.assert_frame_equal(filled, expected)
