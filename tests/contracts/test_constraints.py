"""Constraints of the protocol hold in every draw of every registered generator; without one, nothing changes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from parallax.capabilities import GENERATORS as CAPABILITIES
from parallax.errors import GenerationError
from parallax.protocol import Covariates, FixedCombinationsConstraint, GaussianCopulaGenerator, InequalityConstraint, RangeConstraint
from parallax.synthesis.registry import GENERATORS, draw_replicates, fit_generator
from simulated_cohorts import OUTCOMES, SETTINGS, simulate_cohort

COVARIATES = Covariates(numeric=("age", "diagnosed", "diastolic", "mean", "systolic"), categorical=("region", "hospital", "sex"))
CONSTRAINTS = (
    InequalityConstraint(type="inequality", low="diagnosed", high="age"),
    RangeConstraint(type="range", low="diastolic", middle="mean", high="systolic", strict=True),
    FixedCombinationsConstraint(type="fixed_combinations", columns=("region", "hospital")),
    # shares a column with the first: SDV cannot learn both
    InequalityConstraint(type="inequality", low="age", high="systolic"),
)
PATIENTS = 400


@pytest.fixture(scope="module")
def real() -> pd.DataFrame:
    """Ages at diagnosis and pressures in order, each missing for some; hospitals in one of two regions."""
    cohort, rng = simulate_cohort(PATIENTS, seed=8), np.random.default_rng(8)
    age = cohort["age"].round(0).clip(30, 95)
    diastolic = np.maximum(age + 1, np.round(rng.normal(75, 10, PATIENTS)))
    region = rng.choice(["north", "south"], PATIENTS)
    added = {
        "age": age,
        "diagnosed": np.where(rng.random(PATIENTS) < 0.3, np.nan, np.floor(age * rng.beta(8, 2, PATIENTS))),
        "diastolic": np.where(rng.random(PATIENTS) < 0.2, np.nan, diastolic),
        "mean": np.where(rng.random(PATIENTS) < 0.2, np.nan, diastolic + 5 + np.floor(rng.gamma(2, 5, PATIENTS))),
        "systolic": diastolic + 60 + np.round(rng.gamma(2, 8, PATIENTS)),
        "region": region,
        "hospital": np.where(rng.random(PATIENTS) < 0.1, None, np.char.add(region, rng.choice([" 1", " 2", " 3"], PATIENTS))),
    }
    kept = cohort.assign(**added)[["replicate", "patient_id", "treated", *COVARIATES.names, "death_days", "death_event"]]
    kept = kept[~(kept["mean"] >= kept["systolic"])].reset_index(drop=True)
    return kept.astype(dict.fromkeys(COVARIATES.categorical, "string"))


def fit(method, real, constraints=CONSTRAINTS):
    if CAPABILITIES[method].private:  # combinations are the real patients' own: a protocol that asks for both is refused
        constraints = tuple(entry for entry in constraints if not isinstance(entry, FixedCombinationsConstraint))
    return fit_generator(SETTINGS[method], real, covariates=COVARIATES, outcomes=OUTCOMES, seed=3, constraints=constraints)


def keeps(table: pd.DataFrame) -> dict[str, bool]:
    seen = set(table[["region", "hospital"]].dropna().itertuples(index=False, name=None))
    return {
        "inequality": not (table["diagnosed"] > table["age"]).any(),
        "low and middle": not (table["diastolic"] >= table["mean"]).any(),
        "middle and high": not (table["mean"] >= table["systolic"]).any(),
        "low and high": not (table["diastolic"] >= table["systolic"]).any(),
        "combinations": all(str(hospital).startswith(str(region)) for region, hospital in seen),
        "shared column": not (table["age"] > table["systolic"]).any(),
    }


@pytest.mark.parametrize("method", sorted(GENERATORS))
def test_they_hold_in_every_draw(method, real):
    assert all(keeps(real).values())
    fitted = fit(method, real)
    drawn = draw_replicates(fitted, replicates=2, patients=250, seeds=[1, 2])
    assert drawn["replicate"].value_counts().to_dict() == {0: 250, 1: 250}
    kept = {name: held for name, held in keeps(drawn).items() if name != "combinations" or not CAPABILITIES[method].private}
    assert all(kept.values()), kept
    assert drawn["diagnosed"].isna().any() or "epochs" in type(SETTINGS[method]).model_fields
    again = draw_replicates(fitted, replicates=1, patients=250, seeds=[2])
    second = drawn[drawn["replicate"] == 1].reset_index(drop=True)
    pd.testing.assert_frame_equal(again.drop(columns="replicate"), second.drop(columns="replicate"), check_exact=True)
    assert len(draw_replicates(fitted, replicates=1, patients=1, seeds=[4])) == 1


@pytest.mark.parametrize("method", ["gaussian_copula", "sequential"])
def test_gaps_stay_and_margins_are_learnt_under_constraints(method, real):
    drawn = draw_replicates(fit(method, real), replicates=1, patients=2000, seeds=[1])
    for name in ("diagnosed", "diastolic", "mean"):
        assert drawn[name].isna().mean() == pytest.approx(real[name].isna().mean(), abs=0.08), name
    for name in ("diagnosed", "age", "diastolic", "mean", "systolic"):
        assert drawn[name].mean() == pytest.approx(real[name].mean(), abs=0.5 * real[name].std()), name


def test_a_column_that_is_the_same_for_everybody_may_stand_in_a_constraint(real):
    drawn = draw_replicates(fit("gaussian_copula", real.assign(systolic=300.0)), replicates=1, patients=200, seeds=[1])
    assert all(keeps(drawn).values())
    assert (drawn["systolic"] == 300.0).all()


@pytest.mark.parametrize("method", sorted(GENERATORS))
def test_real_patients_who_break_one_are_told_of_without_their_values(method, real):
    broken = real.copy()
    broken.loc[7, ["diagnosed", "age"]] = [91.25, 38.75]
    with pytest.raises(GenerationError) as raised:
        fit(method, broken)
    assert str(raised.value) == (
        "the cohort breaks its own constraints:\n  - synthesis.constraints[0] (inequality of diagnosed, age): found real patients who break it; "
        "allowed are none; correct the constraint, or exclude them by a criterion"
    )


def test_a_generator_that_never_keeps_them_is_given_up(real):
    class Stubborn:
        def draw(self, patients, *, rng):
            return real.head(1).loc[[0] * patients].reset_index(drop=True).assign(age=1.0, diagnosed=2.0)

    from parallax.synthesis.constraints import Constrained, Rules

    with pytest.raises(GenerationError, match=r"too few patients that keep all of 0 \(inequality\).* in 50 rounds"):
        Constrained(Stubborn(), Rules.of(real, CONSTRAINTS)).draw(5, rng=np.random.default_rng(1))


def test_what_breaks_none_is_drawn_as_if_there_were_none(real):
    wide = (InequalityConstraint(type="inequality", low="diagnosed", high="systolic"),)
    apart = real.assign(systolic=real["systolic"] + 1000)
    plain, bound = (fit("sequential", apart, constraints) for constraints in ((), wide))
    first, second = (draw_replicates(fitted, replicates=1, patients=300, seeds=[5]) for fitted in (plain, bound))
    pd.testing.assert_frame_equal(first, second, check_exact=True)


def test_sdv_learns_the_difference_and_seldom_breaks_it(real):
    inequality = CONSTRAINTS[:1]
    gapless = real.assign(diagnosed=real["diagnosed"].fillna(real["age"] - 20))
    settings = GaussianCopulaGenerator(method="gaussian_copula")
    fitted = fit_generator(settings, gapless, covariates=COVARIATES, outcomes=OUTCOMES, seed=3, constraints=inequality)
    inside = fitted.fitted.draw(2000, rng=np.random.default_rng(1))
    assert (inside["diagnosed"] <= inside["age"]).mean() > 0.99
