"""A certificate's engine against itself: the same numbers by another route, whatever is run together, and generators that must pass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from parallax.analysis.effects import analyse, estimate_hypothesis
from parallax.certification.power import GatePower
from parallax.certification.studies import Chain, model_effects, run_studies, synthesise_by, synthesise_correctly
from parallax.certification.summary import summarise
from parallax.errors import GenerationError, NotEstimable
from parallax.protocol import DesignsSection
from parallax.protocol.cohort import CohortSection
from parallax.protocol.propensity import DEFAULT_PROPENSITY
from parallax.protocol.question import Hypothesis, QuestionSection
from parallax.protocol.synthesis import SynthesisSection
from parallax.protocol.validation import Certification, Gates
from parallax.simulated import find_truth, model_study, set_effect, solve_effect
from parallax.validation.floor import resample_patients
from simulated_cohorts import COVARIATES, EVERY_OUTCOME, OUTCOMES, simulate_cohort, simulate_every_outcome

PATIENTS = simulate_cohort(300, seed=3)
CERTIFICATION = Certification(minimal_important_effect=0.7)
SYNTHESIS = SynthesisSection.of({"replicates": 4, "generators": {"sequential": {"method": "sequential"}}})
DESIGNS = {
    "overlap": {"method": "weight", "estimand": "ATO"},
    "iptw": {"method": "weight", "estimand": "ATE"},
    "matched": {"method": "match"},
    "balanced": {"method": "entropy", "estimand": "ATT"},
}


def chain_of(design: str = "overlap", *, contrast: str = "hazard_ratio") -> Chain:
    question = {"population": "p", "treatment": "t", "comparator": "c", "estimand": "ATO"}
    primary = {"outcome": "death", "contrast": contrast, "design": design, "horizon_days": 180}
    arms = {"column": "a", "treated": "x", "comparator": "y"}
    return Chain.of(
        question=QuestionSection.of(question | {"primary": primary}),
        cohort=CohortSection.of({"arms": arms, "covariates": COVARIATES.model_dump()}),
        synthesis=SYNTHESIS,
        designs=DesignsSection.of(DESIGNS),
        propensity=DEFAULT_PROPENSITY,
        outcomes=OUTCOMES,
        gates=Gates(),
    )


def run(synthesise, numbers, *, chain: Chain | None = None, generator: str = "g", seed: int = 5) -> pd.DataFrame:
    chain = chain or chain_of()
    effects = model_effects(PATIENTS, chain, CERTIFICATION)
    return run_studies(PATIENTS, chain, effects, synthesise, generator=generator, repetitions=numbers, seed=seed)


@pytest.mark.parametrize("design", [*DESIGNS, "aipw"])
def test_one_estimate_is_the_whole_analysis(design: str) -> None:
    settings = DESIGNS.get(design, {"method": "aipw", "estimand": "ATE"})
    contrast = "risk_difference" if design == "aipw" else "hazard_ratio"
    section = DesignsSection.of({design: settings | ({"contrasts": [contrast]} if design == "aipw" else {})})
    drawn = resample_patients(PATIENTS, [1, 2])
    study = {"covariates": COVARIATES, "designs": section, "outcomes": OUTCOMES, "seed": 11}
    whole = analyse(drawn, **study).estimates
    one = estimate_hypothesis(drawn, Hypothesis(outcome="death", contrast=contrast, design=design, horizon_days=180), **study)
    same = whole[(whole["contrast"] == contrast) & (whole["horizon_days"] == 180)].reset_index(drop=True)
    pd.testing.assert_frame_equal(one, same, check_dtype=False, rtol=1e-12)


def test_an_estimate_that_cannot_be_made_is_a_row_with_its_reason() -> None:
    nobody = PATIENTS.assign(treated=False)
    one = estimate_hypothesis(
        nobody,
        Hypothesis(outcome="death", contrast="hazard_ratio", design="overlap", horizon_days=180),
        covariates=COVARIATES,
        designs=DesignsSection.of(DESIGNS),
        outcomes=OUTCOMES,
        seed=1,
    )
    assert one["status"].tolist() == ["not_estimable"]
    assert one["reason"].iloc[0]


def test_what_is_run_together_never_changes_a_number() -> None:
    synthesise = synthesise_by(SYNTHESIS.generators["sequential"], SYNTHESIS, chain_of())
    together = run(synthesise, [0, 1, 2])
    apart = pd.concat([run(synthesise, [2]), run(synthesise, [0, 1])])
    order = ["repetition", "effect", "generator", "rule"]
    pd.testing.assert_frame_equal(*(table.sort_values(order).reset_index(drop=True) for table in (together, apart)), check_exact=True)


@pytest.mark.parametrize("design", ["overlap", "matched"])
def test_one_replicate_is_certified_by_the_rule_of_its_fit(design: str) -> None:
    chain = replace(chain_of(design), replicates=1)
    found = run(synthesise_by(SYNTHESIS.generators["sequential"], SYNTHESIS, chain), range(3), chain=chain)
    answers = found[found["rule"] == "single_fit"]
    assert "partial" not in set(found["rule"])
    assert answers["shift"].notna().all()
    # matched ones beyond a floor that has cohorts of its own; where it is beyond the gate itself, nothing is decided
    assert answers["passed"].notna().sum() >= 8
    assert found.loc[found["rule"] != "single_fit", "shift"].isna().all()
    table = summarise(found, patients=300, replicates=1).set_index(["generator", "rule", "metric"]).sort_index()
    assert len(table.loc[("g", "single_fit", "gate_failure")]) == 3
    assert GatePower.of(answers, patients=300, replicates=1, threshold=1.0).replicates_for(0.999) is None


def test_fits_to_resamples_are_run_too() -> None:
    bootstrap = SYNTHESIS.model_copy(update={"fit": "bootstrap"})
    found = [run(synthesise_by(SYNTHESIS.generators["sequential"], settings, chain_of()), [0]) for settings in (SYNTHESIS, bootstrap)]
    single, refitted = (table[table["rule"] == "partial"] for table in found)
    assert refitted["estimate"].notna().all()
    # a fit of its own for every replicate brings the fits' own variance between them
    assert (refitted["between"].to_numpy() > 0).all()
    assert (refitted["estimate"].to_numpy() != single["estimate"].to_numpy()).all()


def test_all_generators_see_the_same_studies() -> None:
    tables = [run(synthesise, [0, 1], generator=name) for name, synthesise in (("a", synthesise_correctly(chain_of())), ("b", _copies))]
    own = [table[table["generator"] == "real"].reset_index(drop=True) for table in tables]
    pd.testing.assert_frame_equal(*own, check_exact=True)
    assert len(own[0]) == 6


def _copies(cohort: pd.DataFrame, seed_of) -> pd.DataFrame:
    return pd.concat([cohort.assign(replicate=number) for number in range(4)], ignore_index=True)


def _resamples(cohort: pd.DataFrame, seed_of) -> pd.DataFrame:
    return resample_patients(cohort, [seed_of("draw", number) for number in range(4)])


def test_a_generator_that_hands_out_the_study_itself_does_not_shift() -> None:
    table = run(_copies, [0, 1])
    valid = table[table["rule"] == "partial"]
    np.testing.assert_allclose(valid["shift"], 0.0, atol=1e-9)
    np.testing.assert_allclose(valid["between"], 0.0, atol=1e-9)
    assert valid["passed"].all()
    own = table[table["rule"] == "none"].set_index(["effect", "repetition"])["estimate"]
    naive = table[table["rule"] == "naive"].set_index(["effect", "repetition"])["estimate"]
    pd.testing.assert_series_equal(own, naive)


def test_a_perfect_generator_passes() -> None:
    """Patients resampled from the simulated study; four replicates leave a shift of standard deviation one half."""
    valid = run(_resamples, range(8)).query("rule == 'partial'")
    assert valid["passed"].mean() >= 22 / 24


def test_a_matched_estimate_is_judged_beyond_its_floor() -> None:
    """Resampled patients are the floor itself, though drawn again: nothing is left but the chance of four replicates and of the floor's cohorts."""
    shift = run(_resamples, range(8), chain=chain_of("matched")).query("rule == 'partial'")["shift"]
    assert abs(shift.mean()) < 3 * shift.std() / np.sqrt(len(shift))


