"""The registry of generators, and the two calls that the workflow makes: fit one, draw its replicates."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np
import pandas as pd

from parallax.capabilities import GENERATORS as CAPABILITIES
from parallax.errors import GenerationError
from parallax.protocol import Constraint, Covariates, OutcomesSection, SequentialGenerator
from parallax.protocol import Generator as GeneratorSettings
from parallax.protocol.generators import ArfGenerator, CartGenerator, EmpiricalCopula, guarantee_of
from parallax.protocol.generators import CovariateChain as CovariateChainSettings
from parallax.synthesis.arf import Arf
from parallax.synthesis.baseline import CovariateModel
from parallax.synthesis.cart import Cart
from parallax.synthesis.chain import CovariateChain
from parallax.synthesis.constraints import Constrained, Rules
from parallax.synthesis.copula import CovariateCopula
from parallax.synthesis.generator import Context, FittedGenerator, Generator, find_beyond_splits, find_faults, find_unknown_in_arms
from parallax.synthesis.margins import Independent
from parallax.synthesis.private_marginals import FittedPrivateMarginals, PrivateMarginals
from parallax.synthesis.sdv import SdvGenerator
from parallax.synthesis.sequential import Sequential

logger = logging.getLogger("parallax.synthesis")

#: how often the patients of one resample are drawn before giving up
MOST_RESAMPLES: Final = 100


def _sequential(settings: SequentialGenerator) -> Generator:
    def fit_covariates(cohort: pd.DataFrame, context: Context, rng: np.random.Generator) -> CovariateModel:
        chosen = settings.covariates
        if isinstance(chosen, EmpiricalCopula):
            return CovariateCopula.fit(cohort, context)
        if isinstance(chosen, CovariateChainSettings):
            return CovariateChain.fit(cohort, context, order=chosen.order)
        alone = Context(context.covariates, OutcomesSection.model_construct({}), context.constraints)
        return FlatCovariates(GENERATORS[chosen.method](chosen).fit(cohort[["treated", *context.covariates.names]], context=alone, rng=rng))

    return Sequential(settings, fit_covariates)


#: the protocol's ``method`` → the generator set up with the entry's settings
GENERATORS: Final[Mapping[str, Callable[[Any], Generator]]] = {
    "sequential": _sequential,
    "gaussian_copula": SdvGenerator,
    "ctgan": SdvGenerator,
    "copula_gan": SdvGenerator,
    "tvae": SdvGenerator,
    "arf": lambda settings: Arf(settings.trees, settings.minimum_leaf, settings.rounds),
    "cart": lambda settings: Cart(settings.order, settings.minimum_leaf),
    "independent": lambda _: Independent(),
    "private_marginals": PrivateMarginals,
}


def check_cohort(settings: GeneratorSettings, cohort: pd.DataFrame, context: Context) -> None:
    """Raise GenerationError, with all faults at once, where no generator, or not this one, could learn from the cohort."""
    for reason, faults in _find_faults(settings, cohort, context):
        if faults:
            raise GenerationError(f"{reason}:\n" + "\n".join(f"  - {fault}" for fault in faults))


def _find_faults(settings: GeneratorSettings, cohort: pd.DataFrame, context: Context) -> Iterator[tuple[str, list[str]]]:
    """What these patients lack, by what follows from it for the cohort."""
    yield "no generator can be fitted to this cohort", find_faults(cohort, context)
    if isinstance(settings, SequentialGenerator) and settings.recipe == "calibrated":
        reason = "the calibrated recipe learns each arm's covariates by themselves; choose the direct one, or"
        yield reason, find_unknown_in_arms(cohort, context.covariates)
    grown = settings.covariates if isinstance(settings, SequentialGenerator) else settings
    if isinstance(grown, CartGenerator | ArfGenerator):
        outcomes = context.outcomes.cohort_columns if grown is settings else ()
        yield f"no {grown.method} can be fitted to this cohort", find_beyond_splits(cohort, (*context.covariates.numeric, *outcomes))


def fit_generator(
    settings: GeneratorSettings,
    cohort: pd.DataFrame,
    *,
    covariates: Covariates,
    outcomes: OutcomesSection,
    seed: int,
    constraints: Sequence[Constraint] = (),
) -> FittedGenerator:
    """Fit the generator that a protocol's entry names to a cohort (or a part of one).

    The same seed gives the same fit, bit for bit, in one environment with one thread. A covariate that is the same for all patients teaches
    nothing: it is set aside, and written down again in every draw. Constraints hold in every draw. Raises GenerationError, before
    anything costly, for a cohort that nothing can be learnt from or that breaks a constraint.

    A private generator's noise comes from no seed, or whoever knows the protocol could take it off again; and since a value that all patients
    share is a fact about them, nothing is set aside for it.
    """
    context = Context(covariates, outcomes, tuple(constraints))
    check_cohort(settings, cohort, context)
    rules = Rules.of(cohort, context.constraints)
    same = [name for name in covariates.names if cohort[name].notna().all() and (cohort[name] == cohort[name].iloc[0]).all()]
    constants = cohort[[] if CAPABILITIES[settings.method].private else same].head(1)
    varying = Context(
        covariates.model_copy(
            update={kind: tuple(name for name in getattr(covariates, kind) if name not in constants) for kind in ("numeric", "categorical")}
        ),
        outcomes,
        context.constraints,
    )
    learnt = cohort.drop(columns=list(constants)).reset_index(drop=True)
    fitted = GENERATORS[settings.method](settings).fit(learnt, context=varying, rng=np.random.default_rng(seed))
    if not constants.empty:
        fitted = WithConstants(fitted, constants, context.columns)
    return Constrained(fitted, rules) if rules.constraints else fitted


def describe_privacy(settings: GeneratorSettings, fitted: FittedGenerator | Refitted) -> Mapping[str, object] | None:
    """A private generator's guarantee and what its fit spent, as JSON-ready values; None for the others."""
    guarantee = guarantee_of(settings)
    inner = fitted.fitted if isinstance(fitted, Constrained) else fitted
    if guarantee is None or not isinstance(inner, FittedPrivateMarginals):
        return None
    return asdict(guarantee) | {"spent_epsilon": inner.epsilon, "noise_standard_deviation": inner.scale}


