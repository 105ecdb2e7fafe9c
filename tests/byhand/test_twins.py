"""Virtual twins on a handful of patients, and what may be shown of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from parallax.disclosure.twins import disclose_averages
from parallax.protocol import DesignsSection, OutcomesSection
from parallax.protocol.disclosure import DisclosureSection
from parallax.protocol.propensity import DEFAULT_PROPENSITY
from parallax.statistics.survival import kaplan_meier
from parallax.synthesis.hazards import IntervalHazard
from parallax.synthesis.outcome_models import BinaryModel, ContinuousModel, CountModel, EventTimes
from parallax.synthesis.twins import TwinBand, TwinCurves, average_twins
from parallax.validation.twins import compare_with_truth, find_truth

#: covariate effects are penalised away
NONE = 1e12
COLUMN = np.array([[1.0], [-1.0], [1.0], [-1.0]])
OUTCOMES = OutcomesSection.of(
    {
        "death": {
            "type": "survival",
            "days": "d",
            "event": "e",
            "follow_up_days": 9,
            "horizons_days": [2, 4],
            "contrasts": ["risk_difference", "rmst_difference"],
        }
    }
)


def without_effects(days, event, columns, *, edges):
    return IntervalHazard.fit(days, event, columns, edges=edges, ridge=NONE)


def fit(days, event, *, causes=1):
    return EventTimes.fit(np.array(days), np.array(event), COLUMN, causes=causes, horizons=(2.0,), fit_hazard=without_effects)


def test_without_covariate_effects_a_twin_has_the_arms_product_limit_curve():
    # deaths on day 1 (1 of 4) and day 3 (1 of 2), one lost on day 2: 3/4, and 3/4 · 1/2
    days, event, times = [1.0, 2.0, 3.0, 3.0], [1, 0, 1, 0], np.array([0.0, 0.5, 1.0, 2.0, 2.9, 3.0, 50.0])
    model = fit(days, event)
    found = model.survival(np.array([[5.0], [0.0]]), times)
    np.testing.assert_allclose(found, [[1, 1, 3 / 4, 3 / 4, 3 / 4, 3 / 8, 3 / 8]] * 2, atol=1e-9)
    np.testing.assert_allclose(found[0], kaplan_meier(np.array(days), np.array(event)).at(times), atol=1e-9)
    np.testing.assert_allclose(model.incidence(COLUMN, times), 1 - model.survival(COLUMN, times))


def test_competing_events_have_the_incidences_of_aalen_and_johansen():
    # day 1: one of four has the event; day 2: one the event, one the competing event, one is lost
    model = fit([1.0, 2.0, 2.0, 2.0], [1, 2, 1, 0], causes=2)
    times = np.array([0.0, 1.0, 1.5, 2.0])
    np.testing.assert_allclose(model.incidence(COLUMN[:1], times)[0], [0, 1 / 4, 1 / 4, 1 / 2], atol=1e-9)
    np.testing.assert_allclose(model.incidence(COLUMN[:1], times, cause=2)[0], [0, 0, 0, 1 / 4], atol=1e-9)
    np.testing.assert_allclose(model.survival(COLUMN[:1], times)[0], [1, 3 / 4, 3 / 4, 1 / 4], atol=1e-9)


def test_potential_outcomes_have_the_curve_that_followed_ones_estimate():
    model = fit([1.0, 2.0, 3.0, 3.0], [1, 0, 1, 0])
    followed, complete = model.draw_with_complete(np.zeros((40_000, 1)), rng=np.random.default_rng(1))
    for day, share in ((1.0, 3 / 4), (2.0, 3 / 4), (3.0, 3 / 8)):
        assert 1 - np.mean((complete["days"] <= day) & (complete["event"] == 1)) == pytest.approx(share, abs=0.01)
        assert kaplan_meier(followed["days"], followed["event"]).at([day])[0] == pytest.approx(share, abs=0.01)
    seen = followed["event"] == 1
    np.testing.assert_array_equal(followed["days"][seen], complete["days"][seen])
    assert (followed["days"] <= complete["days"]).all()


def potential() -> pd.DataFrame:
    """Three patients: treated they die on day 3, never, never; untreated on day 1, 2 and 9."""
    return pd.DataFrame(
        {
            "patient_id": ["a", "b", "c"] * 2,
            "treated": [True] * 3 + [False] * 3,
            "death_days": [3.0, 9.0, 9.0, 1.0, 2.0, 9.0],
            "death_event": [1, 0, 0, 1, 1, 1],
            "propensity": [1 / 2, 1 / 4, 1 / 4] * 2,
        }
    )


def test_the_truth_of_three_patients():
    def truth(contrast, estimand):
        return find_truth(potential(), OUTCOMES, outcome="death", contrast=contrast, horizon_days=4.0, estimand=estimand)

    assert truth("risk_difference", "ATE").estimate == pytest.approx(1 / 3 - 2 / 3)
    assert truth("risk_difference", "ATT").estimate == pytest.approx((2 / 4 * 1) - (2 / 4 + 1 / 4))
    # overlap: masses 4/16, 3/16, 3/16
    assert truth("risk_difference", "ATO").estimate == pytest.approx(4 / 10 - 7 / 10)
    assert truth("rmst_difference", "ATE").estimate == pytest.approx((3 + 4 + 4) / 3 - (1 + 2 + 4) / 3)
    # the difference is 0, -1 and 0 in the three: variance 2/9, divided by 3
    assert truth("risk_difference", "ATE").std_error == pytest.approx(np.sqrt(2 / 27))


def test_a_crude_comparison_has_no_truth_and_neither_has_all_follow_up():
    cohort = pd.DataFrame(
        {
            "replicate": 0,
            "patient_id": [str(i) for i in range(40)],
            "treated": np.arange(40) % 2 == 0,
            "age": np.arange(40.0) % 7,
            "death_days": np.arange(40.0) % 9 + 1,
            "death_event": 1,
        }
    )
    from parallax.protocol import Covariates

    designs = DesignsSection.of({"crude": {"method": "none"}, "iptw": {"method": "weight", "estimand": "ATE"}})
    outcomes = OutcomesSection.of({"death": OUTCOMES["death"].model_dump() | {"contrasts": ["hazard_ratio", "risk_difference"]}})
    found = compare_with_truth(
        cohort,
        potential(),
        covariates=Covariates(numeric=("age",), categorical=()),
        designs=designs,
        propensity=DEFAULT_PROPENSITY,
        outcomes=outcomes,
        seed=1,
    )
    assert set(found["design"]) == {"iptw"}
    assert found["horizon_days"].tolist() == [2.0, 4.0, 2.0, 4.0]
    assert found.loc[3, "truth"] == pytest.approx(-1 / 3)


def test_shown_averages_never_step_for_few_patients():
    days = np.arange(0.0, 8.0)
    table = pd.DataFrame(
        {
            "outcome": "death",
            "arm": "treated",
            "quantity": "survival",
            "time_days": days,
            "value": 1.0,
            "lower": 1.0,
            "upper": 1.0,
            "at_risk": [90, 80, 70, 60, 50, 40, 10, 9],
            "events": [0, 4, 10, 12, 25, 31, 35, 36],
            "refits": 20,
        }
    )
    shown = disclose_averages(table, DisclosureSection(minimum_count=10, round_to=5))
    # day 2 has 10 events, day 4 15 more; day 5 is too near the last one allowed, day 7 has 9 at risk
    assert shown["time_days"].tolist() == [0.0, 2.0, 4.0, 6.0]
    assert not {"at_risk", "events"} & set(shown.columns)


def test_outcomes_without_times_have_expected_values():
    # three of four yes; mean 5; six falls in twenty days: a rate of 0.3, whatever the covariate, which is penalised away
    asked = np.array([[7.0], [0.0]])
    binary = BinaryModel.fit(np.array([1.0, 1.0, 1.0, 0.0]), COLUMN, ridge=NONE)
    np.testing.assert_allclose(binary.expected(asked), 3 / 4, atol=1e-6)
    np.testing.assert_allclose(ContinuousModel.fit(np.array([2.0, 4.0, 6.0, 8.0]), COLUMN, ridge=NONE).expected(asked), 5.0)
    falls = np.array([0.0, 1.0, 2.0, 3.0])
    np.testing.assert_allclose(CountModel.fit(falls, np.array([2.0, 4.0, 6.0, 8.0]), COLUMN, ridge=NONE).expected(asked), 0.3, atol=1e-6)
    np.testing.assert_allclose(CountModel.fit(falls, None, COLUMN, ridge=NONE).expected(asked), 1.5, atol=1e-6)
    # without a penalty each half of the patients has its own share
    column = np.repeat([[1.0], [0.0]], 4, axis=0)
    found = BinaryModel.fit(np.array([1.0, 1, 1, 0, 1, 0, 0, 0]), column, ridge=0.0).expected(np.array([[1.0], [0.0]]))
    np.testing.assert_allclose(found, [3 / 4, 1 / 4], atol=1e-6)


def test_an_average_without_times_is_shown_where_both_arms_have_patients_for_it():
    table = pd.DataFrame({"outcome": ["a", "b", "c"], "arm": "treated", "quantity": "probability", "time_days": np.nan, "value": 0.5})
    table = table.assign(lower=0.4, upper=0.6, at_risk=[40, 40, 9], events=[10, 9, 9], refits=20)
    assert disclose_averages(table, DisclosureSection(minimum_count=10, round_to=5))["outcome"].tolist() == ["a"]


def test_what_the_real_patients_know_of_an_average():
    arms = [True] * 5 + [False] * 4
    cohort = pd.DataFrame(
        {
            "treated": arms,
            "death_days": [1.0, 2, 3, 4, 5, 1, 2, 3, 4],
            "death_event": [1, 0, 1, 1, 0, 1, 1, 0, 0],
            "cured_value": [1, 1, 1, 1, 0, 1, 1, 0, 0],
            "falls_value": [0, 0, 3, 1, 1, 0, 0, 0, 2],
            "pain_value": [0.0] * 9,
        }
    )
    values = {
        name: {"type": kind, "value": name, "contrasts": []} for name, kind in (("cured", "binary"), ("falls", "count"), ("pain", "continuous"))
    }
    for name, contrast in (("cured", "odds_ratio"), ("falls", "rate_ratio"), ("pain", "mean_difference")):
        values[name]["contrasts"] = [contrast]
    outcomes = OutcomesSection.of({"death": OUTCOMES["death"].model_dump()} | values)

    def band(*times):
        flat = {"q": np.zeros((3, len(times)))}
        curves = TwinCurves(np.array(times), {"q": np.zeros((2, 1, len(times)))})
        return TwinBand(curves, lower={}, upper={}, means=flat, mean_lower=flat, mean_upper=flat, refits=7)

    bands = {"death": band(2.0, 3.0), "cured": band(np.nan), "falls": band(np.nan), "pain": band(np.nan)}
    found = average_twins(bands, cohort, outcomes).query("arm == 'treated'")
    # beyond day 2 three treated and two others are followed, 1 and 2 had died
    assert found["at_risk"].tolist() == [2, 1, 4, 4, 4]
    # one treated was not cured; one of the others fell
    assert found["events"].tolist() == [1, 2, 1, 1, 4]
    assert found["refits"].eq(7).all()
