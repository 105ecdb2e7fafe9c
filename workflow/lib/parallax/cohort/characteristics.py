"""Table 1: the cohort at the index date, by arm, with standardised mean differences."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from parallax.errors import NotEstimable
from parallax.protocol import Covariates
from parallax.statistics.balance import standardised_differences
from parallax.tables import CHARACTERISTICS


def describe_arms(cohort: pd.DataFrame, covariates: Covariates) -> pd.DataFrame:
    """One row per arm and numeric covariate, level of a categorical one, and covariate with missing values (kind ``missing``).

    Among patients with a value: ``n`` how many they are, ``mean`` and ``standard_deviation`` (n − 1) of a numeric covariate, ``count`` of a
    level. In a row ``missing`` ``n`` is the arm and ``count`` the patients without a value. ``smd`` is the unweighted standardised mean
    difference, treated − comparator, of the value or of the row's indicator; both rows of a pair carry it.
    """
    rows: list[dict[str, Any]] = []
    for name in covariates.numeric:
        known = cohort[name].notna()
        rows += _numeric_rows(name, cohort.loc[known, name].to_numpy(float), cohort.loc[known, "treated"].to_numpy(bool))
        rows += _missing_rows(name, cohort)
    for name in covariates.categorical:
        known = cohort[name].notna()
        values, treated = cohort.loc[known, name].astype("object"), cohort.loc[known, "treated"].to_numpy(bool)
        for level in sorted(values.unique()):
            rows += _count_rows(name, level, "categorical", (values == level).to_numpy(bool), treated)
        rows += _missing_rows(name, cohort)
    return CHARACTERISTICS.validate(pd.DataFrame(rows, columns=list(CHARACTERISTICS.columns)))


def _numeric_rows(name: str, values: np.ndarray, treated: np.ndarray) -> Iterator[dict[str, Any]]:
    smd = _smd(values, treated)
    for arm, members in (("treated", treated), ("comparator", ~treated)):
        here = values[members]
        yield {
            "covariate": name,
            "kind": "numeric",
            "arm": arm,
            "n": here.size,
            "mean": here.mean() if here.size else np.nan,
            "standard_deviation": here.std(ddof=1) if here.size > 1 else np.nan,
            "smd": smd,
        }


def _missing_rows(name: str, cohort: pd.DataFrame) -> Iterator[dict[str, Any]]:
    missing = cohort[name].isna().to_numpy(bool)
    if missing.any():
        yield from _count_rows(name, None, "missing", missing, cohort["treated"].to_numpy(bool))


def _count_rows(name: str, level: str | None, kind: str, indicator: np.ndarray, treated: np.ndarray) -> Iterator[dict[str, Any]]:
    smd = _smd(indicator.astype(float), treated)
    for arm, members in (("treated", treated), ("comparator", ~treated)):
        here = indicator[members]
        yield {"covariate": name, "level": level, "kind": kind, "arm": arm, "n": here.size, "count": int(here.sum()), "smd": smd}


def _smd(values: np.ndarray, treated: np.ndarray) -> float:
    try:
        return float(standardised_differences(values[:, None], treated, None)[0])
    except NotEstimable:  # known in one arm only, or for fewer than two patients of one
        return math.nan
