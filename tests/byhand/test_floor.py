"""The floor: resampled patients, their shifts, and what cannot be tested, on numbers that are worked by hand."""

from __future__ import annotations

from math import exp, isnan, nan, sqrt

import numpy as np
import pandas as pd
import pytest

from parallax.protocol.designs import DesignsSection
from parallax.protocol.synthesis import SynthesisSection
from parallax.protocol.validation import Gates
from parallax.tables import FIDELITY, GENERATION, PRIVACY
from parallax.validation.against_floor import read_against_floor
from parallax.validation.agreement import measure_agreement
from parallax.validation.floor import for_estimates_only, resample_patients, shift_floor
from parallax.validation.verdict import reach_verdict
from validation_tables import PRIMARY, combined_row, estimate_rows, harmless_privacy, no_floor

GATES = Gates(shift_in_real_se=1.0)
REAL = combined_row(2.0, 1.0, 0.0, 4.0, rule="none")
#: the quantile of t with one degree of freedom: tan(0.475 π)
T1 = 12.706204736


def weighted(**settings: object) -> DesignsSection:
    return DesignsSection.of({"overlap": {"method": "weight", "estimand": "ATO"} | settings})


def read(floor: list[float], *, synthetic: float = 2.5, designs: DesignsSection | None = None, largest: float = 3.0) -> pd.DataFrame:
    """A generator's agreement with the real 2 ± 1, read against the floor's estimates."""
    shifts = shift_floor(REAL, estimate_rows(floor, [1.0] * len(floor)), replicates=len(floor))
    agreement = measure_agreement(REAL, combined_row(synthetic, 1.0, 0.0, 4.0), floor=shifts, primary=PRIMARY, gates=GATES)
    overlap = pd.DataFrame({"design": ["overlap"], "max_weight": [largest]})
    return read_against_floor(agreement, real_overlap=overlap, designs=designs or weighted()).set_index("metric")


def test_patients_are_drawn_whole_and_are_new_patients() -> None:
    cohort = pd.DataFrame({"replicate": 0, "patient_id": ["a", "b", "c"], "treated": [True, False, False], "age": [1.0, 2.0, 3.0]})
    drawn = resample_patients(cohort, [5, 6])
    assert drawn["replicate"].tolist() == [0, 0, 0, 1, 1, 1]
    assert drawn["patient_id"].tolist() == ["1", "2", "3"] * 2
    assert set(zip(drawn["treated"], drawn["age"], strict=True)) <= {(True, 1.0), (False, 2.0), (False, 3.0)}
    rows = np.random.default_rng(6).integers(3, size=3)
    assert drawn.loc[drawn["replicate"] == 1, "age"].tolist() == [float(row + 1) for row in rows]
    pd.testing.assert_frame_equal(resample_patients(cohort, [6]), drawn[drawn["replicate"] == 1].assign(replicate=0).reset_index(drop=True))


def test_shift_and_band() -> None:
    (row,) = shift_floor(REAL, estimate_rows([2.0, 3.0], [1.0, 1.0]), replicates=2).to_dict("records")
    assert row["shift"] == pytest.approx(1 / 2)
    # s = √(1/2), √(1/m + 1/c) = 1
    assert (row["lower"], row["upper"]) == pytest.approx((1 / 2 - T1 * sqrt(1 / 2), 1 / 2 + T1 * sqrt(1 / 2)))
    assert (row["estimable"], row["replicates"]) == (2, 2)


def test_ratios_shift_on_the_log_scale() -> None:
    real = combined_row(exp(0.5), 0.25, exp(0.0), exp(1.0), rule="none", contrast="hazard_ratio")
    floor = estimate_rows([exp(0.5), exp(1.0)], [0.25, 0.25], contrast="hazard_ratio")
    assert shift_floor(real, floor, replicates=2)["shift"].tolist() == pytest.approx([1.0])


def test_cohorts_without_an_estimate_are_left_out_and_counted() -> None:
    (row,) = shift_floor(REAL, estimate_rows([2.0, nan, 3.0], [1.0] * 3), replicates=3).to_dict("records")
    assert (row["shift"], row["estimable"], row["replicates"]) == (pytest.approx(1 / 2), 2, 3)
    assert isnan(shift_floor(combined_row(nan, nan, nan, nan, rule="none"), estimate_rows([2.0, 2.0], [1.0] * 2), replicates=2)["shift"].iloc[0])
    # two of three replicates, as of three cohorts: s = √(1/2), √(1/2 + 1/2) = 1
    assert row["upper"] - row["shift"] == pytest.approx(T1 * sqrt(1 / 2))


def test_one_replicate_is_read_against_a_floor_of_more() -> None:
    (row,) = shift_floor(REAL, estimate_rows([2.0, 3.0], [1.0, 1.0]), replicates=1).to_dict("records")
    assert (row["shift"], row["replicates"]) == (pytest.approx(1 / 2), 2)
    # s = √(1/2), √(1/1 + 1/2)
    assert row["upper"] - row["shift"] == pytest.approx(T1 * sqrt(1 / 2) * sqrt(3 / 2))


@pytest.mark.parametrize(("replicates", "cohorts"), [(1, 10), (3, 10), (10, 10), (11, 11)])
def test_ten_cohorts_at_least(replicates: int, cohorts: int) -> None:
    assert SynthesisSection.of({"replicates": replicates, "generators": {"g": {"method": "sequential"}}}).floor_cohorts == cohorts


