"""The simulator on one, two and four patients whose truths are fractions."""

from __future__ import annotations

from fractions import Fraction
from math import log

import numpy as np
import pytest

from parallax.errors import NotEstimable, StatisticsError
from parallax.simulation.fitting import fit_continuous, fit_hazard
from parallax.simulation.models import BinaryModel, ContinuousModel, Hazard, SurvivalModel, TreatmentModel, regression_terms
from parallax.simulation.plasmode import Plasmode, draw_study
from parallax.simulation.truth import Target, follow, mean_outcomes, tilt, true_effect

#: two patients, x = 0 and 1
TERMS = np.array([[0.0], [1.0]])
#: treated with probability 1/2 and 1/3
TREATMENT = TreatmentModel(0.0, np.array([log(1 / 2)]))
#: a day's survival 1/2 and 1/4, squared by treatment; a day's remaining 1/2 and, where it depends on x, 1/4
EVENT = Hazard.of(log(2), [log(2)], effects=log(2))
SURVIVAL = Plasmode(TERMS, TREATMENT, SurvivalModel(EVENT, 2.0, Hazard.of(log(2), [log(2)])))


def test_terms_are_standardised_cut_squared_and_multiplied() -> None:
    columns = np.array([[0.0, 5.0], [0.0, 7.0], [0.0, 5.0], [4.0, 7.0]])
    z = np.array([[-1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0], [3.0, 1.0]]) / [np.sqrt(3), 1.0]
    np.testing.assert_allclose(regression_terms(columns), z)
    bent = regression_terms(columns, squares=[0], products=[(0, 1)], limit=1.0)
    cut = np.clip(z, -1.0, 1.0)
    np.testing.assert_allclose(bent, np.column_stack([cut, cut[:, 0] ** 2 - 1, cut[:, 0] * cut[:, 1]]))
    with pytest.raises(StatisticsError, match=r"\[1\] do not vary"):
        regression_terms(np.array([[0.0, 5.0], [1.0, 5.0]]))


@pytest.mark.parametrize(
    ("estimand", "masses"),
    [
        ("ATE", (1, 1)),
        ("ATT", (Fraction(1, 2), Fraction(1, 3))),
        ("ATC", (Fraction(1, 2), Fraction(2, 3))),
        ("ATO", (Fraction(1, 4), Fraction(2, 9))),
        ("ATM", (Fraction(1, 2), Fraction(1, 3))),
    ],
)
def test_survival_contrasts(estimand, masses) -> None:
    def mean(first: Fraction, second: Fraction) -> float:
        return float((masses[0] * first + masses[1] * second) / sum(masses))

    np.testing.assert_allclose(tilt(SURVIVAL.propensity, estimand), [float(mass) for mass in masses])
    course = follow(SURVIVAL, Target.of(SURVIVAL.propensity, estimand))
    comparator = [1, mean(Fraction(1, 2), Fraction(1, 4)), mean(Fraction(1, 4), Fraction(1, 16))]
    treated = [1, mean(Fraction(1, 4), Fraction(1, 16)), mean(Fraction(1, 16), Fraction(1, 256))]
    np.testing.assert_allclose(course.survival, [comparator, treated])
    for horizon in (1, 2):
        assert course.risk_difference(horizon) == pytest.approx(comparator[horizon] - treated[horizon])
        assert course.rmst_difference(horizon) == pytest.approx(sum(treated[:horizon]) - sum(comparator[:horizon]))
    assert course.risk_difference(1.5) == course.risk_difference(1)
    assert course.rmst_difference(1.5) == pytest.approx((treated[1] - comparator[1]) / 2)


