"""The simulator's truths by two routes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp
from scipy.optimize import brentq
from scipy.special import expit

from parallax.simulation.models import BinaryModel, Hazard, SurvivalModel, TreatmentModel, regression_terms
from parallax.simulation.plasmode import Plasmode, draw_study
from parallax.simulation.truth import MarginalCourse, Target, follow, mean_outcomes, tilt
from parallax.statistics.cox import fit_cox
from parallax.statistics.survival import kaplan_meier, restricted_mean_difference, survival_difference
from parallax.statistics.weighting import propensity_weights
from parallax.vocabulary import ESTIMANDS

RNG = np.random.default_rng(7)
TERMS = regression_terms(RNG.normal(size=(40, 3)), squares=[0], products=[(1, 2)])
TREATMENT = TreatmentModel(-0.4, np.array([0.8, -0.5, 0.0, 0.4, 0.3]))
EVENT = Hazard.of(
    [0.03, 0.015],
    [[0.7, 0.4, 0.0, 0.3, -0.2], [0.3, 0.4, 0.2, 0.0, 0.0]],
    edges=[0, 9],
    effects=[0.8, -0.3],
    modifiers=[0.3, 0, 0, 0, 0],
    shape=1.3,
)
DROPOUT = Hazard.of(0.02, [-0.8, 0.5, 0, 0, 0], effects=0.5, shape=0.8)


def plasmode(event: Hazard = EVENT, dropout: Hazard | None = DROPOUT, *, unit: float = 1.0, end: float = 20.0) -> Plasmode:
    return Plasmode(TERMS, TREATMENT, SurvivalModel(event, end, dropout, unit))


@pytest.mark.parametrize("estimand", ESTIMANDS)
def test_masses_are_weight_times_probability_of_the_arm(estimand) -> None:
    e = plasmode().propensity
    arms = np.concatenate([np.ones(40), np.zeros(40)])
    weights = propensity_weights(np.tile(e, 2), arms, estimand, stabilised=False)
    np.testing.assert_allclose(weights[:40] * e, tilt(e, estimand))
    np.testing.assert_allclose(weights[40:] * (1 - e), tilt(e, estimand))


@pytest.mark.parametrize("treated", [True, False])
def test_cumulative_hazard_is_the_integral_of_the_hazard(treated) -> None:
    def hazard(t: float, i: int) -> float:
        j = int(t >= 9)
        predictor = TERMS[i] @ EVENT.coefficients[j] + treated * (EVENT.effects[j] + 0.3 * TERMS[i, 0])
        return 1.3 * t**0.3 * EVENT.rates[j] * np.exp(predictor)

    found = EVENT.cumulative(TERMS, treated, np.array([4.0, 17.0]))
    for i in (0, 11):
        np.testing.assert_allclose(found[i], [quad(hazard, 0, end, (i,), points=[9.0])[0] for end in (4.0, 17.0)], rtol=1e-7)


def test_drawn_times_spend_a_standard_exponential_credit() -> None:
    rows, treated = RNG.integers(40, size=20000), RNG.random(20000) < 0.5
    days = EVENT.draw(TERMS[rows], treated, rng=np.random.default_rng(1))
    spent = np.empty(20000)
    for arm in (True, False):
        for row in range(40):
            those = (rows == row) & (treated == arm)
            spent[those] = EVENT.cumulative(TERMS[[row]], arm, days[those])[0]
    # Kolmogorov's 99.9 % quantile
    assert np.abs(np.sort(-np.expm1(-spent)) - np.arange(1, 20001) / 20000).max() < 1.95 / np.sqrt(20000)


def test_finer_units_tend_to_continuous_time() -> None:
    """Against curves and score equation integrated over continuous time, losses by differential equations of what is seen."""
    target = Target.of(plasmode().propensity, "ATO")

    def arm(given: bool, t: float) -> tuple[float, float]:
        """At risk, and events per day."""
        time = np.array([t, t + 1e-6])
        alive, kept = (np.exp(-hazard.cumulative(TERMS, given, time)) for hazard in (EVENT, DROPOUT))
        mass = target.treated
        return float(mass @ (alive[:, 0] * kept[:, 0])), float(mass @ ((alive[:, 0] - alive[:, 1]) * kept[:, 0]) / 1e-6)

    def score(beta: float) -> float:
        def rate(t: float) -> float:
            (y0, n0), (y1, n1) = arm(False, t), arm(True, t)
            return n1 - (n0 + n1) * np.exp(beta) * y1 / (np.exp(beta) * y1 + y0)

        return quad(rate, 0, 20, points=[9.0], epsabs=1e-9)[0]

    hazards = [
        solve_ivp(lambda t, _, given=given: [arm(given, t)[1] / arm(given, t)[0]], (0, 20), [0.0], max_step=0.5, rtol=1e-7) for given in (0, 1)
    ]
    survival = [float(np.exp(-found.y[0, -1])) for found in hazards]
    errors = []
    for unit in (0.1, 0.02):
        course = follow(plasmode(unit=unit), target, censored=True)
        errors.append([np.log(course.hazard_ratio()) - brentq(score, -1, 2), course.risk_difference() - (survival[0] - survival[1])])
    assert np.abs(errors[1]).max() < 1e-4
    assert (np.abs(errors[1]) < 0.5 * np.abs(errors[0]) + 1e-5).all()


def test_proportional_marginal_hazards_have_their_own_ratio() -> None:
    homogeneous = Hazard.of(0.05, np.zeros(5), effects=np.log(2.5), shape=0.7)
    for target in (Target.of(plasmode().propensity, None), Target.of(plasmode().propensity, "ATE", stabilised=True)):
        for censored in (False, True):
            course = follow(plasmode(homogeneous, unit=0.01), target, censored=censored)
            assert course.hazard_ratio() == pytest.approx(2.5, rel=2e-5)


def test_the_kernels_agree_on_an_expanded_study() -> None:
    """A course written out as weighted patients, each day's events in many equal parts, and estimated."""
    course = follow(plasmode(), Target.of(plasmode().propensity, "ATE", stabilised=True), censored=True)
    parts, rows = 400, []
    for arm in (0, 1):
        lost = course.at_risk[arm] - course.events[arm] - np.append(course.at_risk[arm, 1:], 0.0)
        for day in range(20):
            rows += [(day + 1.0, 1, arm, course.events[arm, day] / parts)] * parts + [(day + 1.0, 0, arm, lost[day])]
    time, event, treated, weights = np.array(rows).T
    assert lost.min() >= 0
    fit = fit_cox(time, event, treated[:, None], weights=weights)
    # Efron's sum over 800 ties against its integral
    assert fit.coefficients[0] == pytest.approx(np.log(course.hazard_ratio()), abs=2e-3 / 8)
    for horizon in (5.0, 12.5, 20.0):
        assert survival_difference(time, event, treated, horizon, weights=weights).estimate == pytest.approx(course.risk_difference(horizon))
        assert restricted_mean_difference(time, event, treated, horizon, weights=weights).estimate == pytest.approx(course.rmst_difference(horizon))
    np.testing.assert_allclose(kaplan_meier(time[treated == 1], event[treated == 1], weights=weights[treated == 1]).survival, course.survival[1])


