"""The registry of generators, and the two calls that the workflow makes: fit one, draw its replicates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from parallax.errors import GenerationError
from parallax.protocol import Covariates, OutcomesSection, SequentialGenerator
from parallax.protocol import Generator as GeneratorSettings
from parallax.protocol.generators import CovariateChain as CovariateChainSettings
from parallax.protocol.generators import EmpiricalCopula
from parallax.synthesis.baseline import CovariateModel
from parallax.synthesis.cart import Cart
from parallax.synthesis.chain import CovariateChain
from parallax.synthesis.copula import CovariateCopula
from parallax.synthesis.generator import Context, FittedGenerator, Generator, check_cohort
from parallax.synthesis.margins import Independent
from parallax.synthesis.sdv import SdvGenerator
from parallax.synthesis.sequential import Sequential


def _sequential(settings: SequentialGenerator) -> Generator:
    def fit_covariates(cohort: pd.DataFrame, context: Context, rng: np.random.Generator) -> CovariateModel:
        chosen = settings.covariates
        if isinstance(chosen, EmpiricalCopula):
            return CovariateCopula.fit(cohort, context)
        if isinstance(chosen, CovariateChainSettings):
            return CovariateChain.fit(cohort, context, order=chosen.order)
        alone = Context(context.covariates, OutcomesSection.model_construct({}))
        return FlatCovariates(GENERATORS[chosen.method](chosen).fit(cohort[["treated", *context.covariates.names]], context=alone, rng=rng))

    return Sequential(settings, fit_covariates)


#: the protocol's ``method`` → the generator set up with the entry's settings
GENERATORS: Final[Mapping[str, Callable[[Any], Generator]]] = {
    "sequential": _sequential,
    "gaussian_copula": SdvGenerator,
    "ctgan": SdvGenerator,
    "copula_gan": SdvGenerator,
    "tvae": SdvGenerator,
    "cart": lambda settings: Cart(settings.order, settings.minimum_leaf),
    "independent": lambda _: Independent(),
}


def fit_generator(
    settings: GeneratorSettings, cohort: pd.DataFrame, *, covariates: Covariates, outcomes: OutcomesSection, seed: int
) -> FittedGenerator:
    """Fit the generator that a protocol's entry names to a cohort (or a part of one).

    The same seed gives the same fit, bit for bit, in one environment with one thread. A covariate that is the same for all patients teaches
    nothing: it is set aside, and written down again in every draw. Raises GenerationError, before anything costly, for a cohort that
    nothing can be learnt from.
    """
    context = Context(covariates, outcomes)
    check_cohort(cohort, context)
    constants = cohort[[name for name in covariates.names if cohort[name].notna().all() and (cohort[name] == cohort[name].iloc[0]).all()]].head(1)
    varying = Context(
        covariates.model_copy(
            update={kind: tuple(name for name in getattr(covariates, kind) if name not in constants) for kind in ("numeric", "categorical")}
        ),
        outcomes,
    )
    learnt = cohort.drop(columns=list(constants)).reset_index(drop=True)
    fitted = GENERATORS[settings.method](settings).fit(learnt, context=varying, rng=np.random.default_rng(seed))
    return fitted if constants.empty else WithConstants(fitted, constants, context.columns)


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


def draw_replicates(fitted: FittedGenerator, *, replicates: int, patients: int, seeds: Sequence[int]) -> pd.DataFrame:
    """A cohort table of ``replicates`` replicates of ``patients`` patients each, replicate i from ``seeds[i]`` alone.

    Columns: ``replicate`` (0 …), ``patient_id`` ("1" … within a replicate), then as in the real cohort.
    """
    if len(seeds) != replicates or len(set(seeds)) != replicates:
        raise GenerationError(f"seeds: found {len(set(seeds))} different ones; allowed is one for each of {replicates} replicates")
    tables = []
    for replicate, seed in enumerate(seeds):
        drawn = fitted.draw(patients, rng=np.random.default_rng(seed))
        identity = pd.DataFrame({"replicate": np.full(patients, replicate, dtype=np.int64), "patient_id": np.arange(1, patients + 1).astype(str)})
        tables.append(pd.concat([identity.astype({"patient_id": "string"}), drawn], axis=1))
    return pd.concat(tables, ignore_index=True)
