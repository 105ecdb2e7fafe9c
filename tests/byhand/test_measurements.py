"""Summaries of repeated measurements, what is kept of a file, and metrics of series, worked out on paper."""

from __future__ import annotations

from fractions import Fraction
from math import inf, nan

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from parallax.cohort.measurements import add_summaries, keep_measurements
from parallax.measurements import select_measurements, summarise_measurements
from parallax.protocol.cohort import CohortSection
from parallax.statistics.conditioning import condition_series, round_series
from parallax.statistics.series import batch_series, summarise_series
from parallax.statistics.spacing import fit_regularity, measure_pairs
from parallax.validation.series_fidelity import SeriesOfArm

COHORT = CohortSection.of(
    {
        "arms": {"column": "drug", "treated": "yes", "comparator": "no"},
        "covariates": {"numeric": ["rate_mean"]},
        "measurements": {"rate": {"unit": "1/min", "window_days": [-10, 0], "summaries": ["mean", "last", "slope", "minimum", "maximum", "count"]}},
    }
)
# Ann: 60, 66, 63 on days −10, −4, −1 (t̄ = −5, ȳ = 63); Bob: one value; Cem: none
ROWS = pd.DataFrame(
    [
        ("ann", "rate", -4.0, 66.0),
        ("ann", "rate", -10.0, 60.0),
        ("ann", "rate", -1.0, 62.0),
        ("ann", "rate", -1.0, 64.0),  # twice at one time: 63
        ("ann", "rate", 1.0, 999.0),  # after the index date
        ("ann", "rate", -10.5, 999.0),  # before the window
        ("ann", "rate", -2.0, nan),
        ("bob", "rate", 0.0, 80.0),
        ("zoe", "rate", -3.0, 999.0),  # in no cohort
        ("ann", "weight", -3.0, 999.0),  # not asked for
    ],
    columns=["patient_id", "name", "time_days", "value"],
)
PEOPLE = pd.DataFrame({"patient_id": ["cem", "ann", "bob"]}, index=[7, 8, 9])


def test_summaries_of_three_values_one_and_none() -> None:
    found = summarise_measurements(select_measurements(ROWS, COHORT.measurements), PEOPLE, COHORT)
    # Σ(t − t̄)(y − ȳ) = (−5)(−3) + 1·3 + 4·0 = 18; Σ(t − t̄)² = 25 + 1 + 16 = 42
    assert found.loc[8].tolist() == pytest.approx([63.0, 63.0, float(Fraction(18, 42)), 60.0, 66.0, 3.0])
    one = found.loc[9]
    assert one[["rate_mean", "rate_last", "rate_minimum", "rate_maximum", "rate_count"]].tolist() == [80.0, 80.0, 80.0, 80.0, 1.0]
    assert np.isnan(one["rate_slope"])
    assert found.loc[7, "rate_count"] == 0.0
    assert found.loc[7].drop("rate_count").isna().all()


def test_summaries_join_the_patients_whatever_their_order_and_type() -> None:
    patients = pd.DataFrame({"id": [2, 1], "age": [50.0, 60.0]})
    rows = pd.DataFrame({"patient_id": ["1", "2"], "name": "rate", "time_days": [-1.0, -1.0], "value": [10.0, 20.0]})
    assert add_summaries(patients, rows, COHORT, patient_id="id")["rate_mean"].tolist() == [20.0, 10.0]


def test_every_row_of_the_file_is_accounted_for() -> None:
    kept, counts = keep_measurements(ROWS, PEOPLE, COHORT)
    assert kept["value"].tolist() == [60.0, 66.0, 63.0, 80.0]
    assert kept["time_days"].tolist() == [-10.0, -4.0, -1.0, 0.0]
    (row,) = counts.to_dict("records")
    left_out = {"of_nobody": 1, "missing": 1, "outside": 2, "repeated": 1}
    assert row == {"name": "rate", "unit": "1/min", "rows": 9, "kept": 4, "measured": 2, "unmeasured": 1} | left_out


def test_without_a_row_nothing_is_known() -> None:
    found = summarise_series(np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0), patients=2)
    assert found["count"].tolist() == [0.0, 0.0]
    assert all(np.isnan(found[name]).all() for name in found if name != "count")


