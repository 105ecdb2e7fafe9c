"""The two generators that a certificate holds the gate against: one that is right by construction, and SDV's flat Gaussian copula."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from parallax.errors import GenerationError, NotEstimable
from parallax.protocol.generators import GaussianCopulaGenerator, Generator
from parallax.simulated import fit_study, simulate_cohort
from parallax.simulation.plasmode import Plasmode
from parallax.synthesis.generator import Context, FittedGenerator
from parallax.synthesis.registry import fit_generator
from parallax.vocabulary import CORRECT

#: a normal prior of standard deviation one, a hundredth of the information of a few hundred patients: finite estimates, hardly any shrinkage
_RIDGE: Final = 1.0


@dataclass(frozen=True, slots=True)
class CorrectGenerator:
    """The simulated study's own models estimated anew from its patients, whose covariates are resampled: its class holds the truth.

    Only simulated studies have such a generator, for only of them the models' form is known.
    """

    plasmode: Plasmode
    patients: pd.DataFrame
    context: Context

    @classmethod
    def fit(cls, cohort: pd.DataFrame, context: Context) -> CorrectGenerator:
        """Fit to a simulated study of one outcome; raises GenerationError."""
        ((name, outcome),) = context.outcomes.items()
        try:
            return cls(fit_study(cohort, covariates=context.covariates, name=name, outcome=outcome, ridge=_RIDGE), cohort, context)
        except NotEstimable as error:
            raise GenerationError(f"{CORRECT}: {error}") from error

    def draw(self, patients: int, *, rng: np.random.Generator) -> pd.DataFrame:
        """Synthetic patients."""
        (name,) = self.context.outcomes.names
        drawn = simulate_cohort(self.plasmode, self.patients, covariates=self.context.covariates, name=name, patients=patients, rng=rng)
        return drawn[list(self.context.columns)]


#: the wrong one: all columns at once, with no notion of treatment or of censoring
FLAT: Final = GaussianCopulaGenerator(method="gaussian_copula")


def fit_reference(name: str, cohort: pd.DataFrame, *, context: Context, seed: int) -> FittedGenerator:
    """A reference generator fitted to a simulated study."""
    if name == CORRECT:
        return CorrectGenerator.fit(cohort, context)
    return fit_generator(FLAT, cohort, covariates=context.covariates, outcomes=context.outcomes, constraints=context.constraints, seed=seed)


def stand_in(generators: Mapping[str, Generator]) -> str | None:
    """The protocol's generator that is the flat copula itself, so that none has to be fitted beside it; None where there is none."""
    return next((name for name, settings in generators.items() if settings == FLAT), None)