@pytest.mark.parametrize(("method", "metric"), [("match", "shift_beyond_floor_in_real_se"), ("weight", "shift_in_real_se")])
def test_a_floor_of_one_cohort_says_why_nothing_is_judged(method: str, metric: str) -> None:
    designs = weighted() if method == "weight" else DesignsSection.of({"overlap": {"method": "match"}})
    row = read([2.0], designs=designs).loc[metric]
    assert row["threshold"] == 1.0
    assert pd.isna(row["passed"])
    assert row["reason"] == "not testable here: the floor takes two cohorts resampled from the real patients with an estimate, and there is one"


def test_the_floor_stands_beside_the_shift() -> None:
    table = read([2.0, 3.0])
    assert table.loc["shift_in_real_se", "value"] == 0.5
    assert table.loc["floor_shift_in_real_se", "value"] == 0.5
    assert table.loc["shift_beyond_floor_in_real_se", "value"] == 0.0
    assert table.loc["testable_here", "value"] == 1.0
    assert bool(table.loc["shift_in_real_se", "passed"])
    assert table["threshold"].drop("replicates_not_estimable").notna().sum() == 1
    assert "largest_weight" not in table.index


def test_a_floor_at_the_gate_is_testable_and_beyond_it_is_not() -> None:
    assert read([3.0, 3.0]).loc["testable_here", "value"] == 1.0
    for synthetic in (2.5, 9.0):  # whatever the generator does
        table = read([3.25, 3.75], synthetic=synthetic)
        assert table.loc["testable_here", "value"] == 0.0
        assert pd.isna(table.loc["shift_in_real_se", "passed"])
        assert table.loc["shift_in_real_se", "threshold"] == 1.0
        reason = "not testable here: the floor itself misses it, cohorts resampled from the real patients shift by +1.50 real standard errors"
        assert table.loc["shift_in_real_se", "reason"] == reason


def test_a_floor_that_cannot_be_estimated_leaves_the_gate_open() -> None:
    table = read([2.0, 2.0, nan, nan])
    assert table.loc["testable_here", "value"] == 0.0
    assert "most cohorts resampled from the real patients have no estimate" in table.loc["shift_in_real_se", "reason"]
    assert read([2.0, 2.0, 2.0, nan]).loc["testable_here", "value"] == 1.0


def test_without_a_floor_nothing_is_added() -> None:
    agreement = measure_agreement(REAL, combined_row(2.5, 1.0, 0.0, 4.0), floor=no_floor(), primary=PRIMARY, gates=GATES)
    overlap = pd.DataFrame({"design": ["overlap"], "max_weight": [3.0]})
    pd.testing.assert_frame_equal(read_against_floor(agreement, real_overlap=overlap, designs=weighted()), agreement)


def test_matching_is_judged_beyond_the_floor_alone() -> None:
    table = read([2.75, 2.75], synthetic=3.5, designs=DesignsSection.of({"overlap": {"method": "match"}}))
    assert table.loc["shift_in_real_se", "value"] == 1.5
    assert isnan(table.loc["shift_in_real_se", "threshold"])
    assert table.loc["shift_beyond_floor_in_real_se", "value"] == 0.75
    assert bool(table.loc["shift_beyond_floor_in_real_se", "passed"])


@pytest.mark.parametrize(("largest", "marked"), [(19.9, False), (20.0, True)])
def test_large_weights_of_everybody_are_marked_never_judged(largest: float, marked: bool) -> None:
    row = read([2.0, 2.0], designs=weighted(estimand="ATE"), largest=largest).loc["largest_weight"]
    assert row["value"] == largest
    assert isinstance(row["reason"], str) is marked
    assert isnan(row["threshold"])


@pytest.mark.parametrize(("floor", "verdict"), [([2.0, 2.0], "release"), ([3.5, 3.5], "inconclusive")])
@pytest.mark.parametrize("method", ["weight", "match"])
def test_the_verdict_on_a_good_generator(floor: list[float], verdict: str, method: str) -> None:
    designs = weighted() if method == "weight" else DesignsSection.of({"overlap": {"method": "match"}})
    others = Gates()
    fidelity = pd.DataFrame([{"metric": name, "value": 0.0, "threshold": 0.03, "passed": True} for name in ("propensity_c_gap", "km_gap")])
    record = reach_verdict(
        "g",
        agreement=read(floor, designs=designs).reset_index(),
        fidelity=fidelity.reindex(columns=list(FIDELITY.columns)),
        privacy=pd.DataFrame(harmless_privacy(others)).reindex(columns=list(PRIVACY.columns)),
        generation=pd.DataFrame(columns=list(GENERATION.columns)),
        gates=others,
        certified=False,
    )
    assert record.verdict == verdict
    assert len(record.gates) == 4 + len(harmless_privacy(others))
    assert ("the floor itself misses it" in record.reasons[0]) is (verdict == "inconclusive")


def test_variances_of_the_floor_are_not_bootstrapped() -> None:
    designs = DesignsSection.of(
        {
            "m": {"method": "match", "variance": "bootstrap"},
            "w": {"method": "weight", "estimand": "ATO", "variance": "bootstrap"},
            "s": {"method": "weight", "estimand": "ATO", "variance": "stacked"},
            "c": {"method": "none"},
        }
    )
    quick = for_estimates_only(designs)
    assert (quick["m"].variance, quick["w"].variance) == ("clustered", "score_as_known")
    assert (quick["s"].variance, quick["c"]) == ("score_as_known", designs["c"])
    assert DesignsSection.of(quick.plain()) == quick
