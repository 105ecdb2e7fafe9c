"""What every registered generator promises: the cohort's columns and forms, reproducible and independent replicates, faults found early."""

from __future__ import annotations

import hashlib
import pickle
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from parallax.capabilities import GENERATORS as CAPABILITIES
from parallax.errors import GenerationError
from parallax.protocol.enrichment import Enrichment
from parallax.seeds import derive_seed
from parallax.synthesis.enrichment import draw_subgroups
from parallax.synthesis.registry import GENERATORS, draw_replicates, fit_generator
from parallax.tables import cohort_schema, enriched_schema
from simulated_cohorts import CONTEXT, COVARIATES, DISEASES, END, LEARNS_MARGINS, OUTCOMES, SETTINGS, simulate_cohort

PATIENTS = 320
SEEDS = tuple(derive_seed(7, "draw", replicate) for replicate in range(3))

pytestmark = pytest.mark.parametrize("method", sorted(GENERATORS))


@pytest.fixture(scope="module")
def real():
    return simulate_cohort(PATIENTS, seed=1)


@pytest.fixture(scope="module")
def fitted(real):
    return {method: fit_generator(SETTINGS[method], real, covariates=COVARIATES, outcomes=OUTCOMES, seed=5) for method in GENERATORS}


@pytest.fixture(scope="module")
def drawn(fitted):
    return {method: draw_replicates(fitted[method], replicates=3, patients=PATIENTS, seeds=SEEDS) for method in GENERATORS}


def digest(frame: pd.DataFrame) -> str:
    return hashlib.sha256(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes()).hexdigest()


def test_every_generator_says_what_it_is(method):
    assert CAPABILITIES.keys() == GENERATORS.keys()
    assert SETTINGS[method].method == method


def test_the_table_is_a_cohort_table(method, real, drawn):
    table = drawn[method]
    assert list(table.columns) == list(real.columns)
    pd.testing.assert_series_equal(cohort_schema(COVARIATES, OUTCOMES).validate(table).dtypes, table.dtypes)
    assert table["replicate"].value_counts().to_dict() == {0: PATIENTS, 1: PATIENTS, 2: PATIENTS}
    assert table.loc[table["replicate"] == 1, "patient_id"].tolist() == [str(i) for i in range(1, PATIENTS + 1)]
    assert set(table.columns[2:]) == set(CONTEXT.columns)


def test_a_subgroup_is_drawn_by_itself_and_the_same_again(method, real, fitted):
    entry = Enrichment(name="lung", keep="disease = 'lung' and age > 50", patients=60)
    (first, draws), (again, _) = (draw_subgroups(fitted[method], real, [entry], seeds={"lung": SEEDS}) for _ in range(2))
    assert CAPABILITIES[method].enriches
    assert list(draws["status"]) == ["ok"]
    pd.testing.assert_frame_equal(first, again, check_exact=True)
    table = enriched_schema(COVARIATES, OUTCOMES).validate(first)
    assert set(table["disease"]) == {"lung"}
    assert table["age"].min() > 50
    assert table["replicate"].value_counts().to_dict() == {0: 60, 1: 60, 2: 60}
    ages = [set(table.loc[table["replicate"] == replicate, "age"]) for replicate in range(3)]
    assert len(ages[0] & ages[1]) < 30


def test_levels_are_the_real_ones(method, real, drawn):
    for name in COVARIATES.categorical:
        assert set(drawn[method][name].dropna()) <= set(real[name].dropna())
    assert not drawn[method]["sex"].isna().any()


def test_numbers_lie_on_the_real_grids(method, real, drawn):
    table = drawn[method]
    if CAPABILITIES[method].private:
        for name in COVARIATES.numeric:
            declared = SETTINGS[method].ranges[name]
            assert table[name].dropna().between(declared.lower, declared.upper).all()
        return
    for name in COVARIATES.numeric:
        assert table[name].min() >= real[name].min()
        assert table[name].max() <= real[name].max()
    assert (table["visits"] % 1 == 0).all()
    assert set(table["albumin"]) <= set(real["albumin"])
    np.testing.assert_allclose(table["age"], table["age"].round(3), rtol=0, atol=1e-12)


def test_follow_up_is_whole_days_above_zero_and_ends_with_the_study(method, drawn):
    table = drawn[method]
    assert (table["death_days"] % 1 == 0).all()
    assert table["death_days"].between(1, END).all()


