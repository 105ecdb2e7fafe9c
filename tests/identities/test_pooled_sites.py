"""Sites pooled by two routes: patients in one cohort with the site's products in the score, or every site's own score and weights side by side;
aggregates of sites and the joint model with an effect for each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from identities.test_certification import chain_of
from parallax.analysis.effects import estimate_hypothesis
from parallax.design.matrix import build_design_matrix
from parallax.design.propensity import fit_scores
from parallax.design.registry import COMPARISONS, Arms
from parallax.design.variance import linearise
from parallax.pooling import pool_cohorts, pool_settings
from parallax.protocol.cohort import Covariates
from parallax.protocol.pooling import PoolingSection
from parallax.statistics.cox import fit_cox
from parallax.statistics.meta_analysis import measure_spread, pool_fixed
from parallax.statistics.stacked import stack_influence
from simulated_cohorts import simulate_cohort

COVARIATES = Covariates(numeric=("age", "albumin"), categorical=("sex",))
CHAIN = chain_of()
STUDY = {**CHAIN.study, "covariates": COVARIATES}


def stratified(cohorts: Sequence[pd.DataFrame]) -> tuple[float, float]:
    """Log hazard ratio and standard error: overlap weights by a score of each site's own, one Cox model with a baseline for each site, the
    estimation of the weights in the variance."""
    primary, scores = CHAIN.primary, STUDY["propensity"]
    design, horizon = STUDY["designs"][primary.design], float(primary.horizon_days or np.inf)
    parts = []
    for cohort in cohorts:
        treated, matrix = cohort["treated"].to_numpy(dtype=bool), build_design_matrix(cohort, COVARIATES)
        fitted = fit_scores(matrix, treated, scores, rng=np.random.default_rng(1))[scores.named(design.score)]
        arms = Arms(treated, matrix, cohort, fitted)
        weight = COMPARISONS[design.method](design, arms, np.random.default_rng(1)).weight
        parts.append((cohort, treated, weight, linearise(design, arms, weight, scores)))
    days = np.concatenate([part[0]["death_days"].to_numpy(dtype=float) for part in parts])
    event = np.concatenate([part[0]["death_event"].to_numpy() == 1 for part in parts]) & (days <= horizon)
    arm, weights = np.concatenate([part[1] for part in parts]).astype(float), np.concatenate([part[2] for part in parts])
    strata = np.repeat(np.arange(len(parts)), [len(part[0]) for part in parts])
    fit = fit_cox(np.minimum(days, horizon), event, arm[:, None], weights=weights, strata=strata)
    influence = np.split(fit.influence[:, 0], np.cumsum([len(part[0]) for part in parts])[:-1])
    squares = [float((stack_influence(of_site, part[2], part[3]) ** 2).sum()) for of_site, part in zip(influence, parts, strict=True)]
    return float(fit.coefficients[0]), float(np.sqrt(sum(squares)))


@pytest.mark.parametrize("sites", [1, 2, 4])
def test_pooled_patients_are_sites_side_by_side(sites: int) -> None:
    cohorts = [simulate_cohort(250, seed=site) for site in range(sites)]
    settings = pool_settings(PoolingSection(), covariates=COVARIATES, designs=STUDY["designs"], propensity=STUDY["propensity"])
    pooled = {"covariates": settings.covariates, "designs": settings.designs, "propensity": settings.propensity, "outcomes": STUDY["outcomes"]}
    named = {f"site_{number}": cohort for number, cohort in enumerate(cohorts)}
    cohort, study = (pool_cohorts(named), pooled) if sites > 1 else (cohorts[0], STUDY)
    found = estimate_hypothesis(cohort, CHAIN.primary, **study, seed=1).iloc[0]
    estimate, error = stratified(cohorts)
    assert np.log(found["estimate"]) == pytest.approx(estimate, rel=1e-9)
    assert found["std_error"] == pytest.approx(error, rel=1e-9)


def test_the_fixed_effect_is_that_of_the_joint_regression() -> None:
    """Least squares of site and treatment with one known variance: pooled effect and Q are those of the models without and with site × treatment."""
    rng = np.random.default_rng(4)
    sizes, estimates, errors, blocks = (40, 60, 90), [], [], []
    for site, size in enumerate(sizes):
        treated = rng.random(size) < 0.4
        y = 0.3 * site + (0.5 + 0.2 * site) * treated + rng.standard_normal(size)
        blocks.append((np.full(size, site), treated.astype(float), y))
        estimates.append(y[treated].mean() - y[~treated].mean())
        errors.append(np.sqrt(1 / treated.sum() + 1 / (~treated).sum()))
    site, treated, y = (np.concatenate(part) for part in zip(*blocks, strict=True))
    intercepts = (site[:, None] == np.arange(3)).astype(float)
    one, each = np.column_stack([intercepts, treated]), np.column_stack([intercepts, intercepts * treated[:, None]])
    losses = [float(((y - design @ np.linalg.lstsq(design, y, rcond=None)[0]) ** 2).sum()) for design in (one, each)]
    pooled = pool_fixed(estimates, errors)
    assert pooled.estimate == pytest.approx(np.linalg.lstsq(one, y, rcond=None)[0][-1], rel=1e-10)
    assert pooled.std_error**2 == pytest.approx(np.linalg.inv(one.T @ one)[-1, -1], rel=1e-10)
    assert measure_spread(estimates, errors).q == pytest.approx(losses[0] - losses[1], rel=1e-9)


def test_the_order_of_sites_and_a_site_split_in_two_change_nothing() -> None:
    y, error = np.array([-0.3, 0.1, -0.2]), np.array([0.1, 0.2, 0.15])
    whole = pool_fixed(y, error)
    turned, split = pool_fixed(y[::-1], error[::-1]), pool_fixed([*y, y[0]], [error[0] * np.sqrt(2), *error[1:], error[0] * np.sqrt(2)])
    for other in (turned, split):
        assert (other.estimate, other.std_error) == (pytest.approx(whole.estimate), pytest.approx(whole.std_error))