def test_conditioning_of_independent_values_spreads_what_is_missing_evenly() -> None:
    # (1, 2, 6) has mean 3; for mean 5 each gains 2. With the last to be 6 as well, the first two carry all: 9 to share, they have 3
    drawn, rows = np.array([[1.0, 2.0, 6.0]]), np.array([[[1 / 3] * 3, [0.0, 0.0, 1.0]]])
    free = {"covariance": np.eye(3)[None], "lower": np.array([-inf]), "upper": np.array([inf])}
    assert_allclose(condition_series(drawn, rows, np.array([[5.0, nan]]), **free), [[3.0, 4.0, 8.0]])
    assert_allclose(condition_series(drawn, rows, np.array([[5.0, 6.0]]), **free), [[4.0, 5.0, 6.0]])
    # none above 7: the third gives its 1 to the other two
    within = free | {"upper": np.array([7.0])}
    assert_allclose(condition_series(drawn, rows, np.array([[5.0, nan]]), **within), [[3.5, 4.5, 7.0]], atol=1e-6)


def test_where_summaries_contradict_each_other_bounds_hold() -> None:
    rows = np.full((1, 1, 2), 0.5)
    found = condition_series(np.zeros((1, 2)), rows, np.array([[9.0]]), covariance=np.eye(2)[None], lower=np.array([0.0]), upper=np.array([4.0]))
    assert_allclose(found, [[4.0, 4.0]])


def test_rounding_hands_on_what_it_takes() -> None:
    series, free = np.array([[0.4, 0.4, 0.4, 0.4]]), np.zeros((1, 4), dtype=bool)
    bounds = {"lower": np.array([0.0]), "upper": np.array([9.0])}
    # 0 (carry 0.4), 0.8 → 1 (−0.2), 0.2 → 0 (0.2), 0.6 → 1: the sum is 2 where rounding each gives 0
    assert round_series(series, decimals=0, fixed=free, **bounds).tolist() == [[0.0, 1.0, 0.0, 1.0]]
    fixed = np.array([[False, True, False, False]])
    # the second is rounded by itself, to 0; what it lost goes on: 0.4 + 0.4 + 0.4 → 1 (0.2), 0.6 → 1
    assert round_series(series, decimals=0, fixed=fixed, **bounds).tolist() == [[0.0, 0.0, 1.0, 1.0]]


def test_regularity_of_times() -> None:
    # two intervals of shares 1/2, 1/2 → perfectly regular; 0, 1 → all in one; Σ share² = 2/3 = (a + 1)/(2a + 1) → a = 1
    assert fit_regularity(np.array([0.5]), np.array([2.0])) == 10_000
    assert fit_regularity(np.array([1.0]), np.array([2.0])) == 0.02
    assert fit_regularity(np.array([2 / 3]), np.array([2.0])) == pytest.approx(1.0, abs=1e-5)
    # 3 steps in two intervals as (3, 0): 3·2/(3·2) = 1; as (2, 1): 2·1/(3·2) = 1/3
    assert measure_pairs(np.array([[3.0, 0.0], [2.0, 1.0]])).tolist() == pytest.approx([1.0, 1 / 3])


def test_batches_by_length_keep_each_series_together() -> None:
    patient, times = np.array([5, 2, 5, 3]), np.array([0.0, -1.0, -2.0, -4.0])
    found = [(people.tolist(), days.tolist(), values.tolist()) for people, days, values in batch_series(patient, times, times * 10)]
    assert found == [([2, 3], [[-1.0], [-4.0]], [[-10.0], [-40.0]]), ([5], [[-2.0, 0.0]], [[-20.0, 0.0]])]


def _series(values: list[float]) -> SeriesOfArm:
    return SeriesOfArm(np.zeros(len(values), dtype=np.int64), np.arange(float(len(values))), np.array(values), 1, (0.0, 10.0))


def test_autocorrelation_about_the_patients_own_line() -> None:
    # line 0; deviations 1, −1, −1, 1: (−1 + 1 − 1)/4. On any other line the same
    assert _series([1.0, -1.0, -1.0, 1.0]).autocorrelation() == pytest.approx(-0.25)
    assert _series([1.0, 9.0, 19.0, 31.0]).autocorrelation() == pytest.approx(-0.25)
    assert np.isnan(_series([1.0, 2.0, 3.0, 4.0]).autocorrelation())


def test_a_series_copied_is_found_and_a_pair_of_values_is_none() -> None:
    assert _series([1.0, 2.0, 4.0]).share_copied(_series([1.0, 2.0, 4.0])) == 1.0
    assert _series([1.0, 2.0, 4.0]).share_copied(_series([1.0, 2.0, 5.0])) == 0.0
    assert np.isnan(_series([1.0, 2.0]).share_copied(_series([1.0, 2.0])))
