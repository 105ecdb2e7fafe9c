"""``designs``: the ways in which the two arms are made comparable."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from parallax.protocol.base import Name, NamedSection, Section
from parallax.vocabulary import Contrast, Estimand, Variance

Resamples = Annotated[int, Field(ge=50, le=10_000, description="of a bootstrap; used with variance: bootstrap only")]


class BaseDesign(Section):
    """What all designs have in common."""

    contrasts: tuple[Contrast, ...] | None = Field(
        default=None, description="the contrasts that are estimated under this design; null: all that the outcomes ask for"
    )


class CrudeDesign(BaseDesign):
    """The arms as they are."""

    method: Literal["none"]


class ScoredDesign(BaseDesign):
    """What all designs on a propensity score have in common."""

    score: Name | None = Field(default=None, description="a name of the section propensity; null: its first")


class MatchDesign(ScoredDesign):
    """Matching on the propensity score, from the smaller arm."""

    method: Literal["match"]
    algorithm: Literal["nearest", "optimal", "mahalanobis"] = Field(
        default="nearest",
        description="nearest: greedily by the score; optimal: the smallest sum of differences over all pairs; "
        "mahalanobis: greedily by the covariates within the caliper on the score. The last two are 1:1 without replacement",
    )
    ratio: int = Field(default=1, ge=1, le=10, description="matches per patient of the smaller arm, found in as many rounds")
    replacement: bool = Field(default=False, description="whether a patient can be the match of several")
    caliper_sd: float | None = Field(default=0.2, gt=0, description="largest distance, in pooled within-arm standard deviations; null: none")
    scale: Literal["logit", "probability"] = Field(default="logit", description="the score's scale for distance and caliper")
    order: Literal["hardest_first", "easiest_first", "random"] = Field(
        default="hardest_first", description="who chooses first: those least like the other arm, most like it, or at random (seeded)"
    )
    exact: tuple[str, ...] = Field(default=(), description="categorical covariates on which a match must agree")
    variance: Literal["clustered", "bootstrap"] = Field(
        default="clustered", description="by matched set, or by a bootstrap of matched sets; with replacement always by patient"
    )
    resamples: Resamples = 200


class CoarsenDesign(BaseDesign):
    """Coarsened exact matching: patients who agree on every covariate after the numeric ones were cut into bins."""

    method: Literal["coarsen"]
    bins: dict[str, Annotated[int, Field(ge=2, le=50)]] = Field(
        default_factory=dict, description="equally wide bins of numeric covariates; Sturges' rule for those not named"
    )


class Trim(Section):
    """Patients left out for their score; the estimand is then that of the patients left."""

    rule: Literal["symmetric", "crump", "sturmer"] = Field(
        description="symmetric: scores in [limit, 1 − limit]; crump: the same with the limit of least variance; "
        "sturmer: from the limit quantile of the treated to the 1 − limit quantile of the comparators"
    )
    limit: float | None = Field(default=None, gt=0, lt=0.5, description="null: 0.1 for symmetric, 0.05 for sturmer; not for crump")


class WeightDesign(ScoredDesign):
    """Weighting by the propensity score."""

    method: Literal["weight"]
    estimand: Estimand = Field(description="whom the weighted arms stand for")
    stabilised: bool = Field(default=True, description="ATE only: multiply by the arm's share")
    trim: Trim | None = Field(default=None, description="patients to leave out for their score")
    truncate: float | None = Field(default=None, gt=0, lt=0.5, description="quantile from either end at which weights are cut, within arm")
    variance: Variance | None = Field(
        default=None, description="null: stacked where the score is a logistic regression without penalty, else score_as_known"
    )
    resamples: Resamples = 200


class EntropyDesign(BaseDesign):
    """Entropy balancing: the weights nearest to equal ones under which the arms' means agree exactly."""

    method: Literal["entropy"]
    estimand: Literal["ATT", "ATC", "ATE"] = Field(description="whom the weighted arms stand for")
    variance: Literal["stacked", "score_as_known"] = Field(default="stacked", description="whether the variance knows that weights were estimated")


class RegressionDesign(BaseDesign):
    """Regression of the outcome on treatment and covariates: the effect between patients alike in all covariates."""

    method: Literal["regression"]


class StandardisedDesign(BaseDesign):
    """G-computation: an outcome regression in each arm, its predictions averaged over the estimand's patients."""

    method: Literal["g_computation"]
    estimand: Literal["ATE", "ATT", "ATC"] = Field(description="over whom predictions are averaged")


class DoublyRobustDesign(ScoredDesign):
    """An outcome regression and a propensity score together: consistent where either is right."""

    method: Literal["aipw", "tmle"]
    estimand: Literal["ATE", "ATT", "ATC"] = Field(description="whose average effect")
    folds: int = Field(default=5, ge=2, le=20, description="a patient's predictions come from the folds without the patient")


ModelledDesign = RegressionDesign | StandardisedDesign | DoublyRobustDesign
Design = Annotated[
    CrudeDesign | MatchDesign | CoarsenDesign | WeightDesign | EntropyDesign | RegressionDesign | StandardisedDesign | DoublyRobustDesign,
    Field(discriminator="method"),
]


class DesignsSection(NamedSection[Design]):
    """Designs by name, in the order in which the report shows them."""