def test_hazard_ratio_of_one_day() -> None:
    # y = (1/2, 1/2), d_0 = 1/4; treated: all but 1/4 die, d_1 = 3/8. With v = 1 − u·3/4 and s = 1 − u/2:
    # ∫ θv/(θv + s) du over the day equals d_1/(d_0 + d_1) = 3/5 at the root; ∫ (a − bu)/(c − du) du = b/d + (ad − bc)/d² · ln(c/(c − d))
    plasmode = Plasmode(np.zeros((1, 1)), TreatmentModel(0.0, np.zeros(1)), SurvivalModel(EVENT, 1.0))
    theta = true_effect(plasmode, "hazard_ratio", Target.of(plasmode.propensity, "ATE"))
    a, b, c, d = theta, 0.75 * theta, theta + 1, 0.75 * theta + 0.5
    assert b / d + (a * d - b * c) / d**2 * log(c / (c - d)) == pytest.approx(3 / 5, rel=1e-9)


def test_losses_that_depend_on_covariates_change_what_is_seen() -> None:
    # ATE: day 1 as without losses; at risk on day 2 are, of the comparators, 1/2·1/2 and 1/4·1/4, of whom 1/2 and 1/4 stay alive
    course = follow(SURVIVAL, Target.of(SURVIVAL.propensity, "ATE"), censored=True)
    np.testing.assert_allclose(course.at_risk[0] * 2, [2, 1 / 4 + 1 / 16])
    np.testing.assert_allclose(course.events[0] * 2, [1 / 2 + 3 / 4, 1 / 8 + 3 / 64])
    assert course.survival[0, 2] == pytest.approx(3 / 8 * (1 / 8 + 1 / 64) / (1 / 4 + 1 / 16))


def test_masses_of_the_arms() -> None:
    e = SURVIVAL.propensity
    stabilised = Target.of(e, "ATE", stabilised=True)
    np.testing.assert_allclose([stabilised.treated, stabilised.comparator], [[5 / 12] * 2, [7 / 12] * 2])
    crude = Target.of(e, None)
    np.testing.assert_allclose([crude.treated, crude.comparator], [[1 / 2, 1 / 3], [1 / 2, 2 / 3]])
    # comparators: weights 3/7 and 4/7; treated: 3/5 and 2/5
    expected = (3 / 7 * 1 / 2 + 4 / 7 * 1 / 4) - (3 / 5 * 1 / 4 + 2 / 5 * 1 / 16)
    assert follow(SURVIVAL, crude).risk_difference(1) == pytest.approx(expected)


def test_binary_and_continuous_outcomes() -> None:
    binary = Plasmode(TERMS, TREATMENT, BinaryModel(0.0, np.array([log(3)]), log(3), np.zeros(1)))
    att = Target.of(binary.propensity, "ATT")
    # risks 3/4 and 9/10 against 1/2 and 3/4, weights 3/5 and 2/5
    assert mean_outcomes(binary, att) == pytest.approx((81 / 100, 3 / 5))
    assert true_effect(binary, "risk_difference", att) == pytest.approx(21 / 100)
    assert true_effect(binary, "odds_ratio", att) == pytest.approx((81 / 19) / (3 / 2))
    continuous = Plasmode(TERMS, TREATMENT, ContinuousModel(1.0, np.array([2.0]), 3.0, np.array([5.0]), 1.0))
    assert true_effect(continuous, "mean_difference", att) == pytest.approx(3 + 5 * 2 / 5)
    null = Plasmode(TERMS, TREATMENT, continuous.outcome.with_effect(0.0))
    assert true_effect(null, "mean_difference", att) == pytest.approx(0.0)


def test_piecewise_weibull_hazard_by_its_formula() -> None:
    hazard = Hazard.of([1.0, 3.0], [[log(2)], [0.0]], edges=[0, 2], effects=[0.0, log(5)], modifiers=[[log(7)], [0.0]], shape=2.0)
    days = np.array([0.0, 1.0, 2.0, 4.0])
    np.testing.assert_allclose(hazard.cumulative(TERMS, False, days), [[0, 1, 4, 4 + 3 * 12], [0, 2, 8, 8 + 3 * 12]])
    np.testing.assert_allclose(hazard.cumulative(TERMS, True, days), [[0, 1, 4, 4 + 15 * 12], [0, 14, 56, 56 + 15 * 12]])
    np.testing.assert_allclose(hazard.with_effect(0.0).cumulative(TERMS, True, days), hazard.cumulative(TERMS, False, days))


