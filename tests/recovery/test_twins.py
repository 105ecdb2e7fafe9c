"""Twin cohorts: the curves are those of the drawn patients, and designs find the truth that both potential outcomes give."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from parallax.errors import GenerationError
from parallax.protocol import DesignsSection, GaussianCopulaGenerator, SequentialGenerator
from parallax.protocol.constraints import FixedCombinationsConstraint, InequalityConstraint
from parallax.protocol.propensity import DEFAULT_PROPENSITY
from parallax.synthesis.registry import fit_generator, refit_generator
from parallax.synthesis.twins import average_twins, draw_twins, tabulate_twins, trace_bands, trace_twins
from parallax.tables import TWIN_AVERAGES, TWIN_CURVES, cohort_schema
from parallax.validation.twins import compare_with_truth
from simulated_cohorts import COVARIATES, EVERY_OUTCOME, OUTCOMES, simulate_cohort, simulate_every_outcome

PATIENTS = 20_000
STUDY = {"covariates": COVARIATES, "outcomes": EVERY_OUTCOME}


def fit(real: pd.DataFrame, outcomes=EVERY_OUTCOME, **settings):
    return fit_generator(SequentialGenerator(method="sequential", **settings), real, covariates=COVARIATES, outcomes=outcomes, seed=1)


@pytest.mark.parametrize("event_times", ["piecewise_cox", "flexible_parametric", "forest"])
def test_mean_curves_are_the_shares_of_drawn_survivors(event_times):
    fitted = fit(simulate_every_outcome(800, seed=1), event_times=event_times)
    twins = draw_twins(fitted, PATIENTS, rng=np.random.default_rng(1))
    cohort_schema(COVARIATES, EVERY_OUTCOME).validate(twins.cohort)
    for outcome, curves in trace_twins(fitted, twins.cohort).items():
        for arm, given in enumerate((True, False)):
            of_arm = twins.potential[twins.potential["treated"] == given]
            for quantity, (mean, error) in drawn_means(of_arm, outcome, curves.times).items():
                # three of the largest standard errors, for twenty dependent times; visitors, whose largest counts one patient alone has and nobody is
                # given (decision 0049), have 0.03 fewer than their expectation of 2.00 by forests
                errors = 4 if outcome == "visitors" else 3
                np.testing.assert_allclose(curves.values[quantity][arm].mean(axis=0), mean, atol=errors * error, err_msg=f"{outcome} {quantity}")


def drawn_means(of_arm: pd.DataFrame, outcome: str, times: np.ndarray) -> dict[str, tuple[np.ndarray, float]]:
    """What the curves of an outcome are the expectation of, among drawn patients, and its largest standard error."""
    root = np.sqrt(len(of_arm))
    if f"{outcome}_days" in of_arm:
        days, event = of_arm[f"{outcome}_days"].to_numpy()[:, None], of_arm[f"{outcome}_event"].to_numpy()[:, None]
        found = {"survival": 1 - ((days <= times) & (event > 0)).mean(axis=0)}
        found |= {"incidence": ((days <= times) & (event == 1)).mean(axis=0)} if outcome == "relapse" else {}
        return {quantity: (shares, 0.5 / root) for quantity, shares in found.items()}
    value = of_arm[f"{outcome}_value"].to_numpy(float)
    if outcome == "falls":
        # each patient's count per day has the rate as its mean
        value = value / of_arm["falls_person_days"].to_numpy(float)
    quantity = {"response": "probability", "falls": "rate"}.get(outcome, "mean")
    return {quantity: (np.array([value.mean()]), value.std() / root)}


def test_a_patient_is_seen_under_the_arm_that_was_drawn():
    twins = draw_twins(fit(simulate_every_outcome(600, seed=2)), 500, rng=np.random.default_rng(2))
    seen = twins.cohort.merge(twins.potential, on=["patient_id", "treated"], suffixes=("", "_complete"))
    assert len(seen) == 500
    assert len(twins.potential) == 1000
    happened = seen["death_event"] == 1
    assert (seen.loc[happened, "death_days"] == seen.loc[happened, "death_days_complete"]).all()
    assert (seen["death_days"] <= seen["death_days_complete"]).all()
    for column in ("response_value", "pain_value", "falls_value", "falls_person_days", "visitors_value"):
        assert (seen[column] == seen[f"{column}_complete"]).all()
    again = draw_twins(fit(simulate_every_outcome(600, seed=2)), 500, rng=np.random.default_rng(2))
    pd.testing.assert_frame_equal(twins.cohort, again.cohort)
    pd.testing.assert_frame_equal(twins.potential, again.potential)


def test_arms_are_drawn_by_the_propensity_that_is_written_down():
    twins = draw_twins(fit(simulate_every_outcome(600, seed=2)), PATIENTS, rng=np.random.default_rng(3))
    score = twins.potential.loc[twins.potential["treated"], "propensity"].to_numpy()
    tenth = np.searchsorted(np.quantile(score, np.linspace(0.1, 0.9, 9)), score)
    found = pd.DataFrame({"score": score, "treated": twins.cohort["treated"].to_numpy()}).groupby(tenth).mean()
    np.testing.assert_allclose(found["treated"], found["score"], atol=4 * 0.5 / np.sqrt(PATIENTS / 10))


def test_estimates_on_a_twin_cohort_find_its_truth():
    # the analysis' score has main effects only, so that the generator's has too: then the designs are right
    fitted = fit(simulate_every_outcome(2000, seed=3), treatment_squares=False)
    twins = draw_twins(fitted, PATIENTS, rng=np.random.default_rng(4))
    designs = DesignsSection.of({"overlap": {"method": "weight", "estimand": "ATO"}, "iptw": {"method": "weight", "estimand": "ATE"}})
    found = compare_with_truth(twins.cohort, twins.potential, designs=designs, propensity=DEFAULT_PROPENSITY, seed=1, **STUDY)
    assert found["reason"].isna().all()
    assert {"response", "pain", "falls", "visitors", "death", "relapse"} == set(found["outcome"])
    # a rate ratio of counts and a hazard ratio over lost follow-up have truths of their own
    differences = found[found["contrast"].isin(["risk_difference", "rmst_difference", "mean_difference", "odds_ratio"])]
    assert differences["deviation"].abs().max() < 3.5
    primary = found.query("design == 'overlap' and outcome == 'death' and contrast == 'risk_difference' and horizon_days == 180").iloc[0]
    assert abs(primary["estimate"] - primary["truth"]) < 3 * np.hypot((primary["upper"] - primary["lower"]) / 3.92, primary["truth_error"])
    # an effect that is there: a comparison of nothing with nothing would show nothing
    assert primary["truth"] > 5 * primary["truth_error"]


def test_bands_hold_the_curves_and_narrow_with_patients():
    width = {}
    for patients in (300, 2400):
        real = simulate_cohort(patients, seed=5)
        settings = SequentialGenerator(method="sequential")
        fitted = fit(real, outcomes=OUTCOMES)
        learnt = {"settings": settings, "cohort": real, "covariates": COVARIATES, "outcomes": OUTCOMES}
        bands = trace_bands(fitted, real.head(40), averaged=real, refits=20, seed=1, **learnt)
        curves = TWIN_CURVES.validate(tabulate_twins(bands, real["patient_id"].head(40)))
        assert len(curves) == 40 * 2 * bands["death"].curves.times.size
        assert ((curves["lower"] <= curves["value"] + 1e-6) & (curves["value"] <= curves["upper"] + 1e-6)).mean() > 0.9
        averages = TWIN_AVERAGES.validate(average_twins(bands, real, OUTCOMES))
        at = averages.query("arm == 'difference' and time_days == 180").iloc[0]
        width[patients] = at["upper"] - at["lower"]
    assert width[2400] < 0.6 * width[300]


def test_a_generator_without_arms_has_no_twins():
    real = simulate_cohort(300, seed=6)
    flat = fit_generator(GaussianCopulaGenerator(method="gaussian_copula"), real, covariates=COVARIATES, outcomes=OUTCOMES, seed=1)
    for found in (flat, None):
        with pytest.raises(GenerationError, match="allowed  a generator of the method sequential"):
            trace_twins(found, real)


def test_covariates_that_are_the_same_for_everybody_stay():
    real = simulate_cohort(400, seed=7).assign(age=61.5)
    twins = draw_twins(fit(real, outcomes=OUTCOMES), 50, rng=np.random.default_rng(1))
    cohort_schema(COVARIATES, OUTCOMES).validate(twins.cohort)
    assert (twins.cohort["age"] == 61.5).all()


def test_constraints_hold_in_a_twin_cohort_and_its_truth_is_of_those_who_keep_them():
    real = simulate_cohort(600, seed=8)
    real = real.assign(visits=np.minimum(real["visits"], real["age"]))
    ordered = InequalityConstraint(type="inequality", low="albumin", high="age")
    combined = FixedCombinationsConstraint(type="fixed_combinations", columns=("sex", "disease", "smoker"))
    study = {"covariates": COVARIATES, "outcomes": OUTCOMES, "seed": 1}
    fitted = fit_generator(SequentialGenerator(method="sequential"), real, constraints=(ordered, combined), **study)
    twins = draw_twins(fitted, 700, rng=np.random.default_rng(1))
    assert len(twins.cohort) == 700
    assert fitted.rules.kept(twins.cohort).all()
    assert twins.potential["patient_id"].value_counts().eq(2).all()


def test_a_fit_for_each_replicate_has_no_one_curve():
    real = simulate_cohort(300, seed=6)
    fits = refit_generator(SequentialGenerator(method="sequential"), real, covariates=COVARIATES, outcomes=OUTCOMES, seeds={0: 1, 1: 2})
    with pytest.raises(GenerationError, match=r"synthesis\.fit: bootstrap"):
        trace_twins(fits, real)


@pytest.mark.slow
@pytest.mark.parametrize("event_times", ["piecewise_cox", "flexible_parametric", "forest"])
def test_over_many_twin_cohorts_the_right_designs_are_off_by_nothing(event_times):
    fitted = fit(simulate_every_outcome(2000, seed=9), event_times=event_times, treatment_squares=False)
    designs = DesignsSection.of({"overlap": {"method": "weight", "estimand": "ATO"}, "iptw": {"method": "weight", "estimand": "ATE"}})
    found = []
    for cohort in range(30):
        twins = draw_twins(fitted, 3000, rng=np.random.default_rng([10, cohort]))
        found.append(compare_with_truth(twins.cohort, twins.potential, designs=designs, propensity=DEFAULT_PROPENSITY, seed=1, **STUDY))
    # who is lost depends on the covariates, which a weighted product-limit curve takes no notice of: without times nobody is lost
    without_times = pd.concat(found).query("horizon_days.isna() and contrast in ['odds_ratio', 'mean_difference']")
    by_target = without_times.groupby(["design", "outcome"]).agg(off=("deviation", "mean"), covered=("covered", "mean"))
    assert len(by_target) == 4
    # the deviation's standard deviation is at most one: estimate and truth share their patients
    assert by_target["off"].abs().max() < 3 / np.sqrt(30)
    assert by_target["covered"].min() >= 0.85
    early = pd.concat(found).query("outcome == 'death' and contrast == 'risk_difference' and horizon_days == 30")
    assert early.groupby("design")["deviation"].mean().abs().max() < 3 / np.sqrt(30)