def test_without_losses_curves_are_means_of_survival() -> None:
    e = plasmode().propensity
    for estimand in ESTIMANDS:
        course = follow(plasmode(), Target.of(e, estimand))
        for given in (False, True):
            alive = np.exp(-EVENT.cumulative(TERMS, given, np.arange(21.0)))
            np.testing.assert_allclose(course.survival[int(given)], np.average(alive, axis=0, weights=tilt(e, estimand)))


def test_losses_at_random_keep_the_curves_and_move_the_hazard_ratio_to_early_times() -> None:
    study = plasmode(dropout=Hazard.of(0.1, np.zeros(5)))
    target = Target.of(study.propensity, "ATE")
    seen, whole = follow(study, target, censored=True), follow(study, target)
    np.testing.assert_allclose(seen.survival, whole.survival)
    # the effect is harmful first and protective later
    assert seen.hazard_ratio() > whole.hazard_ratio() * 1.02
    assert whole.hazard_ratio(9) > whole.hazard_ratio()


def test_the_arms_size_moves_the_hazard_ratio_alone() -> None:
    e = plasmode().propensity
    equal, sized = (follow(plasmode(), Target.of(e, "ATE", stabilised=stabilised)) for stabilised in (False, True))
    np.testing.assert_allclose(equal.survival, sized.survival)
    assert abs(np.log(equal.hazard_ratio() / sized.hazard_ratio())) > 1e-4
    assert Target.of(e, "ATO", stabilised=True).treated == pytest.approx(Target.of(e, "ATO").treated)


