"""The survival-aware generator: covariates and treatment, then every outcome given both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from parallax.errors import GenerationError, NotEstimable
from parallax.protocol import SequentialGenerator
from parallax.synthesis.baseline import (
    Baseline,
    CovariateModel,
    CovariatesThenTreatment,
    Moments,
    OutcomeColumns,
    TreatmentModel,
    TreatmentThenCovariates,
)
from parallax.synthesis.forest_hazards import ForestHazard
from parallax.synthesis.generator import Context
from parallax.synthesis.hazards import FitHazard, Hazard, IntervalHazard, NeverHappens
from parallax.synthesis.outcome_models import EventTimes, OutcomeModel, fit_outcome_models
from parallax.synthesis.predictors import Predictors
from parallax.synthesis.records import RecordForm
from parallax.synthesis.spline_hazards import SplineHazard
from parallax.vocabulary import ARMS

FloatArray = NDArray[np.float64]

#: patients per arm on whom the baselines of the calibrated recipe are solved
_CALIBRATED_ON: Final = 5_000


@dataclass(frozen=True, slots=True)
class FittedSequential:
    """The fitted chain; ``outcomes`` by arm and outcome."""

    form: RecordForm
    baseline: Baseline
    columns: OutcomeColumns
    outcomes: Mapping[str, Mapping[str, OutcomeModel]]

    def draw(self, patients: int, *, rng: np.random.Generator) -> pd.DataFrame:
        """Synthetic patients: each step is drawn given the steps before it."""
        drawn = self.baseline.draw(patients, rng=rng)
        treated = np.asarray(drawn["treated"], dtype=bool)
        columns = self.columns.of(drawn)
        (of_times,) = rng.spawn(1)
        for name, outcome in self.form.context.outcomes.items():
            parts = {part: np.empty(patients) for part in outcome.columns}
            for arm, chosen in zip(ARMS, (treated, ~treated), strict=True):
                for part, values in self.outcomes[arm][name].draw(columns[chosen], rng=rng).items():
                    parts[part][chosen] = values
            if name in self.form.follow_up:
                parts["days"] = self.form.follow_up[name].spread(parts["days"], rng=of_times)
            drawn |= {f"{name}_{part}": values for part, values in parts.items()}
        return self.form.restore(drawn)


@dataclass(frozen=True, slots=True)
class Sequential:
    """Set-up of the survival-aware generator: the protocol's ``settings``, and how the covariates' joint model is fitted.

    Assumptions: the log odds of treatment are linear in the covariates, the squares of the numeric ones and the products asked for; every
    outcome follows a model of its own in each arm (``outcome_models``): event, competing and censoring times independent given the
    covariates; log odds, means and log rates linear in them. Several outcomes of one patient are independent given covariates and arm: a
    covariate-free link between them is lost.

    Recipe ``direct``: covariates from their joint model, treatment given them. Recipe ``calibrated``: treatment from its share, covariates
    from a copula per arm, tilted to the real means of scores and score equations, and baselines solved so that each arm's curves are kept.

    Penalties are ½ λ Σ β² on columns of standard deviation one, that is, a normal prior of variance 1/λ for each coefficient
    (docs/decisions/0010-survival-aware-generator.md).
    """

    settings: SequentialGenerator
    fit_covariates: Callable[[pd.DataFrame, Context, np.random.Generator], CovariateModel]

    def fit(self, cohort: pd.DataFrame, *, context: Context, rng: np.random.Generator) -> FittedSequential:
        """Fit all steps; raises GenerationError where an unpenalised model has no finite estimate."""
        chosen = self.settings
        treated = cohort["treated"].to_numpy(bool)
        predictors = Predictors.fit(cohort, context, squares=chosen.treatment_squares, interactions=chosen.treatment_interactions)
        try:
            treatment = TreatmentModel.fit(cohort, predictors, ridge=chosen.ridge_treatment)
            columns = OutcomeColumns.fit(cohort, Predictors.fit(cohort, context, squares=False), treatment)
            x, penalty = columns.of(cohort), columns.penalty(chosen.ridge_outcome)
            fit_hazard = choose_hazard(chosen, penalty, rng)
            outcomes = {
                arm: fit_outcome_models(cohort[of_arm], x[of_arm], context.outcomes, ridge=penalty, fit_hazard=fit_hazard)
                for arm, of_arm in zip(ARMS, (treated, ~treated), strict=True)
            }
        except NotEstimable as fault:
            raise GenerationError(f"sequential: {fault}; a ridge penalty above zero makes every model estimable") from fault
        baseline: Baseline
        if chosen.recipe == "direct":
            baseline = CovariatesThenTreatment(self.fit_covariates(cohort, context, rng), treatment)
        else:
            slopes = [model.slopes() for arm in ARMS for model in outcomes[arm].values()]
            moments = Moments.fit(cohort, columns, np.column_stack([part for part in slopes if part.size]))
            baseline = TreatmentThenCovariates.fit(cohort, context, moments, rng=rng)
            outcomes = _recalibrate(outcomes, cohort, baseline, columns, rng=rng)
        return FittedSequential(RecordForm.of(cohort, context), baseline, columns, outcomes)


def choose_hazard(settings: SequentialGenerator, penalty: FloatArray, rng: np.random.Generator) -> FitHazard:
    """How event and censoring times are learnt, by the protocol's ``event_times``."""

    def piecewise(days: FloatArray, event: NDArray[np.bool_], columns: FloatArray, *, edges: tuple[float, ...]) -> Hazard:
        return IntervalHazard.fit(days, event, columns, edges=edges, ridge=penalty)

    def flexible(days: FloatArray, event: NDArray[np.bool_], columns: FloatArray, *, edges: tuple[float, ...]) -> Hazard:  # noqa: ARG001 -- effects change with log time
        return SplineHazard.fit(days, event, columns, ridge=penalty) or NeverHappens()

    def forest(days: FloatArray, event: NDArray[np.bool_], columns: FloatArray, *, edges: tuple[float, ...]) -> Hazard:  # noqa: ARG001 -- leaves have times of their own
        return ForestHazard.fit(days, event, columns, rng=rng) or NeverHappens()

    return {"piecewise_cox": piecewise, "flexible_parametric": flexible, "forest": forest}[settings.event_times]


def _recalibrate(
    outcomes: Mapping[str, Mapping[str, OutcomeModel]],
    cohort: pd.DataFrame,
    baseline: Baseline,
    columns: OutcomeColumns,
    *,
    rng: np.random.Generator,
) -> dict[str, dict[str, OutcomeModel]]:
    """The outcome models with the baselines that keep each arm's curves among patients of ``baseline``."""
    share = cohort["treated"].mean()
    drawn = baseline.draw(int(_CALIBRATED_ON / min(share, 1.0 - share)), rng=rng)
    x, treated, real = columns.of(drawn), np.asarray(drawn["treated"], dtype=bool), cohort["treated"].to_numpy(bool)
    kept: dict[str, dict[str, OutcomeModel]] = {}
    for arm, chosen, observed in zip(ARMS, (treated, ~treated), (real, ~real), strict=True):
        kept[arm] = {}
        for name, model in outcomes[arm].items():
            if isinstance(model, EventTimes):
                days, event = cohort.loc[observed, f"{name}_days"].to_numpy(float), cohort.loc[observed, f"{name}_event"].to_numpy(np.int64)
                model = model.recalibrate(days, event, x[chosen][:_CALIBRATED_ON])
            kept[arm][name] = model
    return kept
