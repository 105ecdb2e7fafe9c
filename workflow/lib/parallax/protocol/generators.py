"""The settings of each generator: one class each, told apart by ``method``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter

from parallax.protocol.base import Section
from parallax.protocol.outcomes import SurvivalOutcome

Margin = Literal["beta", "norm", "truncnorm", "uniform", "gamma", "gaussian_kde"]

DefaultMargin = Literal["beta", "norm", "truncnorm", "uniform", "gamma", "gaussian_kde", "by_rule"]

_DEFAULT_MARGIN: Final = (
    "the shape of every numeric margin that distributions does not name; by_rule: gaussian_kde where two patients or more share a value on average "
    "(counts, scales; follow-up times aside), beta elsewhere"
)
_MARGINS: Final = "the shape of single margins, by column of the cohort table: a numeric covariate, `death_days`"


class GaussianCopulaGenerator(Section):
    """SDV's Gaussian copula over all columns at once."""

    method: Literal["gaussian_copula"]
    default_distribution: DefaultMargin = Field(default="beta", description=_DEFAULT_MARGIN)
    distributions: dict[str, Margin] = Field(default_factory=dict, description=_MARGINS)


class Network(Section):
    """How a network is trained."""

    epochs: int = Field(default=100, ge=1, description="passes over the patients")
    batch_size: int = Field(default=500, ge=10, multiple_of=2, description="patients per step of the optimiser, at most those of the cohort")
    gpu: bool = Field(default=False, description="train on a GPU where torch sees one; the result then depends on the machine")


class TvaeGenerator(Network):
    """SDV's variational autoencoder over all columns at once."""

    method: Literal["tvae"]


class AdversarialNetwork(Network):
    """How a generator and its critic are trained against each other."""

    epochs: int = Field(default=300, ge=1, description="passes over the patients")
    pac: int = Field(default=10, ge=1, description="patients whom the critic judges together; divides batch_size")
    discriminator_steps: int = Field(default=1, ge=1, description="steps of the critic for each of the generator")
    embedding_dim: int = Field(default=128, ge=1, description="random numbers from which a patient is made")
    generator_lr: float = Field(default=2e-4, gt=0, description="learning rate of the generator")
    discriminator_lr: float = Field(default=2e-4, gt=0, description="learning rate of the critic")


class CtganGenerator(AdversarialNetwork):
    """SDV's conditional adversarial network over all columns at once."""

    method: Literal["ctgan"]


class CopulaGanGenerator(AdversarialNetwork):
    """SDV's adversarial network on copula-transformed columns, all at once."""

    method: Literal["copula_gan"]
    default_distribution: DefaultMargin = Field(default="beta", description=_DEFAULT_MARGIN)
    distributions: dict[str, Margin] = Field(default_factory=dict, description=_MARGINS)


#: the flat copula that a certificate holds the agreement gate against
FLAT: Final = GaussianCopulaGenerator(method="gaussian_copula")

#: those that SDV fits
SdvSettings = GaussianCopulaGenerator | CtganGenerator | CopulaGanGenerator | TvaeGenerator


class IndependentGenerator(Section):
    """Every column from its own margin: the baseline that knows nothing of how columns belong together."""

    method: Literal["independent"]


class CartGenerator(Section):
    """Classification and regression trees, column by column, each given those before it; values are drawn from the leaves."""

    method: Literal["cart"]
    order: tuple[str, ...] = Field(default=(), description="covariates that come first, in this order; the others follow in the protocol's")
    minimum_leaf: int = Field(default=50, ge=50, description="patients per leaf; a smaller leaf hands out records of single patients")


class ArfGenerator(Section):
    """An adversarial random forest over all columns at once: leaves in which columns are independent; values are drawn anew."""

    method: Literal["arf"]
    trees: int = Field(default=30, ge=10, description="trees of the forest")
    minimum_leaf: int = Field(default=20, ge=20, description="real patients per leaf; smaller leaves give away whom they saw")
    rounds: int = Field(default=10, ge=0, description="most rounds of the forest against its own draws; 0: against independent margins only")


class EmpiricalCopula(Section):
    """A Gaussian copula with empirical margins; missing values and levels are latent cuts."""

    method: Literal["empirical_copula"]


class CovariateChain(Section):
    """Covariates one by one, each by a regression on those before it."""

    method: Literal["one_by_one"]
    order: tuple[str, ...] = Field(default=(), description="every covariate once; without it, the protocol's order")


FlatGenerator = GaussianCopulaGenerator | CtganGenerator | CopulaGanGenerator | TvaeGenerator | CartGenerator | ArfGenerator | IndependentGenerator
CovariateModel = Annotated[EmpiricalCopula | CovariateChain | FlatGenerator, Field(discriminator="method")]