@pytest.mark.parametrize("estimand", ESTIMANDS)
def test_the_null_is_null_for_every_contrast(estimand) -> None:
    study = plasmode(EVENT.with_effect(0.0), DROPOUT.with_effect(0.0))
    for censored in (False, True):
        course = follow(study, Target.of(study.propensity, estimand), censored=censored)
        found = [np.log(course.hazard_ratio(12)), course.risk_difference(12), course.rmst_difference()]
        np.testing.assert_allclose(found, 0.0, atol=1e-12)


def test_gauss_points_suffice() -> None:
    """The integral over a unit in which half of an arm, and nine tenths of it, have the event, against adaptive quadrature."""
    for share, tolerance in ((0.5, 1e-12), (0.9, 1e-10)):
        at_risk, events = np.array([[0.4], [0.6]]), np.array([[0.4 * 0.2], [0.6 * share]])

        def score(beta: float, y=at_risk[:, 0], d=events[:, 0]) -> float:
            def part(u: float) -> float:
                treated, comparator = np.exp(beta) * (y[1] - u * d[1]), y[0] - u * d[0]
                return treated / (treated + comparator)

            return d[1] - d.sum() * quad(part, 0, 1, epsabs=1e-14)[0]

        found = MarginalCourse(1.0, at_risk, events).hazard_ratio()
        assert np.log(found) == pytest.approx(brentq(score, -5, 5, xtol=1e-14), abs=tolerance)


def test_blocks_of_time_do_not_change_the_course(monkeypatch) -> None:
    target = Target.of(plasmode().propensity, "ATT")
    whole = follow(plasmode(), target, censored=True)
    monkeypatch.setattr("parallax.simulation.truth._BLOCK", 130)
    parts = follow(plasmode(), target, censored=True)
    np.testing.assert_allclose(parts.at_risk, whole.at_risk)
    np.testing.assert_allclose(parts.events, whole.events)


def test_binary_means_are_their_definition() -> None:
    model = BinaryModel(-0.5, np.array([0.5, 0.2, 0.0, 0.0, 0.3]), 0.6, np.array([0.2, 0, 0, 0, 0.0]))
    study = Plasmode(TERMS, TREATMENT, model)
    e = study.propensity
    risk = expit(-0.5 + TERMS @ model.coefficients + 0.6 + 0.2 * TERMS[:, 0])
    assert mean_outcomes(study, Target.of(e, "ATO"))[0] == pytest.approx(np.sum(e * (1 - e) * risk) / np.sum(e * (1 - e)))


def test_the_population_as_it_is_keeps_its_rows() -> None:
    drawn = draw_study(plasmode(), patients=None, rng=np.random.default_rng(3))
    np.testing.assert_array_equal(drawn.rows, np.arange(40))
    again = draw_study(plasmode(), patients=None, rng=np.random.default_rng(3))
    np.testing.assert_array_equal(drawn.outcome["days"], again.outcome["days"])
    np.testing.assert_array_equal(drawn.treated, again.treated)
