"""How unlike the patients of two sites are: by what each site shows of them, and where patients may be pooled by a score that tells sites apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Final

import numpy as np
import pandas as pd

from parallax.design.matrix import build_design_matrix
from parallax.errors import NotEstimable
from parallax.protocol.cohort import Covariates
from parallax.statistics.balance import c_statistic, equipoise_share
from parallax.statistics.logistic import fit_logistic
from parallax.tables import SITE_OVERLAP
from parallax.validation.ways import NOTHING_SENT
from parallax.vocabulary import MISSING_LEVEL, OTHER_LEVELS

#: a normal prior of standard deviation 1 on standardised columns, so that sites without common patients have a score as well
RIDGE: Final = 1.0

#: mean and variance of a covariate, or of a level's indicator, over both arms of a site
Moments = tuple[float, float]
#: of a level that a site does not have
_ABSENT: Final = (0.0, 0.0)


def compare_sites(
    tables: Mapping[str, pd.DataFrame], cohorts: Mapping[str, pd.DataFrame], covariates: Covariates, *, unknown: Sequence[str] = ()
) -> pd.DataFrame:
    """SITE_OVERLAP of every two sites: by their shown CHARACTERISTICS ``tables``, and of those whose ``cohorts`` may be pooled by a score.

    Of ``unknown`` sites nothing is known but synthetic patients, who say how alike a generator made them, not how alike the real ones are: beside
    each other site they have a row with that reason.

    ``smd``, of every covariate and level: (x̄₁ − x̄₂)/√{(s₁² + s₂²)/2}, with mean and variance of a site from those of its arms a: x̄ = Σnₐx̄ₐ/Σnₐ,
    s² = {Σ(nₐ − 1)sₐ² + Σnₐ(x̄ₐ − x̄)²}/(Σnₐ − 1); of a level p(1 − p). Counts are rounded, which moves a mean by the little that the arms differ.
    Suppressed numbers give a row with a reason.
    The score is P(site | covariates) by logistic regression on standardised columns with a ridge penalty. ``membership_c``: 0.5 where the sites'
    patients are alike, 1 where they have nothing in common (in sample, so a little too high). ``common_support``: share of patients whose
    preference score for one of the two lies in 0.3 … 0.7 (Walker et al. 2013): for them the other site has its like.
    """
    pairs = (pair for pair in combinations((*tables, *unknown), 2) if pair[1] in unknown)
    missing = [{"site": site, "other": other, "measure": "smd", "value": np.nan, "reason": f"{other}: {NOTHING_SENT}"} for site, other in pairs]
    rows = [*_compare_tables(tables), *_compare_cohorts(cohorts, covariates), *missing]
    return SITE_OVERLAP.validate(pd.DataFrame(rows, columns=list(SITE_OVERLAP.columns)))


def _compare_tables(tables: Mapping[str, pd.DataFrame]) -> Iterator[dict[str, object]]:
    moments = {site: dict(_moments(table)) for site, table in tables.items()}
    for site, other in combinations(moments, 2):
        for key in dict.fromkeys((*moments[site], *moments[other])):
            absent = None if key[1] is None else _ABSENT
            value, reason = _smd(moments[site].get(key, absent), moments[other].get(key, absent))
            yield {"site": site, "other": other, "measure": "smd", "covariate": key[0], "level": key[1], "value": value, "reason": reason}


def _compare_cohorts(cohorts: Mapping[str, pd.DataFrame], covariates: Covariates) -> Iterator[dict[str, object]]:
    for site, other in combinations(cohorts, 2):
        both = pd.concat([cohorts[site], cohorts[other]], ignore_index=True)
        here = np.arange(len(both)) < len(cohorts[site])
        for measure, value, reason in _scored(both, here, covariates):
            yield {"site": site, "other": other, "measure": measure, "value": value, "reason": reason}


def _scored(both: pd.DataFrame, here: np.ndarray, covariates: Covariates) -> Iterator[tuple[str, float, str | None]]:
    matrix = build_design_matrix(both, covariates)
    columns = matrix.values[:, matrix.modelled(np.ones(len(both), dtype=bool))]
    scaled = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    try:
        design = np.column_stack([np.ones(len(both)), scaled])
        score = fit_logistic(design, here, ridge=np.r_[0.0, np.full(scaled.shape[1], RIDGE)]).fitted
        yield "membership_c", c_statistic(score, here), None
        yield "common_support", equipoise_share(score, here), None
    except NotEstimable as error:
        yield from ((measure, np.nan, str(error)) for measure in ("membership_c", "common_support"))


def _moments(table: pd.DataFrame) -> Iterator[tuple[tuple[str, str | None], Moments | None]]:
    """By covariate and level (missing values are one); None where a number is suppressed."""
    named = table[table["level"].fillna("").ne(OTHER_LEVELS)].fillna({"level": ""})
    for (covariate, kind, level), arms in named.groupby(["covariate", "kind", "level"], sort=False):
        name = (str(covariate), MISSING_LEVEL if kind == "missing" else str(level) or None)
        n, mean, deviation = (arms[column].to_numpy(dtype=np.float64, na_value=np.nan) for column in ("n", "mean", "standard_deviation"))
        variance = deviation**2 if kind == "numeric" else mean * (1.0 - mean)
        yield name, _both_arms(n, mean, variance, sample=kind == "numeric") if len(arms) == 2 else None


def _both_arms(n: np.ndarray, mean: np.ndarray, variance: np.ndarray, *, sample: bool) -> Moments | None:
    if not np.isfinite([n, mean, variance]).all():
        return None
    centre = float(np.average(mean, weights=n))
    if not sample:
        return centre, centre * (1.0 - centre)
    squares = float(((n - 1.0) * variance + n * (mean - centre) ** 2).sum())
    return centre, squares / (float(n.sum()) - 1.0)


def _smd(here: Moments | None, there: Moments | None) -> tuple[float, str | None]:
    if here is None or there is None:
        return np.nan, "suppressed or not there at one of the sites"
    spread = (here[1] + there[1]) / 2.0
    if spread == 0.0:
        return (0.0, None) if here[0] == there[0] else (np.nan, "no spread at either site")
    return float((here[0] - there[0]) / np.sqrt(spread)), None
