"""The choice among candidates, on shifts that are written down; and that the real effect is never used."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from parallax import tuning as tuning_module
from parallax.errors import GenerationError
from parallax.protocol import DesignsSection, OutcomesSection, SequentialGenerator
from parallax.protocol.constraints import parse_constraints
from parallax.protocol.propensity import DEFAULT_PROPENSITY
from parallax.protocol.question import Hypothesis
from parallax.protocol.synthesis import SynthesisSection
from parallax.protocol.tuning import TuningSection
from parallax.synthesis import registry
from parallax.tuning import OWN, choose, list_candidates, model_study, summarise, tune
from simulated_cohorts import COVARIATES, EVERY_OUTCOME, OUTCOMES, simulate_cohort, simulate_every_outcome

SETTINGS = SequentialGenerator(method="sequential")


def synthesis(tuning: TuningSection, settings: SequentialGenerator = SETTINGS, **others: object) -> SynthesisSection:
    """A study of one generator, "own"."""
    return SynthesisSection(generators={"own": settings}, tuning=tuning, **others)


def shifts(**of_setting: list[list[float]]) -> pd.DataFrame:
    """A row per target, the first being the primary one, of each repetition."""
    return pd.DataFrame(
        [
            {
                "repetition": repetition,
                "site": "a",
                "effect": 0.0,
                "setting": setting,
                "cpu_seconds": 2.0,
                "primary": place == 0,
                "shift": shift,
                "from_truth": shift + 1,
            }
            for setting, repetitions in of_setting.items()
            for repetition, targets in enumerate(repetitions)
            for place, shift in enumerate(targets)
        ]
    )


def test_scores_of_two_repetitions():
    # squares 1 and 9, mean 5; 4 and 0, mean 2: root of 3.5; their standard error 3/2 over twice that root
    row = summarise(shifts(own=[[1.0, -3.0], [2.0, 0.0]]), order=["own"]).iloc[0]
    assert row["rmse"] == pytest.approx(np.sqrt(3.5))
    assert row["rmse_error"] == pytest.approx(1.5 / (2 * np.sqrt(3.5)))
    assert (row["bias"], row["bias_error"], row["truth_bias"]) == (pytest.approx(1.5), pytest.approx(0.5), pytest.approx(2.5))
    assert (row["worst"], row["failed"], row["cpu_seconds"], row["repetitions"]) == (3.0, 0, 2.0, 2)


@pytest.mark.parametrize(
    ("other", "chosen"),
    [
        ([[0.5], [0.5], [0.5]], "other"),  # better every time
        ([[0.0], [0.0], [1.4]], "own"),  # better by 1/3 on average, with a standard error of 0.65
        ([[1.1], [1.1], [1.1]], "own"),  # worse
        ([[0.1], [0.1], [np.nan]], "own"),  # once it failed
    ],
)
def test_the_rule_of_choice(other, chosen):
    assert choose(shifts(own=[[1.0], [1.0], [1.0]], other=other), order=["own", "other"]) == chosen


def test_an_own_setting_that_fails_is_replaced_by_one_that_does_not():
    assert choose(shifts(own=[[0.1], [np.nan]], other=[[1.0], [1.0]]), order=["own", "other"]) == "other"
    assert choose(shifts(own=[[0.1], [np.nan]]), order=["own"]) == "own"


def test_candidates_come_in_the_stated_order_and_once():
    tuning = TuningSection(candidates=({"ridge_outcome": 30.0}, {"ridge_treatment": SETTINGS.ridge_treatment}, {"event_times": "forest"}))
    assert list(list_candidates("own", synthesis(tuning))) == [OWN, "ridge_outcome 30", "event_times forest"]
    with pytest.raises(GenerationError, match=r"found    epochs, method\n    allowed  settings of sequential: .*ridge_outcome"):
        list_candidates("own", synthesis(TuningSection(candidates=({"epochs": 3.0, "method": "tvae"},))))


def test_a_candidate_changes_a_sites_own_settings_where_it_has_some():
    own = SequentialGenerator(method="sequential", ridge_outcome=30.0, ridge_treatment=3.0)
    tuning = TuningSection(candidates=({"ridge_outcome": 30.0}, {"ridge_outcome": 10.0}, {"ridge_outcome": 10.0, "ridge_treatment": 3.0}))
    found = list_candidates("own", synthesis(tuning, at_sites={"b": {"own": own}, "c": {"other": own}}))
    ridges = {name: [(tried.at(site).ridge_outcome, tried.at(site).ridge_treatment) for site in "abc"] for name, tried in found.items()}
    assert ridges == {
        OWN: [(10, 10), (30, 3), (10, 10)],
        "ridge_outcome 30": [(30, 10), (30, 3), (30, 10)],
        "ridge_outcome 10": [(10, 10), (10, 3), (10, 10)],
        "ridge_outcome 10, ridge_treatment 3": [(10, 3), (10, 3), (10, 3)],
    }


def test_the_real_effect_is_replaced_before_anything_is_drawn():
    for effect in (0.0, 1.5):
        model = model_study(simulate_cohort(1000, seed=1, effect=effect), covariates=COVARIATES, name="death", outcome=OUTCOMES["death"])
        assert not model.outcome.event.effects.any()
        assert not model.outcome.event.modifiers.any()


@pytest.mark.parametrize("name", ["relapse", "falls"])
def test_outcomes_that_cannot_be_simulated_are_refused(name):
    with pytest.raises(GenerationError, match=r"found    an outcome that cannot be simulated: counts or competing events"):
        model_study(simulate_every_outcome(300, seed=1), covariates=COVARIATES, name=name, outcome=EVERY_OUTCOME[name])


@pytest.mark.parametrize(
    ("outcome", "contrast", "horizon"), [("death", "hazard_ratio", 180), ("response", "odds_ratio", None), ("pain", "mean_difference", None)]
)
def test_a_tuning_from_end_to_end_is_the_same_twice(outcome, contrast, horizon):
    cohorts = {"clinic": simulate_every_outcome(500, seed=2)}
    tuning = TuningSection(repetitions=2, replicates=2, patients=400, candidates=({"ridge_outcome": 1e9},))
    designs = DesignsSection.of({"overlap": {"method": "weight", "estimand": "ATO"}, "crude": {"method": "none"}})
    study = {"covariates": COVARIATES, "designs": designs, "propensity": DEFAULT_PROPENSITY}
    primary = Hypothesis(outcome=outcome, contrast=contrast, design="overlap", horizon_days=horizon)
    outcomes = OutcomesSection({outcome: EVERY_OUTCOME[outcome]})

    def run():
        return tune(cohorts, "own", synthesis(tuning), primary=primary, outcomes=outcomes, seed=3, **study)

    first, second = run(), run()
    pd.testing.assert_frame_equal(first.table.drop(columns="cpu_seconds"), second.table.drop(columns="cpu_seconds"))
    assert first.repetitions == 2
    assert first.table["setting"].tolist() == [OWN, "ridge_outcome 1e+09"] * 3
    assert first.table["chosen"].sum() == 3
    assert np.isfinite(first.table[["bias", "rmse", "truth_bias"]]).all(axis=None)
    assert not first.table["failed"].any()


def test_the_budget_ends_a_tuning_after_its_second_repetition():
    tuning = TuningSection(repetitions=50, replicates=2, patients=200, effects=(0.0,), cpu_seconds=1e-6, candidates=({"ridge_outcome": 1.0},))
    designs = DesignsSection.of({"overlap": {"method": "weight", "estimand": "ATO"}})
    primary = Hypothesis(outcome="death", contrast="hazard_ratio", design="overlap", horizon_days=180)
    study = {"covariates": COVARIATES, "designs": designs, "propensity": DEFAULT_PROPENSITY, "outcomes": OUTCOMES}
    assert tune({"a": simulate_cohort(300, seed=4)}, "own", synthesis(tuning), primary=primary, seed=1, **study).repetitions == 2


@pytest.mark.parametrize("fit", ["single", "bootstrap"])
def test_every_candidate_is_fitted_as_the_study_fits(fit, monkeypatch):
    fitted = []

    def fit_procedure(settings, cohort, **asked):
        fitted.append((settings, asked))
        return registry.fit_procedure(settings, cohort, **asked)

    monkeypatch.setattr(tuning_module, "fit_procedure", fit_procedure)
    tuning = TuningSection(repetitions=2, replicates=2, patients=200, effects=(0.0,), candidates=({"ridge_outcome": 1.0},))
    at_sites = {"b": {"own": SETTINGS.model_copy(update={"ridge_outcome": 7.0})}}
    ordered = parse_constraints([{"type": "inequality", "low": "visits", "high": "albumin"}])
    asked = synthesis(tuning, at_sites=at_sites, constraints=ordered, fit=fit)
    study = {"covariates": COVARIATES, "propensity": DEFAULT_PROPENSITY, "outcomes": OUTCOMES}
    study["designs"] = DesignsSection.of({"overlap": {"method": "weight", "estimand": "ATO"}})
    primary = Hypothesis(outcome="death", contrast="hazard_ratio", design="overlap", horizon_days=180)
    cohorts = {site: simulate_cohort(300, seed=4).query("visits <= albumin").reset_index(drop=True) for site in "ab"}
    found = tune(cohorts, "own", asked, primary=primary, seed=1, **study)
    assert not found.table["failed"].any()
    assert [settings.ridge_outcome for settings, _ in fitted] == [10.0, 1.0, 7.0, 1.0] * 2
    assert {(given["fit"], given["constraints"]) for _, given in fitted} == {(fit, ordered)}
    # all candidates of a simulated study from the same seeds, every other study from others
    seeds = [(given["seed"], *given["refits"].values()) for _, given in fitted]
    assert seeds[::2] == seeds[1::2]
    assert len({seed for of_study in seeds[::2] for seed in of_study}) == 4 * 3
    assert set(found.at_sites) == {"b"}
