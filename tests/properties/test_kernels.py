"""What must not change an estimate: the order of the patients, the scale of the weights, a second copy of everyone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parallax.errors import NotEstimable
from parallax.statistics.balance import c_statistic, ks_statistics, standardised_differences, variance_ratios
from parallax.statistics.cox import fit_cox
from parallax.statistics.logistic import fit_logistic
from parallax.statistics.matching import match_nearest
from parallax.statistics.survival import kaplan_meier, restricted_mean_difference, survival_difference


class Patients(NamedTuple):
    time: np.ndarray
    event: np.ndarray
    treated: np.ndarray
    x: np.ndarray
    weight: np.ndarray


@st.composite
def patients(draw: st.DrawFn) -> Patients:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(20, 60))
    time = rng.integers(1, draw(st.integers(2, 40)) + 1, n).astype(float)
    treated = rng.permutation(np.arange(n) % 2 == 0)
    x = np.column_stack([treated, rng.normal(size=n)])
    return Patients(time, rng.random(n) < draw(st.floats(0.2, 1.0)), treated, x, rng.uniform(0.1, 5, n))


def estimates(p: Patients, *, weights: np.ndarray | None) -> dict[str, np.ndarray]:
    """Estimates and robust standard errors, all of which a common factor of the weights leaves alone."""
    found: dict[str, np.ndarray] = {}
    try:
        cox = fit_cox(p.time, p.event, p.x, weights=weights, ties="breslow")
        found |= {"log hazard ratio": cox.coefficients, "robust": cox.covariance_robust}
    except NotEstimable:
        found["log hazard ratio"] = np.array(np.nan)
    horizon = float(np.median(p.time))
    for measure in (survival_difference, restricted_mean_difference):
        try:
            difference = measure(p.time, p.event, p.treated, horizon, weights=weights)
            found[measure.__name__] = np.array([difference.estimate, difference.std_error])
        except NotEstimable:
            found[measure.__name__] = np.array(np.nan)
    curve = kaplan_meier(p.time, p.event, weights=weights)
    found |= {"survival": curve.survival, "std_error": curve.std_error, "lower": curve.lower, "upper": curve.upper}
    found |= {f.__name__: f(p.x[:, 1:], p.treated, weights) for f in (standardised_differences, variance_ratios, ks_statistics)}
    found["c"] = np.array(c_statistic(p.x[:, 1], p.treated, weights))
    return found


def assert_same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert one.keys() == other.keys()
    for name, values in one.items():
        assert other[name] == pytest.approx(values, rel=1e-7, abs=1e-9, nan_ok=True), name


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(patients(), st.randoms(use_true_random=False))
def test_order_of_patients(p: Patients, random: object) -> None:
    order = np.arange(p.time.size)
    random.shuffle(order)  # type: ignore[attr-defined]
    shuffled = Patients(*(column[order] for column in p))
    assert_same(estimates(p, weights=p.weight), estimates(shuffled, weights=shuffled.weight))


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(patients(), st.floats(1e-3, 1e3))
def test_scale_of_weights(p: Patients, factor: float) -> None:
    assert_same(estimates(p, weights=p.weight), estimates(p, weights=p.weight * factor))


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(patients())
def test_equal_weights_are_none(p: Patients) -> None:
    assert_same(estimates(p, weights=None), estimates(p, weights=np.full(p.time.size, 3.7)))


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(patients())
def test_everyone_twice(p: Patients) -> None:
    twice = Patients(*(np.concatenate([column, column]) for column in p))
    once, again = estimates(p, weights=p.weight), estimates(twice, weights=twice.weight)
    for name in ("log hazard ratio", "survival", "ks_statistics", "c"):
        assert again[name] == pytest.approx(once[name], rel=1e-7, abs=1e-9, nan_ok=True), name
    assert again["std_error"] == pytest.approx(once["std_error"] / np.sqrt(2), rel=1e-9)
    for name in ("survival_difference", "restricted_mean_difference"):
        assert again[name] == pytest.approx(once[name] / [1, np.sqrt(2)] if once[name].ndim else once[name], rel=1e-9, abs=1e-12, nan_ok=True)
    if "robust" in once:
        assert again["robust"] == pytest.approx(once["robust"] / 2, rel=1e-6, abs=1e-9)
        origin = np.tile(np.arange(p.time.size), 2)
        together = fit_cox(twice.time, twice.event, twice.x, weights=twice.weight, ties="breslow", clusters=origin)
        assert together.covariance_robust == pytest.approx(once["robust"], rel=1e-6, abs=1e-9)
        assert together.covariance_naive * 2 == pytest.approx(
            fit_cox(p.time, p.event, p.x, weights=p.weight, ties="breslow").covariance_naive, rel=1e-6
        )


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(patients(), st.randoms(use_true_random=False), st.floats(0.1, 10))
def test_logistic_order_scale_and_copies(p: Patients, random: object, factor: float) -> None:
    order = np.arange(p.time.size)
    random.shuffle(order)  # type: ignore[attr-defined]
    design = np.column_stack([np.ones(p.time.size), p.x[:, 1:]])
    once = fit_logistic(design, p.treated, weights=p.weight)
    shuffled = fit_logistic(design[order], p.treated[order], weights=p.weight[order] * factor)
    twice = fit_logistic(np.vstack([design, design]), np.tile(p.treated, 2), weights=np.tile(p.weight, 2))
    assert shuffled.coefficients == pytest.approx(once.coefficients, rel=1e-7, abs=1e-9)
    assert shuffled.fitted == pytest.approx(once.fitted[order], rel=1e-7)
    assert shuffled.covariance * factor == pytest.approx(once.covariance, rel=1e-7, abs=1e-12)
    assert twice.coefficients == pytest.approx(once.coefficients, rel=1e-7, abs=1e-9)
    assert twice.covariance * 2 == pytest.approx(once.covariance, rel=1e-7, abs=1e-12)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(patients(), st.randoms(use_true_random=False), st.sampled_from([None, 0.05, 0.5]))
def test_matching(p: Patients, random: object, caliper: float | None) -> None:
    score, treated = p.x[:, 1], p.treated
    sets = match_nearest(score, treated, caliper=caliper).matched_set
    assert sets is not None
    order = np.arange(score.size)
    random.shuffle(order)  # type: ignore[attr-defined]
    assert match_nearest(score[order], treated[order], caliper=caliper).matched_set.tolist() == sets[order].tolist()
    for number in range(sets.max() + 1):
        one, other = np.flatnonzero(sets == number)
        assert treated[one] != treated[other]
        assert abs(score[one] - score[other]) <= (np.inf if caliper is None else caliper)
    if caliper is None:
        assert sets.max() + 1 == min(treated.sum(), (~treated).sum())
