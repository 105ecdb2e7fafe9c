"""Shapley's division worked by hand, and mechanisms whose exchange is known."""

from __future__ import annotations

from itertools import combinations
from math import isnan, nan

import numpy as np
import pandas as pd
import pytest

from parallax.protocol.designs import DesignsSection
from parallax.protocol.outcomes import OutcomesSection
from parallax.protocol.propensity import DEFAULT_PROPENSITY
from parallax.protocol.question import PrimaryEstimate
from parallax.synthesis.generator import Context
from parallax.synthesis.mechanisms import MechanismFitter, Mixer
from parallax.tables import ATTRIBUTION
from parallax.validation.attribution import attribute_shift, name_broken, shapley
from parallax.vocabulary import MECHANISMS
from validation_tables import COVARIATES, OUTCOMES, PRIMARY, draw_cohort, estimate_rows, replicate_of

DESIGNS = DesignsSection.of({"overlap": {"method": "weight", "estimand": "ATO"}})
BINARY = OutcomesSection.of({"cure": {"type": "binary", "value": "cure", "contrasts": ["risk_difference"]}})


def test_shapley_of_two() -> None:
    # worth 0, 1, 3, 10: the first alone 1, after the second 7; the second alone 3, after the first 9
    worth = {frozenset(): 0.0, frozenset("a"): 1.0, frozenset("b"): 3.0, frozenset("ab"): 10.0}
    found = shapley(worth, ["a", "b"])
    assert (found["a"].shapley, found["b"].shapley) == (4.0, 6.0)
    assert (found["a"].alone, found["b"].alone) == (1.0, 3.0)


def test_shapley_shares_sum_and_an_idle_mechanism_carries_nothing() -> None:
    rng = np.random.default_rng(5)
    of_three = {frozenset(chosen): float(rng.normal()) for size in range(4) for chosen in combinations(MECHANISMS[:3], size)}
    worth = {frozenset(chosen): of_three[frozenset(chosen) - {"censoring"}] for size in range(5) for chosen in combinations(MECHANISMS, size)}
    found = shapley(worth, MECHANISMS)
    assert sum(share.shapley for share in found.values()) == pytest.approx(worth[frozenset(MECHANISMS)] - worth[frozenset()])
    assert found["censoring"].shapley == pytest.approx(0, abs=1e-15)


def rows_of(**values: tuple[float, float, float]) -> pd.DataFrame:
    rows = [
        {"quantity": "shift_in_real_se", "mechanism": name, "value": value, "lower": lower, "upper": upper, "alone": nan, "replicates": 10}
        | {"reason": None}
        for name, (value, lower, upper) in values.items()
    ]
    return ATTRIBUTION.validate(pd.DataFrame(rows)[list(ATTRIBUTION.columns)])


def test_the_broken_mechanism_goes_with_the_shift_and_stands_out() -> None:
    together = (-2.0, -2.5, -1.5)
    assert name_broken(rows_of(outcome=(-1.5, -2.0, -1.0), treatment=(-0.5, -0.8, -0.2), together=together)) == "outcome"
    assert name_broken(rows_of(outcome=(-1.5, -3.1, 0.1), treatment=(-0.5, -0.8, -0.2), together=together)) == "treatment"
    assert name_broken(rows_of(outcome=(3.0, 2.0, 4.0), treatment=(-5.0, -11.0, 1.0), together=together)) is None
    assert name_broken(rows_of(together=(nan, nan, nan))) is None


def test_mechanisms_that_together_go_the_other_way_explain_nothing() -> None:
    """A shift of −1.2 of which the models see +0.2: who carries that +0.2 is not who broke the shift."""
    covariates, together = (0.4, 0.2, 0.6), (0.2, 0.1, 0.3)
    assert name_broken(rows_of(covariates=covariates, together=together, remainder=(-0.1, -0.2, 0.0))) == "covariates"
    assert name_broken(rows_of(covariates=covariates, together=together, remainder=(-1.4, -1.6, -1.2))) is None
    assert name_broken(rows_of(covariates=(0.2, 0.1, 0.3), together=(0.0, -0.1, 0.1), remainder=(1.5, 1.0, 2.0))) is None


def attribute(real: pd.DataFrame, synthetic: pd.DataFrame, estimates: pd.DataFrame, *, replicates: int) -> pd.DataFrame:
    return attribute_shift(
        real,
        synthetic,
        real_estimates=estimate_rows([0.1], [0.05]),
        estimates=estimates,
        primary=PRIMARY,
        covariates=COVARIATES,
        designs=DESIGNS,
        propensity=DEFAULT_PROPENSITY,
        outcomes=OUTCOMES,
        seeds=range(replicates),
    )


