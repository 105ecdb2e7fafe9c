"""Classifiers that a propensity score can be built of, cross-fitting, and their convex combination."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from parallax.errors import NotEstimable
from parallax.protocol.propensity import BoostedScore, LogisticScore, PenalisedScore
from parallax.statistics.logistic import fit_logistic

Values = NDArray[np.float64]
Predict = Callable[[Values], Values]
#: predictions of a classifier that has gone to its limit still leave both arms possible
_LEAST: Final = 1e-6
#: of out-of-fold logistic regressions
PENALTIES: Final = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0)


def learn_logistic(_model: LogisticScore, values: Values, treated: NDArray[np.bool_], _rng: np.random.Generator) -> Predict:
    """Maximum likelihood on columns that include the intercept; those constant in these rows are left out."""
    kept = np.flatnonzero(np.append(True, np.ptp(values[:, 1:], axis=0) > 0))
    coefficients = fit_logistic(values[:, kept], treated.astype(np.float64)).coefficients
    return lambda rows: np.asarray(expit(rows[:, kept] @ coefficients), dtype=np.float64)


def learn_penalised(model: PenalisedScore, values: Values, treated: NDArray[np.bool_], rng: np.random.Generator) -> Predict:
    """Ridge or lasso (scikit-learn) at the penalty of twenty with the best cross-validated log-likelihood; the intercept is free."""
    from sklearn.linear_model import LogisticRegressionCV

    ridge = model.model == "ridge"
    folds = draw_folds(treated, model.folds, rng=rng)
    splits = [(np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)) for fold in range(model.folds)]
    fitted = LogisticRegressionCV(
        Cs=np.logspace(-4, 2, 20),
        l1_ratios=(0.0 if ridge else 1.0,),
        solver="newton-cholesky" if ridge else "saga",
        scoring="neg_log_loss",
        cv=splits,
        tol=1e-6 if ridge else 1e-4,
        max_iter=1000,
        random_state=int(rng.integers(2**31)),
        use_legacy_attributes=False,
    ).fit(values[:, 1:], treated)
    return lambda rows: np.asarray(fitted.predict_proba(rows[:, 1:])[:, 1], dtype=np.float64)


def learn_boosted(model: BoostedScore, values: Values, treated: NDArray[np.bool_], rng: np.random.Generator) -> Predict:
    """Histogram gradient boosting (scikit-learn) without early stopping."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    fitted = HistGradientBoostingClassifier(
        max_iter=model.trees,
        learning_rate=model.learning_rate,
        max_leaf_nodes=model.leaves,
        early_stopping=False,
        random_state=int(rng.integers(2**31)),
    ).fit(values, treated)
    return lambda rows: np.asarray(fitted.predict_proba(rows)[:, 1], dtype=np.float64)


#: by the protocol's ``model``
LEARNERS: Final[Mapping[str, Callable[[Any, Values, NDArray[np.bool_], np.random.Generator], Predict]]] = {
    "logistic": learn_logistic,
    "ridge": learn_penalised,
    "lasso": learn_penalised,
    "boosting": learn_boosted,
}


def draw_folds(treated: NDArray[np.bool_], folds: int, *, rng: np.random.Generator) -> NDArray[np.int64]:
    """The fold 0 … folds − 1 of each patient, in equal shares of both arms. Raises NotEstimable where an arm has fewer patients than folds."""
    fold = np.empty(len(treated), dtype=np.int64)
    for rows in (np.flatnonzero(treated), np.flatnonzero(~treated)):
        if len(rows) < folds:
            raise NotEstimable(f"an arm has fewer patients than the {folds} folds")
        fold[rng.permutation(rows)] = np.arange(len(rows)) % folds
    return fold


def cross_fit(
    learn: Callable[[Any, Values, NDArray[np.bool_], np.random.Generator], Predict],
    model: Any,
    values: Values,
    treated: NDArray[np.bool_],
    folds: NDArray[np.int64],
    *,
    rng: np.random.Generator,
) -> Values:
    """Predictions (n,) for each patient by the classifier fitted to the other folds, kept off 0 and 1 by 1e-6."""
    predicted = np.empty(len(treated))
    for fold in range(int(folds.max()) + 1):
        held = folds == fold
        predicted[held] = learn(model, values[~held], treated[~held], rng)(values[held])
    return np.clip(predicted, _LEAST, 1 - _LEAST)


def combine_convexly(predictions: Values, treated: NDArray[np.bool_]) -> Values:
    """Σ_k α_k p_k with α ≥ 0, Σ α = 1 at the largest log-likelihood: the mixture's EM, whose every step climbs (Dempster et al. 1977)."""
    likelihood = np.where(treated[:, None], predictions, 1 - predictions)
    share = np.full(predictions.shape[1], 1 / predictions.shape[1])
    for _ in range(10_000):
        member = likelihood * share
        new = (member / member.sum(axis=1, keepdims=True)).mean(axis=0)
        moved, share = np.abs(new - share).max(), new
        if moved < 1e-9:
            break
    combined: Values = predictions @ share
    return combined


def cross_fit_logistic(values: Values, treated: NDArray[np.bool_], folds: NDArray[np.int64]) -> Values:
    """Out-of-fold predictions (n,) of a logistic regression with the penalty ½ λ Σβ² on standardised columns, the intercept free.

    λ is the one of ``PENALTIES`` whose predictions have the largest out-of-fold log-likelihood (a discrete super learner; van der Laan, Polley and
    Hubbard 2007). Without a penalty a rare level that a fold has in one arm only sends a score to 0 or 1, and the weight of that one patient
    decides the answer (docs/decisions/0030-doubly-robust.md).
    """
    best, found = -np.inf, np.empty(0)
    for penalty in PENALTIES:
        ridge = np.append(0.0, np.full(values.shape[1] - 1, penalty))
        predicted = np.empty(len(treated))
        for fold in range(int(folds.max()) + 1):
            held = folds == fold
            coefficients = fit_logistic(values[~held], treated[~held].astype(np.float64), ridge=ridge).coefficients
            predicted[held] = expit(values[held] @ coefficients)
        predicted = np.clip(predicted, _LEAST, 1 - _LEAST)
        likelihood = float(np.sum(np.log(np.where(treated, predicted, 1 - predicted))))
        if likelihood > best:
            best, found = likelihood, predicted
    return found
