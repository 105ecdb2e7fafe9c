"""A private generator worked out on paper: bins, tables and their sensitivity, the guarantee in the verdict and on the console."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest

from parallax.errors import GenerationError
from parallax.protocol.generators import FLAT, NumberRange, PrivateMarginalsGenerator, guarantee_of
from parallax.reporting.verdicts import summarise
from parallax.synthesis.private_codes import Endings, Levels, Numbers
from parallax.synthesis.private_marginals import count_table, list_tables
from parallax.synthesis.private_model import order_covariates
from parallax.synthesis.private_noise import bound_distance
from parallax.validation.verdict import VerdictRecord

AGE = NumberRange(lower=18, upper=100, cuts=(50, 70))
RNG = np.random.default_rng(1)


def test_bins_hold_their_lower_end_and_outliers_are_in_the_nearest() -> None:
    ages = pd.DataFrame({"age": [3.0, 18.0, 49.9, 50.0, 70.0, 100.0, 130.0, np.nan]})
    assert Numbers("age", AGE, missing=True).encode(ages).tolist() == [0, 0, 0, 1, 2, 2, 2, 3]
    with pytest.raises(GenerationError, match='column "age": found missing values'):
        Numbers("age", AGE).encode(ages)


def test_follow_up_bins_hold_their_upper_end_and_completed_is_a_code_of_its_own() -> None:
    coding = Endings("death", (0.0, 30.0, 365.0), 2, whole_days=True)
    followed = pd.DataFrame({"death_days": [30.0, 30.0, 31.0, 365.0, 365.0], "death_event": [0, 1, 1, 1, 0]})
    # (bin, event): (0,0) (0,1) (1,1) (1,1), and the last code for whoever was followed to the end
    assert coding.encode(followed).tolist() == [0, 1, 3, 3, 4]
    drawn = coding.decode(np.repeat(np.arange(5), 400), rng=RNG)
    assert set(drawn["death_days"][:800]) == set(range(1, 31))
    assert (drawn["death_days"][800:1600] > 30).all()
    assert (drawn["death_days"][1600:] == 365).all()


def test_a_level_that_is_not_declared_is_refused_without_naming_it() -> None:
    with pytest.raises(GenerationError) as raised:
        Levels("sex", ("f", "m"), missing=False).encode(pd.DataFrame({"sex": pd.array(["f", "zebra"], dtype="string")}))
    assert "zebra" not in str(raised.value)


def test_another_record_of_one_patient_moves_the_counts_by_no_more_than_is_paid_for() -> None:
    sizes = {"treated": 2, "age": 3, "sex": 2, "death": 3}
    tables = list_tables(["age", "sex"], ["death"], [("age", "sex")])
    # arm × death twice, arm × covariate and covariate × death for two covariates, one pair
    assert sum(tables.values()) == 2 + 2 + 2 + 1

    def release(record: tuple[int, ...]) -> np.ndarray:
        codes = {name: np.array([1, value]) for name, value in zip(sizes, record, strict=True)}
        return np.concatenate([np.tile(count_table(codes, sizes, table), times) for table, times in tables.items()])

    records = [release(record) for record in product(*(range(size) for size in sizes.values()))]
    largest = max(np.linalg.norm(first - second) for first in records for second in records)
    assert largest == pytest.approx(np.sqrt(2 * 7))
    assert largest <= bound_distance(7)


def test_parents_come_before_their_children() -> None:
    assert order_covariates(["a", "b", "c", "d"], [("c", "b"), ("a", "c")]) == {"a": None, "c": "a", "b": "c", "d": None}


def test_the_guarantee_stands_in_the_verdict_and_on_the_console_and_nowhere_else() -> None:
    settings = PrivateMarginalsGenerator(method="private_marginals", epsilon=3, delta=1e-7)
    private = VerdictRecord("noisy", "do_not_release", False, (), (), guarantee_of(settings)).plain()
    other = VerdictRecord("copula", "do_not_release", False, (), (), guarantee_of(FLAT)).plain()
    assert (private["guarantee"]["epsilon"], private["guarantee"]["delta"]) == (3, 1e-7)
    assert "guarantee" not in other
    registration = {"attempt": 1, "changed": [], "before_effects": True}
    told = summarise({"sites": {"here": {"copula": other, "noisy": private}}, "registration": registration}, "report.html").split("\n")
    assert [line.strip() for line in told if "epsilon" in line] == ["differentially private: epsilon 3, delta 1e-07"]
