"""What must not matter to the attack by shadow models."""

from __future__ import annotations

import numpy as np
import pytest

from parallax.validation.shadow_attack import attack_pairs, measure_shadow_auc


def draw_models(pairs: int, patients: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Two statistics of patients of whom each lies elsewhere, a little lower with the patient than without; and who saw whom."""
    rng = np.random.default_rng(seed)
    first = rng.random((pairs, patients)) < 0.5
    member = np.stack([first, ~first], axis=1).reshape(2 * pairs, patients)
    statistics = rng.normal(size=(2 * pairs, patients, 2)) + 3 * rng.normal(size=(patients, 1)) - 0.4 * member[:, :, None]
    return statistics, member


def test_statistics_all_equal_tell_nothing() -> None:
    _, member = draw_models(3, 40)
    found = measure_shadow_auc(attack_pairs(np.ones((6, 40, 2)), member))
    assert (found.lower, found.value, found.upper) == (0.5, 0.5, 0.5)


def test_units_of_a_statistic_do_not_matter() -> None:
    statistics, member = draw_models(4, 200)
    one = attack_pairs(statistics, member)
    other = attack_pairs(statistics * [100.0, -0.01] + [7.0, 3.0], member)
    np.testing.assert_allclose(other.members, one.members, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(other.others, one.others, rtol=1e-9, atol=1e-9)


def test_a_statistic_twice_is_that_statistic_once() -> None:
    statistics, member = draw_models(4, 200)
    once, twice = attack_pairs(statistics[:, :, :1], member), attack_pairs(statistics[:, :, [0, 0]], member)
    np.testing.assert_allclose(twice.members, once.members, rtol=1e-6, atol=1e-9)


def test_members_and_others_exchanged_are_told_apart_as_well() -> None:
    # the attack learns the direction: calling members others turns all of it
    statistics, member = draw_models(4, 200)
    one, other = (measure_shadow_auc(attack_pairs(statistics, seen)) for seen in (member, ~member))
    assert other.value == pytest.approx(one.value)
    assert other.upper == pytest.approx(one.upper)


def test_the_order_of_pairs_and_of_patients_does_not_matter() -> None:
    statistics, member = draw_models(3, 100)
    models, patients = np.array([4, 5, 1, 0, 2, 3]), np.random.default_rng(2).permutation(100)
    one = measure_shadow_auc(attack_pairs(statistics, member))
    other = measure_shadow_auc(attack_pairs(statistics[models][:, patients], member[models][:, patients]))
    assert other.value == pytest.approx(one.value, abs=1e-12)
    assert (other.lower, other.upper) == (pytest.approx(one.lower), pytest.approx(one.upper))
