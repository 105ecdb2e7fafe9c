"""Error rates of the default rule with a generator that is right, over a thousand simulated studies; the naive and the stacked rule beside it.

The study's own analysis uses the sandwich that knows the score was estimated, so that its rates are the nominal ones.
"""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from identities.test_certification import CERTIFICATION, SYNTHESIS, chain_of
from parallax.certification.studies import Chain, Synthesise, model_effects, run_studies, synthesise_by, synthesise_correctly
from parallax.certification.summary import summarise
from simulated_cohorts import simulate_cohort

#: Monte-Carlo errors that a bound may be missed by
TOLERATED = 3.0


def rates(generator: str, chain: Chain, synthesise: Synthesise, *, repetitions: int) -> pd.DataFrame:
    patients = simulate_cohort(1000, seed=21)
    effects = model_effects(patients, chain, CERTIFICATION)[:2]
    found = run_studies(patients, chain, effects, synthesise, generator=generator, repetitions=range(repetitions), seed=31)
    return summarise(found, patients=1000, replicates=chain.replicates).set_index(["rule", "effect", "metric"])


def check(table: pd.DataFrame, *, bias: float) -> None:
    def rate(rule: str, effect: str, metric: str) -> tuple[float, float]:
        row = table.loc[rule, effect, metric]
        return float(row["value"]), TOLERATED * float(row["monte_carlo_error"])

    for rule in ("none", "partial"):
        error, allowed = rate(rule, "no_effect", "type_1_error")
        assert 0.03 - allowed <= error <= 0.07 + allowed, (rule, error)
        for effect in ("no_effect", "minimal_important"):
            coverage, allowed = rate(rule, effect, "coverage")
            assert coverage >= 0.93 - allowed, (rule, effect, coverage)
            shift, allowed = rate(rule, effect, "bias")
            assert abs(shift) <= bias + allowed, (rule, effect, shift)
    naive, allowed = rate("naive", "no_effect", "type_1_error")
    assert 0.10 - allowed <= naive <= 0.18 + allowed, naive
    assert rate("stacked", "no_effect", "type_1_error")[0] > 0.3
    assert rate("partial", "minimal_important", "gate_failure")[0] < 0.1


def ten_replicates() -> Chain:
    return replace(chain_of(), replicates=10)


@pytest.mark.slow
def test_a_correct_generator_keeps_the_error_rates() -> None:
    check(rates("correct", ten_replicates(), synthesise_correctly(ten_replicates()), repetitions=1000), bias=0.01)


@pytest.mark.slow
def test_sequential_keeps_the_error_rates() -> None:
    chain = ten_replicates()
    synthesise = synthesise_by(SYNTHESIS.generators["sequential"], SYNTHESIS, chain)
    check(rates("sequential", chain, synthesise, repetitions=1000), bias=0.03)


def test_rates_of_a_few_studies_are_possible() -> None:
    table = rates("correct", ten_replicates(), synthesise_correctly(ten_replicates()), repetitions=20)
    assert table.loc[("partial", "no_effect", "type_1_error"), "value"] <= 0.35
    assert table.loc[("stacked", "no_effect", "coverage"), "value"] < table.loc[("partial", "no_effect", "coverage"), "value"]