def test_times_are_whole_days_and_an_event_on_the_day_of_the_loss_is_seen() -> None:
    at_once, never = Hazard.of(1e9, [0.0]), Hazard.of(0.0, [0.0])
    rng = np.random.default_rng(0)
    for event, dropout, expected in ((at_once, at_once, (1, 1)), (never, at_once, (1, 0)), (never, None, (2, 0)), (at_once, None, (1, 1))):
        drawn = draw_study(Plasmode(TERMS, TREATMENT, SurvivalModel(event, 2.0, dropout)), patients=3, rng=rng).outcome
        np.testing.assert_array_equal([drawn["days"], drawn["event"]], np.repeat([[expected[0]], [expected[1]]], 3, axis=1))


def test_rates_are_events_over_time_at_risk() -> None:
    # a full penalty leaves no coefficient: day 0–2: two events in 1 + 2 + 2 + 2 days; later: one in 1 + 3 days
    hazard = fit_hazard([[0.0], [1.0], [0.0], [1.0]], [0, 1, 1, 0], [1, 2, 3, 5], [1, 1, 0, 1], edges=(0, 2), ridge=1e9)
    np.testing.assert_allclose(hazard.rates, [2 / 7, 1 / 4], rtol=1e-6)
    np.testing.assert_allclose(fit_hazard([[0.0], [1.0]], [0, 1], [1, 2], [1, 0], edges=(0, 4), ridge=1.0).rates[1], 0.0)


def test_least_squares() -> None:
    found = fit_continuous([[0.0], [1.0], [0.0], [1.0]], [0, 0, 1, 1], [1, 2, 4, 7])
    # means by cell 1, 2, 4, 7: slopes (1 + 3)/2 and (3 + 5)/2, residuals ±1/2 on one degree of freedom
    assert (found.intercept, found.coefficients[0], found.effect, found.deviation) == pytest.approx((0.5, 2.0, 4.0, 1.0))
    with pytest.raises(NotEstimable, match="collinear"):
        fit_continuous([[0.0], [0.0], [1.0], [1.0]], [0, 0, 1, 1], [1, 2, 4, 7])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: Hazard.of(1.0, [0.0], edges=[1.0]), "the first 0"),
        (lambda: Hazard.of(-1.0, [0.0]), "at least zero"),
        (lambda: Hazard.of(1.0, [0.0], shape=0.0), "above zero"),
        (lambda: Hazard.of(1.0, [0.0], effects=np.inf), "finite"),
        (lambda: SurvivalModel(EVENT, 2.5), "multiple of unit_days"),
        (lambda: draw_study(SURVIVAL, patients=0, rng=np.random.default_rng(0)), "at least one"),
        (lambda: tilt(SURVIVAL.propensity, "ATX"), "ATE"),
        (lambda: follow(SURVIVAL, Target.of(SURVIVAL.propensity, "ATE")).risk_difference(3), "up to the end of follow-up"),
        (lambda: true_effect(SURVIVAL, "mean_difference", Target.of(SURVIVAL.propensity, "ATE")), "SurvivalModel"),
        (lambda: mean_outcomes(SURVIVAL, Target.of(SURVIVAL.propensity, "ATE")), "binary or a continuous"),
    ],
)
def test_faults_are_named(wrong, message) -> None:
    with pytest.raises(StatisticsError, match=message):
        wrong()


def test_nothing_happens() -> None:
    plasmode = Plasmode(TERMS, TREATMENT, SurvivalModel(Hazard.of(0.0, [0.0]), 2.0))
    target = Target.of(plasmode.propensity, "ATE")
    with pytest.raises(NotEstimable, match="no events"):
        true_effect(plasmode, "hazard_ratio", target)
    assert true_effect(plasmode, "rmst_difference", target) == 0.0
