"""Copies, closeness and the membership attack on a handful of patients."""

from __future__ import annotations

from math import log, sqrt

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from parallax.errors import NotEstimable
from parallax.validation.copies import find_copied
from parallax.validation.membership import Attack, attack_by_density, harmless_pass_rate, measure_auc, measure_true_positives
from parallax.validation.neighbours import RecordSpace, find_nearest
from parallax.validation.similarity import measure_closeness
from validation_tables import distances_between

Z95 = 1.6448536269514722  # the normal distribution's 95 % quantile, from any table


def line(*values: float) -> NDArray[np.float32]:
    return np.array(values, dtype=np.float32)[:, None]


def test_distances_treat_columns_alike() -> None:
    real = pd.DataFrame({"age": [0.0, 2.0, np.nan], "sex": pd.array(["f", "m", None], dtype="string")})
    space = RecordSpace.of([real], numeric=["age"], categorical=["sex"])
    placed = space.place(real).astype(float)
    apart = np.sqrt(((placed[:, None] - placed[None]) ** 2).sum(axis=-1))
    # ages one standard deviation from their mean 1; another level is one unit, a missing age one unit from its column
    assert apart[0, 1] == pytest.approx(sqrt(2**2 + 1))
    assert apart[0, 2] == apart[1, 2] == pytest.approx(sqrt(1 + 1 + 1))


def test_nearest_and_the_first_of_ties() -> None:
    found = find_nearest(line(0.0, 5.0, 2.0), line(1.0, 3.0, 5.0))
    assert list(found.distance) == [1.0, 0.0, 1.0]
    assert list(found.index) == [0, 2, 0]


def test_copies_are_the_same_in_every_column() -> None:
    real = pd.DataFrame({"age": [1.0, 2.0, np.nan, -0.0], "sex": pd.array(["f", "m", None, "f"], dtype="string")})
    synthetic = pd.DataFrame({"age": [1.0, 2.0, np.nan, 0.0], "sex": pd.array(["f", "f", None, "f"], dtype="string")})
    assert list(find_copied(real, synthetic, numeric=["age"], categorical=["sex"])) == [True, False, True, True]


def test_closeness_counts_ties_half_and_patients_once() -> None:
    # nearest to train 0: the records 1 and -1; to hold-out 10: the record 9; a tie at 5
    found = measure_closeness(line(0.0), line(10.0), line(1.0, -1.0, 9.0, 5.0))
    assert found.value == pytest.approx(5 / 8)
    # weights 5/8 on the train patient, 3/8 on the other: 2 ((5/8)² (3/8)² + (3/8)² (5/8)²)
    margin = 1.959963984540054 * sqrt(2 * 2 * (15 / 64) ** 2)
    assert (found.lower, found.upper) == (pytest.approx(max(0.0, 5 / 8 - margin)), pytest.approx(min(1.0, 5 / 8 + margin)))


def test_scores_of_the_density_ratio_attack() -> None:
    # members 0 and 8 are copied nearby and exactly; non-members 4 and 16; the smallest distance above zero is 1/2
    attack = attack_by_density(distances_between(line(0.0, 8.0), line(4.0, 6.0), line(16.0, 18.0), synthetic=line(0.5, 8.0)))
    floor = log(1 / 4)
    assert list(attack.members[0]) == pytest.approx([log(16) - log(0.5), log(8) - floor])  # against 16 and 18
    assert list(attack.members[1]) == pytest.approx([log(4) - log(0.5), log(2) - floor])  # against 4 and 6
    assert list(attack.others[0]) == pytest.approx([log(12) - log(3.5), log(10) - log(2)])
    assert list(attack.others[1]) == pytest.approx([log(10) - log(8), log(12) - log(10)])


def test_auc_with_delong_bounds() -> None:
    members = np.array([[1.0, 3.0, 3.0], [1.0, 3.0, 3.0]])
    attack = Attack(members, (np.array([0.0, 3.0]), np.array([2.0, 2.0])))
    # first attack: members beat 1/2, 3/4, 3/4 of the others; second: 0, 1, 1
    found = measure_auc(attack)
    assert found.value == pytest.approx((2 / 3 + 2 / 3) / 2)
    # patients' means 1/4, 7/8, 7/8: variance 25/192; others' shares of members that beat them: 1 and 1/3 (variance 2/9), 2/3 twice (0)
    variance = (25 / 192) / 3 + (2 / 9) / 2 / 4
    assert found.upper == pytest.approx(min(1.0, 2 / 3 + Z95 * sqrt(variance)))
    assert found.lower == pytest.approx(2 / 3 - Z95 * sqrt(variance))


