"""The settings of each generator: one class each, told apart by ``method``."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter

from parallax.protocol.base import Section

Margin = Literal["beta", "norm", "truncnorm", "uniform", "gamma", "gaussian_kde"]
DefaultMargin = Margin

_DEFAULT_MARGIN: Final = "the shape of every numeric margin that distributions does not name"
_MARGINS: Final = "shapes of single margins, by numeric covariate or by column of an outcome (`death_days`)"
_BATCH: Final = "patients per step of the optimiser, at most those of the cohort"
_GPU: Final = "use a GPU where torch sees one; results then depend on the machine"


class SequentialGenerator(Section):
    """Covariates, then treatment given covariates, then event and censoring times given both: the survival-aware generator."""

    method: Literal["sequential"]
    ridge_treatment: float = Field(default=1.0, ge=0, description="penalty on the standardised columns of the treatment model")
    ridge_outcome: float = Field(default=30.0, ge=0, description="penalty on the standardised columns of the event and censoring models")


class GaussianCopulaGenerator(Section):
    """SDV's Gaussian copula over all columns at once."""

    method: Literal["gaussian_copula"]
    default_distribution: DefaultMargin = Field(default="beta", description=_DEFAULT_MARGIN)
    distributions: dict[str, Margin] = Field(default_factory=dict, description=_MARGINS)


class TvaeGenerator(Section):
    """SDV's variational autoencoder over all columns at once."""

    method: Literal["tvae"]
    epochs: int = Field(default=100, ge=1, description="passes over the patients")
    batch_size: int = Field(default=500, ge=10, description=_BATCH)
    gpu: bool = Field(default=False, description=_GPU)


class CtganGenerator(Section):
    """SDV's conditional generative adversarial network over all columns at once."""

    method: Literal["ctgan"]
    epochs: int = Field(default=300, ge=1, description="passes over the patients")
    batch_size: int = Field(default=500, ge=10, description=f"{_BATCH}; even, and a multiple of pac")
    pac: int = Field(default=10, ge=1, description="patients whom the discriminator judges together")
    discriminator_steps: int = Field(default=1, ge=1, description="steps of the discriminator for each of the generator")
    embedding_dim: int = Field(default=128, ge=1, description="random numbers from which a patient is made")
    generator_lr: float = Field(default=2e-4, gt=0, description="learning rate of the generator")
    discriminator_lr: float = Field(default=2e-4, gt=0, description="learning rate of the discriminator")
    gpu: bool = Field(default=False, description=_GPU)


class CopulaGanGenerator(CtganGenerator):
    """SDV's CTGAN on numeric columns that were made normal through their margins."""

    method: Literal["copula_gan"]  # type: ignore[assignment]
    default_distribution: DefaultMargin = Field(default="beta", description=_DEFAULT_MARGIN)
    distributions: dict[str, Margin] = Field(default_factory=dict, description=_MARGINS)


#: those that SDV fits
SdvSettings = GaussianCopulaGenerator | TvaeGenerator | CtganGenerator | CopulaGanGenerator
Generator = Annotated[
    SequentialGenerator | GaussianCopulaGenerator | TvaeGenerator | CtganGenerator | CopulaGanGenerator, Field(discriminator="method")
]


def parse_generator(settings: object) -> Generator:
    """A generator's settings from the plain mapping that a rule's ``params`` carries."""
    return TypeAdapter[Generator](Generator).validate_python(settings)
