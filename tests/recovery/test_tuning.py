"""A tuning finds the setting that was planted, and leaves a good one alone."""

from __future__ import annotations

import pytest

from parallax.protocol import DesignsSection, SequentialGenerator
from parallax.protocol.propensity import DEFAULT_PROPENSITY
from parallax.protocol.question import Hypothesis
from parallax.protocol.synthesis import SynthesisSection
from parallax.protocol.tuning import TuningSection
from parallax.tuning import OWN, tune
from simulated_cohorts import COVARIATES, OUTCOMES, simulate_cohort

#: no covariate acts on treatment or outcome: a generator without confounding
DEAF = {"ridge_treatment": 1e9, "ridge_outcome": 1e9}
#: the defaults
HEARS = {"ridge_treatment": 10.0, "ridge_outcome": 10.0}


@pytest.mark.slow
@pytest.mark.parametrize(("own", "other", "chosen"), [(DEAF, HEARS, "ridge_treatment 10, ridge_outcome 10"), (HEARS, DEAF, OWN)])
def test_a_generator_that_knows_the_confounding_is_chosen(own, other, chosen):
    found = tune(
        {"clinic": simulate_cohort(1500, seed=11)},
        "own",
        SynthesisSection(
            generators={"own": SequentialGenerator(method="sequential", **own)},
            tuning=TuningSection(repetitions=6, replicates=4, patients=1500, candidates=(other,)),
        ),
        primary=Hypothesis(outcome="death", contrast="risk_difference", design="crude", horizon_days=180),
        covariates=COVARIATES,
        designs=DesignsSection.of({"crude": {"method": "none"}}),
        propensity=DEFAULT_PROPENSITY,
        outcomes=OUTCOMES,
        seed=1,
    )
    rmse = found.table[found.table["effect"].isna()].set_index("setting")["rmse"]
    assert found.chosen == chosen
    assert rmse[chosen] < 0.7 * rmse.drop(chosen).iloc[0]
