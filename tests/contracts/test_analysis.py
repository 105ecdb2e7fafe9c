"""The analysis of a dataset keeps its tables' contracts, also where the data are thin."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from parallax.analysis.designs import apply_designs
from parallax.analysis.effects import estimate_effects
from parallax.outcomes.curves import trace_curves
from parallax.outcomes.observed import Followed
from parallax.outcomes.patients import Weighted
from parallax.protocol import CohortSection, DesignsSection, OutcomesSection, PropensitySection
from parallax.tables import (
    BALANCE,
    CALIBRATION,
    CURVES,
    ESTIMATES,
    OVERLAP,
    POSITIVITY,
    PROPENSITY,
    SCORE_HISTOGRAM,
    WEIGHTS,
    cohort_schema,
    empty_table,
)

COVARIATES = CohortSection.of(
    {"arms": {"column": "arm", "treated": "a", "comparator": "b"}, "covariates": {"numeric": ["age"], "categorical": ["stage"]}}
).covariates
DESIGNS = DesignsSection.of(
    {
        "crude": {"method": "none"},
        "matched": {"method": "match"},
        "iptw": {"method": "weight", "estimand": "ATE"},
        "att": {"method": "weight", "estimand": "ATT"},
        "overlap": {"method": "weight", "estimand": "ATO"},
    }
)
OUTCOMES = OutcomesSection.of(
    {
        "death": {
            "type": "survival", "days": "t", "event": "e", "follow_up_days": 100, "horizons_days": [30, 60],
            "contrasts": ["hazard_ratio", "risk_difference", "rmst_difference"],
        }
    }
)  # fmt: skip


def simulate(patients: int = 200, replicates: int = 2, seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    size = patients * replicates
    age = rng.normal(60, 10, size)
    treated = rng.random(size) < 1 / (1 + np.exp(-(age - 60) / 10))
    days = np.ceil(rng.exponential(60, size))
    return pd.DataFrame(
        {
            "replicate": np.repeat(np.arange(replicates), patients),
            "patient_id": pd.array([str(number) for number in np.tile(np.arange(patients), replicates)], dtype="string"),
            "treated": treated,
            "age": age,
            "stage": pd.array(rng.choice(["I", "II", "III"], size), dtype="string"),
            "death_days": np.minimum(days, 100),
            "death_event": (days < 100).astype(np.int64),
        }
    )


def run(cohort: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    cohort = cohort_schema(COVARIATES, OUTCOMES).validate(cohort)
    designed = apply_designs(cohort, covariates=COVARIATES, designs=DESIGNS, imbalance=0.1, effective_patients=30, seed=1)
    for table, schema in (
        (designed.propensity, PROPENSITY), (designed.weights, WEIGHTS), (designed.balance, BALANCE), (designed.overlap, OVERLAP),
        (designed.score_histogram, SCORE_HISTOGRAM), (designed.calibration, CALIBRATION), (designed.positivity, POSITIVITY),
    ):  # fmt: skip
        schema.validate(table)
    made = {"weights": designed.weights, "overlap": designed.overlap, "scores": designed.propensity}
    estimated = estimate_effects(cohort, **made, covariates=COVARIATES, designs=DESIGNS, outcomes=OUTCOMES, seed=1)
    CURVES.validate(estimated.curves)
    return designed.overlap, ESTIMATES.validate(estimated.estimates), estimated.curves


def test_every_design_contrast_and_horizon_has_its_row_in_every_replicate() -> None:
    _, estimates, _ = run(simulate())
    assert len(estimates) == 2 * len(DESIGNS.root) * (3 + 2 + 2)
    assert (estimates["status"] == "ok").all()
    assert not estimates.duplicated(["replicate", "design", "contrast", "horizon_days"]).any()


def test_a_replicate_without_treated_patients_leaves_the_others_intact() -> None:
    cohort = simulate()
    cohort.loc[cohort["replicate"] == 1, "treated"] = False
    overlap, estimates, _ = run(cohort)
    assert (estimates.loc[estimates["replicate"] == 0, "status"] == "ok").all()
    broken = estimates[estimates["replicate"] == 1]
    assert (broken["status"] == "not_estimable").all()
    assert broken["reason"].notna().all()
    assert overlap.loc[overlap["replicate"] == 1, "status"].eq("not_estimable").all()


def test_no_events_is_a_status_with_a_reason() -> None:
    _, estimates, _ = run(simulate().assign(death_event=0))
    assert (estimates["status"] == "not_estimable").all()
    assert estimates["reason"].str.contains("no events").all()


def test_no_events_in_one_arm_names_the_arm() -> None:
    cohort = simulate()
    cohort.loc[cohort["treated"], "death_event"] = 0
    _, estimates, _ = run(cohort)
    assert estimates["reason"].str.contains("treated arm").all()


def test_a_covariate_that_separates_the_arms_leaves_the_crude_design() -> None:
    cohort = simulate()
    cohort["age"] = np.where(cohort["treated"], 70.0, 50.0) + cohort.index % 7
    _, estimates, _ = run(cohort)
    status = estimates.groupby("design")["status"].unique()
    assert list(status["crude"]) == ["ok"]
    for design in ("matched", "iptw", "att", "overlap"):
        assert list(status[design]) == ["not_estimable"]
    assert estimates.loc[estimates["design"] == "overlap", "reason"].str.contains("age").all()


def test_a_constant_covariate_changes_nothing() -> None:
    cohort = simulate()
    _, with_constant, _ = run(cohort.assign(stage="I"))
    assert (with_constant["status"] == "ok").all()


def test_follow_up_that_ends_before_the_horizon_is_named() -> None:
    cohort = simulate()
    late = cohort["death_days"] > 45
    cohort.loc[late, "death_event"] = 0
    cohort["death_days"] = cohort["death_days"].clip(upper=45)
    _, estimates, _ = run(cohort)
    differences = estimates[(estimates["contrast"] != "hazard_ratio") & (estimates["horizon_days"] == 60)]
    assert (differences["status"] == "not_estimable").all()
    assert (estimates.loc[estimates["horizon_days"] == 30, "status"] == "ok").all()


def test_a_dataset_without_patients_gives_empty_tables() -> None:
    overlap, estimates, curves = run(empty_table(cohort_schema(COVARIATES, OUTCOMES)))
    assert len(overlap) == len(estimates) == len(curves) == 0


def test_the_order_of_patients_does_not_matter() -> None:
    cohort = simulate(replicates=1)
    _, estimates, _ = run(cohort)
    _, shuffled, _ = run(cohort.sample(frac=1, random_state=1).reset_index(drop=True))
    numbers = ["estimate", "std_error", "lower", "upper"]
    pd.testing.assert_frame_equal(estimates[numbers], shuffled[numbers], rtol=1e-9)


@pytest.mark.parametrize("design", ["iptw", "att", "overlap"])
def test_curves_start_at_one_and_never_rise(design: str) -> None:
    _, _, curves = run(simulate(replicates=1))
    for _, curve in curves[curves["design"] == design].groupby("arm"):
        assert curve["survival"].iloc[0] == 1
        assert (curve["survival"].diff().dropna() <= 1e-12).all()


EVERY_OPTION = DesignsSection.of(
    {
        "three_each": {"method": "match", "ratio": 3, "caliper_sd": None, "scale": "probability", "order": "random", "exact": ["stage"]},
        "replaced": {"method": "match", "replacement": True, "order": "easiest_first"},
        "optimal": {"method": "match", "algorithm": "optimal"},
        "mahalanobis": {"method": "match", "algorithm": "mahalanobis", "caliper_sd": 0.5},
        "coarsened": {"method": "coarsen", "bins": {"age": 6}},
        "plain_ate": {"method": "weight", "estimand": "ATE", "stabilised": False, "truncate": 0.02},
        "atc": {"method": "weight", "estimand": "ATC"},
        "atm": {"method": "weight", "estimand": "ATM", "score": "trees"},
        "symmetric": {"method": "weight", "estimand": "ATE", "trim": {"rule": "symmetric"}},
        "crump": {"method": "weight", "estimand": "ATE", "trim": {"rule": "crump"}, "variance": "score_as_known"},
        "resampled": {"method": "weight", "estimand": "ATO", "variance": "bootstrap", "resamples": 50},
        "resampled_sets": {"method": "match", "variance": "bootstrap", "resamples": 50},
        "sturmer": {"method": "weight", "estimand": "ATT", "trim": {"rule": "sturmer", "limit": 0.02}, "score": "curves"},
        **{f"entropy_{estimand.lower()}": {"method": "entropy", "estimand": estimand} for estimand in ("ATT", "ATC", "ATE")},
    }
)
SCORES = PropensitySection.of(
    {
        "main": {"model": "logistic"},
        "curves": {"model": "logistic", "squares": ["age"], "splines": {"age": 3}, "interactions": [["age", "stage"]]},
        "trees": {"model": "boosting", "trees": 20},
    }
)


def test_every_option_of_every_design_gives_estimates_that_name_their_variance_and_estimand() -> None:
    settings = {"covariates": COVARIATES, "designs": EVERY_OPTION, "propensity": SCORES}
    cohort = cohort_schema(COVARIATES, OUTCOMES).validate(simulate(patients=600))
    designed = apply_designs(cohort, **settings, imbalance=0.1, effective_patients=30, seed=1)
    made = {"weights": designed.weights, "overlap": designed.overlap, "scores": designed.propensity}
    estimates = ESTIMATES.validate(estimate_effects(cohort, **made, **settings, outcomes=OUTCOMES, seed=1).estimates)
    assert (estimates["status"] == "ok").all()
    described = estimates.drop_duplicates("design").set_index("design")
    method = described["variance_method"].str.partition(", ")[2].to_dict()
    assert {name for name, words in method.items() if words == "stacked estimating equations"} == {
        "plain_ate", "atc", "symmetric", "sturmer", "entropy_att", "entropy_atc", "entropy_ate",
    }  # fmt: skip
    assert set(described.loc[["resampled", "resampled_sets"], "variance_method"]) == {"bootstrap of 50 resamples"}
    assert method["three_each"] == method["optimal"] == method["mahalanobis"] == "clustered by matched set"
    assert method["replaced"] == method["atm"] == method["crump"] == method["coarsened"] == "weights as known"
    assert described.loc["symmetric", "effective_estimand"] == "ATE among scores from 0.100 to 0.900"
    assert described.loc["entropy_ate", "effective_estimand"] == "ATE"
    balance = designed.overlap.set_index(["replicate", "design"])["max_abs_smd"]
    assert (balance.loc[(slice(None), ["entropy_att", "entropy_atc", "entropy_ate"])] < 1e-7).all()
    of_score = designed.propensity.groupby("score").size()
    assert of_score.to_dict() == {"main": 1200, "curves": 1200, "trees": 1200}


def test_a_design_in_which_an_arm_weighs_like_few_patients_fails() -> None:
    cohort = cohort_schema(COVARIATES, OUTCOMES).validate(simulate())
    overlap = apply_designs(cohort, covariates=COVARIATES, designs=DESIGNS, imbalance=10, effective_patients=5000, seed=1).overlap
    assert overlap["failure"].str.contains("the treated arm weighs like fewer than 5000 patients").all()


def test_a_stratum_in_which_nobody_was_treated_is_found() -> None:
    cohort = simulate(patients=600, replicates=1)
    cohort["treated"] &= cohort["stage"] != "II"
    settings = {"covariates": COVARIATES, "designs": DESIGNS}
    designed = apply_designs(cohort, **settings, imbalance=0.1, effective_patients=30, seed=1)
    stratum = designed.positivity.set_index(["covariate", "level"]).loc[("stage", "II")]
    assert (stratum["n"], stratum["n_treated"]) == ((cohort["stage"] == "II").sum(), 0)
    assert designed.overlap.set_index("design").loc["iptw", "effective_estimand"] == "ATE among the comparable"


def test_a_large_weight_is_no_crowd() -> None:
    weight = np.array([40.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    treated = np.array([True, True, True, False, False, False])
    followed = Followed(np.array([5.0, 1.0, 2.0, 1.0, 2.0, 3.0]), np.ones(6, dtype=np.int64), competing=False, horizons_days=(5.0,))
    curves = trace_curves(followed, Weighted(treated, weight))
    at_risk = curves[curves["arm"] == "treated"].set_index("time_days")["at_risk"]
    assert at_risk.to_dict() == pytest.approx({0.0: 3.0, 1.0: 3.0, 2.0: 2.0, 5.0: 1.0})
