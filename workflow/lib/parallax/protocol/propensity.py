"""``propensity``: named models of the probability of the treated arm given the covariates."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from parallax.protocol.base import Name, NamedSection, Section

Folds = Annotated[int, Field(ge=2, le=20)]


class Terms(Section):
    """What stands in a regression beside the covariates' main effects."""

    squares: tuple[str, ...] | Literal["all"] = Field(default=(), description="numeric covariates with a squared term too, or all of them")
    interactions: tuple[tuple[str, str], ...] = Field(default=(), description="pairs of covariates with their products")
    splines: dict[str, Annotated[int, Field(ge=3, le=10)]] = Field(
        default_factory=dict, description="numeric covariates as cubic splines, with the number of knots (at quantiles)"
    )


class LogisticScore(Terms):
    """Logistic regression at the maximum likelihood."""

    model: Literal["logistic"]


class PenalisedScore(Terms):
    """Logistic regression with a ridge (L2) or lasso (L1) penalty on standardised columns, chosen by cross-validated log-likelihood."""

    model: Literal["ridge", "lasso"]
    folds: Folds = Field(default=5, description="folds that choose the penalty")


class BoostedScore(Section):
    """Gradient-boosted trees; every patient's score comes from trees that did not see the patient."""

    model: Literal["boosting"]
    folds: Folds = Field(default=5, description="folds of the cross-fit")
    trees: int = Field(default=100, ge=10, le=2000, description="boosting iterations")
    learning_rate: float = Field(default=0.05, gt=0, le=1, description="shrinkage of each tree")
    leaves: int = Field(default=8, ge=2, le=64, description="largest number of leaves of a tree")


class EnsembleScore(Section):
    """The convex combination of other scores' out-of-fold predictions with the largest log-likelihood (super learner)."""

    model: Literal["ensemble"]
    members: tuple[Name, ...] = Field(min_length=2, description="names of the scores to combine")
    folds: Folds = Field(default=5, description="folds of the cross-fit, the same for every member")


PropensityModel = Annotated[LogisticScore | PenalisedScore | BoostedScore | EnsembleScore, Field(discriminator="model")]


class PropensitySection(NamedSection[PropensityModel]):
    """Propensity scores by name; a design that names none uses the first."""

    def named(self, name: str | None) -> str:
        """The name of the score that a design uses."""
        return self.names[0] if name is None else name


DEFAULT_PROPENSITY = PropensitySection({"main": LogisticScore(model="logistic")})