class SequentialGenerator(Section):
    """Covariates and treatment, then event and censoring times given both: the survival-aware generator."""

    method: Literal["sequential"]
    recipe: Literal["direct", "calibrated"] = Field(
        default="direct",
        description="direct: covariates, then treatment given them. calibrated: treatment, then covariates per arm, tilted to the real scores, and "
        "baselines solved so that each arm's curves are kept",
    )
    covariates: CovariateModel = Field(
        default=EmpiricalCopula(method="empirical_copula"), description="the joint model of the covariates, with its settings; direct recipe only"
    )
    treatment_squares: bool = Field(default=True, description="whether the treatment model has the squares of the numeric covariates")
    treatment_interactions: tuple[tuple[str, str], ...] = Field(default=(), description="pairs of covariates whose products the treatment model has")
    event_times: Literal["piecewise_cox", "flexible_parametric", "forest"] = Field(
        default="piecewise_cox", description="how times to events and to censoring depend on the covariates, per arm"
    )
    ridge_treatment: float = Field(default=10.0, ge=0, description="penalty on the standardised columns of the treatment model")
    ridge_outcome: float = Field(default=10.0, ge=0, description="penalty on the standardised columns of the event and censoring models")


class NumberRange(Section):
    """What a column of numbers may hold, stated without a look at the patients."""

    lower: float = Field(description="smallest value; smaller ones count as this one")
    upper: float = Field(description="largest value; larger ones count as this one")
    cuts: tuple[float, ...] = Field(min_length=1, description="increasing, between the two: where one bin ends and the next begins")
    decimals: int | None = Field(default=0, ge=0, le=9, description="digits after the point of a drawn value; null: not rounded")

    @property
    def edges(self) -> tuple[float, ...]:
        """The ends of the bins, increasing: one more than there are bins."""
        return (self.lower, *self.cuts, self.upper)


class PrivateMarginalsGenerator(Section):
    """Noisy tables of arm, covariates and outcomes, two by two, and the patients that agree with them best: differentially private."""

    method: Literal["private_marginals"]
    epsilon: float = Field(
        gt=0, le=200, description="privacy loss of the fit: no patient changes the probability of any result by more than exp(epsilon)"
    )
    delta: float = Field(default=1e-6, gt=0, le=1e-5, description="probability that may be left out of this; far below one in the number of patients")
    ranges: dict[str, NumberRange] = Field(
        default_factory=dict, description="by column of the cohort table: every numeric covariate, measurement, count and person-time"
    )
    levels: dict[str, Annotated[tuple[str, ...], Field(min_length=1)]] = Field(
        default_factory=dict, description="the levels of every categorical covariate"
    )
    missing: tuple[str, ...] = Field(default=(), description="covariates that may be missing")
    pairs: tuple[tuple[str, str], ...] = Field(
        default=(), description="covariates whose joint table is learnt too; without closed chains. All others are independent given arm and outcomes"
    )
    cuts_days: dict[str, tuple[float, ...]] = Field(
        default_factory=dict,
        description="further bounds of the bins of a follow-up time, by outcome; horizons_days and follow_up_days are always some",
    )
    whole_days: bool = Field(default=True, description="whether a drawn follow-up time is a whole number of days")

    def edges_days(self, name: str, outcome: SurvivalOutcome) -> tuple[float, ...]:
        """The ends of the bins of an outcome's follow-up time, from 0 to ``follow_up_days``."""
        return tuple(sorted({0.0, *outcome.horizons_days, *self.cuts_days.get(name, ()), outcome.follow_up_days}))


@dataclass(frozen=True, slots=True)
class Guarantee:
    """What a differentially private generator promises of a release of its patients."""

    epsilon: float
    delta: float
    neighbours: str
    covers: str
    leaves_out: str


def guarantee_of(settings: Generator) -> Guarantee | None:
    """The guarantee that a generator's settings state; None where it has none."""
    if not isinstance(settings, PrivateMarginalsGenerator):
        return None
    return Guarantee(
        settings.epsilon,
        settings.delta,
        neighbours="two cohorts of the same number of patients, of whom one has another record",
        covers="all replicates and all further draws of one fit",
        leaves_out="the number of patients; whether a fit was refused; the real results, the comparisons and the verdict; every further fit",
    )


Generator = Annotated[SequentialGenerator | PrivateMarginalsGenerator | FlatGenerator, Field(discriminator="method")]


def parse_generator(settings: object) -> Generator:
    """A generator's settings from the plain mapping that a rule's ``params`` carries."""
    return TypeAdapter[Generator](Generator).validate_python(settings)


def list_settings(generator: Generator) -> tuple[str, ...]:
    """The names of a generator's settings, in order; its method is none of them."""
    return tuple(name for name in type(generator).model_fields if name != "method")


def change_settings(generator: Generator, changes: Mapping[str, object]) -> Generator:
    """The generator with these settings in place of its own; raises pydantic's ValidationError for values that they do not allow."""
    return parse_generator(generator.model_dump(mode="json") | dict(changes))
