"""Agreement of two estimates whose metrics are fractions."""

from __future__ import annotations

from math import exp, isnan, nan, sqrt

import pandas as pd
import pytest

from parallax.errors import StatisticsError
from parallax.protocol.validation import Gates
from parallax.tables import COVARIANCE, empty_table
from parallax.validation.agreement import measure_agreement
from validation_tables import PRIMARY, combined_row, no_floor

GATES = Gates(shift_in_real_se=1.0)


def measured(real: pd.DataFrame, synthetic: pd.DataFrame) -> pd.DataFrame:
    return measure_agreement(real, synthetic, floor=no_floor(), primary=PRIMARY, gates=GATES).set_index("metric")


def test_all_metrics() -> None:
    table = measured(combined_row(2.0, 1.0, 0.0, 4.0, rule="none"), combined_row(3.0, 1.0, 1.0, 5.0))
    assert table["value"].drop("same_side_of_null").to_dict() == pytest.approx(
        {
            "shift_in_real_se": 1.0,
            "ci_overlap": 3 / 4,
            "decision_agreement": 0.0,  # the real interval touches the null, the synthetic one lies above it
            "estimate_agreement": 1.0,
            "standardised_difference": 1 / sqrt(2),
            "shift_in_replicate_se": sqrt(2),  # of two replicates
            "replicates_not_estimable": 0.0,
        }
    )
    assert isnan(table.loc["same_side_of_null", "value"])  # two real standard errors from the null, not more
    assert bool(table.loc["shift_in_real_se", "passed"])  # the threshold itself passes
    assert table["passed"].drop(["shift_in_real_se", "replicates_not_estimable"]).isna().all()
    assert table.loc["decision_agreement", "reason"] == "real not significant, synthetic above the null"


def test_intervals_apart_overlap_below_zero() -> None:
    table = measured(combined_row(0.5, 0.25, 0.0, 1.0, rule="none"), combined_row(-4.0, 0.5, -5.0, -3.0))
    assert table.loc["ci_overlap", "value"] == pytest.approx((-3 / 1 - 3 / 2) / 2)
    assert table.loc["shift_in_real_se", "value"] == pytest.approx(-18.0)
    assert not table.loc["shift_in_real_se", "passed"]


@pytest.mark.parametrize(
    ("real", "synthetic", "agree"),
    [(a, b, float(a == b)) for a in ("below", "no", "above") for b in ("below", "no", "above")],
)
def test_decisions_agree_on_the_diagonal_of_three_by_three(real: str, synthetic: str, agree: float) -> None:
    intervals = {"below": (-1.0, -2.0, -0.1), "no": (0.2, -1.0, 1.0), "above": (1.0, 0.1, 2.0)}
    rows = [
        combined_row(q, 0.4, lower, upper, rule=rule) for (q, lower, upper), rule in ((intervals[real], "none"), (intervals[synthetic], "partial"))
    ]
    table = measured(rows[0], rows[1])
    assert table.loc["decision_agreement", "value"] == agree


def test_side_of_the_null_where_the_real_estimate_is_clear() -> None:
    real = combined_row(3.0, 1.0, 1.04, 4.96, rule="none")
    assert measured(real, combined_row(0.1, 1.0, -1.9, 2.1)).loc["same_side_of_null", "value"] == 1.0
    assert measured(real, combined_row(-0.1, 1.0, -2.1, 1.9)).loc["same_side_of_null", "value"] == 0.0


def test_ratios_are_compared_on_the_log_scale() -> None:
    primary = PRIMARY.model_copy(update={"contrast": "hazard_ratio"})
    real = combined_row(exp(0.5), 0.25, exp(0.0), exp(1.0), rule="none", contrast="hazard_ratio")
    synthetic = combined_row(exp(0.75), 0.25, exp(0.25), exp(1.25), contrast="hazard_ratio")
    table = measure_agreement(real, synthetic, floor=no_floor(), primary=primary, gates=GATES).set_index("metric")
    assert table.loc["shift_in_real_se", "value"] == pytest.approx(1.0)
    assert table.loc["ci_overlap", "value"] == pytest.approx(0.75)
    assert table.loc["estimate_agreement", "value"] == 1.0


def test_only_the_primary_estimate_is_a_gate_and_only_the_partial_rule_is_compared() -> None:
    real = pd.concat([combined_row(2.0, 1.0, 0.0, 4.0, rule="none"), combined_row(1.0, 1.0, -1.0, 3.0, rule="none", horizon_days=nan)])
    synthetic = pd.concat([combined_row(9.0, 1.0, 8.0, 10.0, rule="naive"), combined_row(2.0, 1.0, 0.0, 4.0)])
    table = measure_agreement(real, synthetic, floor=no_floor(), primary=PRIMARY, gates=GATES)
    shifts = table[table["metric"] == "shift_in_real_se"].set_index("horizon_days")
    assert shifts.loc[30.0, "value"] == 0.0
    assert list(shifts["threshold"].notna()) == [True, False]
    assert list(shifts["reason"].isna()) == [True, False]  # over all follow-up there is no synthetic estimate


