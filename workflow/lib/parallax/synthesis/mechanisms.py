"""The mechanisms that make a cohort, fitted to any cohort whatever made it, and cohorts that mix the mechanisms of several.

A patient's covariates come first, then treatment given them, then the outcome and its censoring given both. Every joint distribution can be
written so; a flat generator's, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from parallax.errors import GenerationError, NotEstimable
from parallax.protocol import SequentialGenerator
from parallax.protocol.outcomes import OutcomesSection
from parallax.synthesis.baseline import OutcomeColumns, TreatmentModel
from parallax.synthesis.generator import Context
from parallax.synthesis.outcome_models import EventTimes, OutcomeModel, fit_outcome_models
from parallax.synthesis.predictors import Predictors
from parallax.synthesis.sequential import choose_hazard
from parallax.vocabulary import ARMS

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

_SETTINGS: Final = SequentialGenerator(method="sequential")
#: strata of the score within which patients are arranged by prognosis
_STRATA: Final = 50
#: one stream of random numbers for each mechanism, the same whatever it is mixed with: what two mixtures share, they share patient by patient
_STREAMS: Final = {"treatment": 1, "outcome": 2, "censoring": 3}


@dataclass(frozen=True, slots=True)
class Mechanisms:
    """A cohort's covariates (its rows), and models of its treatment, and of one outcome with its censoring, in each arm.

    The models are the sequential generator's with the protocol's default settings: log odds of treatment linear in the covariates and the
    squares of the numeric ones; outcomes in each arm linear in the covariates and the score, event and censoring times with effects that
    change at the horizons.
    """

    covariates: pd.DataFrame
    treatment: TreatmentModel
    columns: OutcomeColumns
    outcome: Mapping[str, OutcomeModel]

    def arranged_by(self, other: Mechanisms) -> Mechanisms:
        """The same with the patients in order of ``other``'s score, in ``_STRATA`` strata, and in each of its comparators' prognosis.

        Patients of the same place in two cohorts then are alike, in the chance of treatment and in that of the outcome.
        """
        logit = other.treatment.logit(self.covariates)
        stratum = np.argsort(np.argsort(logit, kind="stable"), kind="stable") * _STRATA // len(logit)
        slopes = other.outcome[ARMS[1]].slopes()
        prognosis = other.columns.of(self.covariates) @ slopes[:, 0] if slopes.size else logit
        return replace(self, covariates=self.covariates.iloc[np.lexsort((prognosis, stratum))].reset_index(drop=True))

    def assign_treatment(self, covariates: pd.DataFrame, *, rng: np.random.Generator) -> BoolArray:
        """Treatment of patients with these covariates (n,)."""
        logit = np.clip(self.treatment.logit(covariates), self.treatment.lowest, self.treatment.highest)
        assigned: BoolArray = rng.random(len(covariates)) < expit(logit)
        return assigned


@dataclass(frozen=True, slots=True)
class MechanismFitter:
    """Fits mechanisms on a footing that all cohorts share: columns centred and scaled by the first cohort, the real one."""

    outcome: str
    outcomes: OutcomesSection
    for_treatment: Predictors
    for_outcome: Predictors
    names: tuple[str, ...]

    @classmethod
    def of(cls, cohort: pd.DataFrame, context: Context, outcome: str) -> Self:
        """Fix the columns on ``cohort``; ``outcome`` names the one that is modelled."""
        return cls(
            outcome,
            OutcomesSection({outcome: context.outcomes[outcome]}),
            Predictors.fit(cohort, context, squares=_SETTINGS.treatment_squares),
            Predictors.fit(cohort, context, squares=False),
            context.covariates.names,
        )

    def fit(self, cohort: pd.DataFrame, *, rng: np.random.Generator) -> Mechanisms:
        """The mechanisms of a cohort of one replicate; raises GenerationError where an arm is empty or a model has no estimate."""
        treated = cohort["treated"].to_numpy(bool)
        if treated.all() or not treated.any():
            raise GenerationError("all patients are in one arm")
        try:
            treatment = TreatmentModel.fit(cohort, self.for_treatment, ridge=_SETTINGS.ridge_treatment)
            columns = OutcomeColumns.fit(cohort, self.for_outcome, treatment)
            x, penalty = columns.of(cohort), columns.penalty(_SETTINGS.ridge_outcome)
            hazard = choose_hazard(_SETTINGS, penalty, rng)
            arms = {
                arm: fit_outcome_models(cohort[rows], x[rows], self.outcomes, ridge=penalty, fit_hazard=hazard)[self.outcome]
                for arm, rows in zip(ARMS, (treated, ~treated), strict=True)
            }
        except NotEstimable as fault:
            raise GenerationError(f"the mechanisms have no estimate: {fault}") from fault
        return Mechanisms(cohort[list(self.names)].reset_index(drop=True), treatment, columns, arms)

    def mix(self, *, covariates: Mechanisms, treatment: Mechanisms, outcome: Mechanisms, censoring: Mechanisms, seed: int) -> pd.DataFrame:
        """A cohort (replicate 0) with each mechanism from the cohort that is named for it.

        A patient's random numbers under ``seed`` are those of the mechanism and of the patient's row, whatever is mixed: where the cohorts are
        arranged alike, two mixtures differ by what was swapped and little else. An outcome without follow-up has no censoring.
        """
        streams = {name: np.random.default_rng([seed, stream]) for name, stream in _STREAMS.items()}
        patients = covariates.covariates
        assigned = treatment.assign_treatment(patients, rng=streams["treatment"])
        own, censored = outcome.columns.of(patients), censoring.columns.of(patients)
        states = {name: streams[name].bit_generator.state for name in ("outcome", "censoring")}
        values: dict[str, FloatArray] = {}
        for arm, rows in zip(ARMS, (assigned, ~assigned), strict=True):
            for name, state in states.items():
                streams[name].bit_generator.state = state
            model, other = outcome.outcome[arm], censoring.outcome[arm]
            if isinstance(model, EventTimes) and isinstance(other, EventTimes):
                drawn = model.draw_until(other, own, censored, rng=streams["outcome"], censoring_rng=streams["censoring"])
            else:
                drawn = model.draw(own, rng=streams["outcome"])
            for part, column in drawn.items():
                values.setdefault(part, np.empty(len(patients)))[rows] = column[rows]
        identity = {"replicate": 0, "patient_id": pd.array([str(row) for row in range(1, len(patients) + 1)], dtype="string"), "treated": assigned}
        named = {f"{self.outcome}_{part}": column for part, column in values.items()}
        if f"{self.outcome}_event" in named:
            named[f"{self.outcome}_event"] = named[f"{self.outcome}_event"].astype(np.int64)
        return pd.concat([pd.DataFrame(identity, index=patients.index), patients, pd.DataFrame(named)], axis=1)
