"""A subgroup of everybody is the population; a subgroup's analysis is that of its patients, whoever drew them."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pandas as pd
import pytest

from parallax.analysis.asked import estimate_primary
from parallax.analysis.effects import analyse
from parallax.expressions import evaluate
from parallax.protocol import DesignsSection
from parallax.protocol.enrichment import Enrichment
from parallax.protocol.propensity import DEFAULT_PROPENSITY
from parallax.protocol.question import Hypothesis
from parallax.synthesis.enrichment import draw_subgroups
from parallax.synthesis.registry import draw_replicates, fit_generator, refit_generator
from parallax.validation.combining import combine
from parallax.validation.enrichment import Asked, summarise_enriched, summarise_real_subgroups
from simulated_cohorts import COVARIATES, OUTCOMES, SETTINGS, simulate_cohort

PATIENTS, SEEDS = 300, (11, 12, 13)
PRIMARY = Hypothesis(outcome="death", contrast="hazard_ratio", design="overlap", horizon_days=180)
DESIGNS = DesignsSection.of(
    {"overlap": {"method": "weight", "estimand": "ATO"}, "crude": {"method": "none"}, "risks": {"method": "none", "contrasts": ["risk_difference"]}}
)
STUDY = {"covariates": COVARIATES, "outcomes": OUTCOMES}
ASKED = Asked(PRIMARY, COVARIATES, DESIGNS, DEFAULT_PROPENSITY, OUTCOMES, seed=5)
EVERYBODY = Enrichment(name="everybody", keep="age > 0", patients=PATIENTS)
WOMEN = Enrichment(name="women", keep="sex = 'female'", patients=5 * PATIENTS)
TARGET = ["design", "outcome", "contrast", "horizon_days"]


@pytest.fixture(scope="module")
def real() -> pd.DataFrame:
    return simulate_cohort(PATIENTS, seed=3)


@pytest.mark.parametrize("fit", ["single", "bootstrap"])
def test_everybody_in_a_cohort_of_n_is_the_generators_own_draw(real: pd.DataFrame, fit: str) -> None:
    if fit == "single":
        fitted = fit_generator(SETTINGS["sequential"], real, seed=1, **STUDY)
    else:
        fitted = refit_generator(SETTINGS["sequential"], real, seeds={0: 1, 1: 2, 2: 3}, **STUDY)
    drawn, draws = draw_subgroups(fitted, real, [EVERYBODY], seeds={"everybody": SEEDS})
    own = draw_replicates(fitted, replicates=3, patients=PATIENTS, seeds=SEEDS)
    assert list(draws["status"]) == ["ok"]
    pd.testing.assert_frame_equal(drawn.drop(columns="enrichment"), own, check_exact=True)


def test_everybodys_estimates_are_the_populations(real: pd.DataFrame) -> None:
    fitted = fit_generator(SETTINGS["sequential"], real, seed=1, **STUDY)
    own = draw_replicates(fitted, replicates=3, patients=PATIENTS, seeds=SEEDS)
    drawn, draws = draw_subgroups(fitted, real, [EVERYBODY], seeds={"everybody": SEEDS})
    of_real = summarise_real_subgroups(real, [EVERYBODY], ASKED)
    made = {"real": of_real, "real_cohort": real, "fit": "single", "not_estimable": 0.0}
    enriched = summarise_enriched(drawn, draws, [EVERYBODY], ASKED, **made).set_index(["design", "rule"])
    study = combine(analyse(own, designs=DESIGNS, seed=5, **STUDY).estimates, patients=PATIENTS, synthetic=PATIENTS)
    asked = study[(study["contrast"] == "hazard_ratio") & (study["horizon_days"] == 180)].set_index(["design", "rule"])
    assert set(enriched.index) == {(design, rule) for design in ("overlap", "crude") for rule in ("partial", "single_fit", "naive")}
    for column in ("estimate", "std_error", "n_treated", "n_comparator", "events_treated", "events_comparator"):
        assert enriched[column].to_dict() == pytest.approx(asked.loc[enriched.index, column].to_dict(), rel=1e-12), column
    whole = analyse(real, designs=DESIGNS, seed=5, **STUDY).estimates
    whole = whole[(whole["contrast"] == "hazard_ratio") & (whole["horizon_days"] == 180)].set_index("design")
    assert of_real.set_index("design")["estimate"].to_dict() == pytest.approx(whole.loc[["overlap", "crude"], "estimate"].to_dict(), rel=1e-12)


def test_a_subgroup_is_combined_by_its_own_counts(real: pd.DataFrame) -> None:
    fitted = fit_generator(SETTINGS["sequential"], real, seed=1, **STUDY)
    drawn, draws = draw_subgroups(fitted, real, [WOMEN], seeds={"women": SEEDS})
    of_real = summarise_real_subgroups(real, [WOMEN], ASKED)
    found = summarise_enriched(drawn, draws, [WOMEN], ASKED, real=of_real, real_cohort=real, fit="single", not_estimable=0.0)
    answer = found[(found["rule"] == "partial") & (found["design"] == "overlap")].iloc[0]
    each = estimate_primary(drawn.drop(columns="enrichment"), primary=PRIMARY, designs=DESIGNS, seed=5, **STUDY)
    each = each[each["design"] == "overlap"]
    women = real[evaluate(real, WOMEN.keep, where="here")].reset_index(drop=True)
    logs, variances = np.log(each["estimate"]), each["std_error"] ** 2
    total = variances.mean() * WOMEN.patients / len(women) + logs.var(ddof=1) / 3
    assert (answer["estimate"], answer["std_error"]) == pytest.approx((np.exp(logs.mean()), sqrt(total)))
    beside = estimate_primary(women, primary=PRIMARY, designs=DESIGNS, seed=5, **STUDY).set_index("design").loc["overlap"]
    assert of_real.set_index("design").loc["overlap", "std_error"] == pytest.approx(beside["std_error"])
    assert answer["shift_in_real_se"] == pytest.approx((logs.mean() - np.log(beside["estimate"])) / beside["std_error"])
    assert found.loc[found["rule"] == "naive", "shift_in_real_se"].isna().all()


def test_a_failed_draw_has_the_real_targets_and_the_reason(real: pd.DataFrame) -> None:
    rare = Enrichment(name="rare", keep="age > 200", patients=50)
    fitted = fit_generator(SETTINGS["independent"], real, seed=1, **STUDY)
    drawn, draws = draw_subgroups(fitted, real, [rare], seeds={"rare": SEEDS})
    of_real = summarise_real_subgroups(real, [rare], ASKED)
    found = summarise_enriched(drawn, draws, [rare], ASKED, real=of_real, real_cohort=real, fit="single", not_estimable=0.0)
    for table, rule in ((of_real, "none"), (found, "partial")):
        assert set(table["status"]) == {"not_estimable"}
        assert set(table["rule"]) == {rule}
        assert table["reason"].str.startswith("synthesis.enrichment[0].keep: found fewer than 10 real patients").all()
    pd.testing.assert_frame_equal(of_real[TARGET], found[TARGET])
