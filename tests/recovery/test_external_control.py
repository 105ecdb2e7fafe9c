"""Error rates with real treated patients of one hospital beside synthetic comparators of another, over a thousand simulated pairs of hospitals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from identities.test_certification import CERTIFICATION, SYNTHESIS, chain_of
from parallax.certification.studies import Chain, KnownEffect, Synthesise, model_effects, synthesise_by, synthesise_correctly
from parallax.seeds import derive_seed
from parallax.simulated import simulate_cohort as simulate_study
from parallax.synthesis.external_control import join_external_control
from parallax.validation.combining import combine, take_real
from simulated_cohorts import simulate_cohort

PATIENTS = 1000
#: Monte-Carlo errors that a bound may be missed by
TOLERATED = 3.0


def one_pair(chain: Chain, known: KnownEffect, base: pd.DataFrame, synthesise: Synthesise, number: int) -> pd.DataFrame:
    """Estimates with the other hospital's real comparators (rule ``none``), and with synthetic ones by every rule."""

    def seed_of(*purpose: str | int) -> int:
        return derive_seed(41, known.name, number, *purpose)

    here, elsewhere = (
        simulate_study(
            known.plasmode,
            base,
            covariates=chain.context.covariates,
            name="death",
            patients=PATIENTS,
            rng=np.random.default_rng(seed_of(hospital)),
        )
        for hospital in ("here", "elsewhere")
    )
    treated, comparators = here[here["treated"]], elsewhere[~elsewhere["treated"]]
    real = pd.concat([treated, comparators.assign(patient_id="e" + comparators["patient_id"])], ignore_index=True)
    mixed = join_external_control(treated, synthesise(elsewhere, seed_of), learned_from=len(comparators))
    made, stacked = chain.estimate(mixed, seed=1), chain.estimate(mixed.assign(replicate=0), seed=1)
    return pd.concat([take_real(chain.estimate(real, seed=1)), combine(made, stacked=stacked, patients=len(real), synthetic=len(real))])


def rates(design: str, generator: str, *, effect: int, repetitions: int) -> pd.DataFrame:
    """Coverage and bias by rule, each with its Monte-Carlo error."""
    chain = replace(chain_of(design), replicates=10, synthetic=2.0)
    settings = SYNTHESIS.generators["sequential"]
    synthesise = synthesise_correctly(chain) if generator == "correct" else synthesise_by(settings, SYNTHESIS, chain)
    base = simulate_cohort(PATIENTS, seed=21)
    known = model_effects(base, chain, CERTIFICATION)[effect]
    rows = pd.concat([one_pair(chain, known, base, synthesise, number) for number in range(repetitions)])
    truth = float(np.exp(known.truth))
    rows = rows.assign(covered=(rows["lower"] <= truth) & (truth <= rows["upper"]), off=np.log(rows["estimate"]) - known.truth)
    table = rows.groupby("rule").agg(coverage=("covered", "mean"), bias=("off", "mean"), spread=("off", "std"), length=("std_error", "mean"))
    return table.assign(error=np.sqrt(table["coverage"] * (1 - table["coverage"]) / repetitions), bias_error=table["spread"] / np.sqrt(repetitions))


@pytest.mark.slow
@pytest.mark.parametrize("design", ["overlap", "iptw"])
@pytest.mark.parametrize("generator", ["correct", "sequential"])
@pytest.mark.parametrize("effect", [0, 1])
def test_the_rule_covers_what_real_comparators_cover(design: str, generator: str, effect: int) -> None:
    table = rates(design, generator, effect=effect, repetitions=1000)
    for rule in ("none", "partial"):
        row = table.loc[rule]
        assert 0.93 - TOLERATED * row["error"] <= row["coverage"] <= 0.97 + TOLERATED * row["error"], (rule, row.to_dict())
        assert abs(row["bias"]) <= 0.03 + TOLERATED * row["bias_error"], (rule, row.to_dict())
    assert table.loc["stacked", "coverage"] < 0.8, "the same treated patients ten times over are not ten times as many"


def test_rates_of_a_few_pairs_are_possible() -> None:
    table = rates("overlap", "correct", effect=0, repetitions=15)
    assert table.loc["partial", "coverage"] >= 0.6
    assert table.loc["stacked", "length"] < 0.5 * table.loc["partial", "length"]
