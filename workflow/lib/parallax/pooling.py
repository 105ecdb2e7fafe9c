"""Patients of several sites in one cohort, and the study's settings for it: from there on it is a dataset like any other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import pandas as pd

from parallax.errors import CohortError, StatisticsError
from parallax.protocol.cohort import Covariates
from parallax.protocol.designs import DesignsSection, MatchDesign
from parallax.protocol.pooling import PoolingSection
from parallax.protocol.propensity import PropensitySection, Terms
from parallax.vocabulary import SITE

_NOBODY: Mapping[str, pd.DataFrame] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class PooledSettings:
    """What ``parallax.analysis`` takes for a pooled cohort: the site is one covariate more."""

    covariates: Covariates
    designs: DesignsSection
    propensity: PropensitySection


def pool_cohorts(real: Mapping[str, pd.DataFrame], synthetic: Mapping[str, pd.DataFrame] = _NOBODY) -> pd.DataFrame:
    """One cohort of several sites' patients, by site; the column ``SITE`` says where a patient is from, and a patient's id begins with it.

    Replicate i holds the i-th replicate of every ``synthetic`` cohort and, each time, all patients of the ``real`` ones. Replicates of one site
    are never stacked: a replicate pooled is as large as its sites together. Without synthetic cohorts there is replicate 0.

    Raises CohortError where two sites have the same real patients, or the same synthetic ones, as where a release was made here, and
    StatisticsError where synthetic cohorts have other replicates than each other.
    """
    _check_distinct(real)
    _check_distinct(synthetic)
    replicates = {site: tuple(sorted(cohort["replicate"].unique())) for site, cohort in synthetic.items()}
    numbers = next(iter(replicates.values()), (0,))
    if any(other != numbers for other in replicates.values()):
        told = ", ".join(f"{len(found)} of {site}" for site, found in replicates.items())
        raise StatisticsError(f"pooling: found replicates {told}; allowed is the same number of every site")
    parts = [cohort.assign(replicate=number) for number in numbers for cohort in _labelled(real)]
    return pd.concat([*parts, *_labelled(synthetic)], ignore_index=True).sort_values("replicate", kind="stable", ignore_index=True)


def pool_settings(pooling: PoolingSection, *, covariates: Covariates, designs: DesignsSection, propensity: PropensitySection) -> PooledSettings:
    """The study's settings with the site as a categorical covariate.

    ``score: by_site``: regressions of the score have the products of the site with every other covariate, so that they are as many regressions
    as sites and weights of the overlap balance each site by itself, and a match is of the same site. ``common``: the site is a factor. Hazards
    are compared within sites either way (:class:`parallax.outcomes.observed.Followed`); curves and means are of all patients as weighted, over
    the sites as the design mixes them.
    """
    with_site = covariates.model_copy(update={"categorical": (*covariates.categorical, SITE)})
    if pooling.score == "common":
        return PooledSettings(with_site, designs, propensity)
    products = tuple((name, SITE) for name in covariates.names)
    scores = {
        name: model.model_copy(update={"interactions": (*model.interactions, *products)}) if isinstance(model, Terms) else model
        for name, model in propensity.items()
    }
    within = {
        name: design.model_copy(update={"exact": (*design.exact, SITE)}) if isinstance(design, MatchDesign) else design
        for name, design in designs.items()
    }
    return PooledSettings(with_site, DesignsSection(within), PropensitySection(scores))


def _labelled(cohorts: Mapping[str, pd.DataFrame]) -> list[pd.DataFrame]:
    named = {site: cohort.assign(patient_id=f"{site}/" + cohort["patient_id"].astype(str)) for site, cohort in cohorts.items()}
    return [cohort.assign(**{SITE: site}) for site, cohort in named.items()]


def _check_distinct(cohorts: Mapping[str, pd.DataFrame]) -> None:
    seen: dict[tuple[int, ...], str] = {}
    for site, cohort in cohorts.items():
        rows = cohort.drop(columns=["patient_id", "replicate"])
        key = tuple(sorted(pd.util.hash_pandas_object(rows, index=False)))
        if (other := seen.setdefault(key, site)) != site:
            raise CohortError(
                f"the sites {other} and {site} cannot be pooled\n    found    the same patients at both\n    allowed  other patients at every site\n"
                "    to do    correct the source of one of the two, or drop the site"
            )
