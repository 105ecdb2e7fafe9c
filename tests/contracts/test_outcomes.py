"""Every outcome under every design, and thin data: a status with a reason, the other rows intact."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from parallax.analysis.asked import estimate_subgroups, permute_treatment
from parallax.analysis.effects import analyse
from parallax.capabilities import DESIGNS
from parallax.errors import CohortError
from parallax.protocol import Covariates, DesignsSection, OutcomesSection
from parallax.protocol.outcomes import asked_of
from parallax.protocol.question import Hypothesis
from parallax.protocol.subgroups import SubgroupsSection
from parallax.tables import ESTIMATES, PERMUTATIONS, SUBGROUP_ESTIMATES, cohort_schema
from parallax.vocabulary import RATIO_CONTRASTS

COVARIATES = Covariates(numeric=("age",), categorical=("stage",))
SURVIVAL = [
    "hazard_ratio",
    "interval_hazard_ratio",
    "hazard_ratio_trend",
    "log_rank",
    "risk_difference",
    "risk_ratio",
    "rmst_difference",
    "rmst_ratio",
]
OUTCOMES = OutcomesSection.of(
    {
        "death": {"type": "survival", "days": "d", "event": "e", "follow_up_days": 400, "horizons_days": [60, 180], "contrasts": SURVIVAL},
        "relapse": {
            "type": "survival", "days": "d", "event": "r", "competing": [2], "follow_up_days": 400, "horizons_days": [60, 180],
            "contrasts": SURVIVAL[:6],
        },
        "readmitted": {"type": "binary", "value": "b", "contrasts": ["risk_difference", "risk_ratio", "odds_ratio"]},
        "score": {"type": "continuous", "value": "c", "contrasts": ["mean_difference"]},
        "visits": {"type": "count", "value": "v", "person_days": "p", "contrasts": ["rate_ratio"]},
    }
)  # fmt: skip
METHODS: dict[str, dict[str, object]] = {
    "crude": {"method": "none"},
    "matched": {"method": "match"},
    "coarsened": {"method": "coarsen", "bins": {"age": 4}},
    "overlap": {"method": "weight", "estimand": "ATO"},
    "entropy": {"method": "entropy", "estimand": "ATT"},
    "regression": {"method": "regression", "contrasts": ["hazard_ratio", "odds_ratio", "mean_difference", "rate_ratio"]},
    "standardised": {"method": "g_computation", "estimand": "ATE", "contrasts": ["risk_difference", "risk_ratio", "odds_ratio", "mean_difference"]},
    "aipw": {"method": "aipw", "estimand": "ATT", "contrasts": ["risk_difference", "risk_ratio", "odds_ratio", "mean_difference"]},
    "tmle": {"method": "tmle", "estimand": "ATE", "contrasts": ["risk_difference", "risk_ratio", "odds_ratio", "mean_difference"]},
}
PRIMARY = Hypothesis(outcome="death", contrast="hazard_ratio", design="overlap", horizon_days=180)


def draw_cohort(patients: int = 500, *, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age, stage = rng.normal(60, 10, patients), rng.choice(["I", "II", "III"], patients)
    treated = rng.random(patients) < expit((age - 60) / 15)
    death = np.ceil(rng.exponential(250 * np.exp(-(age - 60) / 30 + 0.4 * treated)))
    relapse = np.ceil(rng.exponential(200 * np.exp(0.5 * treated), patients))
    end = np.minimum(np.ceil(rng.exponential(500, patients)), 400)
    watched = rng.uniform(30, 300, patients)
    table = pd.DataFrame(
        {
            "replicate": np.int64(0), "patient_id": np.arange(patients).astype(str), "treated": treated, "age": age, "stage": stage,
            "death_days": np.minimum(death, end), "death_event": (death <= end).astype(int),
            "relapse_days": np.minimum(np.minimum(death, relapse), end),
            "relapse_event": np.where(np.minimum(death, relapse) > end, 0, np.where(relapse <= death, 1, 2)),
            "readmitted_value": (rng.random(patients) < expit(-1 + 0.5 * treated)).astype(float), "score_value": rng.normal(treated, 1),
            "visits_value": rng.poisson(watched / 50 * np.exp(0.3 * treated)).astype(float), "visits_person_days": watched,
        }
    )  # fmt: skip
    return cohort_schema(COVARIATES, OUTCOMES).validate(table)


@pytest.fixture(scope="module")
def cohort() -> pd.DataFrame:
    return draw_cohort()


def run(cohort: pd.DataFrame, *designs: str, outcomes: OutcomesSection = OUTCOMES) -> pd.DataFrame:
    asked = DesignsSection.of({name: METHODS[name] for name in designs or METHODS})
    if set(outcomes.survival) & {"relapse"}:
        without = OutcomesSection({name: entry for name, entry in outcomes.items() if name != "relapse"})
        modelled = {name: design for name, design in asked.items() if not DESIGNS[design.method].competing_risks}
        rest = DesignsSection({name: design for name, design in asked.items() if name not in modelled})
        parts = [analyse(cohort, covariates=COVARIATES, designs=rest, outcomes=outcomes, seed=3).estimates] if rest.names else []
        parts += [analyse(cohort, covariates=COVARIATES, designs=DesignsSection(modelled), outcomes=without, seed=3).estimates] if modelled else []
        return ESTIMATES.validate(pd.concat([part.astype(object) for part in parts], ignore_index=True))
    return ESTIMATES.validate(analyse(cohort, covariates=COVARIATES, designs=asked, outcomes=outcomes, seed=3).estimates)


def test_every_method_is_tried() -> None:
    assert {str(entry["method"]) for entry in METHODS.values()} == set(DESIGNS)


def test_every_combination_has_its_row(cohort: pd.DataFrame) -> None:
    found = run(cohort)
    for name, entry in METHODS.items():
        capability = DESIGNS[str(entry["method"])]
        asked = {
            (outcome, contrast, -1.0 if horizon is None else horizon)
            for outcome, section in OUTCOMES.items()
            for contrast, horizon in asked_of(section)
            if contrast in capability.contrasts and (outcome != "relapse" or capability.competing_risks)
        }
        rows = found[found["design"] == name]
        assert set(zip(rows["outcome"], rows["contrast"], rows["horizon_days"].fillna(-1.0), strict=True)) == asked
        assert (rows["status"] == "ok").all(), rows[rows["status"] != "ok"][["outcome", "contrast", "reason"]]
    ratios = found["contrast"].isin(RATIO_CONTRASTS)
    assert (found.loc[ratios, "lower"] > 0).all()
    inside = (found["lower"] < found["estimate"]) & (found["estimate"] < found["upper"])
    assert inside.all()


def test_the_competing_risk_is_not_censored_away(cohort: pd.DataFrame) -> None:
    found = run(cohort, "crude").set_index(["outcome", "contrast", "horizon_days"])["estimate"]
    censored = cohort.assign(death_days=cohort["relapse_days"], death_event=(cohort["relapse_event"] == 1).astype(int))
    wrong = run(censored, "crude").set_index(["outcome", "contrast", "horizon_days"])["estimate"]
    assert found["relapse", "hazard_ratio", 180] == pytest.approx(wrong["death", "hazard_ratio", 180])  # cause-specific hazards do censor
    assert abs(found["relapse", "risk_difference", 180] - wrong["death", "risk_difference", 180]) > 0.01


def _no_events(cohort: pd.DataFrame) -> pd.DataFrame:
    return cohort.assign(death_event=np.where(cohort["treated"], 0, cohort["death_event"]))


def _one_event(cohort: pd.DataFrame) -> pd.DataFrame:
    first = np.flatnonzero((cohort["death_event"] == 1) & (cohort["death_days"] < 60))[0]
    return cohort.assign(death_event=(np.arange(len(cohort)) == first).astype(int))


def _all_censored_early(cohort: pd.DataFrame) -> pd.DataFrame:
    return cohort.assign(death_days=np.minimum(cohort["death_days"], 50.0), death_event=np.where(cohort["death_days"] > 50, 0, cohort["death_event"]))


def _constant(cohort: pd.DataFrame) -> pd.DataFrame:
    return cohort.assign(readmitted_value=1.0, score_value=3.0, visits_value=0.0)


@pytest.mark.parametrize(
    ("spoil", "outcomes", "reason"),
    [
        (_no_events, ["death"], "no events in the treated arm by the horizon"),
        (_one_event, ["death"], "no events in the"),
        (_all_censored_early, ["death"], "ends before the horizon"),
        (_constant, ["readmitted", "score", "visits"], "the outcome is the same for all patients"),
    ],
)
def test_thin_data_are_rows_with_a_reason(
    cohort: pd.DataFrame, spoil: Callable[[pd.DataFrame], pd.DataFrame], outcomes: list[str], reason: str
) -> None:
    found = run(spoil(cohort))
    spoilt = found[found["outcome"].isin(outcomes)]
    missing = spoilt[spoilt["status"] == "not_estimable"]
    assert len(missing)
    assert missing["reason"].str.contains(reason, regex=False).any()
    assert missing["reason"].notna().all()
    assert missing["estimate"].isna().all()
    assert (found.loc[~found["outcome"].isin(outcomes), "status"] == "ok").all()
    if spoil is not _all_censored_early:
        assert (spoilt["status"] == "not_estimable").all()


def test_separation_in_the_outcome_model_is_said(cohort: pd.DataFrame) -> None:
    separated = cohort.assign(readmitted_value=(cohort["age"] > 60).astype(float))
    found = run(separated, "regression", "overlap")
    row = found.query("design == 'regression' and contrast == 'odds_ratio'").iloc[0]
    assert row["status"] == "not_estimable"
    assert "separate" in row["reason"]
    assert (found.query("design == 'overlap'")["status"] == "ok").all()


def test_a_level_without_events_does_not_stop_a_cox_regression(cohort: pd.DataFrame) -> None:
    """Nobody of the stage dies: their hazard is zero, and the others' hazard ratio is that without them."""
    nobody = cohort["stage"] == "III"
    spared = cohort.assign(death_event=np.where(nobody, 0, cohort["death_event"]))
    columns = ["estimate", "std_error"]
    whole = run(spared, "regression").query("outcome == 'death'")[columns].to_numpy()
    without = run(spared[~nobody].reset_index(drop=True), "regression").query("outcome == 'death'")[columns].to_numpy()
    np.testing.assert_allclose(whole, without, rtol=1e-6)


