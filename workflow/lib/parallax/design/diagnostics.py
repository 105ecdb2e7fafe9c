"""How well a design made the arms comparable: one function per statistic in a registry, and the tables that they fill."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from parallax.design.matrix import DesignMatrix
from parallax.statistics.balance import (
    c_statistic,
    effective_sample_size,
    equipoise_share,
    ks_statistics,
    standardised_differences,
    variance_ratios,
)
from parallax.vocabulary import MISSING_LEVEL

Vector = NDArray[np.float64]
Flags = NDArray[np.bool_]

SCORE_BINS: Final = 20
CALIBRATION_BINS: Final = 10
STRATA: Final = 5

#: statistics per column of the design matrix: values (n, k), treated (n,), weight (n,) → (k,)
BALANCE_STATISTICS: Final[Mapping[str, Callable[[Vector, Flags, Vector], Vector]]] = {
    "smd": standardised_differences,
    "variance_ratio": variance_ratios,
    "ks": ks_statistics,
}

#: statistics per design: treated (n,), weight (n,) → a number
SAMPLE_STATISTICS: Final[Mapping[str, Callable[[Flags, Vector], float]]] = {
    "n_treated": lambda treated, weight: int(((weight > 0) & treated).sum()),
    "n_comparator": lambda treated, weight: int(((weight > 0) & ~treated).sum()),
    "ess_treated": lambda treated, weight: effective_sample_size(weight[treated]),
    "ess_comparator": lambda treated, weight: effective_sample_size(weight[~treated]),
    "max_weight": lambda _treated, weight: float(weight.max()),
    "top_share": lambda treated, weight: max(_top_share(weight[treated]), _top_share(weight[~treated])),
}

#: statistics per propensity score: score (n,), treated (n,) → a number
SCORE_STATISTICS: Final[Mapping[str, Callable[[Vector, Flags], float]]] = {
    "c_statistic": c_statistic,
    "equipoise": equipoise_share,
}


def measure_balance(matrix: DesignMatrix, treated: Flags, weight: Vector) -> pd.DataFrame:
    """One row per column of the design matrix: weighted SMD over the unweighted pooled SD, variance ratio (numeric only), KS."""
    found = {name: measure(matrix.values, treated, weight) for name, measure in BALANCE_STATISTICS.items()}
    found["variance_ratio"] = np.where([level is None for level in matrix.levels], found["variance_ratio"], np.nan)
    return pd.DataFrame({"covariate": matrix.covariates, "level": pd.array(matrix.levels, dtype="string"), **found})


def measure_sample(treated: Flags, weight: Vector) -> dict[str, float]:
    """Patients with a weight, effective sample size (Σw)²/Σw² by arm, the largest weight, and the share of an arm's weight in its top 1 %."""
    return {name: measure(treated, weight) for name, measure in SAMPLE_STATISTICS.items()}


def judge_design(found: Mapping[str, float], largest_smd: float, *, imbalance: float, effective_patients: float) -> str | None:
    """Why a design failed, in words that a reader may see (no count of patients); None where it did not."""
    faults = []
    if not largest_smd <= imbalance:
        faults.append(f"not balanced: largest SMD {largest_smd:.2f}, allowed is {imbalance:g}")
    faults += [
        f"the {arm} arm weighs like fewer than {effective_patients:g} patients"
        for arm in ("treated", "comparator")
        if found[f"ess_{arm}"] < effective_patients
    ]
    return "; ".join(faults) or None


def count_scores(score: Vector, treated: Flags) -> pd.DataFrame:
    """Patients per arm in equal bins of the propensity score."""
    edges = np.linspace(0.0, 1.0, SCORE_BINS + 1)
    return pd.concat(
        [
            pd.DataFrame({"arm": arm, "bin_lower": edges[:-1], "bin_upper": edges[1:], "count": np.histogram(score[rows], bins=edges)[0]})
            for arm, rows in (("treated", treated), ("comparator", ~treated))
        ],
        ignore_index=True,
    )


def measure_calibration(score: Vector, treated: Flags) -> pd.DataFrame:
    """Tenths of the patients in the order of their score: mean score beside the share treated."""
    tenth = (np.argsort(np.argsort(score, kind="stable"), kind="stable") * CALIBRATION_BINS) // len(score)
    grouped = pd.DataFrame({"bin": tenth, "predicted": score, "observed": treated.astype(np.float64)}).groupby("bin")
    return grouped.mean().assign(count=grouped.size()).reset_index()


def count_strata(matrix: DesignMatrix, treated: Flags) -> pd.DataFrame:
    """Positivity: patients and treated in every level, and in every fifth of a numeric covariate."""
    rows: list[dict[str, object]] = []
    for column, (name, level) in enumerate(zip(matrix.covariates, matrix.levels, strict=True)):
        values = matrix.values[:, column]
        if level is None:
            edges = np.unique(np.quantile(values, np.linspace(0, 1, STRATA + 1)[1:-1]))
            stratum = np.searchsorted(edges, values, side="left")
            rows += [_stratum(name, f"part {i + 1} of {len(edges) + 1}, from low to high", stratum == i, treated) for i in range(len(edges) + 1)]
        else:
            rows.append(_stratum(name, level, values == 1, treated))
            if matrix.covariates.count(name) == 1:
                rows.append(_stratum(name, f"not {level}", values == 0, treated))
    return pd.DataFrame(rows)


def _stratum(name: str, level: str, rows: Flags, treated: Flags) -> dict[str, object]:
    return {
        "covariate": name,
        "level": "missing" if level == MISSING_LEVEL else level,
        "n": int(rows.sum()),
        "n_treated": int((rows & treated).sum()),
    }


def _top_share(weight: Vector) -> float:
    top = np.sort(weight)[-max(1, len(weight) // 100) :]
    return float(top.sum() / weight.sum())