@pytest.mark.parametrize(
    ("real", "synthetic", "reason"),
    [
        (nan, 1.0, "not estimable on the real patients: no events"),
        (1.0, nan, "not estimable on the synthetic patients: no events"),
    ],
)
def test_what_is_not_estimable_is_not_judged(real: float, synthetic: float, reason: str) -> None:
    table = measured(combined_row(real, 1.0, 0.0, 2.0, rule="none"), combined_row(synthetic, 1.0, 0.0, 2.0)).drop("replicates_not_estimable")
    assert table["value"].isna().all()
    assert table["passed"].isna().all()
    assert set(table["reason"]) == {reason}
    assert table.loc["shift_in_real_se", "threshold"] == 1.0


def test_the_primary_estimate_must_be_there() -> None:
    row = combined_row(1.0, 1.0, 0.0, 2.0, horizon_days=90.0)
    with pytest.raises(StatisticsError, match="lack the primary estimate"):
        measured(row, row)


def test_shift_in_replicate_standard_errors_counts_the_replicates_used_and_their_size() -> None:
    real, synthetic = combined_row(2.0, 1.0, 0.0, 4.0, rule="none"), combined_row(3.0, 1.0, 1.0, 5.0, replicates=5, not_estimable=1)
    table = measure_agreement(real, synthetic, floor=no_floor(), primary=PRIMARY, gates=GATES, size=0.25).set_index("metric")
    assert table.loc["shift_in_replicate_se", "value"] == pytest.approx(1.0)  # √(1/4 · 4)


@pytest.mark.parametrize(("lacking", "passed"), [(0, True), (1, True), (2, None)])
def test_too_many_replicates_without_an_estimate_decide_nothing(lacking: int, passed: bool | None) -> None:
    row = combined_row(2.0, 1.0, 0.0, 4.0, replicates=10, not_estimable=lacking)
    found = measured(row.assign(rule="none"), row).loc["replicates_not_estimable"]
    assert found["value"] == lacking / 10
    assert (None if pd.isna(found["passed"]) else bool(found["passed"])) is passed


def covariance_rows(variance: float, covariance: float) -> pd.DataFrame:
    """Two targets, at 30 and at 90 days, of equal variance."""
    target = {"design": "overlap", "outcome": "death", "contrast": "risk_difference"}
    rows = [
        {**target, "horizon_days": first, **{f"other_{name}": value for name, value in target.items()}, "other_horizon_days": second}
        | {"covariance": variance if first == second else covariance}
        for first in (30.0, 90.0)
        for second in (30.0, 90.0)
    ]
    return COVARIANCE.validate(pd.DataFrame(rows)[list(COVARIANCE.columns)])


def joint(differences: tuple[float, float], covariance: pd.DataFrame, *, size: float = 1.0) -> float:
    sides = [
        pd.concat(
            [combined_row(value, 1.0, value - 2, value + 2, rule=rule, horizon_days=at) for value, at in zip(values, (30.0, 90.0), strict=True)]
        )
        for rule, values in (("none", (0.0, 0.0)), ("partial", differences))
    ]
    table = measure_agreement(*sides, floor=no_floor(), primary=PRIMARY, gates=GATES, covariance=covariance, size=size)
    return float(table.loc[table["metric"] == "lack_of_fit", "value"].iloc[0])


def test_lack_of_fit_of_two_estimates() -> None:
    # C = (2 1; 1 2), inverse (2 −1; −1 2)/3; d = (1, 0): d'C⁻¹d = 2/3, times two replicates, over two directions
    assert joint((1.0, 0.0), covariance_rows(2.0, 1.0)) == pytest.approx(2 / 3)
    assert joint((1.0, 0.0), covariance_rows(2.0, 1.0), size=0.5) == pytest.approx(1 / 3)
    # estimates that say the same are one direction: (1, 1)/√2 with eigenvalue 2 of the correlations; (1/√2 · (1 + 1)/√2)²/2 · 2
    assert joint((1.0, 1.0), covariance_rows(2.0, 2.0)) == pytest.approx(1.0)
    assert joint((0.0, 0.0), covariance_rows(2.0, 1.0)) == 0.0
    assert isnan(joint((1.0, 1.0), covariance_rows(0.0, 0.0)))
    assert isnan(joint((1.0, 1.0), empty_table(COVARIANCE)))