def refit_generator(
    settings: GeneratorSettings,
    cohort: pd.DataFrame,
    *,
    covariates: Covariates,
    outcomes: OutcomesSection,
    seeds: Mapping[int, int],
    constraints: Sequence[Constraint] = (),
) -> Refitted:
    """A fit for each replicate in ``seeds``, to a resample of the patients (:func:`fit_resample`): replicates then vary by the fit as well.

    A fit depends on its own seed alone, so that replicates can be fitted together or apart. Raises GenerationError for a cohort that no
    generator could learn from, and as :func:`fit_resample` does.
    """
    study: dict[str, Any] = {"covariates": covariates, "outcomes": outcomes, "constraints": constraints}
    check_cohort(settings, cohort, Context(**study | {"constraints": tuple(constraints)}))
    Rules.of(cohort, tuple(constraints))  # a resample may lack those who break a constraint
    fits, redrawn = {}, {}
    for number, (replicate, seed) in enumerate(seeds.items(), start=1):
        fits[replicate], redrawn[replicate] = fit_resample(settings, cohort, rng=np.random.default_rng(seed), **study)
        logger.info("fit %d of %d; its resample was drawn anew %d times", number, len(seeds), redrawn[replicate])
    return Refitted(fits, {replicate: times for replicate, times in redrawn.items() if times})


def fit_resample(
    settings: GeneratorSettings, cohort: pd.DataFrame, *, rng: np.random.Generator, seeds: int = 2**31, **study: Any
) -> tuple[FittedGenerator, int]:
    """A fit to n of the n patients drawn with replacement, and how often they were drawn anew.

    What a resample lacks (a level, an event of an arm) its fit lacks. One that lacks what every fit asks of a cohort (:func:`check_cohort`:
    ten patients in each arm, ten of whom a covariate is known, an event) is drawn anew: the bootstrap is conditional on these minima. That
    matters where the cohort lies close to them; what is rare there is a little less so in the resamples, and varies less. A patient who
    is drawn twice counts as two (decision 0049).

    ``rng`` draws the patients, then one of ``seeds`` seeds of the fit; ``study`` as in :func:`fit_generator`. Raises GenerationError after
    ``MOST_RESAMPLES`` draws, and where this fit fails for another reason.
    """
    context = Context(study["covariates"], study["outcomes"], tuple(study.get("constraints", ())))
    lacking: list[str] = []
    for redrawn in range(MOST_RESAMPLES):
        resample = cohort.iloc[rng.integers(len(cohort), size=len(cohort))].reset_index(drop=True)
        lacking = [fault for _, faults in _find_faults(settings, resample, context) for fault in faults]
        if lacking:
            continue
        try:
            return fit_generator(settings, resample, seed=int(rng.integers(seeds)), **study), redrawn
        except GenerationError as error:
            raise GenerationError(f"a fit to a bootstrap resample of the patients failed:\n{error}") from error
    raise GenerationError(
        f"a bootstrap resample of the patients\n    found    none in {MOST_RESAMPLES} that has what a fit needs, as the patients themselves have; "
        "of the last one:\n"
        + "\n".join(f"      - {fault}" for fault in lacking)
        + "\n    allowed  patients who lie less close to these limits\n    to do    mend what is named, or fit to the patients themselves "
        "(synthesis.fit: single; the bands of virtual twins need resamples)"
    )