def test_a_matched_study_whose_own_floor_misses_the_gate_is_not_judged_and_says_so() -> None:
    """Of sixty patients drawn again most have no matched estimate: there is a shift, of those that have one, and no judgement."""
    few = simulate_cohort(60, seed=3)
    effects = model_effects(few, chain_of("matched"), CERTIFICATION)[:1]
    found = run_studies(few, chain_of("matched"), effects, _resamples, generator="g", repetitions=range(12), seed=5)
    valid = found[found["rule"] == "partial"]
    missing = valid["shift"].isna()
    untestable = ~missing & valid["passed"].isna()
    judged = valid["passed"].notna()
    assert missing.any()
    assert untestable.any()
    assert judged.any()
    assert valid.loc[missing, "reason"].str.startswith("not estimable on the").all()
    assert valid.loc[untestable, "estimate"].notna().all()
    assert valid.loc[untestable, "reason"].str.startswith("not testable here: the floor itself misses it").all()
    assert not (missing & judged).any()
    assert valid.loc[judged, "reason"].isna().all()


def test_the_share_of_replicates_that_may_be_missing_is_the_protocols() -> None:
    def one_without_events(cohort: pd.DataFrame, seed_of) -> pd.DataFrame:
        drawn = _copies(cohort, seed_of)
        return drawn.assign(death_event=drawn["death_event"].where(drawn["replicate"] > 0, 0))

    for allowed, judged in ((0.1, False), (0.25, True)):
        chain = replace(chain_of(), gates=Gates(replicates_not_estimable=allowed))
        found = run(one_without_events, [0], chain=chain).query("rule == 'partial'")
        assert (found["passed"].notna() == judged).all(), allowed


