"""What must not change a metric of validation, and what must."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from parallax.validation.copies import bound_excess
from parallax.validation.membership import Attack, attack_by_density, measure_auc, measure_true_positives
from parallax.validation.neighbours import find_nearest
from parallax.validation.risk import Trials, measure_risk
from parallax.validation.rules import combine_by
from parallax.validation.similarity import measure_closeness
from parallax.validation.singling_out import hold_once, state_at_random
from parallax.validation.vulnerable import find_outliers
from validation_tables import distances_between

number = st.floats(-100, 100, allow_nan=False).map(lambda x: round(x, 3))
replicates = st.lists(st.tuples(number, st.floats(0.01, 100)), min_size=2, max_size=12)
scores = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed))


@given(replicates, number, st.floats(0.1, 10), st.randoms())
def test_partial_rule_follows_location_and_scale_not_order(rows: list[tuple[float, float]], move: float, scale: float, random) -> None:
    q, v = (np.array(part) for part in zip(*rows, strict=True))
    order = list(range(len(q)))
    random.shuffle(order)
    here = combine_by("partial", q, v, patients=7, synthetic=5)
    there = combine_by("partial", move + scale * q[order], scale**2 * v[order], patients=7, synthetic=5)
    assert there.estimate == pytest.approx(move + scale * here.estimate, rel=1e-9, abs=1e-9)
    assert there.std_error == pytest.approx(scale * here.std_error, rel=1e-6)
    assert here.df >= len(q) - 1


@given(replicates, st.integers(1, 50))
def test_larger_replicates_carry_more_within_variance(rows: list[tuple[float, float]], k: int) -> None:
    q, v = zip(*rows, strict=True)
    small, large = (combine_by("partial", q, v, patients=10, synthetic=size) for size in (k, k + 1))
    assert large.std_error > small.std_error


@given(scores, st.integers(2, 60), st.integers(2, 200))
def test_bounds_hold_the_value_and_ranks_alone_count(rng: np.random.Generator, n: int, size: int) -> None:
    members, others = rng.integers(0, 40, (2, n)).astype(float), rng.integers(0, 40, (2, size)).astype(float)
    attack = Attack(members, (others[0], others[1]))
    stretched = Attack(np.exp(members / 10), (np.exp(others[0] / 10), np.exp(others[1] / 10)))
    for measure in (measure_auc, measure_true_positives):
        found = measure(attack)
        assert 0 <= found.lower <= found.value <= found.upper <= 1
        assert measure(stretched) == found


@given(scores, st.integers(2, 60), st.integers(2, 60))
def test_auc_of_the_opposite_score(rng: np.random.Generator, n: int, size: int) -> None:
    members, others = rng.normal(size=(2, n)), rng.normal(size=(2, size))
    here = measure_auc(Attack(members, (others[0], others[1])))
    there = measure_auc(Attack(-members, (-others[0], -others[1])))
    assert here.value + there.value == pytest.approx(1)
    assert here.upper + there.lower == pytest.approx(1)


@given(scores, st.integers(3, 30), st.sampled_from([lambda score: -score, lambda score: np.exp(score / 3)]))
def test_who_relies_on_whom_counts_by_ranks_alone(rng: np.random.Generator, n: int, change) -> None:
    parts = rng.normal(size=(4, n, 2)).astype(np.float32)
    attack = attack_by_density(distances_between(*parts[:3], synthetic=parts[3]))
    reliance = tuple(replace(one, without=change(one.without)) for one in attack.reliance)
    changed = Attack(change(attack.members), (change(attack.others[0]), change(attack.others[1])), reliance)
    here, there, apart = measure_auc(attack), measure_auc(changed), measure_auc(replace(attack, reliance=()))
    if change(1.0) < 0:
        assert there.upper == pytest.approx(1 - here.lower)
    else:
        assert there == here
    assert here.value == apart.value
    assert here.lower <= apart.lower
    assert here.upper >= apart.upper


@given(st.integers(0, 50), st.integers(50, 5000), st.integers(0, 50), st.integers(50, 5000))
def test_excess_of_copies_is_bounded_and_antisymmetric(a: int, n: int, b: int, m: int) -> None:
    here, there = bound_excess(a / n, n, b / m, m), bound_excess(b / m, m, a / n, n)
    assert -1 <= here.lower <= here.value <= here.upper <= 1
    assert here.value == pytest.approx(-there.value)
    assert here.upper == pytest.approx(-there.lower)


@given(arrays.arrays(np.float32, (12, 3), elements=st.integers(-4, 4).map(float)), scores)
def test_closeness_of_swapped_sides_adds_to_one(points: np.ndarray, rng: np.random.Generator) -> None:
    synthetic = rng.normal(size=(30, 3)).astype(np.float32)
    here, there = measure_closeness(points[:6], points[6:], synthetic), measure_closeness(points[6:], points[:6], synthetic)
    assert here.value + there.value == pytest.approx(1)
    assert here.upper + there.lower == pytest.approx(1)


@given(scores, st.integers(1, 700), st.integers(1, 40))
def test_nearest_neighbour_is_at_least_as_near_as_any(rng: np.random.Generator, n: int, size: int) -> None:
    records, among = rng.normal(size=(n, 4)).astype(np.float32), rng.normal(size=(size, 4)).astype(np.float32)
    found = find_nearest(records, among)
    for other in among:
        assert (found.distance <= np.linalg.norm(records.astype(float) - other, axis=1) + 1e-4).all()


@given(st.integers(0, 400), st.integers(0, 400), st.integers(401, 3000), st.integers(401, 3000))
def test_a_risk_is_a_share_that_grows_with_what_was_got(a: int, c: int, n: int, m: int) -> None:
    found, more = measure_risk(Trials(a, n), Trials(c, m)), measure_risk(Trials(a + 1, n), Trials(c, m))
    assert 0 <= found.lower <= found.value <= found.upper <= 1
    assert more.value >= found.value
    assert measure_risk(Trials(a, n), Trials(a, n)).value == 0


@settings(deadline=None)  # the first call compiles
@given(scores, st.integers(3, 40))
def test_the_order_of_patients_is_of_no_account(rng: np.random.Generator, n: int) -> None:
    table = np.column_stack([rng.normal(size=n).round(1), rng.integers(0, 3, n).astype(float)])
    statements = state_at_random(table, 1, wanted=20, width=2, rng=rng)
    mixed = rng.permutation(n)
    assert (hold_once(statements, table) == hold_once(statements, table[mixed])).all()
    placed = table.astype(np.float32)
    assert (find_outliers(placed)[mixed] == find_outliers(placed[mixed])).all()
