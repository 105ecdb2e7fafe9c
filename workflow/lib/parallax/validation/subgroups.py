"""Effects in subgroups over all replicates, and whether they differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from parallax.errors import NotEstimable
from parallax.expressions import evaluate
from parallax.protocol.subgroups import SubgroupsSection
from parallax.statistics.multiplicity import heterogeneity
from parallax.tables import ESTIMATES, INTERACTIONS, SUBGROUPS
from parallax.validation.combining import TARGET, to_analysis_scale

_KEYS = ["subgroup", "level"]


Level = tuple[str, str]


def count_levels(cohort: pd.DataFrame, subgroups: SubgroupsSection) -> dict[Level, dict[int, int]]:
    """By subgroup and level: how many patients of each replicate belong to it."""
    replicates = cohort["replicate"]
    return {
        (name, level): {
            int(replicate): int(belong.sum())
            for replicate, belong in evaluate(cohort, expression, where=f"subgroups.{name}.{level}").groupby(replicates)
        }
        for name, levels in subgroups.items()
        for level, expression in levels.items()
    }


def combine_levels(estimates: pd.DataFrame, combine: Callable[[pd.DataFrame, Level], pd.DataFrame]) -> pd.DataFrame:
    """The SUBGROUPS table: ``combine`` (a COMBINED table from an ESTIMATES one) for the estimates of every level by itself."""
    parts = []
    for (subgroup, level), rows in estimates.groupby(_KEYS, sort=False):
        combined = combine(rows[list(ESTIMATES.columns)].reset_index(drop=True), (str(subgroup), str(level)))
        parts.append(combined.assign(subgroup=str(subgroup), level=str(level)))
    columns = list(SUBGROUPS.columns)
    return SUBGROUPS.validate(pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns))


def measure_interactions(subgroups: pd.DataFrame) -> pd.DataFrame:
    """The INTERACTIONS table: Cochran's Q over the levels of a subgroup, on each contrast's own scale (logarithmic for ratios).

    The levels' estimates are of different patients and independent. A subgroup one of whose levels cannot be estimated is not tested.
    """
    return INTERACTIONS.validate(pd.DataFrame(list(_interactions(subgroups)), columns=list(INTERACTIONS.columns)))


def _interactions(subgroups: pd.DataFrame) -> Iterator[dict[str, object]]:
    for key, rows in subgroups.groupby(["subgroup", *TARGET, "rule"], sort=False, dropna=False):
        described = dict(zip(["subgroup", *TARGET, "rule"], key, strict=True))
        try:
            if (rows["status"] != "ok").any():
                level = rows.loc[rows["status"] != "ok", "level"].iloc[0]
                raise NotEstimable(f"the effect in {level} is not estimable")
            found = heterogeneity(to_analysis_scale(rows["estimate"], str(described["contrast"])), rows["std_error"].to_numpy(dtype=np.float64))
        except NotEstimable as error:
            yield described | {"reason": str(error)}
            continue
        yield described | {"statistic": found.statistic, "df": found.df, "p_value": found.p_value, "reason": None}
