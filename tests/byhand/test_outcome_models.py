"""The generator's outcome models on a handful of patients."""

from __future__ import annotations

from functools import partial
from math import inf, log, log1p

import numpy as np
import pytest
from scipy.special import expit

from parallax.errors import NotEstimable, StatisticsError
from parallax.statistics.poisson import fit_poisson
from parallax.synthesis.hazards import IntervalHazard
from parallax.synthesis.outcome_models import BinaryModel, ContinuousModel, CountModel, EventTimes, PersonTime

#: covariate effects are penalised away
NONE = 1e12
COLUMN = np.array([[1.0], [-1.0], [1.0], [-1.0]])
MANY = np.zeros((40_000, 1))


def test_rates_of_two_groups():
    # 3 events in 6 years against 2 in 1: log 1/2 and log 4; the information is the number of events
    design, time = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 1.0], [1.0, 1.0]]), np.array([2.0, 4.0, 0.5, 0.5])
    fit = fit_poisson(design, [1.0, 2.0, 0.0, 2.0], exposure=time)
    np.testing.assert_allclose(fit.coefficients, [log(1 / 2), log(4)], atol=1e-10)
    np.testing.assert_allclose(fit.fitted, [1, 2, 1, 1], atol=1e-10)
    np.testing.assert_allclose(fit.covariance, [[1 / 3, -1 / 3], [-1 / 3, 1 / 3 + 1 / 2]], atol=1e-9)


def test_a_penalised_rate():
    # three events in two patients: 3 - 2 exp(b) = λ b, which b = 1/4 solves for λ = 4 (3 - 2 exp(1/4))
    penalty = 4 * (3 - 2 * np.exp(0.25))
    assert fit_poisson([[1.0], [1.0]], [1.0, 2.0], ridge=penalty).coefficients[0] == pytest.approx(0.25, abs=1e-10)


def test_rates_that_cannot_be_estimated():
    with pytest.raises(NotEstimable, match="no events"):
        fit_poisson(np.ones((3, 1)), np.zeros(3))
    with pytest.raises(NotEstimable, match="separated") as raised:
        fit_poisson([[1.0, 0.0], [1.0, 0.0], [1.0, 1.0]], [1.0, 2.0, 0.0])
    assert raised.value.columns == (1,)
    with pytest.raises(NotEstimable, match="collinear") as raised:
        fit_poisson([[1.0, 1.0], [1.0, 1.0]], [1.0, 2.0])
    assert raised.value.columns == (1,)
    for response, time in (([-1.0, 1.0], None), ([1.0, np.nan], None), ([1.0, 1.0], [0.0, 1.0]), ([1.0, 1.0], [1.0])):
        with pytest.raises(StatisticsError):
            fit_poisson(np.ones((2, 1)), response, exposure=time)


def test_competing_events_are_drawn_in_the_shares_of_aalen_and_johansen():
    # day 1: one of four has the event. Day 2: of the three left one has the event, one the competing event and one is lost, at the same time
    days, event = np.array([1.0, 2.0, 2.0, 2.0]), np.array([1, 2, 1, 0])
    model = EventTimes.fit(days, event, COLUMN, causes=3, horizons=(1.0, 90.0), fit_hazard=partial(IntervalHazard.fit, ridge=NONE))
    drawn = model.draw(MANY, rng=np.random.default_rng(1))
    shares = {(day, code): np.mean((drawn["days"] == day) & (drawn["event"] == code)) for day in (1.0, 2.0) for code in (0, 1, 2, 3)}
    expected = dict.fromkeys(shares, 0.0) | {(1.0, 1): 1 / 4, (2.0, 1): 1 / 4, (2.0, 2): 1 / 4, (2.0, 0): 1 / 4}
    assert shares == pytest.approx(expected, abs=0.01)
    # day 2: the event has 1 of 3, the competing event 1 of the 2 left, censoring the last one
    assert [hazard.intervals[-1].cumulative[-1] for hazard in model.causes[:2]] == pytest.approx([-log1p(-1 / 3), -log1p(-1 / 2)])
    assert model.causes[2].intervals == ()
    assert model.censoring.intervals[-1].cumulative[-1] == inf


