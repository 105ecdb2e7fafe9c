"""The propensity score: the probability of the treated arm given the covariates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from parallax.design.matrix import DesignMatrix
from parallax.errors import NotEstimable
from parallax.statistics.logistic import fit_logistic


def fit_propensity(matrix: DesignMatrix, treated: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Fitted P(treated | covariates), (n,), by unpenalised logistic maximum likelihood on main effects.

    Assumption
        The logit is linear in the columns of the design matrix.
    Errors
        ``NotEstimable`` where an arm is empty or the covariates separate the arms; the message names the covariates.
    """
    if treated.all() or not treated.any():
        raise NotEstimable("one arm has no patients")
    # standardised columns: the optimum is the same and the normal equations are well conditioned
    regressors = matrix.regressors
    regressors[:, 1:] = (regressors[:, 1:] - regressors[:, 1:].mean(axis=0)) / regressors[:, 1:].std(axis=0)
    try:
        return fit_logistic(regressors, treated.astype(np.float64)).fitted
    except NotEstimable as error:
        columns = np.flatnonzero(matrix.modelled)
        named = sorted({matrix.covariates[columns[column - 1]] for column in getattr(error, "columns", ()) if column > 0})
        raise NotEstimable(f"the propensity score has no maximum likelihood: {error}" + (f" ({', '.join(named)})" if named else "")) from error
