from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from parallax.cohort.split import halve_patients, split_patients


def cohort_of(patients: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "replicate": 0,
            "patient_id": [f"p{number}" for number in range(patients)],
            "treated": rng.random(patients) < 0.4,
            "prior_event": rng.normal(size=patients),
            "death_days": 1.0,
            "death_event": (rng.random(patients) < 0.3).astype(int),
        }
    )


@given(patients=st.integers(10, 400), hold_out=st.floats(0.05, 0.6), seed=st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_shares_strata_and_order(patients: int, hold_out: float, seed: int) -> None:
    cohort = cohort_of(patients, seed)
    split = split_patients(cohort, hold_out=hold_out, rng=np.random.default_rng(seed))
    assert list(split["patient_id"]) == list(cohort["patient_id"])
    held_out = (split["part"] != "train").to_numpy(bool)
    assert abs(held_out.sum() - hold_out * patients) < 1 + 1e-6
    parts = split["part"].value_counts()
    assert 0 <= parts.get("control", 0) - parts.get("reference", 0) <= 1
    for _, stratum in cohort.groupby(["treated", "death_event"]):
        assert abs(held_out[stratum.index].sum() - hold_out * len(stratum)) < 1 + 1e-6


@given(patients=st.integers(10, 400), rounds=st.integers(2, 6), seed=st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_in_turn_everybody_is_held_out_once(patients: int, rounds: int, seed: int) -> None:
    cohort = cohort_of(patients, seed)
    split = split_patients(cohort, hold_out=1 / rounds, rounds=rounds, rng=np.random.default_rng(seed))
    held_out = split[split["part"] != "train"]
    assert sorted(held_out["patient_id"]) == sorted(cohort["patient_id"])
    assert held_out["round"].value_counts().between(patients // rounds, -(-patients // rounds)).all()
    for number, one in split.groupby("round"):
        assert list(one["patient_id"]) == list(cohort["patient_id"])
        assert abs((one["part"] == "control").sum() - (one["part"] == "reference").sum()) <= 1
        for _, stratum in cohort.groupby(["treated", "death_event"]):
            kept = held_out[(held_out["round"] == number) & held_out["patient_id"].isin(stratum["patient_id"])]
            assert abs(len(kept) - len(stratum) / rounds) < 1 + 1e-6
    alone = split_patients(cohort, hold_out=1 / rounds, rng=np.random.default_rng(seed))
    assert split[split["round"] == 1].equals(alone)


def test_the_same_seed_gives_the_same_split_in_any_order_of_rows() -> None:
    cohort = cohort_of(300, 1)
    shuffled = cohort.sample(frac=1, random_state=1)
    one = split_patients(cohort, hold_out=0.2, rng=np.random.default_rng(7)).set_index("patient_id")["part"]
    two = split_patients(shuffled, hold_out=0.2, rng=np.random.default_rng(7)).set_index("patient_id")["part"]
    other = split_patients(cohort, hold_out=0.2, rng=np.random.default_rng(8)).set_index("patient_id")["part"]
    assert one.equals(two.loc[one.index])
    assert not one.equals(other)


@given(patients=st.integers(2, 400), seed=st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_halves_of_every_stratum(patients: int, seed: int) -> None:
    cohort = cohort_of(patients, seed)
    half = halve_patients(cohort, rng=np.random.default_rng(seed))
    assert abs(2 * half.sum() - patients) <= 1
    for _, stratum in cohort.groupby(["treated", "death_event"]):
        assert abs(2 * half[stratum.index].sum() - len(stratum)) <= 1
    order = np.random.default_rng(seed).permutation(patients)
    assert np.array_equal(halve_patients(cohort.iloc[order], rng=np.random.default_rng(seed)), half[order])
