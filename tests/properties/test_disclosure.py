"""What disclosure promises for every table."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from parallax import tables
from parallax.disclosure.cohort import disclose_characteristics
from parallax.disclosure.counts import suppress_counts
from parallax.disclosure.curves import disclose_curves
from parallax.disclosure.numbers import round_shares
from parallax.protocol.disclosure import DisclosureSection

sections = st.builds(DisclosureSection, minimum_count=st.integers(3, 20), round_to=st.integers(1, 12))


@given(counts=st.lists(st.integers(0, 500), min_size=1, max_size=20), disclosure=sections)
def test_no_shown_count_is_under_the_minimum_or_off_the_grid(counts: list[int], disclosure: DisclosureSection) -> None:
    shown = pd.Series(suppress_counts(counts, disclosure))
    assert list(shown.isna()) == [count < disclosure.minimum_count for count in counts]
    known = shown.dropna()
    assert (known >= disclosure.minimum_count).all()
    assert (known % disclosure.round_to == 0).all()


@settings(deadline=None)
@given(counts=st.lists(st.integers(0, 60), min_size=2, max_size=6))
def test_a_hidden_level_is_never_alone(counts: list[int]) -> None:
    total = sum(counts)
    exact = tables.CHARACTERISTICS.validate(
        pd.DataFrame(
            [("grade", f"level {position}", "categorical", "treated", total, count, np.nan, np.nan, 0.1) for position, count in enumerate(counts)],
            columns=list(tables.CHARACTERISTICS.columns),
        )
    )
    shown = disclose_characteristics(exact, DisclosureSection())["count"]
    assert shown.isna().sum() != 1 or len(shown) == 1


@settings(deadline=None)
@given(deaths=st.lists(st.integers(0, 15), min_size=3, max_size=40), left=st.integers(0, 30), minimum=st.integers(3, 15))
def test_every_step_of_a_shown_curve_is_made_by_many(deaths: list[int], left: int, minimum: int) -> None:
    n = sum(deaths) + left
    if n == 0:
        return
    alive = n - np.cumsum([0, *deaths])
    exact = pd.DataFrame(
        {
            "replicate": 0, "design": "crude", "outcome": "death", "arm": "treated", "time_days": np.arange(len(alive), dtype=float),
            "survival": alive / n, "lower": alive / n, "upper": alive / n, "at_risk": np.concatenate([[n], alive[:-1]]).astype(float),
        }
    )  # fmt: skip
    shown = disclose_curves(exact, DisclosureSection(minimum_count=minimum, round_to=1), grids={"death": np.arange(len(alive), dtype=float)})
    steps = np.unique(round_shares(np.arange(n + 1) / n, n))
    rounding = n * np.diff(steps).max() + 1e-9  # half a step at either end
    events = -np.diff(shown["survival"]) * n
    assert (events >= minimum - rounding).all()
    assert (shown["survival"].iloc[1:] * n >= minimum - rounding).all()