def test_missing_stays_missing(method, real, drawn):
    table = drawn[method]
    assert not table[["age", "visits", "albumin", "sex", "disease"]].isna().any(axis=None)
    if method in LEARNS_MARGINS:
        for name in ("lactate", "smoker"):
            share = real[name].isna().mean()
            assert table[name].isna().mean() == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / len(table)) + 0.01)


def test_shares_of_arms_levels_events_and_completed_follow_up(method, real, drawn):
    if method not in LEARNS_MARGINS:
        pytest.skip("two epochs are too few")
    table = drawn[method]
    for shown in (
        lambda t: t["treated"],
        lambda t: t["death_event"],
        lambda t: (t["death_days"] == END) & (t["death_event"] == 0),
        *(lambda t, d=disease: t["disease"] == d for disease in DISEASES),
    ):
        assert shown(table).mean() == pytest.approx(shown(real).mean(), abs=0.06)


def test_the_same_seed_gives_the_same_bits_in_another_process(method, drawn):
    code = (
        "import test_generators as t\n"
        f"settings = t.SETTINGS[{method!r}]\n"
        "real = t.simulate_cohort(t.PATIENTS, seed=1)\n"
        "fitted = t.fit_generator(settings, real, covariates=t.COVARIATES, outcomes=t.OUTCOMES, seed=5)\n"
        "print(t.digest(t.draw_replicates(fitted, replicates=3, patients=t.PATIENTS, seeds=t.SEEDS)))\n"
    )
    paths = [str(Path(__file__).parent), *sys.path]
    output = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {paths!r}\n{code}"], capture_output=True, text=True, check=True, timeout=200
    ).stdout
    # noise that a seed gives back protects nobody
    assert (output.strip() == digest(drawn[method])) == (not CAPABILITIES[method].private)


def test_a_replicate_does_not_depend_on_those_before_it(method, fitted, drawn):
    alone = draw_replicates(fitted[method], replicates=1, patients=PATIENTS, seeds=SEEDS[2:])
    third = drawn[method].loc[lambda t: t["replicate"] == 2].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone.drop(columns="replicate"), third.drop(columns="replicate"))


def test_a_stored_generator_draws_the_same(method, fitted, drawn):
    restored = pickle.loads(pickle.dumps(fitted[method]))  # noqa: S301 -- made in this line
    assert digest(draw_replicates(restored, replicates=3, patients=PATIENTS, seeds=SEEDS)) == digest(drawn[method])


def test_drawing_leaves_the_global_random_state_alone(method, fitted):
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    draw_replicates(fitted[method], replicates=1, patients=20, seeds=SEEDS[:1])
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


def test_replicates_are_different_and_uncorrelated(method, fitted):
    table = draw_replicates(fitted[method], replicates=2, patients=2000, seeds=SEEDS[:2])
    first, second = (table[table["replicate"] == replicate].reset_index(drop=True) for replicate in (0, 1))
    shown = {"age": first["age"], "lactate": first["lactate"].isna(), "death_days": first["death_days"], "treated": first["treated"]}
    for name, values in shown.items():
        others = second[name].isna() if name == "lactate" else second[name]
        if values.std() > 0 and others.std() > 0:
            assert abs(np.corrcoef(values.astype(float), others.astype(float))[0, 1]) < 4.5 / np.sqrt(2000), name
    assert not first["age"].equals(second["age"])


def test_another_fit_seed_changes_only_what_is_random(method, real, fitted):
    other = fit_generator(SETTINGS[method], real, covariates=COVARIATES, outcomes=OUTCOMES, seed=6)
    same = digest(draw_replicates(other, replicates=1, patients=50, seeds=SEEDS[:1])) == digest(
        draw_replicates(fitted[method], replicates=1, patients=50, seeds=SEEDS[:1])
    )
    assert same == (not CAPABILITIES[method].random_fit)


def test_any_number_of_patients_can_be_drawn(method, fitted):
    assert len(draw_replicates(fitted[method], replicates=1, patients=1, seeds=[1])) == 1
    assert len(draw_replicates(fitted[method], replicates=1, patients=777, seeds=[1])) == 777


def test_two_replicates_from_one_seed_are_refused(method, fitted):
    with pytest.raises(GenerationError, match="found 1 different ones; allowed is one for each of 2 replicates"):
        draw_replicates(fitted[method], replicates=2, patients=5, seeds=[1, 1])


