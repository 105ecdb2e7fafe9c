"""The least variance that an answer can have, as fractions: of 100 treated 40 have the event, of 200 comparators 50."""

from __future__ import annotations

from fractions import Fraction
from math import log

import pytest

from parallax.sites.plausibility import least_variance
from parallax.sites.site_results import Answer
from parallax.statistics.intervals import normal_interval
from site_tables import sound_results

SOUND = sound_results()["answers"][0]


def answer_of(contrast: str, estimate: float, error: float = 0.1, **changed: object) -> Answer:
    lower, upper = normal_interval(estimate, error)
    numbers = {"estimate": estimate, "variance": error**2, "lower": lower, "upper": upper, "p_value": None}
    return Answer.model_validate(SOUND | {"contrast": contrast} | numbers | changed)


LEAST = {
    "hazard_ratio": (-0.3, Fraction(4, 90)),
    "risk_difference": (0.15, Fraction(40 * 60, 100**3) + Fraction(50 * 150, 200**3)),
    "risk_ratio": (0.47, Fraction(1, 40) - Fraction(1, 100) + Fraction(1, 50) - Fraction(1, 200)),
    "odds_ratio": (0.69, Fraction(1, 40) + Fraction(1, 60) + Fraction(1, 50) + Fraction(1, 150)),
    "rate_ratio": (0.47, Fraction(1, 40) + Fraction(1, 50)),
    # two days lost by the treated: to 40 of 100, five days each, 2² · (60/40) the variance and a hundredth that of the mean
    "rmst_difference": (-2.0, Fraction(4 * 60, 40 * 100)),
    # means of 20 and 24 days: the treated lose a fifth of their own mean, or more
    "rmst_ratio": (log(20 / 24), Fraction(1, 25) * Fraction(60, 40 * 100)),
}


#: taken up to a horizon, before which patients may be censored
UP_TO_A_HORIZON = ("risk_difference", "risk_ratio", "rmst_difference", "rmst_ratio")


@pytest.mark.parametrize("contrast", LEAST)
def test_an_eighth_of_what_unadjusted_arms_give(contrast: str) -> None:
    estimate, unadjusted = LEAST[contrast]
    censored = Fraction(1, 8) if contrast in UP_TO_A_HORIZON else 1
    horizon = 30.0 if contrast in (*UP_TO_A_HORIZON, "hazard_ratio") else None
    assert least_variance(answer_of(contrast, estimate, horizon_days=horizon)) == pytest.approx(float(unadjusted / 8 * censored))


def test_of_an_outcome_without_times_nobody_is_censored() -> None:
    estimate, unadjusted = LEAST["risk_difference"]
    assert least_variance(answer_of("risk_difference", estimate, horizon_days=None)) == pytest.approx(float(unadjusted / 8))


def test_the_arm_that_lost_the_days_is_the_one_with_the_smaller_mean() -> None:
    """Two days lost by the comparators, to 50 of 200."""
    assert least_variance(answer_of("rmst_difference", 2.0)) == pytest.approx(4 * 150 / (50 * 200) / 64)


def test_hidden_events_are_near_all_patients() -> None:
    hidden = {"events_treated": None, "events_comparator": None}
    assert least_variance(answer_of("hazard_ratio", -0.3, **hidden)) == pytest.approx(4 / 300 / 8)
    assert least_variance(answer_of("rmst_difference", -2.0, **hidden)) == 0.0


def test_a_replicate_of_half_the_patients_knows_no_more_than_half() -> None:
    """T is v·k/n or more: with k/n of a half, half of the variance that the replicate's own counts give."""
    assert least_variance(answer_of("hazard_ratio", -0.3), multiple=0.5) == pytest.approx(4 / 90 / 8 / 2)


def test_where_nothing_is_known() -> None:
    nothing = {"events_treated": None, "events_comparator": None}
    assert least_variance(answer_of("mean_difference", 2.0, **nothing)) is None
    assert least_variance(answer_of("rmst_difference", -2.0), competing=True) is None
    assert least_variance(answer_of("hazard_ratio", -0.3), competing=True) is not None
    blank = dict.fromkeys(("estimate", "variance", "lower", "upper", "p_value"))
    assert least_variance(Answer.model_validate(SOUND | blank | {"status": "not_estimable"})) is None
