"""Virtual twins: what would happen to a patient under either arm, as the survival-aware generator has learnt it.

Two things are made of a fitted ``sequential`` generator. For patients, real or synthetic, the curves S(t | x, arm) under both arms
(:func:`trace_twins`), with bands over refits on bootstrap resamples (:func:`trace_bands`). And a twin cohort (:func:`draw_twins`): synthetic
patients with the outcome under either arm drawn for each, of whom a study sees the one of the arm that they were given.

Assumption: a patient's curve is a prediction of the fitted models, which is an effect only where the covariates hold all confounders; bands
hold the sampling of the patients, not the choice of the models. How the two outcomes of one patient hang together is never seen in data: they
are drawn independently given the covariates, so that averages over patients have a truth and differences within one patient have none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from parallax.errors import GenerationError
from parallax.protocol import Covariates, OutcomesSection, SequentialGenerator
from parallax.protocol.generators import IndependentGenerator
from parallax.protocol.outcomes import SurvivalOutcome
from parallax.synthesis.outcome_models import EventTimes, OutcomeModel
from parallax.synthesis.registry import WithConstants, fit_generator
from parallax.synthesis.sequential import FittedSequential
from parallax.vocabulary import ARMS

FloatArray = NDArray[np.float64]

#: points of the grid beside the horizons, from day 0 to the last horizon
_GRID = 21


@dataclass(frozen=True, slots=True)
class TwinCurves:
    """Both arms' curves of the patients for one survival outcome: ``times`` (k,), ``values`` (2, n, k), the treated first, by quantity.

    Quantities: ``survival``, the probability of no event of any kind; where events compete also ``incidence``, that of the event itself.
    """

    times: FloatArray
    values: Mapping[str, FloatArray]

    @property
    def means(self) -> Mapping[str, FloatArray]:
        """Averages over the patients and their difference (3, k), treated, comparator, treated minus comparator: g-computation (Robins 1986)."""
        found = {}
        for quantity, curves in self.values.items():
            treated, comparator = curves.mean(axis=1)
            found[quantity] = np.vstack([treated, comparator, treated - comparator])
        return found


@dataclass(frozen=True, slots=True)
class TwinBand:
    """Patients' ``curves`` and the ``means`` over others, each with its pointwise 95 % band by quantity; ``refits`` the bands rest on."""

    curves: TwinCurves
    lower: Mapping[str, FloatArray]
    upper: Mapping[str, FloatArray]
    means: Mapping[str, FloatArray]
    mean_lower: Mapping[str, FloatArray]
    mean_upper: Mapping[str, FloatArray]
    refits: int


@dataclass(frozen=True, slots=True)
class TwinCohort:
    """Synthetic patients whose outcomes under either arm are known.

    ``cohort`` is the cohort table that a study sees: the arm drawn, its outcome, followed until lost. ``potential`` has every patient twice,
    ``treated`` and not, with the outcome under that arm had nobody been lost before the last day of follow-up, and ``propensity``, the
    probability of treatment that the arm was drawn from.
    """

    cohort: pd.DataFrame
    potential: pd.DataFrame


def require_sequential(fitted: object) -> FittedSequential:
    """The chain inside a fitted generator; raises GenerationError for a generator without event models of its own in each arm."""
    inner = fitted.fitted if isinstance(fitted, WithConstants) else fitted
    if isinstance(inner, FittedSequential):
        return inner
    found = "a generator that could not be fitted" if inner is None else type(inner).__name__
    raise GenerationError(
        f"virtual twins\n    found    {found}\n"
        "    allowed  a fitted generator of the method sequential: others have no outcome given covariates and arm\n"
        "    to do    name one with --config generator=NAME"
    )


def choose_times(outcome: SurvivalOutcome) -> FloatArray:
    """The outcome's horizons and a grid of equal steps up to the last."""
    return np.unique(np.concatenate([outcome.horizons_days, np.linspace(0.0, outcome.horizons_days[-1], _GRID)]))


