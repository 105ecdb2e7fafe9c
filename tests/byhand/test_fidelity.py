"""Gaps between curves and marginals of a handful of patients."""

from __future__ import annotations

from math import isnan, nan

import numpy as np
import pandas as pd
import pytest

from parallax.validation.marginals import measure_ks, measure_split_band, measure_total_variation
from parallax.validation.survival_fidelity import FollowUp, measure_half_split_band, measure_km_gap


def arm(*days: float, censored: tuple[float, ...] = ()) -> FollowUp:
    time = np.array(days + censored, dtype=float)
    return FollowUp(time, (np.arange(len(time)) < len(days)).astype(np.int64))


def test_gap_of_the_mean_curve() -> None:
    # S: 3/4 from 1, 1/2 from 2, 1/4 from 3, 0 from 4. Replicates: all die at 2; all die at 4. Their mean is 1/2 from 2 on, 0 from 4
    real = arm(1, 2, 3, 4)
    assert measure_km_gap(real, [arm(2, 2), arm(4, 4)], horizon_days=10) == pytest.approx(1 / 4)
    # one replicate alone: at 1 it is 1 against 3/4, from 2 on 0 against 1/2
    assert measure_km_gap(real, [arm(2, 2)], horizon_days=10) == pytest.approx(1 / 2)
    assert measure_km_gap(real, [arm(2, 2)], horizon_days=1.5) == pytest.approx(1 / 4)


def test_gap_ends_with_the_real_follow_up_and_carries_short_curves_forward() -> None:
    real = arm(1, censored=(3.0,))  # 1/2 from 1, followed to 3
    assert measure_km_gap(real, [arm(1, 5)], horizon_days=10) == 0.0  # the death at 5 lies beyond
    assert measure_km_gap(arm(1, 3), [arm(censored=(2.0, 2.0))], horizon_days=10) == pytest.approx(1.0)  # 1 carried forward, 0 at 3


def test_censoring_turns_the_patients_round() -> None:
    assert list(arm(1, censored=(2.0,)).censoring().event) == [0, 1]


def test_half_split_band_of_two_patients() -> None:
    # one patient in each half, deaths at 1 and 2: between 1 and 2 the curves are 0 and 1 apart whatever the split
    assert measure_half_split_band(arm(1, 2), horizon_days=10, rng=np.random.default_rng(1)) == 1.0
    assert measure_half_split_band(arm(1, 2), horizon_days=0.5, rng=np.random.default_rng(1)) == 0.0


def test_kolmogorov_smirnov_of_observed_values() -> None:
    assert measure_ks(np.array([1.0, 2.0, 3.0, 4.0, nan]), np.array([3.0, 4.0, 5.0])) == pytest.approx(1 / 2)
    assert measure_ks(np.array([1.0]), np.array([2.0])) == 1.0
    assert isnan(measure_ks(np.array([nan]), np.array([2.0])))


def test_total_variation_counts_missing_as_a_level() -> None:
    real, synthetic = pd.Series(["a", "a", "b", None], dtype="string"), pd.Series(["a", "c"], dtype="string")
    # a 1/2 and 1/2, b 1/4 and 0, c 0 and 1/2, missing 1/4 and 0
    assert measure_total_variation(real, synthetic) == pytest.approx(1 / 2)


def test_competing_events_are_not_censoring() -> None:
    # incidence of the event: real 1/4 from 1, 1/2 from 4; after the competing events at 2 and 3 half the patients are left. Drawn: 3/4 from 1
    real, drawn = FollowUp(np.arange(1.0, 5.0), np.array([1, 2, 2, 1])), FollowUp(np.arange(1.0, 5.0) // 4 + 1.0, np.array([1, 1, 1, 2]))
    assert measure_km_gap(real, [drawn], horizon_days=10) == pytest.approx(1 / 2)  # as censored, the last death would bring the real curve to 1
    # of the competing events: real 1/4 from 2, 1/2 from 3; drawn 1/4 from 2, when the last patient has it
    assert measure_km_gap(real.competing(2), [drawn.competing(2)], horizon_days=10) == pytest.approx(1 / 4)
    assert list(FollowUp(np.ones(4), np.array([0, 1, 2, 3])).competing(3).event) == [0, 3, 2, 1]
    assert list(FollowUp(np.ones(4), np.array([0, 1, 2, 3])).censoring().event) == [1, 0, 0, 0]


def test_the_gap_of_a_binary_outcome_is_the_difference_of_shares_and_its_band_that_of_halves() -> None:
    assert measure_ks(np.array([0.0, 1.0, 1.0, 1.0]), np.array([0.0, 1.0])) == pytest.approx(3 / 4 - 1 / 2)
    # two values, one in each half: apart by all of their share whatever the split; equal ones never
    assert measure_split_band(np.array([0.0, 1.0]), rng=np.random.default_rng(1)) == 1.0
    assert measure_split_band(np.ones(9), rng=np.random.default_rng(1)) == 0.0
