"""The survival-aware generator: covariates, then treatment given covariates, then event and censoring times given both."""

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
from parallax.synthesis.hazards import IntervalHazard
from parallax.synthesis.predictors import Predictors
from parallax.synthesis.records import RecordForm
from parallax.vocabulary import ARMS

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FittedSequential:
    """The fitted chain; ``hazards`` by outcome and arm: the event's and the censoring's."""

    form: RecordForm
    covariates: CovariateCopula
    treatment_predictors: Predictors
    treatment: FloatArray
    outcome_predictors: Predictors
    hazards: Mapping[tuple[str, str], tuple[IntervalHazard, IntervalHazard]]

    def draw(self, patients: int, *, rng: np.random.Generator) -> pd.DataFrame:
        """Synthetic patients: each step is drawn given the steps before it."""
        drawn = self.covariates.draw(patients, rng=rng)
        logit = self.treatment[0] + self.treatment_predictors.standardise(drawn) @ self.treatment[1:]
        treated = rng.random(patients) < expit(logit)
        columns = self.outcome_predictors.standardise(drawn)
        drawn["treated"] = treated
        for name in self.form.follow_up:
            days, event = np.empty(patients), np.empty(patients, dtype=np.int64)
            for arm, chosen in zip(ARMS, (treated, ~treated), strict=True):
                happens, censored = (hazard.draw(columns[chosen], rng=rng) for hazard in self.hazards[name, arm])
                days[chosen] = np.minimum(np.minimum(happens, censored), self.form.follow_up[name].grid.upper)
                event[chosen] = np.isfinite(happens) & (happens <= censored)
            drawn |= {f"{name}_days": days, f"{name}_event": event}
        return self.form.restore(drawn)


@dataclass(frozen=True, slots=True)
class Sequential:
    """Set-up of the survival-aware generator.

    Assumptions: the covariates follow a Gaussian copula; the log odds of treatment are linear in the covariates and the squares of the
    numeric ones; in each arm and between two of the protocol's horizons hazards are proportional, and event and censoring times are
    independent given the covariates; several outcomes of one patient are independent given covariates and arm.

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
        hazards = {}
        try:
            treatment = _fit_treatment(design, treated, ridge=self.ridge_treatment)
            for name, outcome in context.outcomes.items():
                days, event = cohort[f"{name}_days"].to_numpy(float), cohort[f"{name}_event"].to_numpy() == 1
                # at a shared time events come before censoring: who has one is not at risk of being censored
                followed = np.where(event, np.nextafter(days, 0.0), days)
                for arm, chosen in zip(ARMS, (treated, ~treated), strict=True):
                    edges = tuple(edge for edge in outcome.horizons_days if edge < days[chosen].max())
                    x = columns[chosen]
                    hazards[name, arm] = (
                        IntervalHazard.fit(days[chosen], event[chosen], x, edges=edges, ridge=self.ridge_outcome),
                        IntervalHazard.fit(followed[chosen], ~event[chosen], x, edges=edges, ridge=self.ridge_outcome),
                    )
        except NotEstimable as fault:
            raise GenerationError(f"sequential: {fault}; a ridge penalty above zero makes every model estimable") from fault
        return FittedSequential(
            form=RecordForm.of(cohort, context),
            covariates=CovariateCopula.fit(cohort, context),
            treatment_predictors=treatment_predictors,
            treatment=treatment,
            outcome_predictors=outcome_predictors,
            hazards=hazards,
        )


def _fit_treatment(design: FloatArray, treated: NDArray[np.bool_], *, ridge: float) -> FloatArray:
    penalty = np.full(design.shape[1], ridge)
    penalty[0] = 0.0
    return fit_logistic(design, treated, ridge=penalty).coefficients
