"""What is drawn from a code has that code."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from parallax.protocol.generators import NumberRange
from parallax.synthesis.private_codes import Endings, Numbers


@settings(deadline=None)
@given(
    cuts=st.lists(st.integers(1, 99), min_size=1, max_size=6, unique=True),
    decimals=st.sampled_from([None, 0, 1, 3]),
    missing=st.booleans(),
    seed=st.integers(0, 99),
)
def test_a_drawn_number_has_the_code_it_was_drawn_from(cuts: list[int], decimals: int | None, missing: bool, seed: int) -> None:
    coding = Numbers("x", NumberRange(lower=0, upper=100, cuts=tuple(sorted(cuts)), decimals=decimals), missing)
    codes = np.tile(np.arange(coding.size), 20)
    drawn = pd.DataFrame(coding.decode(codes, rng=np.random.default_rng(seed)))
    np.testing.assert_array_equal(coding.encode(drawn), codes)


@settings(deadline=None)
@given(edges=st.sets(st.integers(1, 399), min_size=1, max_size=5), events=st.integers(2, 4), whole=st.booleans(), seed=st.integers(0, 99))
def test_a_drawn_follow_up_has_the_code_it_was_drawn_from(edges: set[int], events: int, whole: bool, seed: int) -> None:
    coding = Endings("death", (0.0, *sorted(map(float, edges)), 400.0), events, whole)
    codes = np.tile(np.arange(coding.size), 20)
    drawn = pd.DataFrame(coding.decode(codes, rng=np.random.default_rng(seed)))
    # censored on the last day of the longest follow-up is completed, from whichever of the two codes
    last = (drawn["death_days"] == 400) & (drawn["death_event"] == 0)
    np.testing.assert_array_equal(coding.encode(drawn)[~last], codes[~last])
    assert drawn["death_days"].between(0, 400, inclusive="right").all()