def trace_twins(fitted: object, patients: pd.DataFrame) -> dict[str, TwinCurves]:
    """By survival outcome, the curves of ``patients`` (n rows with the covariates' columns) under both arms, at :func:`choose_times`."""
    chain = require_sequential(fitted)
    columns = chain.columns.of(patients)
    found = {}
    for name, outcome in chain.form.context.outcomes.survival.items():
        times = choose_times(outcome)
        models = [chain.outcomes[arm][name] for arm in ARMS]
        values = {"survival": np.stack([_event_times(model).survival(columns, times) for model in models])}
        if outcome.competing:
            values["incidence"] = np.stack([_event_times(model).incidence(columns, times) for model in models])
        found[name] = TwinCurves(times, values)
    return found


def trace_bands(
    fitted: object,
    patients: pd.DataFrame,
    *,
    averaged: pd.DataFrame,
    settings: SequentialGenerator,
    cohort: pd.DataFrame,
    covariates: Covariates,
    outcomes: OutcomesSection,
    refits: int,
    seed: int,
) -> dict[str, TwinBand]:
    """The curves of ``patients``, and the averages over the patients ``averaged``, with bands: the 2.5th and 97.5th percentile over generators
    refitted to resamples of the ``cohort``.

    Resample i takes n of the n patients of ``cohort`` with replacement, from (seed, i) alone (Efron & Tibshirani 1993, section 13.3). The covariates'
    joint model does not touch the curves of given patients and is left out of the refits; under the calibrated recipe it does, and stays.
    """
    if refits < 2:
        raise GenerationError(f"virtual twins: found {refits} refits; allowed are two or more; name them with --config refits=NUMBER")
    refitted = settings
    if settings.recipe == "direct":
        refitted = settings.model_copy(update={"covariates": IndependentGenerator(method="independent")})
    curves, others = trace_twins(fitted, patients), trace_twins(fitted, averaged)
    again: dict[str, dict[str, list[NDArray[np.float32]]]] = {name: {quantity: [] for quantity in of.values} for name, of in curves.items()}
    means: dict[str, dict[str, list[FloatArray]]] = {name: {quantity: [] for quantity in of.values} for name, of in curves.items()}
    for refit in range(refits):
        rng = np.random.default_rng([seed, refit])
        resample = cohort.iloc[rng.integers(len(cohort), size=len(cohort))].reset_index(drop=True)
        model = fit_generator(refitted, resample, covariates=covariates, outcomes=outcomes, seed=int(rng.integers(2**32)))
        for name, traced in trace_twins(model, patients).items():
            for quantity, values in traced.values.items():
                again[name][quantity].append(values.astype(np.float32))
        for name, traced in trace_twins(model, averaged).items():
            for quantity, mean in traced.means.items():
                means[name][quantity].append(mean)
    bands = {}
    for name, of in curves.items():
        ends: dict[str, dict[str, FloatArray]] = {}
        for part, source in (("", again), ("mean_", means)):
            limits = {quantity: _percentiles(many) for quantity, many in source[name].items()}
            ends |= {f"{part}{side}": {quantity: both[at] for quantity, both in limits.items()} for at, side in enumerate(("lower", "upper"))}
        bands[name] = TwinBand(curves=of, means=others[name].means, refits=refits, **ends)
    return bands


def tabulate_twins(bands: Mapping[str, TwinBand], patient_ids: pd.Series) -> pd.DataFrame:
    """The patients' curves as a TWIN_CURVES table."""
    parts = []
    for outcome, band in bands.items():
        for quantity, values in band.curves.values.items():
            for arm, of_arm, lower, upper in zip(ARMS, values, band.lower[quantity], band.upper[quantity], strict=True):
                n, k = of_arm.shape
                cells = {"value": of_arm.ravel(), "lower": lower.ravel().astype(np.float64), "upper": upper.ravel().astype(np.float64)}
                labels = {"patient_id": np.repeat(patient_ids.to_numpy(), k), "outcome": outcome, "arm": arm, "quantity": quantity}
                parts.append(pd.DataFrame(labels | {"time_days": np.tile(band.curves.times, n)} | cells))
    return pd.concat(parts, ignore_index=True)