def fit_procedure(
    settings: GeneratorSettings, cohort: pd.DataFrame, *, seed: int, refits: Mapping[int, int], fit: str, **study: Any
) -> FittedGenerator | Refitted:
    """The fit that the protocol's ``synthesis.fit`` states: ``single``, one from ``seed``; ``bootstrap``, one to a resample for each of ``refits``.

    ``study``: ``covariates``, ``outcomes`` and ``constraints``, as in :func:`fit_generator`.
    """
    if fit == "bootstrap":
        return refit_generator(settings, cohort, seeds=refits, **study)
    return fit_generator(settings, cohort, seed=seed, **study)


def repeat_procedure(settings: GeneratorSettings, part: pd.DataFrame, *, share: float, seeds: Sequence[int], **procedure: Any) -> pd.DataFrame:
    """What the study does with all patients, done with a part of them: the fit of :func:`fit_procedure`, and a replicate from each of ``seeds``, of
    ``share`` times as many patients as the part has."""
    fitted = fit_procedure(settings, part, **procedure)
    return draw_replicates(fitted, replicates=len(seeds), patients=max(round(share * len(part)), 1), seeds=seeds)


@dataclass(frozen=True, slots=True)
class Refitted:
    """The fits of some replicates, or of all, by replicate; ``redrawn``: how often the resample of one was drawn anew, where it was."""

    fits: Mapping[int, FittedGenerator]
    redrawn: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def join(cls, parts: Iterable[Refitted]) -> Refitted:
        """The fits of all parts."""
        joined = cls({})
        for part in parts:
            joined = cls({**joined.fits, **part.fits}, {**joined.redrawn, **part.redrawn})
        return joined


@dataclass(frozen=True, slots=True)
class FlatCovariates:
    """The covariates of a flat generator; the treatment that it draws with them is left out."""

    fitted: FittedGenerator

    def draw(self, patients: int, *, rng: np.random.Generator) -> dict[str, object]:
        """Covariates of new patients, by name: float arrays with NaN, object arrays with None."""
        drawn = self.fitted.draw(patients, rng=rng).drop(columns="treated")
        return {
            str(name): column.to_numpy(float) if column.dtype == np.float64 else column.astype(object).where(column.notna(), None).to_numpy()
            for name, column in drawn.items()
        }


@dataclass(frozen=True, slots=True)
class WithConstants:
    """A fitted generator, and the covariates that are the same for everybody: one row of them, and the order of all columns."""

    fitted: FittedGenerator
    constants: pd.DataFrame
    columns: tuple[str, ...]

    def draw(self, patients: int, *, rng: np.random.Generator) -> pd.DataFrame:
        """Synthetic patients with every column."""
        same = self.constants.loc[self.constants.index.repeat(patients)].reset_index(drop=True)
        return pd.concat([self.fitted.draw(patients, rng=rng), same], axis=1)[list(self.columns)]


def draw_replicates(fitted: FittedGenerator | Refitted, *, replicates: int, patients: int, seeds: Sequence[int]) -> pd.DataFrame:
    """A cohort table of ``replicates`` replicates of ``patients`` patients each, replicate i from ``seeds[i]`` alone.

    A :class:`Refitted` generator draws the replicates that it has a fit of, each from its own. Columns: ``replicate`` (0 …), ``patient_id``
    ("1" … within a replicate), then as in the real cohort.
    """
    if len(seeds) != replicates or len(set(seeds)) != replicates:
        raise GenerationError(f"seeds: found {len(set(seeds))} different ones; allowed is one for each of {replicates} replicates")
    tables = []
    sources = fitted.fits if isinstance(fitted, Refitted) else dict.fromkeys(range(replicates), fitted)
    for replicate, source in sorted(sources.items()):
        seed = seeds[replicate]
        drawn = source.draw(patients, rng=np.random.default_rng(seed))
        identity = pd.DataFrame({"replicate": np.full(patients, replicate, dtype=np.int64), "patient_id": np.arange(1, patients + 1).astype(str)})
        tables.append(pd.concat([identity.astype({"patient_id": "string"}), drawn], axis=1))
    return pd.concat(tables, ignore_index=True)
