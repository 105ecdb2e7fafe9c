"""Do the privacy gates catch a generator that copies, and leave one that does not alone?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr, ndtri

from parallax.protocol.validation import Gates
from parallax.validation.membership import Attack, attack_by_density, measure_auc, measure_distances, measure_true_positives
from parallax.validation.privacy import measure_privacy
from validation_tables import COVARIATES, OUTCOMES, draw_cohort, split_cohort


def attack(patients: int, copied: float, seed: int, *, replicates: int = 10) -> pd.DataFrame:
    """Privacy of a generator that knows the truth, of whose records a share are verbatim copies of train patients."""
    rng = np.random.default_rng([patients, seed])
    real = draw_cohort(patients, rng=rng)
    split = split_cohort(real, rng=rng)
    synthetic = draw_cohort(patients, rng=rng, replicates=replicates)
    train = real[(split["part"] == "train").to_numpy()].drop(columns=["replicate", "patient_id"]).reset_index(drop=True)
    rows = np.flatnonzero(rng.random(len(synthetic)) < copied)
    copies = train.iloc[rng.integers(len(train), size=len(rows))]
    for column in copies:
        synthetic.loc[rows, column] = copies[column].array
    return measure_privacy(real, split, [synthetic], covariates=COVARIATES, outcomes=OUTCOMES, gates=Gates(), rng=rng).set_index("metric")


def test_a_generator_that_copies_one_record_in_a_hundred_is_caught() -> None:
    # in ten replicates 12 % of the train patients are copied
    for seed in range(5):
        table = attack(2000, 0.01, seed)
        assert not table.loc["excess_copies", "passed"]
        assert not table.loc["membership_tpr_at_1pct_fpr", "passed"]
        assert table.loc["membership_tpr_at_1pct_fpr", "lower"] > 0.05
        assert table.loc["membership_auc", "value"] < 0.6  # near 0.5 + 0.12/2: with enough patients an AUC alone would release it


def test_copies_of_one_train_patient_in_a_hundred_are_caught_by_the_count_alone() -> None:
    for seed in range(5):
        table = attack(2000, 0.0013, seed)
        assert table.loc["copies_of_train", "value"] == pytest.approx(0.016, abs=0.01)
        assert not table.loc["excess_copies", "passed"]


def test_a_harmless_generator_passes() -> None:
    tables = [attack(2000, 0.0, seed, replicates=2) for seed in range(30)]
    assert sum(bool(table["passed"].dropna().all()) for table in tables) >= 29
    inside = [table.loc["closest_to_train", "lower"] <= 0.5 <= table.loc["closest_to_train", "upper"] for table in tables]
    assert sum(inside) >= 25  # 95 % of 30 are 28.5; fewer than 25 has a chance of 1 in 300


def bounds(shift: float, members: int, others: int, repetitions: int, rng: np.random.Generator) -> np.ndarray:
    """Upper bounds of AUC and true positives where both attacks' scores are normal and members' are higher by ``shift``."""
    found = []
    for _ in range(repetitions):
        scores = rng.normal(shift, 1, (2, members))
        made = Attack(scores, (rng.normal(size=others), rng.normal(size=others)))
        found.append((measure_auc(made).upper, measure_true_positives(made).upper))
    return np.array(found).T


@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_bounds_cover_and_seldom_alarm_at_the_size_of_the_default_study(shift: float) -> None:
    repetitions = 400
    auc, positives = bounds(shift, 4588, 574, repetitions, np.random.default_rng(5))
    slack = 3 * np.sqrt(0.95 * 0.05 / repetitions)
    assert (auc >= ndtr(shift / np.sqrt(2))).mean() >= 0.95 - slack
    assert (positives >= 1 - ndtr(ndtri(0.99) - shift)).mean() >= 0.95 - slack
    if shift == 0.0:
        assert (auc > 0.6).mean() == 0
        assert (positives > 0.05).mean() == 0


def bounds_in_turn(patients: int, alike: float, copied: float, repetitions: int, rng: np.random.Generator) -> np.ndarray:
    """Upper bounds where either half is attacked, a share is copied, and a patient's scores in both roles have the correlation ``alike``."""
    half, found = patients // 2, []
    for _ in range(repetitions):
        own, as_member, as_other = rng.normal(size=(3, 2, half))
        others = np.sqrt(abs(alike)) * own + np.sqrt(1 - abs(alike)) * as_other
        members = np.sign(alike) * np.sqrt(abs(alike)) * own + np.sqrt(1 - abs(alike)) * as_member
        members[rng.random(members.shape) < copied] = np.inf
        attacks = [Attack(np.vstack([members[1 - k]] * 2), (others[k][: half // 2], others[k][half // 2 :])) for k in (0, 1)]
        found.append((measure_auc(*attacks).upper, measure_true_positives(Attack.joined(attacks)).upper))
    return np.array(found).T


@pytest.mark.parametrize("alike", [0.0, 0.8, -0.8])
@pytest.mark.parametrize("copied", [0.0, 0.1])
def test_bounds_cover_where_everybody_has_either_role(alike: float, copied: float) -> None:
    repetitions = 400
    auc, positives = bounds_in_turn(686, alike, copied, repetitions, np.random.default_rng(6))
    slack = 3 * np.sqrt(0.95 * 0.05 / repetitions)
    assert (auc >= (1 + copied) / 2).mean() >= 0.95 - slack
    assert (positives >= copied + (1 - copied) / 100).mean() >= 0.95 - slack
    if not copied:
        assert (positives > 0.05).mean() <= 0.005 + slack


def areas(patients: int, turns: int, columns: int, repetitions: int, rng: np.random.Generator) -> np.ndarray:
    """The area by density ratio of a harmless generator on normal records, and the standard errors that count the reference and that do not."""
    found = []
    for _ in range(repetitions):
        records = rng.normal(size=(patients, columns)).astype(np.float32)
        halves = [np.split(half, 2) for half in np.split(np.arange(patients), 2)]
        rounds = [(np.concatenate(halves[1 - turn]), *halves[turn]) for turn in range(turns)]
        drawn = [rng.normal(size=(patients, columns)).astype(np.float32) for _ in rounds]
        attacks = [attack_by_density(measure_distances(records, people, by)) for people, by in zip(rounds, drawn, strict=True)]
        bounds = measure_auc(*attacks), measure_auc(*(replace(attack, reliance=()) for attack in attacks))
        found.append((bounds[0].value, *((bound.upper - bound.value) / ndtri(0.95) for bound in bounds)))
    return np.array(found).T


@pytest.mark.parametrize("turns", [1, 2])
def test_patients_who_are_each_others_reference_are_counted(turns: int) -> None:
    repetitions = 1000
    area, error, without = areas(200, turns, 3, repetitions, np.random.default_rng(8))
    spread = np.sqrt(((area - 0.5) ** 2).mean())
    assert spread / np.sqrt((error**2).mean()) == pytest.approx(1, abs=3 / np.sqrt(2 * repetitions))
    assert spread / np.sqrt((without**2).mean()) > 1.05
    assert (area + ndtri(0.95) * error >= 0.5).mean() >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / repetitions)


@pytest.mark.slow
@pytest.mark.parametrize(("members", "others"), [(4588, 574), (549, 69), (1200, 150)])
@pytest.mark.parametrize("shift", [0.0, 0.2, 0.5])
def test_coverage_over_sizes(members: int, others: int, shift: float) -> None:
    repetitions = 4000
    auc, positives = bounds(shift, members, others, repetitions, np.random.default_rng([members, others]))
    slack = 3 * np.sqrt(0.95 * 0.05 / repetitions)
    assert (auc >= ndtr(shift / np.sqrt(2))).mean() >= 0.95 - slack
    assert (positives >= 1 - ndtr(ndtri(0.99) - shift)).mean() >= 0.95 - slack
