"""Design matrices and propensity scores of a few patients, worked by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from parallax.design.matrix import DesignMatrix, build_design_matrix
from parallax.design.propensity import PropensityScore, fit_maximum_likelihood
from parallax.design.registry import COMPARISONS, Arms, Comparison
from parallax.errors import NotEstimable
from parallax.protocol.cohort import Covariates
from parallax.protocol.designs import MatchDesign, WeightDesign
from parallax.protocol.propensity import LogisticScore


def frame(**columns: list[object]) -> pd.DataFrame:
    return pd.DataFrame(columns)


def fit(matrix: DesignMatrix, treated: NDArray[np.bool_]) -> PropensityScore:
    return fit_maximum_likelihood(matrix, treated, LogisticScore(model="logistic"))


def compare(design: MatchDesign | WeightDesign, matrix: DesignMatrix, score: PropensityScore, treated: NDArray[np.bool_]) -> Comparison:
    return COMPARISONS[design.method](design, Arms(treated, matrix, pd.DataFrame(index=range(len(treated))), score), np.random.default_rng(1))


def test_missing_number_is_the_median_and_an_indicator() -> None:
    matrix = build_design_matrix(frame(age=[1.0, 3.0, np.nan, 8.0]), Covariates(numeric=("age",)))
    assert list(zip(matrix.covariates, matrix.levels, strict=True)) == [("age", None), ("age", "(missing)")]
    assert matrix.values[:, 0].tolist() == [1.0, 3.0, 3.0, 8.0]
    assert matrix.values[:, 1].tolist() == [0.0, 0.0, 1.0, 0.0]


def test_missing_level_is_a_level_and_two_levels_have_one_column() -> None:
    patients = frame(sex=["f", "m", "f", "m"], stage=["I", None, "II", "I"])
    matrix = build_design_matrix(patients, Covariates(categorical=("sex", "stage")))
    assert list(zip(matrix.covariates, matrix.levels, strict=True)) == [("sex", "m"), ("stage", "(missing)"), ("stage", "I"), ("stage", "II")]


def test_constant_and_repeated_columns_are_not_modelled() -> None:
    patients = frame(a=[1.0, 2.0, 4.0, 3.0, 9.0], constant=[5.0] * 5, twice=[2.0, 4.0, 8.0, 6.0, 18.0], stage=["I", "II", "III", "II", "I"])
    matrix = build_design_matrix(patients, Covariates(numeric=("a", "constant", "twice"), categorical=("stage",)))
    modelled = {(matrix.covariates[column], matrix.levels[column]) for column in matrix.modelled(np.ones(5, dtype=bool))}
    assert modelled == {("a", None), ("stage", "II"), ("stage", "III")}


def test_score_of_a_saturated_model_is_the_share_treated_in_each_level() -> None:
    patients = frame(stage=["I"] * 4 + ["II"] * 3)
    treated = np.array([1, 0, 0, 0, 1, 1, 0], dtype=bool)
    score = fit(build_design_matrix(patients, Covariates(categorical=("stage",))), treated)
    assert score.score == pytest.approx([1 / 4] * 4 + [2 / 3] * 3, abs=1e-9)
    assert score.comparable.all()


def test_a_level_of_one_arm_is_set_aside_and_the_others_keep_their_likelihood() -> None:
    patients = frame(stage=["I"] * 4 + ["II"] * 3 + ["III"] * 2)
    treated = np.array([1, 0, 0, 0, 1, 1, 0, 0, 0], dtype=bool)
    covariates = build_design_matrix(patients, Covariates(categorical=("stage",)))
    score = fit(covariates, treated)
    assert score.comparable.tolist() == [True] * 7 + [False] * 2
    assert score.score == pytest.approx([1 / 4] * 4 + [2 / 3] * 3 + [0, 0], abs=1e-9)
    weighted = compare(WeightDesign(method="weight", estimand="ATT"), covariates, score, treated)
    assert weighted.weight == pytest.approx([1, 1 / 3, 1 / 3, 1 / 3, 1, 1, 2, 0, 0], abs=1e-8)
    assert weighted.effective_estimand == "ATT among the comparable"


def test_a_covariate_that_separates_the_arms_is_named() -> None:
    treated = np.array([0, 0, 0, 1, 1, 1], dtype=bool)
    levels = build_design_matrix(frame(ward=["a", "a", "a", "b", "b", "b"]), Covariates(categorical=("ward",)))
    with pytest.raises(NotEstimable, match="share no level of these covariates: ward"):
        fit(levels, treated)
    numbers = build_design_matrix(
        frame(age=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], other=[1.0, 4.0, 2.0, 3.0, 1.0, 2.0]), Covariates(numeric=("age", "other"))
    )
    with pytest.raises(NotEstimable, match="age"):
        fit(numbers, treated)


def test_a_constant_covariate_leaves_the_share_treated_as_everybodys_score() -> None:
    score = fit(build_design_matrix(frame(one=[1.0] * 4), Covariates(numeric=("one",))), np.array([1, 0, 0, 0], dtype=bool))
    assert score.score == pytest.approx([1 / 4] * 4)


def test_matching_starts_from_the_smaller_arm_and_names_whom_it_is_about() -> None:
    patients = frame(age=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0])
    for treated, estimand in (([1, 0, 0, 1, 0, 0, 1, 0], "ATT"), ([0, 1, 1, 0, 1, 1, 0, 1], "ATC")):
        arm = np.array(treated, dtype=bool)
        covariates = build_design_matrix(patients, Covariates(numeric=("age",)))
        score = fit(covariates, arm)
        matched = compare(MatchDesign(method="match", caliper_sd=10), covariates, score, arm)
        assert matched.effective_estimand == estimand
        assert int((matched.matched_set >= 0).sum()) == 6
