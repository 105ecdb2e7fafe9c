"""Patients held out in turn: who is attacked in which role, and what is counted together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from parallax.cohort.split import split_patients
from parallax.protocol.validation import Gates
from parallax.validation.attacked import Attacked, count_kept, in_both_roles
from parallax.validation.copies import bound_excess
from parallax.validation.privacy import measure_privacy
from parallax.validation.records import RecordColumns
from parallax.validation.risk import Outcome, Trials
from planted_leaks import copy_patients
from validation_tables import COVARIATES, OUTCOMES, draw_cohort

COLUMNS = RecordColumns.of(COVARIATES, OUTCOMES)


def refits_of(real: pd.DataFrame, rounds: int, copied: list[float], rng: np.random.Generator) -> tuple[pd.DataFrame, list[pd.DataFrame]]:
    """A split in turn, and what refits drew that copied these shares of the patients whom they saw."""
    split = split_patients(real, hold_out=1 / rounds, rounds=rounds, rng=rng)
    drawn = []
    for number, share in enumerate(copied, start=1):
        train = real[(split.loc[split["round"] == number, "part"] == "train").to_numpy()].reset_index(drop=True)
        drawn.append(copy_patients(share)(draw_cohort(len(train), rng=rng), train, rng))
    return split, drawn


@pytest.mark.parametrize("rounds", [2, 3, 5])
def test_everybody_is_attacked_once_in_either_role(rounds: int) -> None:
    rng = np.random.default_rng(2)
    real = draw_cohort(31, rng=rng)
    split, drawn = refits_of(real, rounds, [0.0] * rounds, rng)
    attacked = Attacked.each(real, split, drawn, COLUMNS)
    everybody = list(range(31))
    assert sorted(np.concatenate([one.seen for one in attacked])) == everybody
    assert sorted(np.concatenate([one.hold_out for one in attacked])) == everybody
    assert count_kept(attacked) == 31
    for number, one in enumerate(attacked, start=1):
        part = split.loc[split["round"] == number, "part"].to_numpy()
        assert set(part[one.seen]) == {"train"}
        assert list(one.seen) == list(attacked[number % rounds].hold_out), "in one order, so that areas know who is who"
    seen, unseen = in_both_roles(attacked, [np.arange(31) == number for number in range(rounds)])
    assert seen.sum() == sum(number in one.seen for number, one in enumerate(attacked))
    assert unseen.sum() == sum(number in one.hold_out for number, one in enumerate(attacked))


def test_copies_of_both_halves_are_counted_together() -> None:
    rng = np.random.default_rng(3)
    real = draw_cohort(80, rng=rng)
    split, drawn = refits_of(real, 2, [0.1, 0.025], rng)  # four of the one half, one of the other
    table = measure_privacy(real, split, drawn, covariates=COVARIATES, outcomes=OUTCOMES, gates=Gates(), rng=rng).set_index("metric")
    assert table.loc["copies_of_train", "value"] == pytest.approx(5 / 80)
    assert table.loc["copies_of_hold_out", "value"] == 0
    bounds = bound_excess(5 / 80, 80, 0.0, 80)
    assert tuple(table.loc["excess_copies", ["value", "lower", "upper"]]) == pytest.approx((bounds.value, bounds.lower, bounds.upper))


def test_a_refit_that_drew_nothing_leaves_no_answer() -> None:
    rng = np.random.default_rng(4)
    real = draw_cohort(60, rng=rng)
    split, (first, second) = refits_of(real, 2, [0.0, 0.0], rng)
    table = measure_privacy(real, split, [first, second.head(0)], covariates=COVARIATES, outcomes=OUTCOMES, gates=Gates(), rng=rng)
    assert table["value"].isna().all()
    assert set(table.loc[~table["metric"].str.startswith("shadow_"), "reason"]) == {"no synthetic patients"}


def test_rounds_of_an_attack_are_added() -> None:
    one, other = Outcome(Trials(3, 10), Trials(1, 10), Trials(0, 10)), Outcome(Trials(2, 9), Trials(2, 11), Trials(1, 9))
    assert Outcome.joined([one]) == one
    assert Outcome.joined([one, other]) == Outcome(Trials(5, 19), Trials(3, 21), Trials(1, 19))
