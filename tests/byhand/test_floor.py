"""The floor on two resampled cohorts whose shifts are fractions."""

from __future__ import annotations

import pandas as pd
import pytest

from parallax.protocol.validation import Gates
from parallax.tables import FLOOR
from parallax.validation.agreement import measure_agreement
from parallax.validation.floor import resample_patients, shift_floor
from simulated_cohorts import simulate_cohort
from validation_tables import PRIMARY, TARGET, combined_row, estimate_rows

REAL = combined_row(2.0, 1.0, 0.0, 4.0, rule="none")


def floor_row(shift: float, *, estimable: int = 10) -> pd.DataFrame:
    return FLOOR.validate(
        pd.DataFrame([TARGET | {"shift": shift, "lower": shift - 0.1, "upper": shift + 0.1, "estimable": estimable, "replicates": 10}])
    )


def test_shift_of_two_cohorts() -> None:
    # estimates 2 and 3 against 2 with standard error 1: mean shift 1/2, standard deviation 1/√2 of two, t 0.975 with one df 12.706
    row = shift_floor(REAL, estimate_rows([2.0, 3.0], [1.0, 1.0])).iloc[0]
    assert row["shift"] == pytest.approx(1 / 2)
    assert row["upper"] - row["shift"] == pytest.approx(12.7062 / 2, rel=1e-5)
    assert (row["estimable"], row["replicates"]) == (2, 2)


@pytest.mark.parametrize(("shift", "estimable", "reason"), [(1.2, 10, "shift by 1.20 themselves"), (0.1, 5, "most cohorts resampled")])
def test_what_the_floor_misses_is_not_testable(shift: float, estimable: int, reason: str) -> None:
    table = measure_agreement(REAL, combined_row(2.0, 1.0, 0.0, 4.0), floor=floor_row(shift, estimable=estimable), primary=PRIMARY, gates=Gates())
    rows = table.set_index("metric")
    assert pd.isna(rows.loc["shift_in_real_se", "passed"])
    assert reason in rows.loc["shift_in_real_se", "reason"]
    assert reason in rows.loc["floor_shift_in_real_se", "reason"]


def test_within_the_gate_the_floor_stands_beside_the_shift() -> None:
    table = measure_agreement(REAL, combined_row(2.5, 1.0, 0.5, 4.5), floor=floor_row(-0.2), primary=PRIMARY, gates=Gates()).set_index("metric")
    assert bool(table.loc["shift_in_real_se", "passed"])
    assert table.loc["floor_shift_in_real_se", ["value", "lower", "upper"]].tolist() == pytest.approx([-0.2, -0.3, -0.1])


def test_resampled_patients_are_patients_of_their_own() -> None:
    real = simulate_cohort(60, seed=1)
    drawn = resample_patients(real, [5, 6])
    assert drawn.groupby("replicate")["patient_id"].nunique().tolist() == [60, 60]
    first = drawn[drawn["replicate"] == 0]
    assert set(first["age"]) < set(real["age"])
    assert not first["age"].reset_index(drop=True).equals(drawn.loc[drawn["replicate"] == 1, "age"].reset_index(drop=True))
    pd.testing.assert_frame_equal(resample_patients(real, [5]), first)
