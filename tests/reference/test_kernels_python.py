"""The kernels against lifelines and statsmodels, run beside them."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from parallax.statistics.balance import c_statistic, ks_statistics
from parallax.statistics.cox import fit_cox
from parallax.statistics.intervals import normal_interval, normal_p_value, t_interval, t_p_value
from parallax.statistics.logistic import fit_logistic
from parallax.statistics.poisson import fit_poisson
from parallax.statistics.survival import kaplan_meier

TIME, EVENT, TREATED, X, WEIGHT, _ = np.loadtxt(Path(__file__).parent / "kernels.csv", delimiter=",", skiprows=1, unpack=True)
COVARIATES = np.column_stack([TREATED, X])
DESIGN = np.column_stack([np.ones(TIME.size), X])


def test_cox_against_statsmodels() -> None:
    from statsmodels.duration.hazard_regression import PHReg

    for ties in ("breslow", "efron"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = PHReg(TIME, COVARIATES, status=EVENT, ties=ties).fit(gtol=1e-12)
        ours = fit_cox(TIME, EVENT, COVARIATES, ties=ties)
        assert ours.coefficients == pytest.approx(theirs.params, rel=1e-7)
        assert ours.covariance_naive == pytest.approx(theirs.cov_params(), rel=1e-6)


def test_cox_against_lifelines() -> None:
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from lifelines import CoxPHFitter

        frame = pd.DataFrame({"time": TIME, "event": EVENT, "treated": TREATED, "x": X})
        theirs = CoxPHFitter().fit(frame, "time", "event", fit_options={"precision": 1e-12})
    ours = fit_cox(TIME, EVENT, COVARIATES)
    assert ours.coefficients == pytest.approx(theirs.params_.to_numpy(), rel=1e-7)
    assert ours.covariance_naive == pytest.approx(theirs.variance_matrix_.to_numpy(), rel=1e-6)
    assert ours.log_likelihood == pytest.approx(theirs.log_likelihood_, rel=1e-9)


def test_curve_against_lifelines() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from lifelines import KaplanMeierFitter

        theirs = KaplanMeierFitter().fit(TIME, EVENT, weights=WEIGHT)
    ours = kaplan_meier(TIME, EVENT, weights=WEIGHT)
    assert ours.survival == pytest.approx(theirs.survival_function_["KM_estimate"].to_numpy(), rel=1e-9)


def test_logistic_against_statsmodels() -> None:
    from statsmodels.api import GLM, families

    for weights in (None, WEIGHT):
        theirs = GLM(TREATED, DESIGN, family=families.Binomial(), freq_weights=weights).fit(tol=1e-14, maxiter=100)
        ours = fit_logistic(DESIGN, TREATED, weights=weights)
        assert ours.coefficients == pytest.approx(theirs.params, rel=1e-8)
        assert ours.covariance == pytest.approx(theirs.cov_params(), rel=1e-8)
        assert ours.log_likelihood == pytest.approx(theirs.llf, rel=1e-10)


def test_poisson_against_statsmodels() -> None:
    from statsmodels.api import GLM, families

    events = np.random.default_rng(8).poisson(1.0 + TREATED, len(TIME))
    for exposure in (None, TIME):
        theirs = GLM(events, DESIGN, family=families.Poisson(), exposure=exposure).fit(tol=1e-14, maxiter=100)
        ours = fit_poisson(DESIGN, events, exposure=exposure)
        assert ours.coefficients == pytest.approx(theirs.params, rel=1e-8)
        assert ours.covariance == pytest.approx(theirs.cov_params(), rel=1e-8)
        assert ours.fitted == pytest.approx(theirs.fittedvalues, rel=1e-8)


def test_distances_against_scikit_learn_and_scipy() -> None:
    from sklearn.metrics import roc_auc_score

    score = X.round(1)
    assert c_statistic(score, TREATED, WEIGHT) == pytest.approx(roc_auc_score(TREATED, score, sample_weight=WEIGHT), rel=1e-10)
    expected = stats.ks_2samp(score[TREATED == 1], score[TREATED == 0]).statistic
    assert ks_statistics(score[:, None], TREATED) == pytest.approx([expected], rel=1e-12)


def test_intervals_against_scipy() -> None:
    for df in (0.5, 3.7, 40.0, 1e6):
        assert t_interval(1.3, 0.4, df, level=0.9) == pytest.approx(stats.t.interval(0.9, df, loc=1.3, scale=0.4), rel=1e-9)
        assert t_p_value(1.3, 0.4, df) == pytest.approx(2 * stats.t.sf(1.3 / 0.4, df), rel=1e-9)
    assert normal_interval(1.3, 0.4) == pytest.approx(stats.norm.interval(0.95, loc=1.3, scale=0.4), rel=1e-12)
    assert normal_p_value(1.3, 0.4) == pytest.approx(2 * stats.norm.sf(1.3 / 0.4), rel=1e-12)