def test_a_generator_that_fails_is_a_row_with_its_reason() -> None:
    def fails(cohort: pd.DataFrame, seed_of) -> pd.DataFrame:
        raise GenerationError("it diverged")

    found = run(fails, [0]).query("generator == 'g'")
    assert found["reason"].tolist() == ["it diverged"] * 3
    assert found["passed"].isna().all()


@pytest.mark.parametrize(
    ("design", "contrast", "truth"), [("overlap", "hazard_ratio", -0.4), ("iptw", "risk_difference", 0.05), ("iptw", "rmst_difference", -9.0)]
)
def test_an_effect_is_solved_for_its_marginal_truth(design: str, contrast: str, truth: float) -> None:
    chain = chain_of(design, contrast=contrast)
    null = model_study(PATIENTS, covariates=COVARIATES, name="death", outcome=OUTCOMES["death"])
    settings = chain.study["designs"][design]
    assert find_truth(solve_effect(null, chain.primary, settings, truth), chain.primary, settings) == pytest.approx(truth, abs=1e-7)


@pytest.mark.parametrize("name", ["response", "pain"])
def test_effects_of_other_outcomes(name: str) -> None:
    cohort = simulate_every_outcome(400, seed=2)
    outcome = EVERY_OUTCOME[name]
    hypothesis = Hypothesis(outcome=name, contrast=outcome.contrasts[0], design="overlap")
    design = DesignsSection.of(DESIGNS)["overlap"]
    study = solve_effect(model_study(cohort, covariates=COVARIATES, name=name, outcome=outcome), hypothesis, design, 0.3)
    assert find_truth(study, hypothesis, design) == pytest.approx(0.3, abs=1e-8)


def test_what_has_no_known_truth_is_said_so() -> None:
    null = model_study(PATIENTS, covariates=COVARIATES, name="death", outcome=OUTCOMES["death"])
    primary = chain_of().primary
    crude = DesignsSection.of({"crude": {"method": "none"}})["crude"]
    truncated = DesignsSection.of({"w": {"method": "weight", "estimand": "ATO", "truncate": 0.01}})["w"]
    for design in (crude, truncated):
        with pytest.raises(NotEstimable):
            find_truth(null, primary, design)
    difference = Hypothesis(outcome="death", contrast="risk_difference", design="iptw", horizon_days=180)
    with pytest.raises(NotEstimable, match="no effect of treatment"):
        solve_effect(null, difference, DesignsSection.of(DESIGNS)["iptw"], 0.99)
    with pytest.raises(NotEstimable):
        model_study(simulate_every_outcome(400, seed=2), covariates=COVARIATES, name="falls", outcome=EVERY_OUTCOME["falls"])


def test_no_effect_is_none_at_any_horizon_of_unbiased_loss() -> None:
    null = set_effect(model_study(PATIENTS, covariates=COVARIATES, name="death", outcome=OUTCOMES["death"]), 0.0)
    chain = chain_of()
    assert find_truth(null, chain.primary, chain.study["designs"]["overlap"]) == pytest.approx(0.0, abs=5e-3)