SETTINGS = {"covariates": COVARIATES, "designs": DesignsSection.of(METHODS), "outcomes": OUTCOMES, "seed": 5}


def test_subgroups_are_analyses_of_their_patients(cohort: pd.DataFrame) -> None:
    subgroups = SubgroupsSection.of({"stage": {"early": "stage = 'I'", "late": "stage <> 'I'"}, "age": {"young": "age < 60", "old": "age >= 60"}})
    found = SUBGROUP_ESTIMATES.validate(estimate_subgroups(cohort, subgroups=subgroups, primary=PRIMARY, **SETTINGS))
    assert set(zip(found["subgroup"], found["level"], strict=True)) == {("stage", "early"), ("stage", "late"), ("age", "young"), ("age", "old")}
    assert set(found["horizon_days"]) == {180.0}
    assert {"hazard_ratio", "risk_difference"} <= set(found["contrast"])
    assert "log_rank" not in set(found["contrast"])
    young = run(cohort[cohort["age"] < 60].reset_index(drop=True), "overlap")
    row = young[(young["outcome"] == "death") & (young["contrast"] == "hazard_ratio") & (young["horizon_days"] == 180)].iloc[0]
    assert found.query("level == 'young' and contrast == 'hazard_ratio'")["estimate"].iloc[0] == pytest.approx(row["estimate"])


