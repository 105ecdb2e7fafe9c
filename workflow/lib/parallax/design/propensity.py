"""The propensity score: the probability of the treated arm given the covariates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parallax.design.matrix import DesignMatrix
from parallax.errors import NotEstimable
from parallax.statistics.logistic import fit_logistic


@dataclass(frozen=True, slots=True)
class PropensityScore:
    """``score`` (n,), P(treated | covariates); ``comparable`` (n,), False for patients whose covariates occur in one arm only (score 0 or 1)."""

    score: NDArray[np.float64]
    comparable: NDArray[np.bool_]


def fit_propensity(matrix: DesignMatrix, treated: NDArray[np.bool_]) -> PropensityScore:
    """Unpenalised logistic maximum likelihood on main effects.

    Assumption
        The logit is linear in the columns of the design matrix.
    One-sided levels
        Where all patients of a level are in one arm, the likelihood has no maximum but a limit: their score is 0 or 1, and the others'
        scores maximise the likelihood without them (Geyer 2009, section 3.2). They lack positivity and are marked as not comparable.
    Errors
        ``NotEstimable`` where an arm is empty, or covariates separate the arms in another way; the message names the covariates.
    """
    if treated.all() or not treated.any():
        raise NotEstimable("one arm has no patients")
    comparable = _find_comparable(matrix, treated)
    columns = matrix.modelled(comparable)
    values = matrix.values[np.ix_(comparable, columns)]
    # standardised columns: the optimum is the same and the normal equations are well conditioned
    regressors = np.column_stack([np.ones(len(values)), (values - values.mean(axis=0)) / values.std(axis=0)])
    try:
        fitted = fit_logistic(regressors, treated[comparable].astype(np.float64)).fitted
    except NotEstimable as error:
        named = sorted({matrix.covariates[columns[column - 1]] for column in getattr(error, "columns", ()) if column > 0})
        raise NotEstimable(f"the propensity score has no maximum likelihood: {error}" + (f" ({', '.join(named)})" if named else "")) from error
    score = treated.astype(np.float64)
    score[comparable] = fitted
    return PropensityScore(score, comparable)


def _find_comparable(matrix: DesignMatrix, treated: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Patients left when those of one-sided levels are set aside, again and again, since that may make another level one-sided."""
    binary = np.flatnonzero(((matrix.values == 0) | (matrix.values == 1)).all(axis=0))
    levels = np.concatenate([matrix.values[:, binary], 1 - matrix.values[:, binary]], axis=1) == 1
    comparable = np.ones(len(treated), dtype=bool)
    while True:
        in_treated = levels[comparable & treated].sum(axis=0)
        in_comparator = levels[comparable & ~treated].sum(axis=0)
        one_sided = (in_treated == 0) != (in_comparator == 0)
        if not one_sided.any():
            return comparable
        comparable &= ~levels[:, one_sided].any(axis=1)
        if not (comparable & treated).any() or not (comparable & ~treated).any():
            named = sorted({matrix.covariates[binary[column % len(binary)]] for column in np.flatnonzero(one_sided)})
            raise NotEstimable(f"the arms share no level of these covariates: {', '.join(named)}")
