"""Five times as many synthetic patients as real ones, of everybody or of a rare subgroup: what intervals are worth with the patients counted in it.

Treatment acts on nobody in the subgroup. An interval that takes k synthetic patients for real has by theory a type I error of
2Φ(−1.96/√(1 + k/n)), 42 % at k = 5n, for a generator that knows of a subgroup what its own patients say; one that borrows from the others
errs less, and misses where the others' effect is another.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from parallax.analysis.asked import estimate_primary
from parallax.expressions import evaluate
from parallax.protocol import DesignsSection
from parallax.protocol.enrichment import Enrichment
from parallax.protocol.question import Hypothesis
from parallax.synthesis.enrichment import draw_subgroups
from parallax.synthesis.registry import fit_generator
from parallax.validation.combining import combine
from simulated_cohorts import COVARIATES, OUTCOMES, SETTINGS, simulate_cohort

PRIMARY = Hypothesis(outcome="death", contrast="hazard_ratio", design="overlap", horizon_days=180)
STUDY = {"covariates": COVARIATES, "designs": DesignsSection.of({"overlap": {"method": "weight", "estimand": "ATO"}}), "outcomes": OUTCOMES}
STUDIES, REPLICATES = 150, 5
WOMEN_WITH_LIVER_DISEASE = "disease = 'liver' and sex = 'female'"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("keep", "patients", "effect_on_others"),
    [("age > 0", 400, 0.0), (WOMEN_WITH_LIVER_DISEASE, 1000, 0.0), (WOMEN_WITH_LIVER_DISEASE, 1000, -0.7)],
    ids=["everybody", "one in eight", "one in eight, the others differ"],
)
def test_five_times_as_many_patients_know_no_more(keep: str, patients: int, effect_on_others: float) -> None:
    """How often an interval excludes the null that is true: the rule's at most 7 %, the naive one's 30 % or more."""
    wrong: dict[str, list[bool]] = {"none": [], "partial": [], "naive": []}
    for study in range(STUDIES):
        real = simulate_cohort(patients, seed=5000 + study, effect=0.0)
        inside = evaluate(real, keep, where="here")
        others = simulate_cohort(patients, seed=5000 + study, effect=effect_on_others)  # the same patients under another effect
        real = real.where(inside, others).astype(real.dtypes)
        fitted = fit_generator(SETTINGS["sequential"], real, covariates=COVARIATES, outcomes=OUTCOMES, seed=1)
        entry = Enrichment(name="subgroup", keep=keep, patients=5 * int(inside.sum()))
        drawn, draws = draw_subgroups(fitted, real, [entry], seeds={"subgroup": [10 * study + replicate for replicate in range(REPLICATES)]})
        assert list(draws["status"]) == ["ok"]
        estimates = estimate_primary(drawn.drop(columns="enrichment"), primary=PRIMARY, seed=0, **STUDY)
        alone = estimate_primary(real[inside].reset_index(drop=True), primary=PRIMARY, seed=0, **STUDY).assign(rule="none")
        combined = combine(estimates, patients=int(inside.sum()), synthetic=entry.patients)
        asked = pd.concat([combined, alone]).set_index("rule")
        for rule, found in wrong.items():
            found.append(not asked.loc[rule, "lower"] <= 1.0 <= asked.loc[rule, "upper"])
    shares = {rule: float(np.mean(found)) for rule, found in wrong.items()}
    print(keep, effect_on_others, shares)
    assert 0.30 - 2 * np.sqrt(0.3 * 0.7 / STUDIES) < shares["naive"] < 0.45 + 2 * np.sqrt(0.45 * 0.55 / STUDIES)
    assert shares["partial"] <= 0.07 + 2 * np.sqrt(0.07 * 0.93 / STUDIES)
