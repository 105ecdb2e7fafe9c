"""What patients who are each other's reference add to the variance of the membership attack's area."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from math import sqrt

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import ndtri

from parallax.validation.membership import Attack, People, Reliance, attack_by_density, measure_auc, measure_distances
from validation_tables import distances_between

Z95 = float(ndtri(0.95))


def added_variance(*attacks: Attack) -> float:
    """Of the mean area, from the bound with the reference's part and without; cut at zero it would not tell."""
    found, apart = measure_auc(*attacks), measure_auc(*(replace(attack, reliance=()) for attack in attacks))
    assert found.value == apart.value
    assert 0 < found.lower <= apart.lower
    return float(((found.value - found.lower) ** 2 - (apart.value - apart.lower) ** 2) / Z95**2)


def test_two_patients_who_are_each_others_nearest() -> None:
    members = np.array([[1.0, 2.0, 3.0, 4.0]] * 2)
    numbers = [np.arange(4), np.array([4, 5]), np.array([6, 7])]
    nobody = Reliance(numbers[0], np.array([6, 6, 7, 7]), members[0]), Reliance(numbers[0], np.array([4, 4, 5, 5]), members[1])
    # 4 and 6 are nearest to each other; 5 leans on 6 as well, and 7 on 5: those two have nothing in common
    control, reference = Reliance(numbers[1], np.array([6, 6]), np.array([4.5, 9.0])), Reliance(numbers[2], np.array([4, 5]), np.array([3.5, 9.0]))
    attack = Attack(members, (np.array([2.5, 0.0]), np.array([1.5, 5.0])), (nobody[0], control, nobody[1], reference))
    # without 6, 4 is passed by none of the members instead of 1/2; without 4, 6 by 1/4 instead of 3/4. Each is a quarter of the area
    assert added_variance(attack) == pytest.approx(2 * (1 / 2 / 4) * (1 / 2 / 4))
    assert measure_auc(attack).value == pytest.approx((3 / 4 + 3 / 8) / 2)


def test_who_is_nearest_and_what_the_score_is_without() -> None:
    parts = [np.array(values, np.float32)[:, None] for values in ((0, 8), (4, 6), (16, 18), (0.5, 8))]
    members, control, _, reference = attack_by_density(distances_between(*parts[:3], synthetic=parts[3])).reliance
    assert (list(members.patients), list(members.nearest)) == ([0, 1], [4, 4])
    assert (list(control.patients), list(control.nearest)) == ([2, 3], [4, 4])
    assert (list(reference.patients), list(reference.nearest)) == ([4, 5], [3, 3])
    assert control.without == pytest.approx(np.log([14 / 3.5, 12 / 2]))  # to 18, over that to the nearest synthetic record
    assert reference.without == pytest.approx(np.log([12 / 8, 14 / 10]))  # to 4


def brute_force(place: NDArray[np.float32], rounds: list[People], synthetic: list[NDArray[np.float32]]) -> float:
    """Every patient's part in the mean area with the reference as it is, and again without each other patient; products over all ordered pairs."""

    def distance(of: int, among: NDArray[np.float64]) -> float:
        return float(np.abs(among - float(place[of, 0])).min())

    def score(of: int, reference: list[int], drawn: NDArray[np.float32]) -> float:
        return float(np.log(distance(of, place[reference, 0].astype(float))) - np.log(distance(of, drawn[:, 0].astype(float))))

    lost = np.zeros((len(place), len(place)))
    for (seen, control, reference), drawn in zip(rounds, synthetic, strict=True):
        for others, half in ((control, reference), (reference, control)):
            for side, against, sign in ((seen, others, 1), (others, seen, -1)):
                rivals = np.array([score(j, list(half), drawn) for j in against])
                for i, j in product(side, half):
                    before, after = score(i, list(half), drawn), score(i, [k for k in half if k != j], drawn)
                    lost[i, j] += sign * (np.mean(before > rivals) - np.mean(after > rivals)) / (2 * len(rounds) * len(side))
    return float(sum(lost[i, j] * lost[j, i] for i, j in product(range(len(place)), repeat=2)))


@pytest.mark.parametrize("turns", [1, 2])
def test_as_by_leaving_out_everybody_from_every_reference(turns: int) -> None:
    for seed in range(10):
        rng = np.random.default_rng(seed)
        place, order = rng.normal(size=(24, 1)).astype(np.float32), rng.permutation(24)
        kept = [np.split(half, 2) for half in (order[:12], order[12:])]
        rounds = [(np.concatenate(kept[1 - turn]), *kept[turn]) for turn in range(turns)]
        synthetic = [rng.normal(size=(15, 1)).astype(np.float32) for _ in rounds]
        attacks = [attack_by_density(measure_distances(place, people, drawn)) for people, drawn in zip(rounds, synthetic, strict=True)]
        assert added_variance(*attacks) == pytest.approx(brute_force(place, rounds, synthetic), rel=1e-6)
        assert added_variance(*attacks) > 0


def test_patients_who_are_all_alike_leave_no_doubt() -> None:
    alike = np.zeros((6, 2), np.float32)
    found = measure_auc(attack_by_density(distances_between(alike, alike, alike, synthetic=alike)))
    assert (found.lower, found.value, found.upper) == (0.5, 0.5, 0.5)


def test_of_a_group_those_outside_it_are_reference_but_share_nothing() -> None:
    rng = np.random.default_rng(4)
    parts = rng.normal(size=(4, 30, 1)).astype(np.float32)
    attack = attack_by_density(distances_between(*parts[:3], synthetic=parts[3]))
    everybody, half = np.ones(30, bool), np.arange(30) < 15
    assert measure_auc(attack.among(everybody, (everybody, everybody))) == measure_auc(attack)
    group = attack.among(half, (half, half))
    assert list(group.reliance[1].patients) == list(range(30, 45))
    assert max(group.reliance[1].nearest) >= 75
    assert sqrt(added_variance(group)) > 0
