"""Two routes to one number: the library's accounting and the exact one, a fit without noise and the real tables."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr

from parallax.protocol import SequentialGenerator
from parallax.synthesis.generator import Context
from parallax.synthesis.private_codes import code_covariates, code_outcomes
from parallax.synthesis.private_marginals import PrivateMarginals, count_table, list_tables
from parallax.synthesis.private_model import Structure, fit_model, order_covariates
from parallax.synthesis.private_noise import bound_distance, find_scale, release_counts, spend
from parallax.synthesis.registry import describe_privacy, fit_generator
from simulated_cohorts import COVARIATES, OUTCOMES, PRIVATE, SETTINGS, simulate_cohort


@pytest.mark.parametrize("epsilon", [0.1, 1.0, 3.0, 10.0])
@pytest.mark.parametrize("rows", [1, 21, 200])
def test_the_accounting_is_sound_and_not_far_from_the_exact_one(epsilon: float, rows: int) -> None:
    """The Gaussian mechanism's exact delta (Balle & Wang 2018 ICML 80:394, theorem 8) against OpenDP's; Bun & Steinke 2016 from above."""
    delta, distance = 1e-6, bound_distance(rows)
    scale = find_scale(distance, epsilon=epsilon, delta=delta)
    spent = spend(scale, distance, delta=delta)
    assert 0.999 * epsilon <= spent <= epsilon

    def exact(loss: float) -> float:
        half, rest = distance / (2 * scale), loss * scale / distance
        return float(ndtr(half - rest) - np.exp(loss) * ndtr(-half - rest))

    assert exact(spent) <= delta < exact(0.85 * spent)
    rho = distance**2 / (2 * scale**2)
    assert spent <= rho + 2 * np.sqrt(rho * np.log(1 / delta))


def test_the_noise_has_the_scale_that_was_accounted_for_and_is_never_the_same_again() -> None:
    counts = np.full((4, 5000), 100)
    first, second = (release_counts([counts], epsilon=1.0, delta=1e-6) for _ in range(2))
    noise = np.concatenate([first.tables[0], second.tables[0]]) - 100
    # 40,000 draws: the standard deviation within six standard errors
    assert noise.std() == pytest.approx(first.scale, rel=6 / np.sqrt(2 * noise.size))
    assert not np.array_equal(first.tables[0], second.tables[0])


def test_without_noise_the_model_has_the_real_tables_and_its_draws_their_shares() -> None:
    real, context = simulate_cohort(1500, seed=3), Context(COVARIATES, OUTCOMES)
    settings = PRIVATE.model_copy(update={"pairs": (("age", "disease"), ("disease", "visits"))})
    codings = {**code_covariates(settings, context), **code_outcomes(settings, context)}
    codes = {"treated": real["treated"].to_numpy(np.int64)} | {name: coding.encode(real) for name, coding in codings.items()}
    sizes = {"treated": 2} | {name: coding.size for name, coding in codings.items()}
    tables = list_tables(list(COVARIATES.names), ["death"], settings.pairs)
    counts = {table: count_table(codes, sizes, table).astype(float) for table in tables}
    structure = Structure.of(sizes, ("treated", "death"), order_covariates(COVARIATES.names, settings.pairs))
    fitted = fit_model(structure, counts, tables, variance=1e-4, patients=len(real))
    for table, shares in fitted.tables(tables).items():
        np.testing.assert_allclose(1500 * shares.ravel(), counts[table], atol=5)
    drawn = PrivateMarginals(settings.model_copy(update={"epsilon": 200.0})).fit(real, context=context, rng=np.random.default_rng(1))
    table = drawn.draw(40_000, rng=np.random.default_rng(2))
    again = {name: coding.encode(table) for name, coding in codings.items()} | {"treated": table["treated"].to_numpy(np.int64)}
    for pair, part in counts.items():
        np.testing.assert_allclose(count_table(again, sizes, pair) / 40_000, part / 1500, atol=0.012)


def test_the_record_of_a_fit_carries_what_was_spent_and_others_have_none() -> None:
    real = simulate_cohort(200, seed=5)
    fitted = fit_generator(PRIVATE.model_copy(update={"epsilon": 2.0}), real, covariates=COVARIATES, outcomes=OUTCOMES, seed=1)
    record = describe_privacy(PRIVATE.model_copy(update={"epsilon": 2.0}), fitted)
    assert record is not None
    assert 1.99 < record["spent_epsilon"] <= record["epsilon"] == 2.0
    assert {"delta", "neighbours", "covers", "leaves_out", "noise_standard_deviation"} <= record.keys()
    assert describe_privacy(SequentialGenerator(method="sequential"), fitted) is None
    assert "private_marginals" in SETTINGS