def average_twins(bands: Mapping[str, TwinBand], cohort: pd.DataFrame) -> pd.DataFrame:
    """The averages over the patients as a TWIN_AVERAGES table, beside what the real ``cohort`` that was learnt from knows of each time.

    ``at_risk`` counts the real patients followed beyond the time and ``events`` those with an event by it, each in the arm that has fewer.
    """
    parts = []
    for outcome, band in bands.items():
        times, treated = band.curves.times, cohort["treated"].to_numpy(bool)
        days, happened = cohort[f"{outcome}_days"].to_numpy(float)[:, None], cohort[f"{outcome}_event"].to_numpy()[:, None] > 0
        at_risk = np.minimum(*((days[arm] > times).sum(axis=0) for arm in (treated, ~treated)))
        events = np.minimum(*((happened[arm] & (days[arm] <= times)).sum(axis=0) for arm in (treated, ~treated)))
        for quantity, means in band.means.items():
            for row, arm in enumerate((*ARMS, "difference")):
                cells = {"value": means[row], "lower": band.mean_lower[quantity][row], "upper": band.mean_upper[quantity][row]}
                known = {"at_risk": at_risk, "events": events, "refits": band.refits}
                parts.append(pd.DataFrame({"outcome": outcome, "arm": arm, "quantity": quantity, "time_days": times} | cells | known))
    return pd.concat(parts, ignore_index=True)


def draw_twins(fitted: object, patients: int, *, rng: np.random.Generator) -> TwinCohort:
    """A twin cohort of ``patients`` synthetic patients; the same ``rng`` state gives the same bits.

    ``propensity`` is exact under the direct recipe; under the calibrated one, in which treatment comes first, it is the score that the
    covariates were calibrated to.
    """
    chain = require_sequential(fitted)
    context, treatment = chain.form.context, chain.columns.treatment
    drawn = chain.baseline.draw(patients, rng=rng)
    treated = np.asarray(drawn["treated"], dtype=bool)
    columns = chain.columns.of(drawn)
    followed, complete = [], []
    for arm in ARMS:
        parts: tuple[dict[str, FloatArray], dict[str, FloatArray]] = {}, {}
        for name in context.outcomes.names:
            for into, found in zip(parts, _draw_both(chain.outcomes[arm][name], columns, rng), strict=True):
                into.update({f"{name}_{part}": values for part, values in found.items()})
        given = drawn | {"treated": np.full(patients, arm == ARMS[0])}
        followed.append(chain.form.restore(given | parts[0]))
        complete.append(chain.form.restore(given | parts[1]))
    cohort = pd.concat([followed[0][treated], followed[1][~treated]]).sort_index()
    order = list(context.columns)
    if isinstance(fitted, WithConstants):
        order = list(fitted.columns)
        cohort = cohort.join(fitted.constants.loc[fitted.constants.index.repeat(patients)].reset_index(drop=True))
    identity = pd.DataFrame({"replicate": np.int64(0), "patient_id": pd.array(np.arange(1, patients + 1).astype(str), dtype="string")})
    score = expit(np.clip(treatment.logit(drawn), treatment.lowest, treatment.highest))
    kept = ["treated", *context.outcomes.cohort_columns]
    both = [identity.join(table[kept]).assign(propensity=score) for table in complete]
    return TwinCohort(identity.join(cohort[order]), pd.concat(both, ignore_index=True))


def _draw_both(model: OutcomeModel, columns: FloatArray, rng: np.random.Generator) -> tuple[Mapping[str, FloatArray], Mapping[str, FloatArray]]:
    """An outcome as it is followed, and had nobody been lost."""
    if isinstance(model, EventTimes):
        return model.draw_with_complete(columns, rng=rng)
    drawn = model.draw(columns, rng=rng)
    return drawn, drawn


def _event_times(model: OutcomeModel) -> EventTimes:
    assert isinstance(model, EventTimes)  # noqa: S101 -- for the type: every survival outcome has one
    return model


def _percentiles(many: list[FloatArray] | list[NDArray[np.float32]]) -> FloatArray:
    limits: FloatArray = np.quantile(np.stack(many), (0.025, 0.975), axis=0)
    return limits
