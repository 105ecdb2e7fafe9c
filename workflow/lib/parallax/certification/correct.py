"""The generator that is right by construction: what the agreement gate makes of it is a false alarm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from parallax.errors import GenerationError, NotEstimable
from parallax.simulated import fit_study, simulate_cohort
from parallax.simulation.plasmode import Plasmode
from parallax.synthesis.generator import Context
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