def test_a_subgroup_with_one_arm_and_overlapping_levels(cohort: pd.DataFrame) -> None:
    alone = cohort.assign(treated=cohort["treated"] & (cohort["stage"] != "I"))
    subgroups = SubgroupsSection.of({"stage": {"early": "stage = 'I'", "late": "stage <> 'I'"}})
    found = estimate_subgroups(alone, subgroups=subgroups, primary=PRIMARY, **SETTINGS).set_index("level")
    assert (found.loc["early", "status"] == "not_estimable").all()
    assert found.loc["early", "reason"].str.contains("one arm has no patients").all()
    assert (found.loc["late", "status"] == "ok").all()
    with pytest.raises(CohortError, match="belong to two levels"):
        estimate_subgroups(cohort, subgroups=SubgroupsSection.of({"a": {"b": "age < 70", "c": "age > 50"}}), primary=PRIMARY, **SETTINGS)


def test_permutations_scatter_around_the_null(cohort: pd.DataFrame) -> None:
    found = PERMUTATIONS.validate(permute_treatment(cohort, permutations=40, primary=PRIMARY, **SETTINGS))
    logs = np.log(found["estimate"])
    assert abs(logs.mean()) < 4 * logs.std() / np.sqrt(40)
    assert logs.std() == pytest.approx(found["std_error"].mean(), rel=0.35)
    assert len(permute_treatment(cohort, permutations=0, primary=PRIMARY, **SETTINGS)) == 0