def test_a_binary_outcome():
    model = BinaryModel.fit(np.array([1.0, 0.0, 1.0, 1.0]), COLUMN, ridge=NONE)
    np.testing.assert_allclose(expit(model.coefficients), [3 / 4, 1 / 2], atol=1e-9)
    assert model.draw(MANY, rng=np.random.default_rng(2))["value"].mean() == pytest.approx(3 / 4, abs=0.01)
    # odds 1 and 3 at -1 and 1: half the log odds ratio
    value, column = np.array([1.0, 0.0, 1.0, 0.0, 1.0, 1.0]), np.array([[-1.0], [-1.0], [1.0], [1.0], [1.0], [1.0]])
    np.testing.assert_allclose(BinaryModel.fit(value, column, ridge=0.0).coefficients, [log(3) / 2, log(3) / 2], atol=1e-9)


@pytest.mark.parametrize("only", [0.0, 1.0])
def test_an_arm_of_one_value_keeps_it(only):
    drawn = BinaryModel.fit(np.full(4, only), COLUMN, ridge=30.0).draw(MANY, rng=np.random.default_rng(3))["value"]
    assert (drawn == only).all()


def test_a_measurement():
    # means 4 at 1 and 2 at -1, residuals ±1; a penalty of λ divides the slope by 1 + λ/4
    value, patients = np.array([5.0, 3.0, 3.0, 1.0]), np.array([[1.0], [-1.0], [1.0], [-1.0]])
    model = ContinuousModel.fit(value, patients, ridge=0.0)
    np.testing.assert_allclose(model.coefficients, [3, 1], atol=1e-12)
    np.testing.assert_allclose(model.residuals, [1, 1, -1, -1], atol=1e-12)
    np.testing.assert_allclose(ContinuousModel.fit(value, patients, ridge=4.0).coefficients, [3, 1 / 2], atol=1e-12)
    drawn = model.draw(MANY + 2.0, rng=np.random.default_rng(4))["value"]
    assert set(np.round(drawn, 9)) == {4.0, 6.0}
    assert drawn.mean() == pytest.approx(5.0, abs=0.03)


def test_counts_with_more_spread_than_poisson():
    # 8 events in 8 days, 2 expected of everybody: squares 4, 4, 4, 4 less 2 each over squares of 2: 8/16
    value, days = np.array([0.0, 4.0, 0.0, 4.0]), np.full(4, 2.0)
    model = CountModel.fit(value, days, COLUMN, ridge=NONE)
    assert (model.coefficients[0], model.dispersion) == (pytest.approx(0.0, abs=1e-9), pytest.approx(1 / 2))
    drawn = model.draw(MANY, rng=np.random.default_rng(5))
    assert (drawn["person_days"] == 2.0).all()
    # the negative binomial's mean 2 and variance 2 + 4/2
    assert drawn["value"].mean() == pytest.approx(2.0, abs=0.05)
    assert drawn["value"].var() == pytest.approx(4.0, abs=0.25)


def test_counts_with_less_spread_are_drawn_as_poisson_and_none_stay_none():
    model = CountModel.fit(np.full(4, 3.0), None, COLUMN, ridge=NONE)
    assert model.dispersion == 0.0
    drawn = model.draw(MANY, rng=np.random.default_rng(6))
    assert set(drawn) == {"value"}
    assert (drawn["value"].mean(), drawn["value"].var()) == (pytest.approx(3.0, abs=0.05), pytest.approx(3.0, abs=0.15))
    assert not CountModel.fit(np.zeros(4), None, COLUMN, ridge=NONE).draw(MANY, rng=np.random.default_rng(7))["value"].any()


def test_person_time_in_its_shares():
    model = PersonTime.fit(np.array([10.0, 365.0, 365.0, 90.0]), COLUMN, ridge=NONE)
    drawn = model.draw(MANY, rng=np.random.default_rng(8))
    assert {day: np.mean(drawn == day) for day in (10.0, 90.0, 365.0)} == pytest.approx({10.0: 1 / 4, 90.0: 1 / 4, 365.0: 1 / 2}, abs=0.01)
    assert (PersonTime.fit(np.full(4, 30.0), COLUMN, ridge=NONE).draw(MANY, rng=np.random.default_rng(9)) == 30.0).all()
