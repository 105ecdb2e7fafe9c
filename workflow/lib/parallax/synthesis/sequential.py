"""The survival-aware generator: covariates, then treatment given covariates, then outcomes given both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from parallax.errors import GenerationError, NotEstimable
from parallax.statistics.logistic import fit_logistic
from parallax.synthesis.copula import CovariateCopula
from parallax.synthesis.generator import Context
from parallax.synthesis.outcome_models import OutcomeModel, fit_outcome
from parallax.synthesis.predictors import Predictors
from parallax.synthesis.records import RecordForm
from parallax.vocabulary import ARMS

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FittedSequential:
    """The fitted chain; ``outcomes`` by outcome and arm."""

    form: RecordForm
    covariates: CovariateCopula
    treatment_predictors: Predictors
    treatment: FloatArray
    outcome_predictors: Predictors
    outcomes: Mapping[tuple[str, str], OutcomeModel]

    def draw(self, patients: int, *, rng: np.random.Generator) -> pd.DataFrame:
        """Synthetic patients: each step is drawn given the steps before it."""
        drawn = self.covariates.draw(patients, rng=rng)
        logit = self.treatment[0] + self.treatment_predictors.standardise(drawn) @ self.treatment[1:]
        treated = rng.random(patients) < expit(logit)
        columns = self.outcome_predictors.standardise(drawn)
        drawn["treated"] = treated
        for name, outcome in self.form.context.outcomes.items():
            parts = {part: np.empty(patients) for part in outcome.columns}
            for arm, chosen in zip(ARMS, (treated, ~treated), strict=True):
                for part, values in self.outcomes[name, arm].draw(columns[chosen], rng=rng).items():
                    parts[part][chosen] = values
            drawn |= {f"{name}_{part}": values for part, values in parts.items()}
        return self.form.restore(drawn)


@dataclass(frozen=True, slots=True)
class Sequential:
    """Set-up of the survival-aware generator.

    Assumptions: the covariates follow a Gaussian copula; the log odds of treatment are linear in the covariates and the squares of the
    numeric ones; in each arm and between two of the protocol's horizons hazards are proportional, and event and censoring times are
    independent given the covariates, as are those of competing events; other outcomes follow a regression in each arm
    (:mod:`parallax.synthesis.outcome_models`); several outcomes of one patient are independent given covariates and arm.

    Both penalties are ½ λ Σ β² on columns of standard deviation one, that is, a normal prior of variance 1/λ for each coefficient
    (docs/decisions/0010-survival-aware-generator.md). Nothing is plugged in at random: the fit is the same whatever the seed.
    """

    ridge_treatment: float
    ridge_outcome: float

    def fit(self, cohort: pd.DataFrame, *, context: Context, rng: np.random.Generator) -> FittedSequential:  # noqa: ARG002 -- part of the interface
        """Fit all steps; raises GenerationError where an unpenalised model has no finite estimate."""
        treated = cohort["treated"].to_numpy(bool)
        treatment_predictors = Predictors.fit(cohort, context, squares=True)
        outcome_predictors = Predictors.fit(cohort, context, squares=False)
        design = np.column_stack([np.ones(treated.size), treatment_predictors.standardise(cohort)])
        columns = outcome_predictors.standardise(cohort)
        outcomes = {}
        try:
            treatment = _fit_treatment(design, treated, ridge=self.ridge_treatment)
            for name, outcome in context.outcomes.items():
                for arm, chosen in zip(ARMS, (treated, ~treated), strict=True):
                    outcomes[name, arm] = fit_outcome(name, outcome, cohort[chosen], columns[chosen], ridge=self.ridge_outcome)
        except NotEstimable as fault:
            raise GenerationError(f"sequential: {fault}; a ridge penalty above zero makes every model estimable") from fault
        return FittedSequential(
            form=RecordForm.of(cohort, context),
            covariates=CovariateCopula.fit(cohort, context),
            treatment_predictors=treatment_predictors,
            treatment=treatment,
            outcome_predictors=outcome_predictors,
            outcomes=outcomes,
        )


def _fit_treatment(design: FloatArray, treated: NDArray[np.bool_], *, ridge: float) -> FloatArray:
    penalty = np.full(design.shape[1], ridge)
    penalty[0] = 0.0
    return fit_logistic(design, treated, ridge=penalty).coefficients
