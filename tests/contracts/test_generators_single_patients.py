"""What every registered generator promises of what one patient alone has: it stays here (decision 0049)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from parallax.capabilities import GENERATORS as CAPABILITIES
from parallax.errors import GenerationError
from parallax.protocol.generators import SequentialGenerator
from parallax.synthesis.generator import MINIMUM_KNOWN
from parallax.synthesis.registry import GENERATORS, draw_replicates, fit_generator
from simulated_cohorts import COVARIATES, EVERY_OUTCOME, LEARNS_MARGINS, OUTCOMES, SETTINGS, simulate_cohort, simulate_every_outcome

every_generator = pytest.mark.parametrize("method", sorted(GENERATORS))


def know_few(known: int) -> tuple[pd.DataFrame, list[float]]:
    """A cohort in which so many patients have a lactate, each one that no other number of the cohort is; and these numbers."""
    real = simulate_cohort(320, seed=1)
    marked = [round(7.12347 + 0.31 * place, 5) for place in range(known)]
    rows = np.random.default_rng(2).permutation(len(real))[:known]
    real["lactate"] = np.nan
    real.loc[rows, "lactate"] = marked
    return real, marked


@pytest.mark.parametrize("known", [1, 2, MINIMUM_KNOWN - 1])
@every_generator
def test_a_number_known_of_few_is_refused_and_not_told(method: str, known: int) -> None:
    real, marked = know_few(known)
    with pytest.raises(GenerationError, match=r'covariate "lactate": found fewer than 10 patients of whom it is known; .*; leave it out') as raised:
        fit_generator(SETTINGS[method], real, covariates=COVARIATES, outcomes=OUTCOMES, seed=1)
    assert not any(str(value) in str(raised.value) for value in marked)


@every_generator
def test_no_number_comes_out_of_a_nearly_empty_column(method: str) -> None:
    if method == "cart":
        pytest.skip("draws from the patients of a leaf, see its docstring")
    real, marked = know_few(MINIMUM_KNOWN + 1)  # the median is one patient's
    fitted = fit_generator(SETTINGS[method], real, covariates=COVARIATES, outcomes=OUTCOMES, seed=1)
    drawn = draw_replicates(fitted, replicates=10, patients=320, seeds=range(10))["lactate"].dropna()
    assert len(drawn) or method not in LEARNS_MARGINS
    assert set(drawn).isdisjoint(marked)


@every_generator
def test_a_level_known_of_few_and_levels_of_one_patient_each_are_refused(method: str) -> None:
    real = simulate_cohort(320, seed=1)
    few = pd.array(["Mr Quillfeather"] * 9 + [None] * 311, dtype="string")
    alone = pd.array([f"Mr Quillfeather {place}" for place in range(40)] + [None] * 280, dtype="string")
    for levels, message in (
        (few, 'covariate "smoker": found fewer than 10 patients'),
        (alone, 'covariate "smoker": found no level that 2 patients have'),
    ):
        with pytest.raises(GenerationError, match=message) as raised:
            fit_generator(SETTINGS[method], real.assign(smoker=levels), covariates=COVARIATES, outcomes=OUTCOMES, seed=1)
        assert "Quillfeather" not in str(raised.value)


@pytest.mark.parametrize("arm", ["treated", "comparator"])
def test_the_calibrated_recipe_refuses_a_number_known_of_few_in_an_arm(arm: str) -> None:
    real = simulate_cohort(320, seed=1)
    of_arm = real.index[real["treated"] == (arm == "treated")]
    real.loc[of_arm[3:], "lactate"] = np.nan
    real.loc[of_arm[:3], "lactate"] = 37.12345
    settings = SequentialGenerator(method="sequential", recipe="calibrated")
    with pytest.raises(GenerationError, match=f'"lactate", {arm} arm: found fewer than 10 patients of whom it is known') as raised:
        fit_generator(settings, real, covariates=COVARIATES, outcomes=OUTCOMES, seed=1)
    assert "37.12345" not in str(raised.value)


@every_generator
def test_no_outcome_is_one_patients(method: str) -> None:
    if CAPABILITIES[method].private:
        pytest.skip("draws from declared ranges, whatever the patients have")
    real = simulate_every_outcome(320, seed=1)
    lone = {
        "pain_value": [real["pain_value"].max() + 40.0, -30.0],
        "falls_value": [real["falls_value"].max() + 40.0],
        "falls_person_days": [999.0, 998.0],
        "visitors_value": [9.0, 8.0, 7.0],
    }
    real["visitors_value"] = real["visitors_value"].clip(upper=4.0)
    for place, (column, values) in enumerate(lone.items()):
        real.loc[np.arange(len(values)) + 10 * place, column] = values
    # one patient alone has the third event, and nothing else happens on that day
    real.loc[real["relapse_event"] == 3, "relapse_event"] = 0
    real.loc[real["relapse_days"] == 137, "relapse_days"] = 138.0
    real.loc[real.index[real["treated"]][4], ["relapse_days", "relapse_event"]] = [137.0, 3]
    fitted = fit_generator(SETTINGS[method], real, covariates=COVARIATES, outcomes=EVERY_OUTCOME, seed=1)
    drawn = draw_replicates(fitted, replicates=10, patients=320, seeds=range(10))
    for column, values in lone.items():
        assert not drawn[column].isin(values).any(), column
    days = drawn.loc[drawn["relapse_event"] == 3, "relapse_days"]
    assert (days == 137).sum() <= 1 + len(days) / 4


@every_generator
def test_a_count_that_one_patient_alone_has_at_all_is_not_drawn(method: str) -> None:
    if CAPABILITIES[method].private:
        pytest.skip("draws from declared ranges, whatever the patients have")
    real = simulate_every_outcome(320, seed=1)
    real["falls_value"] = np.where(np.arange(len(real)) == 17, 57.0, 0.0)
    fitted = fit_generator(SETTINGS[method], real, covariates=COVARIATES, outcomes=EVERY_OUTCOME, seed=1)
    drawn = draw_replicates(fitted, replicates=5, patients=320, seeds=range(5))
    assert drawn["falls_value"].max() <= 28
