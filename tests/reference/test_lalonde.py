"""The job training programme of LaLonde 1986 against survey comparators (causaldata, Dehejia & Wahba's sample).

Published: the randomised difference of 1,794 dollars and the difference of −8,498 against the CPS (Dehejia & Wahba 1999, table 3). The weighted
effects were computed once with R and Python side by side, to the dollars given here.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
from causaldata import cps_mixtape, nsw_mixtape
from scipy.special import logit

from parallax.design.diagnostics import judge_design, measure_sample
from parallax.statistics.balance import effective_sample_size, standardised_differences
from parallax.statistics.entropy_balancing import balance_entropy
from parallax.statistics.logistic import fit_logistic
from parallax.statistics.matching import match_nearest, pooled_within_sd
from parallax.statistics.weighting import propensity_weights


class Study(NamedTuple):
    earnings: np.ndarray
    treated: np.ndarray
    columns: np.ndarray
    score: np.ndarray

    def effect(self, weights: np.ndarray) -> float:
        one, other = (np.average(self.earnings[arm], weights=weights[arm]) for arm in (self.treated, ~self.treated))
        return float(one - other)


@cache
def study() -> Study:
    trial, survey = (table.load_pandas().data.astype({"re74": float, "re75": float, "re78": float}) for table in (nsw_mixtape, cps_mixtape))
    together = {name: np.concatenate([trial[name][trial["treat"] == 1], survey[name]]).astype(float) for name in survey.columns if name != "data_id"}
    covariates = np.column_stack([together[name] for name in ("age", "educ", "black", "hisp", "marr", "nodegree", "re74", "re75")])
    columns = np.column_stack([covariates, together["educ"] ** 2, together["re74"] == 0, together["re75"] == 0])
    treated = together["treat"] == 1
    score = fit_logistic(np.column_stack([np.ones(len(columns)), columns]), treated).fitted
    return Study(together["re78"], treated, columns, score)


def test_the_trial() -> None:
    trial = nsw_mixtape.load_pandas().data.astype({"re78": float})
    means = trial.groupby("treat")["re78"].mean()
    assert means[1] - means[0] == pytest.approx(1794.34, abs=0.01)


@pytest.mark.parametrize(("estimand", "effect"), [("ATT", 1446), ("ATO", 1151)])
def test_weighted_effects(estimand, effect: float) -> None:
    s = study()
    assert s.effect(np.ones(s.treated.size)) == pytest.approx(-8497.52, abs=0.01)
    assert s.effect(propensity_weights(s.score, s.treated, estimand, stabilised=True)) == pytest.approx(effect, abs=3)


def test_the_weights_of_everybody_fail() -> None:
    s = study()
    weights = propensity_weights(s.score, s.treated, "ATE", stabilised=True)
    assert effective_sample_size(weights[s.treated]) == pytest.approx(11, abs=0.5)
    largest = np.abs(standardised_differences(s.columns, s.treated, weights)).max()
    assert largest == pytest.approx(1.2, abs=0.05)
    failure = judge_design(measure_sample(s.treated, weights), largest, imbalance=0.1, effective_patients=30)
    assert failure == f"not balanced: largest SMD {largest:.2f}, allowed is 0.1; the treated arm weighs like fewer than 30 patients"


def test_matching_says_that_its_effect_hangs_on_the_order_of_the_rows() -> None:
    s = study()
    score = logit(s.score)
    caliper = 0.2 * pooled_within_sd(score, s.treated)
    matching = match_nearest(score, s.treated, caliper=caliper)
    assert s.effect(matching.weights) == pytest.approx(1736, abs=500)
    assert matching.ties_decided_by_row_order > 10
    back = match_nearest(score[::-1], s.treated[::-1], caliper=caliper)
    assert np.sort(s.score[::-1][back.match]) == pytest.approx(np.sort(s.score[matching.match]))
    assert s.effect(back.weights[::-1]) != pytest.approx(s.effect(matching.weights), abs=50)


def test_entropy_balancing() -> None:
    s = study()
    weights = balance_entropy(s.columns, s.treated, "ATT").weights
    assert standardised_differences(s.columns, s.treated, weights) == pytest.approx(np.zeros(11), abs=1e-8)
    assert s.effect(weights) == pytest.approx(s.effect(propensity_weights(s.score, s.treated, "ATT", stabilised=True)), abs=100)
