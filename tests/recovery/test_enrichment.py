"""Replicates larger than the cohort: what their intervals are worth with and without the rule's k/n."""

from __future__ import annotations

import numpy as np
import pytest

from parallax.analysis import analyse
from parallax.protocol import DesignsSection
from parallax.protocol.generators import SequentialGenerator
from parallax.synthesis.registry import draw_replicates, fit_generator
from parallax.validation.combining import combine
from simulated_cohorts import COVARIATES, OUTCOMES, simulate_cohort

DESIGNS = DesignsSection.of({"overlap": {"method": "weight", "estimand": "ATO"}})
STUDIES, PATIENTS, REPLICATES = 100, 400, 3


@pytest.mark.slow
def test_five_times_as_many_patients_know_no_more() -> None:
    """No effect: how often an interval excludes it. A replicate of k = 5n has a fifth of the variance and the cohort's own error."""
    wrong = {"naive": [], "partial": []}
    for study in range(STUDIES):
        real = simulate_cohort(PATIENTS, seed=1000 + study, effect=0.0)
        fitted = fit_generator(SequentialGenerator(method="sequential"), real, covariates=COVARIATES, outcomes=OUTCOMES, seed=1)
        seeds = [10 * study + replicate for replicate in range(REPLICATES)]
        drawn = draw_replicates(fitted, replicates=REPLICATES, patients=5 * PATIENTS, seeds=seeds)
        estimates = analyse(drawn, covariates=COVARIATES, designs=DESIGNS, outcomes=OUTCOMES).estimates
        combined = combine(estimates, patients=PATIENTS, synthetic=5 * PATIENTS)
        asked = combined[(combined["contrast"] == "hazard_ratio") & (combined["horizon_days"] == 30)].set_index("rule")
        for rule, found in wrong.items():
            found.append(not asked.loc[rule, "lower"] <= 1.0 <= asked.loc[rule, "upper"])
    error = np.sqrt(0.3 * 0.7 / STUDIES)
    assert 0.25 - 2 * error < np.mean(wrong["naive"]) < 0.42 + 2 * error
    assert np.mean(wrong["partial"]) <= 0.07 + 2 * np.sqrt(0.07 * 0.93 / STUDIES)
    print({rule: float(np.mean(found)) for rule, found in wrong.items()})