def test_the_real_patients_as_replicates_carry_no_shift() -> None:
    real = draw_cohort(400, rng=np.random.default_rng(6))
    table = attribute(real, replicate_of(real, 2), estimate_rows([0.1, 0.1], [0.05, 0.05]), replicates=2).set_index(["quantity", "mechanism"])
    assert table["value"].abs().max() == 0.0
    assert list(table.loc["shift_in_real_se"].index) == [*MECHANISMS, "together", "remainder"]
    assert list(table.loc["propensity_c"].index) == [*MECHANISMS, "together"]


def test_exchanged_treatment_is_named() -> None:
    """Synthetic treatment is a coin's; covariates, times and censoring stay: the c-statistic falls, and treatment carries it."""
    rng = np.random.default_rng(7)
    real = draw_cohort(1500, rng=rng)
    synthetic = pd.concat([real.assign(treated=rng.random(len(real)) < 0.5, replicate=replicate) for replicate in range(3)], ignore_index=True)
    table = attribute(real, synthetic, estimate_rows([0.1] * 3, [0.05] * 3), replicates=3)
    assert name_broken(table, "propensity_c") == "treatment"
    c = table[table["quantity"] == "propensity_c"].set_index("mechanism")["value"]
    assert c["treatment"] == pytest.approx(c["together"], abs=0.01)
    assert c["together"] < -0.05


@pytest.mark.parametrize("case", ["no replicate", "one row each", "no real estimate", "no synthetic estimate"])
def test_what_cannot_be_taken_apart_says_why(case: str) -> None:
    rng = np.random.default_rng(8)
    real, synthetic = draw_cohort(200, rng=rng), draw_cohort(200, rng=rng, replicates=2)
    estimates = estimate_rows([0.1, 0.2], [0.05, 0.05])
    if case == "no replicate":
        synthetic, estimates = synthetic.iloc[:0], estimates.iloc[:0]
    if case == "one row each":
        synthetic = synthetic.groupby("replicate").head(1)
    if case == "no synthetic estimate":
        estimates = estimate_rows([nan, nan], [nan, nan])
    if case == "no real estimate":
        real = real.assign(treated=True)
    table = attribute(real, synthetic, estimates, replicates=2)
    assert table["value"].isna().all()
    assert table["reason"].notna().all()


def test_mixtures_differ_by_what_is_exchanged_alone() -> None:
    rng = np.random.default_rng(9)
    cohorts = {"real": draw_cohort(300, rng=rng), "synthetic": draw_cohort(300, rng=rng)}
    fitter = MechanismFitter.of(cohorts["real"], Context(COVARIATES, OUTCOMES), "death")
    mixer = Mixer.of("death", {name: fitter.fit(cohort, rng=rng) for name, cohort in cohorts.items()})
    real = dict.fromkeys(MECHANISMS, "real")
    own = mixer.mix(**real, seed=1)
    pd.testing.assert_frame_equal(own, mixer.mix(**real, seed=1))
    pd.testing.assert_frame_equal(own[list(COVARIATES.names)], cohorts["real"][list(COVARIATES.names)])
    assert not own["treated"].equals(mixer.mix(**real, seed=2)["treated"])
    censored = mixer.mix(**real | {"censoring": "synthetic"}, seed=1)
    assert own["treated"].equals(censored["treated"])
    both = (own["death_event"] == 1) & (censored["death_event"] == 1)
    assert both.any()
    assert (own.loc[both, "death_days"] == censored.loc[both, "death_days"]).all()


def test_an_outcome_without_follow_up_has_three_mechanisms() -> None:
    rng = np.random.default_rng(10)
    real = draw_cohort(300, rng=rng).drop(columns=["death_days", "death_event"])
    real["cure_value"] = (rng.random(len(real)) < 1 / (1 + np.exp(-(real["age"] - 60) / 10))).astype(float)
    table = attribute_shift(
        real,
        replicate_of(real, 2),
        real_estimates=estimate_rows([0.1], [0.05], outcome="cure", horizon_days=nan),
        estimates=estimate_rows([0.1, 0.1], [0.05, 0.05], outcome="cure", horizon_days=nan),
        primary=PrimaryEstimate(outcome="cure", contrast="risk_difference", design="overlap"),
        covariates=COVARIATES,
        designs=DESIGNS,
        propensity=DEFAULT_PROPENSITY,
        outcomes=BINARY,
        seeds=(1, 2),
    )
    assert list(table.loc[table["quantity"] == "shift_in_real_se", "mechanism"]) == [*MECHANISMS[:3], "together", "remainder"]
    assert not isnan(table["value"].iloc[0])
