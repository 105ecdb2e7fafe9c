"""How well a design made the arms comparable: balance per covariate, overlap per design."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from parallax.design.matrix import DesignMatrix
from parallax.statistics.balance import effective_sample_size, ks_statistics, standardised_differences, variance_ratios

SCORE_BINS = 20


def measure_balance(matrix: DesignMatrix, treated: NDArray[np.bool_], weight: NDArray[np.float64]) -> pd.DataFrame:
    """One row per column of the design matrix: weighted SMD over the unweighted pooled SD, variance ratio (numeric only), KS."""
    ratios = variance_ratios(matrix.values, treated, weight)
    return pd.DataFrame(
        {
            "covariate": matrix.covariates,
            "level": pd.array(matrix.levels, dtype="string"),
            "smd": standardised_differences(matrix.values, treated, weight),
            "variance_ratio": np.where([level is None for level in matrix.levels], ratios, np.nan),
            "ks": ks_statistics(matrix.values, treated, weight),
        }
    )


def measure_sample(treated: NDArray[np.bool_], weight: NDArray[np.float64]) -> dict[str, float]:
    """Patients with a weight, effective sample size (Σw)²/Σw² by arm, and the largest weight."""
    inside = weight > 0
    return {
        "n_treated": int((inside & treated).sum()),
        "n_comparator": int((inside & ~treated).sum()),
        "ess_treated": effective_sample_size(weight[treated]),
        "ess_comparator": effective_sample_size(weight[~treated]),
        "max_weight": float(weight.max()),
    }


def count_scores(propensity: NDArray[np.float64], treated: NDArray[np.bool_]) -> pd.DataFrame:
    """Patients per arm in equal bins of the propensity score."""
    edges = np.linspace(0.0, 1.0, SCORE_BINS + 1)
    return pd.concat(
        [
            pd.DataFrame({"arm": arm, "bin_lower": edges[:-1], "bin_upper": edges[1:], "count": np.histogram(propensity[rows], bins=edges)[0]})
            for arm, rows in (("treated", treated), ("comparator", ~treated))
        ],
        ignore_index=True,
    )
