"""The settings of each generator: one class each, told apart by ``method``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from parallax.protocol.base import Section


class SequentialGenerator(Section):
    """Covariates, then treatment given covariates, then event and censoring times given both: the survival-aware generator."""

    method: Literal["sequential"]
    ridge_treatment: float = Field(default=1.0, ge=0, description="penalty on the standardised columns of the treatment model")
    ridge_outcome: float = Field(default=30.0, ge=0, description="penalty on the standardised columns of the event and censoring models")


class GaussianCopulaGenerator(Section):
    """SDV's Gaussian copula over all columns at once."""

    method: Literal["gaussian_copula"]
    default_distribution: Literal["beta", "norm", "truncnorm", "uniform", "gamma", "gaussian_kde"] = Field(
        default="beta", description="the shape of every numeric margin"
    )


class TvaeGenerator(Section):
    """SDV's variational autoencoder over all columns at once."""

    method: Literal["tvae"]
    epochs: int = Field(default=100, ge=1, description="passes over the patients")
    batch_size: int = Field(default=500, ge=10, description="patients per step of the optimiser")


Generator = Annotated[SequentialGenerator | GaussianCopulaGenerator | TvaeGenerator, Field(discriminator="method")]


def parse_generator(settings: object) -> Generator:
    """A generator's settings from the plain mapping that a rule's ``params`` carries."""
    return TypeAdapter[Generator](Generator).validate_python(settings)
