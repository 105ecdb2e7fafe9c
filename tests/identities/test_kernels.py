"""Two routes to one number: the kernels against definitions, numerical derivatives and brute force."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from parallax.statistics.balance import c_statistic, ks_statistics, standardised_differences, variance_ratios
from parallax.statistics.cox import Ties, baseline_hazard, fit_cox
from parallax.statistics.logistic import fit_logistic
from parallax.statistics.survival import kaplan_meier, restricted_mean_difference, survival_difference
from parallax.statistics.weighting import propensity_weights


@dataclass(frozen=True)
class Sample:
    time: np.ndarray
    event: np.ndarray
    treated: np.ndarray
    x: np.ndarray
    weight: np.ndarray


@pytest.fixture
def sample() -> Sample:
    return draw(80)


def draw(n: int, *, tied: bool = True) -> Sample:
    rng = np.random.default_rng(11)
    x = rng.normal(size=(n, 2))
    treated = rng.random(n) < 1 / (1 + np.exp(-x[:, 0]))
    event_time, censored = rng.exponential(10 * np.exp(-0.5 * treated - 0.3 * x[:, 1])), rng.uniform(2, 25, n)
    time = np.minimum(event_time, censored)
    time = np.ceil(time) if tied else time
    return Sample(time, event_time <= censored, treated, np.column_stack([treated, x]), rng.uniform(0.2, 3, n))


def gradient_of_weights(estimate, weight: np.ndarray) -> np.ndarray:
    """w_i ∂estimate/∂w_i by central differences, one row per patient."""
    rows = []
    for i in range(weight.size):
        up, down = weight.copy(), weight.copy()
        up[i] *= 1 + 1e-5
        down[i] *= 1 - 1e-5
        rows.append((np.atleast_1d(estimate(up)) - np.atleast_1d(estimate(down))) / 2e-5)
    return np.array(rows)


@pytest.mark.parametrize(("ties", "tied"), [("breslow", True), ("efron", False)])
def test_robust_cox_variance_is_that_of_the_numerical_influence(ties: Ties, tied: bool) -> None:
    s = draw(80, tied=tied)
    influence = gradient_of_weights(lambda w: fit_cox(s.time, s.event, s.x, weights=w, ties=ties).coefficients, s.weight)
    fit = fit_cox(s.time, s.event, s.x, weights=s.weight, ties=ties)
    assert fit.covariance_robust == pytest.approx(influence.T @ influence, rel=1e-6, abs=1e-9)
    sets = np.arange(80) // 2
    paired = influence[::2] + influence[1::2]
    clustered = fit_cox(s.time, s.event, s.x, weights=s.weight, ties=ties, clusters=sets)
    assert clustered.covariance_robust == pytest.approx(paired.T @ paired, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_cox_likelihood_by_its_definition(sample: Sample, ties: Ties) -> None:
    s = sample
    fit = fit_cox(s.time, s.event, s.x, weights=s.weight, ties=ties, ridge=0.7)
    risk = s.weight * np.exp(s.x @ fit.coefficients)
    expected = float(np.sum(s.weight[s.event] * (s.x @ fit.coefficients)[s.event]))
    for at in np.unique(s.time[s.event]):
        dying = s.event & (s.time == at)
        count = int(dying.sum())
        gone = np.arange(count) / count if ties == "efron" else np.zeros(count)
        expected -= float(s.weight[dying].mean() * np.sum(np.log(risk[s.time >= at].sum() - gone * risk[dying].sum())))
    assert fit.log_likelihood == pytest.approx(expected, rel=1e-12)


def test_cox_ridge_depends_on_the_scale_as_declared(sample: Sample) -> None:
    # penalising x·10 by 100 λ is penalising x by λ
    s = sample
    plain, scaled = fit_cox(s.time, s.event, s.x, ridge=2.0), fit_cox(s.time, s.event, s.x * 10, ridge=200.0)
    assert scaled.coefficients * 10 == pytest.approx(plain.coefficients, rel=1e-10)


def test_cox_penalised_fully_is_nelson_aalen(sample: Sample) -> None:
    s = sample
    fit = fit_cox(s.time, s.event, s.x, ridge=1e15, weights=s.weight)
    times, increments = baseline_hazard(fit, s.time, s.event, s.x, weights=s.weight)
    curve = kaplan_meier(s.time, s.event, weights=s.weight)
    jumps = curve.events > 0
    assert times == pytest.approx(curve.times[jumps])
    assert increments == pytest.approx((curve.events / curve.at_risk)[jumps], rel=1e-9)


def test_breslow_hazard_expects_as_many_events_as_occur(sample: Sample) -> None:
    s = sample
    fit = fit_cox(s.time, s.event, s.x, weights=s.weight, ties="breslow")
    times, increments = baseline_hazard(fit, s.time, s.event, s.x, weights=s.weight)
    cumulative = np.array([increments[times <= t].sum() for t in s.time])
    martingale = s.weight * (s.event - cumulative * np.exp(s.x @ fit.coefficients))
    assert martingale.sum() == pytest.approx(0, abs=1e-10)
    assert martingale @ s.x == pytest.approx(np.zeros(3), abs=1e-9)


def test_survival_variances_are_those_of_the_numerical_influence(sample: Sample) -> None:
    s = sample
    at = [3.0, 6.0, 9.0]
    influence = gradient_of_weights(lambda w: kaplan_meier(s.time, s.event, weights=w).at(at), s.weight)
    curve = kaplan_meier(s.time, s.event, weights=s.weight)
    assert curve.std_error[np.searchsorted(curve.times, at)] == pytest.approx(np.sqrt(np.sum(influence**2, axis=0)), rel=1e-7)
    for measure in (survival_difference, restricted_mean_difference):
        rows = gradient_of_weights(lambda w, f=measure: f(s.time, s.event, s.treated, 7.5, weights=w).estimate, s.weight)
        assert measure(s.time, s.event, s.treated, 7.5, weights=s.weight).std_error == pytest.approx(np.sqrt(np.sum(rows**2)), rel=1e-7)
        paired = rows[::2] + rows[1::2]
        clustered = measure(s.time, s.event, s.treated, 7.5, weights=s.weight).clustered_std_error(np.arange(80) // 2)
        assert clustered == pytest.approx(np.sqrt(np.sum(paired**2)), rel=1e-7)


def test_differences_agree_with_the_curves(sample: Sample) -> None:
    s = sample
    treated, comparator = (kaplan_meier(s.time[arm], s.event[arm], weights=s.weight[arm]) for arm in (s.treated, ~s.treated))
    risk = survival_difference(s.time, s.event, s.treated, 7.5, weights=s.weight)
    assert risk.estimate == pytest.approx(comparator.at(7.5) - treated.at(7.5), rel=1e-12)
    grid = (np.arange(75_000) + 0.5) / 10_000
    mean = restricted_mean_difference(s.time, s.event, s.treated, 7.5, weights=s.weight)
    assert mean.estimate == pytest.approx(7.5 * np.mean(treated.at(grid) - comparator.at(grid)), rel=1e-9)


def test_without_censoring_survival_is_counting(sample: Sample) -> None:
    s = sample
    treated, other = s.time[s.treated], s.time[~s.treated]
    everyone = np.ones(80)
    risk = survival_difference(s.time, everyone, s.treated, 5.0)
    shares = [np.mean(treated <= 5), np.mean(other <= 5)]
    assert risk.estimate == pytest.approx(shares[0] - shares[1])
    assert risk.std_error == pytest.approx(np.sqrt(sum(p * (1 - p) / n for p, n in zip(shares, (treated.size, other.size), strict=True))))
    mean = restricted_mean_difference(s.time, everyone, s.treated, 5.0)
    cut = [treated.clip(max=5), other.clip(max=5)]
    assert mean.estimate == pytest.approx(cut[0].mean() - cut[1].mean())
    assert mean.std_error == pytest.approx(np.sqrt(sum(np.var(c) / c.size for c in cut)))


def test_whole_weights_are_repeated_patients(sample: Sample) -> None:
    s = sample
    count = np.random.default_rng(3).integers(0, 4, 80)
    again = np.repeat(np.arange(80), count)
    weighted = fit_cox(s.time, s.event, s.x, weights=count, ties="breslow")
    repeated = fit_cox(s.time[again], s.event[again], s.x[again], ties="breslow", clusters=again)
    assert weighted.coefficients == pytest.approx(repeated.coefficients, rel=1e-10)
    assert weighted.covariance_naive == pytest.approx(repeated.covariance_naive, rel=1e-10)
    assert weighted.covariance_robust == pytest.approx(repeated.covariance_robust, rel=1e-10)
    curve = kaplan_meier(s.time, s.event, weights=count)
    assert curve.survival == pytest.approx(kaplan_meier(s.time[again], s.event[again]).survival, rel=1e-12)
    design = np.column_stack([np.ones(80), s.x[:, 1:]])
    one, other = fit_logistic(design, s.treated, weights=count), fit_logistic(design[again], s.treated[again])
    assert one.coefficients == pytest.approx(other.coefficients, rel=1e-9)
    assert one.covariance == pytest.approx(other.covariance, rel=1e-9)
    assert ks_statistics(s.x, s.treated, count) == pytest.approx(ks_statistics(s.x[again], s.treated[again]), abs=1e-12)
    assert c_statistic(s.x[:, 1], s.treated, count) == pytest.approx(c_statistic(s.x[again, 1], s.treated[again]), rel=1e-12)


def test_overlap_weights_balance_the_model_exactly(sample: Sample) -> None:
    design = np.column_stack([np.ones(80), sample.x[:, 1:]])
    weights = propensity_weights(fit_logistic(design, sample.treated).fitted, sample.treated, "ATO", stabilised=True)
    assert standardised_differences(design, sample.treated, weights) == pytest.approx(np.zeros(3), abs=1e-10)


def test_logistic_score_vanishes(sample: Sample) -> None:
    design = np.column_stack([np.ones(80), sample.x[:, 1:]])
    penalty = np.array([0.0, 2.0, 0.5])
    fit = fit_logistic(design, sample.treated, weights=sample.weight, ridge=penalty)
    assert design.T @ (sample.weight * (sample.treated - fit.fitted)) == pytest.approx(penalty * fit.coefficients, abs=1e-10)


def test_c_statistic_by_pairs(sample: Sample) -> None:
    score = sample.x[:, 1].round(1)
    ones, zeros = score[sample.treated][:, None], score[~sample.treated][None, :]
    pairs = sample.weight[sample.treated][:, None] * sample.weight[~sample.treated][None, :]
    expected = np.sum(pairs * ((ones > zeros) + 0.5 * (ones == zeros))) / pairs.sum()
    assert c_statistic(score, sample.treated, sample.weight) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_balance_by_its_definitions(weighted: bool) -> None:
    rng = np.random.default_rng(8)
    treated, weight = rng.random(90) < 0.4, rng.uniform(0.1, 4, 90) * (rng.random(90) < 0.9) if weighted else np.ones(90)
    columns = np.column_stack([1e6 + rng.normal(size=90), rng.integers(0, 4, 90), rng.random(90) < 0.2, np.full(90, 0.1)]).astype(float)
    one, other = columns[treated], columns[~treated]
    w1, w0 = weight[treated], weight[~treated]
    means = np.average(one, axis=0, weights=w1), np.average(other, axis=0, weights=w0)
    spread = np.sqrt((one.var(axis=0, ddof=1) + other.var(axis=0, ddof=1)) / 2)
    smd = standardised_differences(columns, treated, weight)
    assert smd[:3] == pytest.approx((means[0] - means[1])[:3] / spread[:3], rel=1e-8)
    # a column without spread has no difference, not the ratio of two rounding errors
    assert smd[3] == 0.0
    variances = [
        np.average((x - mean) ** 2, axis=0, weights=w) / (1 - np.sum((w / w.sum()) ** 2))
        for x, mean, w in zip((one, other), means, (w1, w0), strict=True)
    ]
    assert variance_ratios(columns, treated, weight)[:3] == pytest.approx(variances[0][:3] / variances[1][:3], rel=1e-8)
    at = columns[:, None, :] <= columns[None, :, :]
    curves = [np.average(at[rows], axis=0, weights=w) for rows, w in ((treated, w1), (~treated, w0))]
    assert ks_statistics(columns, treated, weight) == pytest.approx(np.abs(curves[0] - curves[1]).max(axis=0), abs=1e-12)
