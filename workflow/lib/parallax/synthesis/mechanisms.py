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

    def see(self, covariates: pd.DataFrame) -> Seen:
        """What the models make of patients with these covariates."""
        logit = np.clip(self.treatment.logit(covariates), self.treatment.lowest, self.treatment.highest)
        return Seen(expit(logit), self.columns.of(covariates))


@dataclass(frozen=True, slots=True)
class Seen:
    """Of patients (n,): the probability of treatment, and the columns (n, p) of the outcome models."""

    probability: FloatArray
    columns: FloatArray


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


@dataclass(frozen=True, slots=True)
class Mixer:
    """Draws cohorts whose mechanisms come each from one of several ``sources``; what a source's models make of another's patients is ``seen``."""

    outcome: str
    sources: Mapping[str, Mechanisms]
    seen: Mapping[tuple[str, str], Seen]

    @classmethod
    def of(cls, outcome: str, sources: Mapping[str, Mechanisms]) -> Self:
        """Let every source see every other one's patients."""
        seen = {(model, rows): made.see(given.covariates) for model, made in sources.items() for rows, given in sources.items()}
        return cls(outcome, sources, seen)

    def mix(self, *, covariates: str, treatment: str, outcome: str, censoring: str, seed: int) -> pd.DataFrame:
        """A cohort (replicate 0) with each mechanism from the source that is named for it.

        A patient's random numbers under ``seed`` are those of the mechanism and of the patient's row, whatever is mixed: where the cohorts are
        arranged alike, two mixtures differ by what was swapped and little else. An outcome without follow-up has no censoring.
        """
        patients = self.sources[covariates].covariates
        own, censored = self.seen[outcome, covariates].columns, self.seen[censoring, covariates].columns
        assigned = self._stream(seed, "treatment").random(len(patients)) < self.seen[treatment, covariates].probability
        values: dict[str, FloatArray] = {}
        for arm, rows in zip(ARMS, (assigned, ~assigned), strict=True):
            rng, model, other = self._stream(seed, "outcome"), self.sources[outcome].outcome[arm], self.sources[censoring].outcome[arm]
            if isinstance(model, EventTimes) and isinstance(other, EventTimes):
                drawn = model.draw_until(other, own, censored, rng=rng, censoring_rng=self._stream(seed, "censoring"))
            else:
                drawn = model.draw(own, rng=rng)
            for part, column in drawn.items():
                values.setdefault(part, np.empty(len(patients)))[rows] = column[rows]
        identity = {"replicate": 0, "patient_id": pd.array([str(row) for row in range(1, len(patients) + 1)], dtype="string"), "treated": assigned}
        made = pd.DataFrame({f"{self.outcome}_{part}": column.astype(np.int64 if part == "event" else float) for part, column in values.items()})
        return pd.concat([pd.DataFrame(identity, index=patients.index), patients, made], axis=1)

    @staticmethod
    def _stream(seed: int, mechanism: str) -> np.random.Generator:
        return np.random.default_rng([seed, _STREAMS[mechanism]])
