"""Propensity models: what must hold of each, whatever the data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.special import expit, logit

from parallax.design.learners import combine_convexly, draw_folds
from parallax.design.matrix import build_design_matrix
from parallax.design.propensity import PropensityScore, fit_scores
from parallax.design.terms import build_regressors
from parallax.protocol import Covariates, LogisticScore, PropensitySection
from parallax.statistics.balance import c_statistic
from parallax.statistics.logistic import fit_logistic

COVARIATES = Covariates(numeric=("age", "dose"), categorical=("stage",))
SECTION = PropensitySection.of(
    {
        "main": {"model": "logistic"},
        "rich": {"model": "logistic", "squares": "all", "interactions": [["age", "stage"]], "splines": {"dose": 4}},
        "ridge": {"model": "ridge"},
        "lasso": {"model": "lasso"},
        "trees": {"model": "boosting"},
        "best": {"model": "ensemble", "members": ["main", "lasso", "trees"]},
    }
)


@pytest.fixture(scope="module")
def patients() -> pd.DataFrame:
    """2,000 patients whose treatment depends on age in a curve and on dose not at all."""
    rng = np.random.default_rng(8)
    age, dose = rng.normal(60, 10, 2000), rng.normal(size=2000)
    stage = rng.choice(["I", "II", "III"], 2000)
    risk = expit(1.5 * ((age - 60) / 10) ** 2 - 1.5 + 0.6 * (stage == "III"))
    return pd.DataFrame({"age": age, "dose": dose, "stage": pd.array(stage, dtype="string"), "treated": rng.random(2000) < risk, "risk": risk})


@pytest.fixture(scope="module")
def scores(patients: pd.DataFrame) -> dict[str, np.ndarray]:
    fitted = fit_scores(build_design_matrix(patients, COVARIATES), patients["treated"].to_numpy(), SECTION, rng=np.random.default_rng(1))
    assert all(isinstance(score, PropensityScore) for score in fitted.values())
    return {name: score.score for name, score in fitted.items() if isinstance(score, PropensityScore)}


def test_terms_span_what_they_say(patients: pd.DataFrame) -> None:
    """The regression on the built columns predicts as the one on columns written down by hand."""
    matrix, treated = build_design_matrix(patients, COVARIATES), patients["treated"].to_numpy(dtype=float)
    model = LogisticScore(model="logistic", squares=("age",), interactions=(("dose", "stage"), ("age", "dose")))
    built, names = build_regressors(matrix, model, np.ones(2000, dtype=bool))
    age, dose = (patients["age"].to_numpy() - 60) / 10, patients["dose"].to_numpy()
    second, third = (patients["stage"] == "II").to_numpy(dtype=float), (patients["stage"] == "III").to_numpy(dtype=float)
    byhand = np.column_stack([np.ones(2000), age, dose, second, third, age**2, dose * second, dose * third, age * dose])
    assert built.shape == byhand.shape
    assert set(names) == {"", "age", "dose", "stage", "dose × stage", "age × dose"}
    assert fit_logistic(built, treated).fitted == pytest.approx(fit_logistic(byhand, treated).fitted, abs=1e-10)


def test_a_spline_follows_a_curve_that_a_line_cannot(patients: pd.DataFrame) -> None:
    matrix, treated = build_design_matrix(patients, COVARIATES), patients["treated"].to_numpy()
    section = PropensitySection.of({"line": {"model": "logistic"}, "curve": {"model": "logistic", "splines": {"age": 5}}})
    fitted = fit_scores(matrix, treated, section, rng=np.random.default_rng(1))
    line, curve = (score.score for score in fitted.values() if isinstance(score, PropensityScore))
    assert np.abs(curve - patients["risk"]).mean() < 0.05 < np.abs(line - patients["risk"]).mean()


def test_machine_learning_follows_the_curve_and_the_ensemble_is_no_worse_than_its_members(
    patients: pd.DataFrame, scores: dict[str, np.ndarray]
) -> None:
    treated = patients["treated"].to_numpy()
    found = {name: c_statistic(score, treated) for name, score in scores.items()}
    assert min(found["trees"], found["rich"], found["best"]) > max(found["main"], found["ridge"], found["lasso"]) + 0.1
    assert found["best"] >= found["trees"] - 0.005


def test_out_of_fold_scores_are_calibrated(patients: pd.DataFrame, scores: dict[str, np.ndarray]) -> None:
    """The slope of treatment on the logit of the score is near one; scores of trees that saw the patient would have far more than one."""
    for name in ("trees", "best", "rich"):
        slope = fit_logistic(np.column_stack([np.ones(2000), logit(scores[name])]), patients["treated"].to_numpy()).coefficients[1]
        assert 0.8 < slope < 1.25


def test_a_large_penalty_leaves_the_share_and_lasso_drops_what_is_noise(patients: pd.DataFrame, scores: dict[str, np.ndarray]) -> None:
    assert scores["ridge"].mean() == pytest.approx(patients["treated"].mean(), abs=1e-3)
    assert scores["lasso"].mean() == pytest.approx(patients["treated"].mean(), abs=2e-3)


def test_the_same_seed_gives_the_same_scores_and_a_score_added_last_moves_none(patients: pd.DataFrame, scores: dict[str, np.ndarray]) -> None:
    matrix, treated = build_design_matrix(patients, COVARIATES), patients["treated"].to_numpy()
    fewer = PropensitySection.of({name: SECTION.plain()[name] for name in ("main", "rich", "ridge", "lasso", "trees")})  # type: ignore[index]
    again = fit_scores(matrix, treated, fewer, rng=np.random.default_rng(1))
    for name, score in again.items():
        assert isinstance(score, PropensityScore)
        np.testing.assert_array_equal(score.score, scores[name])


def test_the_convex_combination_has_the_largest_likelihood() -> None:
    rng = np.random.default_rng(3)
    truth = rng.uniform(0.1, 0.9, 500)
    treated = rng.random(500) < truth
    predictions = np.column_stack([expit(logit(truth) + rng.normal(0, scale, 500)) for scale in (0.3, 0.6, 2.0)])

    def loss(share: np.ndarray) -> float:
        return -float(np.log(np.where(treated, predictions @ share, 1 - predictions @ share)).sum())

    best = minimize(loss, np.ones(3) / 3, bounds=[(0, 1)] * 3, constraints={"type": "eq", "fun": lambda share: share.sum() - 1}, tol=1e-12)
    combined = combine_convexly(predictions, treated)
    assert -np.log(np.where(treated, combined, 1 - combined)).sum() == pytest.approx(best.fun, abs=1e-5)


def test_folds_share_both_arms_equally() -> None:
    treated = np.arange(103) < 23
    fold = draw_folds(treated, 5, rng=np.random.default_rng(1))
    for arm in (treated, ~treated):
        counts = np.bincount(fold[arm], minlength=5)
        assert np.ptp(counts) <= 1
