"""Bad input is named: what was found, never a silent number, never a patient's value."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from parallax.errors import NotEstimable, StatisticsError
from parallax.statistics.balance import c_statistic, effective_sample_size, equipoise_share, ks_statistics, standardised_differences, variance_ratios
from parallax.statistics.cox import baseline_hazard, fit_cox
from parallax.statistics.logistic import fit_logistic
from parallax.statistics.matching import match_nearest, pooled_within_sd
from parallax.statistics.survival import kaplan_meier, restricted_mean_difference, survival_difference
from parallax.statistics.weighting import propensity_weights

RNG = np.random.default_rng(5)
N = 60
TIME = RNG.exponential(10, N) + 0.1
EVENT = np.arange(N) % 3 > 0
TREATED = np.arange(N) % 2 == 0
X = np.column_stack([TREATED, RNG.normal(size=(N, 2))]).astype(float)
DESIGN = np.column_stack([np.ones(N), X[:, 1:]])
ONES = np.ones(N)

WEIGHTED: dict[str, Callable[[np.ndarray], object]] = {
    "fit_cox": lambda w: fit_cox(TIME, EVENT, X, weights=w),
    "baseline_hazard": lambda w: baseline_hazard(fit_cox(TIME, EVENT, X), TIME, EVENT, X, weights=w),
    "fit_logistic": lambda w: fit_logistic(DESIGN, TREATED, weights=w),
    "kaplan_meier": lambda w: kaplan_meier(TIME, EVENT, weights=w),
    "survival_difference": lambda w: survival_difference(TIME, EVENT, TREATED, 5.0, weights=w),
    "restricted_mean_difference": lambda w: restricted_mean_difference(TIME, EVENT, TREATED, 5.0, weights=w),
    "standardised_differences": lambda w: standardised_differences(X, TREATED, w),
    "variance_ratios": lambda w: variance_ratios(X, TREATED, w),
    "ks_statistics": lambda w: ks_statistics(X, TREATED, w),
    "c_statistic": lambda w: c_statistic(X[:, 1], TREATED, w),
    "effective_sample_size": effective_sample_size,
}


def replaced(values: np.ndarray, value: float) -> np.ndarray:
    changed = np.array(values, dtype=float)
    changed[3] = value
    return changed


@pytest.mark.parametrize("name", WEIGHTED)
@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (replaced(ONES, np.nan), "weights: 1 of 60 values are NaN or infinite"),
        (replaced(ONES, np.inf), "weights: 1 of 60 values are NaN or infinite"),
        (replaced(ONES, -1.0), "weights: 1 of 60 values are negative"),
        (0.0 * ONES, "weights: all 60 are zero"),
    ],
    ids=["nan", "infinite", "negative", "zero"],
)
def test_weights(name: str, weights: np.ndarray, message: str) -> None:
    with pytest.raises(StatisticsError, match=message):
        WEIGHTED[name](weights)


@pytest.mark.parametrize("name", sorted(WEIGHTED.keys() - {"effective_sample_size"}))
def test_weights_of_another_length(name: str) -> None:
    with pytest.raises(StatisticsError, match="weights: found an array of shape"):
        WEIGHTED[name](np.ones(N - 1))


ARMS: dict[str, Callable[[np.ndarray], object]] = {
    "propensity_weights": lambda arm: propensity_weights(0.5 * ONES, arm, "ATO", stabilised=True),
    "match_nearest": lambda arm: match_nearest(X[:, 1], arm, caliper=None),
    "pooled_within_sd": lambda arm: pooled_within_sd(X[:, 1], arm),
    "standardised_differences": lambda arm: standardised_differences(X, arm),
    "variance_ratios": lambda arm: variance_ratios(X, arm),
    "ks_statistics": lambda arm: ks_statistics(X, arm),
    "equipoise_share": lambda arm: equipoise_share(0.5 * ONES, arm),
    "c_statistic": lambda arm: c_statistic(X[:, 1], arm),
    "fit_logistic": lambda arm: fit_logistic(DESIGN, arm),
    "survival_difference": lambda arm: survival_difference(TIME, EVENT, arm, 5.0),
    "restricted_mean_difference": lambda arm: restricted_mean_difference(TIME, EVENT, arm, 5.0),
}


@pytest.mark.parametrize("name", ARMS)
@pytest.mark.parametrize("arm", [ONES, 0 * ONES], ids=["no comparators", "no treated"])
def test_an_empty_arm(name: str, arm: np.ndarray) -> None:
    with pytest.raises(NotEstimable, match=r"empty|one class|fewer than two"):
        ARMS[name](arm)


def test_an_arm_emptied_by_weights() -> None:
    for name in ("survival_difference", "restricted_mean_difference", "standardised_differences", "ks_statistics", "c_statistic"):
        with pytest.raises(NotEstimable, match="empty"):
            WEIGHTED[name](np.where(TREATED, 0.0, 1.0))
    with pytest.raises(NotEstimable, match="constant"):
        WEIGHTED["fit_cox"](np.where(TREATED, 0.0, 1.0))


@pytest.mark.parametrize("bad", [0.0, -1.0])
def test_follow_up_that_is_not_positive(bad: float) -> None:
    time = replaced(TIME, bad)
    for estimate in (
        lambda: fit_cox(time, EVENT, X),
        lambda: kaplan_meier(time, EVENT),
        lambda: survival_difference(time, EVENT, TREATED, 5.0),
        lambda: restricted_mean_difference(time, EVENT, TREATED, 5.0),
    ):
        with pytest.raises(StatisticsError, match="time: 1 of 60 values are zero or negative"):
            estimate()


def test_values_that_are_missing_or_miscoded() -> None:
    with pytest.raises(StatisticsError, match="covariates: 1 of 180 values are NaN"):
        fit_cox(TIME, EVENT, np.where(np.arange(180).reshape(N, 3) == 7, np.nan, X))
    with pytest.raises(StatisticsError, match="design: 1 of 180 values are NaN"):
        fit_logistic(np.where(np.arange(180).reshape(N, 3) == 7, np.nan, DESIGN), TREATED)
    with pytest.raises(StatisticsError, match="event: 1 of 60 values are neither 0 nor 1"):
        kaplan_meier(TIME, replaced(EVENT, 2.0))
    with pytest.raises(StatisticsError, match="time: 1 of 60 values are NaN"):
        kaplan_meier(replaced(TIME, np.nan), EVENT)
    with pytest.raises(StatisticsError, match="clusters: found shape"):
        fit_cox(TIME, EVENT, X, clusters=np.zeros(3, dtype=int))
    with pytest.raises(StatisticsError, match="event: found an array"):
        fit_cox(TIME, EVENT[1:], X)
    with pytest.raises(StatisticsError, match="ties: found"):
        fit_cox(TIME, EVENT, X, ties="exact")  # type: ignore[arg-type]
    with pytest.raises(StatisticsError, match="ridge"):
        fit_cox(TIME, EVENT, X, ridge=-1.0)
    with pytest.raises(StatisticsError, match="estimand: found"):
        propensity_weights(0.5 * ONES, TREATED, "ATX", stabilised=True)  # type: ignore[arg-type]
    with pytest.raises(StatisticsError, match="caliper: found"):
        match_nearest(TIME, TREATED, caliper=-1.0)
    with pytest.raises(StatisticsError, match="ratio: found 0"):
        match_nearest(TIME, TREATED, caliper=None, ratio=0)
    with pytest.raises(StatisticsError, match="ratio: found None with replacement"):
        match_nearest(TIME, TREATED, caliper=None, ratio=None, replace=True)
    with pytest.raises(StatisticsError, match="order: found 'closest'"):
        match_nearest(TIME, TREATED, caliper=None, order="closest")  # type: ignore[arg-type]
    with pytest.raises(StatisticsError, match="rng: found None"):
        match_nearest(TIME, TREATED, caliper=None, order="random")
    with pytest.raises(StatisticsError, match="exact: found shape"):
        match_nearest(TIME, TREATED, caliper=None, exact=TIME)
    with pytest.raises(StatisticsError, match="covariates: found 1 columns"):
        baseline_hazard(fit_cox(TIME, EVENT, X), TIME, EVENT, X[:, :1])


def test_messages_hold_no_value() -> None:
    with pytest.raises(StatisticsError) as fault:
        kaplan_meier(replaced(TIME, -123.456), EVENT)
    assert "123" not in str(fault.value)


def test_no_events() -> None:
    with pytest.raises(NotEstimable, match="no events"):
        fit_cox(TIME, 0 * ONES, X)
    with pytest.raises(NotEstimable, match="no events"):
        baseline_hazard(fit_cox(TIME, EVENT, X), TIME, 0 * ONES, X)
    for measure in (survival_difference, restricted_mean_difference):
        with pytest.raises(NotEstimable, match="no variation up to the horizon"):
            measure(TIME, 0 * ONES, TREATED, 5.0)


def test_no_events_in_an_arm() -> None:
    with pytest.raises(NotEstimable, match="monotone likelihood: no events at one level") as fault:
        fit_cox(TIME, EVENT & ~TREATED, X)
    assert fault.value.columns == (0,)


def test_covariate_that_orders_the_events() -> None:
    with pytest.raises(NotEstimable, match="monotone likelihood") as fault:
        fit_cox(TIME, EVENT, np.column_stack([X, -TIME]))
    assert fault.value.columns == (3,)


def test_covariate_that_varies_before_the_first_event_only() -> None:
    early = np.zeros(N)
    early[np.argsort(TIME)[:2]] = [1.0, 0.5]
    with pytest.raises(NotEstimable, match="monotone likelihood"):
        fit_cox(TIME, EVENT & (early == 0), early[:, None])


@pytest.mark.parametrize(("column", "message"), [(4.0 * ONES, "constant"), (X[:, 0] + 2 * X[:, 1], "collinear")])
def test_constant_and_collinear_covariates(column: np.ndarray, message: str) -> None:
    wide = np.column_stack([X, column])
    with pytest.raises(NotEstimable, match=message) as fault:
        fit_cox(TIME, EVENT, wide)
    assert fault.value.columns == (3,)
    with pytest.raises(NotEstimable, match="collinear") as fault:
        fit_logistic(np.column_stack([ONES, wide]), EVENT)
    assert fault.value.columns == (4,)
    # a penalty makes both estimable
    assert np.all(np.isfinite(fit_cox(TIME, EVENT, wide, ridge=1.0).covariance_robust))
    assert np.all(np.isfinite(fit_logistic(np.column_stack([ONES, wide]), EVENT, ridge=1.0).covariance))


def test_separation_names_the_column() -> None:
    with pytest.raises(NotEstimable, match="separated") as fault:
        fit_logistic(np.column_stack([DESIGN, TREATED]), TREATED)
    assert fault.value.columns == (3,)
    # quasi-complete: all five patients with the mark are treated
    mark = np.isin(np.arange(N), np.flatnonzero(TREATED)[:5]).astype(float)
    with pytest.raises(NotEstimable, match="separated") as fault:
        fit_logistic(np.column_stack([DESIGN, mark]), TREATED)
    assert fault.value.columns == (3,)
    # only the sum of two columns separates
    with pytest.raises(NotEstimable, match="separated") as fault:
        fit_logistic(DESIGN, X[:, 1] + X[:, 2] > 0)
    assert fault.value.columns == (1, 2)
    # a penalty makes it estimable
    assert np.all(np.isfinite(fit_logistic(np.column_stack([DESIGN, mark]), TREATED, ridge=[0, 0, 0, 1.0]).coefficients))


def test_all_times_tied() -> None:
    # one risk set of which all members have the event: nothing to learn, an estimate of zero; with censoring a proper estimate
    assert fit_cox(ONES, ONES, X).coefficients == pytest.approx(np.zeros(3), abs=1e-12)
    assert np.all(np.isfinite(fit_cox(ONES, EVENT, X).covariance_robust))
    assert kaplan_meier(ONES, EVENT).survival == pytest.approx([1.0, 1.0 - EVENT.mean()])


def test_one_patient() -> None:
    curve = kaplan_meier([2.0], [1])
    assert curve.survival.tolist() == [1.0, 0.0]
    with pytest.raises(NotEstimable, match="constant"):
        fit_cox([2.0], [1], [[1.0]])
    with pytest.raises(NotEstimable, match="one class"):
        fit_logistic([[1.0]], [1])
    with pytest.raises(NotEstimable, match="empty"):
        survival_difference([2.0], [1], [1], 1.0)
    with pytest.raises(NotEstimable, match="fewer than two"):
        standardised_differences([[1.0], [2.0]], [1, 0])


def test_horizon_beyond_follow_up() -> None:
    for measure in (survival_difference, restricted_mean_difference):
        with pytest.raises(NotEstimable, match="follow-up of the treated arm ends before the horizon of 30"):
            measure(TIME.clip(max=20), EVENT & (TIME < 20) & (np.arange(N) % 4 > 0), TREATED, 30.0)
        with pytest.raises(StatisticsError, match="horizon: found"):
            measure(TIME, EVENT, TREATED, 0.0)


def test_positivity() -> None:
    with pytest.raises(NotEstimable, match="positivity: some propensity scores"):
        propensity_weights(replaced(0.5 * ONES, 1.0), TREATED, "ATE", stabilised=True)
    with pytest.raises(StatisticsError, match="propensity: found values outside"):
        equipoise_share(replaced(0.5 * ONES, 1.5), TREATED)


def test_negative_lookup() -> None:
    with pytest.raises(StatisticsError, match="times: found a negative"):
        kaplan_meier(TIME, EVENT).at(-1.0)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ([-1.0, 0.0, 0.0, 0.0], r"entry: 1 of 4 values are negative"),
        ([0.0, 2.0, 0.0, 0.0], r"entry: 1 of 4 values are at or after the end of follow-up"),
    ],
)
def test_entry_times_of_a_cox_regression(entry: list[float], message: str) -> None:
    with pytest.raises(StatisticsError, match=message):
        fit_cox([1.0, 2.0, 3.0, 4.0], [1, 1, 0, 1], [[1.0], [0.0], [1.0], [0.0]], entry=entry)
