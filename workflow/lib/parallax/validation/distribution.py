"""Fidelity of the joint distribution: can synthetic patients be told from real ones? Secondary: it does not rank generators by the effect."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from parallax.errors import NotEstimable
from parallax.protocol.cohort import Covariates
from parallax.protocol.outcomes import OutcomesSection
from parallax.statistics.balance import c_statistic
from parallax.statistics.logistic import fit_logistic
from parallax.synthesis.generator import Context
from parallax.synthesis.predictors import Predictors

FloatArray = NDArray[np.float64]

#: finite coefficients where no real patient is like a synthetic one
_RIDGE: Final = 1e-2
_FOLDS: Final = 2
_FEWEST: Final = 20


def standardise_records(real: pd.DataFrame, synthetic: pd.DataFrame, covariates: Covariates) -> tuple[FloatArray, FloatArray]:
    """Arm and covariates of both sides as columns of mean zero and variance one among the real patients; constant columns are left out."""
    predictors = Predictors.fit(real, Context(covariates, OutcomesSection.model_construct({})), squares=False)
    share, spread = float(real["treated"].mean()), float(real["treated"].std(ddof=0))
    sides = []
    for side in (real, synthetic):
        arm = (side["treated"].to_numpy(float) - share) / spread if spread > 0 else np.zeros(len(side))
        sides.append(np.column_stack([arm, predictors.standardise(side)]) if spread > 0 else predictors.standardise(side))
    return sides[0], sides[1]


def measure_pairwise_gap(real: FloatArray, synthetic: FloatArray) -> float:
    """Mean over pairs of columns of |r_synthetic − r_real|, r Pearson's correlation, 0 with a constant column; NaN with fewer than two columns.

    Of columns (n, p) and (k, p); between 0 and 2.
    """
    if real.shape[1] < 2:
        return math.nan
    pairs = np.triu_indices(real.shape[1], 1)
    return float(np.abs(_correlate(synthetic)[pairs] - _correlate(real)[pairs]).mean())


def measure_pmse_ratio(real: FloatArray, synthetic: FloatArray) -> float:
    """Propensity mean squared error over its expectation for a generator that draws from the real distribution.

    With N = n + k patients, c = k/N and p̂ᵢ the logistic probability of being synthetic given main effects (q coefficients with the
    intercept): Σ(p̂ᵢ − c)²/N over (q − 1)(1 − c)²c/N (Snoke, Raab, Nowok, Dibben & Slavkovic 2018, eq. 1 and section 3.1). 0 for identical
    data, about 1 for a correct generator. The expectation takes parameters as known; NaN without columns.
    """
    n, k = len(real), len(synthetic)
    if real.shape[1] == 0 or min(n, k) == 0:
        return math.nan
    columns, share = np.vstack([real, synthetic]), k / (n + k)
    design = np.column_stack([np.ones(n + k), columns])
    try:
        fitted = fit_logistic(design, np.arange(n + k) >= n, ridge=np.append(0.0, np.full(columns.shape[1], _RIDGE))).fitted
    except NotEstimable:
        return math.nan
    expected = columns.shape[1] * (1 - share) ** 2 * share / (n + k)
    return float(np.mean((fitted - share) ** 2) / expected)


def measure_classifier_auc(real: FloatArray, synthetic: FloatArray, *, rng: np.random.Generator) -> float:
    """Classifier two-sample test (Lopez-Paz & Oquab 2017): area under the ROC curve of gradient boosting, synthetic against real,
    mean over two folds that it was not fitted to.

    0.5 where nothing tells them apart, near 1 where everything does; below 0.5 where copies of a fold's patients sit in the other one with the
    opposite label. NaN with fewer than 20 patients on a side.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    if min(len(real), len(synthetic)) < _FEWEST:
        return math.nan
    columns = np.vstack([real, synthetic])
    label = np.arange(len(columns)) >= len(real)
    fold = np.empty(len(columns), dtype=np.int64)
    for side in (~label, label):
        fold[side] = rng.permutation(int(side.sum())) % _FOLDS
    areas = []
    for out in range(_FOLDS):
        model = HistGradientBoostingClassifier(max_iter=60, random_state=0, early_stopping=False)
        model.fit(columns[fold != out], label[fold != out])
        areas.append(c_statistic(model.predict_proba(columns[fold == out])[:, 1], label[fold == out]))
    return float(np.mean(areas))


def _correlate(columns: FloatArray) -> FloatArray:
    spread = columns.std(axis=0)
    scaled = np.where(spread > 0, (columns - columns.mean(axis=0)) / np.where(spread > 0, spread, 1.0), 0.0)
    correlations: FloatArray = scaled.T @ scaled / len(columns)
    return correlations