def _one_treated(real):
    real["treated"] = np.arange(len(real)) == 0


def _infinite(real):
    real.loc[3, "age"] = np.inf


def _many_levels(real):
    real["disease"] = pd.array([f"code {i % 500}" for i in range(len(real))], dtype="string")


FAULTS = {
    "one treated patient": (_one_treated, "the treated arm: found fewer than 10 patients; allowed are 10 or more"),
    "no comparator": (lambda real: real.__setitem__("treated", True), "the comparator arm: found fewer than 10 patients"),
    "no events": (lambda real: real.__setitem__("death_event", np.int64(0)), 'outcome "death": found no events'),
    "all missing": (lambda real: real.__setitem__("lactate", np.nan), 'covariate "lactate": found fewer than 10 patients of whom it is known'),
    "500 levels": (_many_levels, "levels; allowed are 50 or fewer; merge rare ones"),
    "infinite value": (_infinite, 'covariate "age": found infinite values'),
    "zero follow-up": (lambda real: real.__setitem__("death_days", 0.0), "missing, infinite or not above zero"),
}


def test_covariates_that_are_the_same_for_everybody_are_reproduced(method):
    if CAPABILITIES[method].private:
        pytest.skip("a value that all patients share is a fact about them")
    real = simulate_cohort(300, seed=2).assign(age=61.5)
    real["sex"] = pd.array(["male"] * len(real), dtype="string")
    fitted = fit_generator(SETTINGS[method], real, covariates=COVARIATES, outcomes=OUTCOMES, seed=1)
    drawn = draw_replicates(fitted, replicates=2, patients=50, seeds=[1, 2])
    cohort_schema(COVARIATES, OUTCOMES).validate(drawn)
    assert (drawn["age"] == 61.5).all()
    assert (drawn["sex"] == "male").all()


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_cohort_that_nothing_can_be_learnt_from_is_refused_at_once(method, fault):
    spoil, message = FAULTS[fault]
    real = simulate_cohort(600, seed=2)
    spoil(real)
    settings = SETTINGS[method].model_copy(update={"epochs": 10_000}) if hasattr(SETTINGS[method], "epochs") else SETTINGS[method]
    started = time.process_time()
    with pytest.raises(GenerationError) as raised:
        fit_generator(settings, real, covariates=COVARIATES, outcomes=OUTCOMES, seed=1)
    assert message in str(raised.value)
    assert time.process_time() - started < 2


def test_all_faults_are_told_in_one_message(method):
    real = simulate_cohort(200, seed=2).assign(lactate=np.nan, death_event=np.int64(0))
    with pytest.raises(GenerationError, match=r'(?s)"lactate".*"death"'):
        fit_generator(SETTINGS[method], real, covariates=COVARIATES, outcomes=OUTCOMES, seed=1)


def test_columns_without_gaps_and_a_study_without_an_end(method):
    real = simulate_cohort(300, seed=3)
    real["lactate"] = real["lactate"].fillna(1.0)
    real["smoker"] = real["smoker"].fillna("no")
    real = real[real["death_days"] < END].reset_index(drop=True)
    fitted = fit_generator(SETTINGS[method], real, covariates=COVARIATES, outcomes=OUTCOMES, seed=1)
    table = draw_replicates(fitted, replicates=1, patients=500, seeds=[1])
    if not CAPABILITIES[method].private:  # which takes nothing but noisy counts from the patients, not even that there are no gaps
        assert not table.isna().any(axis=None)
    assert table["death_days"].max() <= (END if CAPABILITIES[method].private else real["death_days"].max())


def test_follow_up_that_is_not_in_whole_days(method):
    real = simulate_cohort(300, seed=4)
    rng = np.random.default_rng(0)
    real["death_days"] = real["death_days"] - rng.random(len(real))
    fitted = fit_generator(SETTINGS[method], real, covariates=COVARIATES, outcomes=OUTCOMES, seed=1)
    table = draw_replicates(fitted, replicates=1, patients=500, seeds=[1])
    assert (table["death_days"] > 0).all()
    longest = END if CAPABILITIES[method].private else real["death_days"].max()
    assert table["death_days"].between(0 if CAPABILITIES[method].private else real["death_days"].min(), longest).all()
