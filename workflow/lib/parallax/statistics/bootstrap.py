"""Bootstrap by frequency weights: every resample is a vector of weights on the same patients, so no row is copied and no sort repeated."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from parallax.errors import NotEstimable, StatisticsError
from parallax.statistics.domain import FloatArray, IntArray, check_binary, check_matrix, check_weights
from parallax.statistics.logistic import fit_logistic
from parallax.statistics.weighting import propensity_weights
from parallax.vocabulary import Estimand

#: largest share of resamples that may fail: a bootstrap of those that work would be too sure
MOST_FAILED = 0.05


def resample_weighting(
    regressors: ArrayLike, treated: ArrayLike, estimand: Estimand, *, stabilised: bool, resamples: int, rng: np.random.Generator
) -> FloatArray:
    """Weights (resamples, n) of patients drawn with replacement, with the propensity score refitted in every resample.

    Assumption: independent patients. A resample gives patient i the frequency f_i (multinomial, n draws); the logistic score maximises the
    likelihood weighted by f, started from the fit to all, and the patient's weight is f_i times the weight that the refitted score gives
    (Austin 2016, §2.3). ``regressors`` (n, p) with intercept, ``treated`` (n,).
    Raises NotEstimable where the score cannot be fitted in more than one resample of twenty; others are drawn again.
    """
    x = check_matrix("regressors", regressors)
    arm = check_binary("treated", treated, size=len(x))
    start = fit_logistic(x, arm).coefficients
    weights = np.empty((_check_resamples(resamples), arm.size))
    done, failed = 0, 0
    while done < resamples:
        frequency = np.bincount(rng.integers(arm.size, size=arm.size), minlength=arm.size).astype(np.float64)
        try:
            score = fit_logistic(x, arm, weights=frequency, start=start).fitted
            weight = propensity_weights(score, arm, estimand, stabilised=False)
        except NotEstimable as fault:
            failed += 1
            if failed > max(1.0, MOST_FAILED * resamples):
                raise NotEstimable(f"bootstrap: the score cannot be fitted in {failed} of {done + failed} resamples: {fault}") from None
            continue
        if estimand == "ATE" and stabilised:
            share = float(frequency @ arm) / arm.size
            weight *= np.where(arm, share, 1.0 - share)
        weights[done] = weight * frequency
        done += 1
    return weights


def resample_sets(weights: ArrayLike, matched_set: ArrayLike, *, resamples: int, rng: np.random.Generator) -> FloatArray:
    """Weights (resamples, n) of matched sets drawn with replacement, the score and the sets held fixed (Austin & Small 2014, §2.3).

    ``weights`` (n,) of the matching, ``matched_set`` (n,) numbers the sets, −1 outside. Not for matching with replacement, where the
    bootstrap fails (Abadie & Imbens 2008).
    """
    sets: IntArray = np.asarray(matched_set, dtype=np.int64)
    weight = check_weights(weights, size=sets.size)
    count = int(sets.max(initial=-1)) + 1
    if count < 2:
        raise NotEstimable("bootstrap: fewer than two matched sets")
    drawn = np.stack([np.bincount(rng.integers(count, size=count), minlength=count) for _ in range(_check_resamples(resamples))])
    return np.where(sets >= 0, drawn[:, np.maximum(sets, 0)] * weight, 0.0)


def bootstrap_std_error(effect: Callable[[FloatArray], float], resampled: FloatArray) -> float:
    """Standard deviation (denominator B − 1) of an effect over the resampled weights (B, n) (Efron 1979, §2).

    Raises NotEstimable where the effect cannot be estimated in more than one resample of twenty; others are left out.
    """
    found = []
    reason = ""
    for weights in resampled:
        try:
            found.append(effect(weights))
        except NotEstimable as fault:
            reason = str(fault)
    failed = len(resampled) - len(found)
    if failed > max(1.0, MOST_FAILED * len(resampled)):
        raise NotEstimable(f"bootstrap: not estimable in {failed} of {len(resampled)} resamples: {reason}")
    return float(np.std(found, ddof=1))


def _check_resamples(resamples: int) -> int:
    if resamples < 2:
        raise StatisticsError(f"resamples: found {resamples}; allowed are two or more")
    return resamples