def test_auc_of_patients_held_out_in_turn_counts_either_role() -> None:
    # the second four are the first attack's members, the first four the second's
    first = Attack(np.array([[0.5, 1.5, 2.5, 3.5]] * 2), (np.array([0.0, 2.0]), np.array([1.0, 3.0])))
    second = Attack(np.array([[1.5, 0.5, 4.0, 2.5]] * 2), (np.array([0.0, 2.0]), np.array([1.0, 3.0])))
    found = measure_auc(first, second)
    assert found.value == pytest.approx(5 / 8)  # members beat 1/4, 1/2, 3/4 and 1 of the others; 1/2, 1/4, 1 and 3/4
    # the share that each beats as a member, and of those who beat her or him as a non-member; each is a quarter of an attack's area, half of the mean
    roles = [(1 / 2 + 1, 1 / 4 + 1 / 2), (1 + 3 / 4, 3 / 4 + 1 / 4), (1 / 4 + 1, 1 / 2 + 1 / 2), (3 / 4 + 3 / 4, 1 + 1 / 4)]
    variance = sum(2 * ((one - other) / 8) ** 2 / 2 for one, other in roles)  # two people's sum has twice their variance
    assert found.upper == pytest.approx(5 / 8 + Z95 * sqrt(variance))
    assert found.lower == pytest.approx(5 / 8 - Z95 * sqrt(variance))


def test_scores_that_are_the_patients_own_leave_no_doubt_in_turn() -> None:
    # what one half wins as members it loses as non-members, to the last pair: nothing is left to chance
    one, other = np.random.default_rng(1).normal(size=(2, 40))
    attacks = [Attack(np.vstack([members] * 2), (others[:20], others[20:])) for members, others in ((other, one), (one, other))]
    found = measure_auc(*attacks)
    assert (found.value, found.lower, found.upper) == (pytest.approx(0.5), pytest.approx(0.5), pytest.approx(0.5))
    assert measure_auc(attacks[0]).upper > measure_auc(attacks[0]).value + 0.05


def test_true_positives_at_one_percent() -> None:
    # 200 non-members 1 … 200: at most 1 % exceed 198. Binomial(200, 0.01): P(≤ 4) = 0.948, P(≤ 5) = 0.984, P(≥ 1) = 0.866
    others = np.arange(1.0, 201.0)
    members = np.array([197.5, 198.5, 199.5, *np.zeros(97)])
    found = measure_true_positives(Attack(np.vstack([members, members]), (others[::2], others[1::2])))
    assert found.value == pytest.approx(2 / 100)
    # the sixth largest non-member, 195, is low enough: three members exceed it; joined with Wilson's upper bound of 2/100
    z2 = Z95**2
    wilson = (0.02 + z2 / 200 + Z95 * sqrt(0.02 * 0.98 / 100 + z2 / 40000)) / (1 + z2 / 100)
    assert found.upper == pytest.approx(0.02 + sqrt(0.01**2 + (wilson - 0.02) ** 2))
    # no rank is surely high enough, so that the lower bound goes down by all of 0.02 and is cut at zero
    assert found.lower == 0.0


def test_too_few_non_members_bound_nothing() -> None:
    # with 2 non-members P(Binomial(2, 0.01) < 1) = 0.9801: the larger one is low enough. Wilson's upper bound of none of ten is z²/(10 + z²) = 0.213
    assert harmless_pass_rate(10, 2, 0.05) == 0
    # 0.22 is kept where none of ten members is beyond the larger of two: E (1 − B)¹⁰ = ∫ 2(1 − b)¹¹ db = 1/6 for B ~ Beta(1, 2)
    assert harmless_pass_rate(10, 2, 0.22) == pytest.approx(1 / 6, abs=0.01)


@pytest.mark.parametrize("sizes", [(1, 2, 2, 1), (2, 1, 2, 1), (2, 2, 1, 1), (2, 2, 2, 0)])
def test_an_attack_needs_people_on_every_side(sizes: tuple[int, ...]) -> None:
    parts = [line(*np.arange(float(size))) if size else np.empty((0, 1), np.float32) for size in sizes]
    with pytest.raises(NotEstimable):
        distances_between(*parts[:3], synthetic=parts[3])
