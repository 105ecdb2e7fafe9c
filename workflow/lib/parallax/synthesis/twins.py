"""Virtual twins: what would happen to a patient under either arm, as the survival-aware generator has learnt it.

Two things are made of a fitted ``sequential`` generator. For patients, real or synthetic, the curves S(t | x, arm) under both arms, or the
expected value of an outcome without times (:func:`trace_twins`), with bands over refits on bootstrap resamples (:func:`trace_bands`). And a twin
cohort (:func:`draw_twins`): synthetic patients with the outcome under either arm drawn for each, of whom a study sees the one of the arm that
they were given.

Assumption: a patient's curve is a prediction of the fitted models, which is an effect only where the covariates hold all confounders. A band is
about the curve, the average course of all patients with these covariates: it holds how the curve varies with the patients learnt from, and
neither the choice of the models, nor their shrinkage, nor that one patient's own course scatters about the curve. How the two outcomes of one
patient hang together is never seen in data: they are drawn independently given the covariates, so that averages over patients have a truth and
differences within one patient have none.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from parallax.errors import GenerationError
from parallax.protocol import Covariates, OutcomesSection, SequentialGenerator
from parallax.protocol.generators import IndependentGenerator
from parallax.protocol.outcomes import Outcome, SurvivalOutcome
from parallax.synthesis.constraints import Constrained
from parallax.synthesis.outcome_models import BinaryModel, ContinuousModel, CountModel, EventTimes, OutcomeModel
from parallax.synthesis.registry import Refitted, WithConstants, fit_resample
from parallax.synthesis.sequential import FittedSequential
from parallax.vocabulary import ARMS

FloatArray = NDArray[np.float64]

logger = logging.getLogger("parallax.synthesis")

#: points of the grid beside the horizons, from day 0 to the last horizon
_GRID = 21
#: no column of a protocol has a space in its name
_SCORE = "propensity score"


@dataclass(frozen=True, slots=True)
class TwinCurves:
    """Both arms' curves of the patients for one outcome: ``times`` (k,) in days, ``values`` (2, n, k), the treated first, by quantity.

    Quantities: ``survival``, the probability of no event of any kind; where events compete also ``incidence``, that of the event itself. An
    outcome without times has one, NaN, and the quantity ``probability`` (yes or no), ``mean`` (a measurement, a count) or ``rate`` (a count per
    person-day).
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
    """The chain inside a fitted generator; raises GenerationError for a generator without outcome models of its own in each arm."""
    inner = _without_constraints(fitted)
    inner = inner.fitted if isinstance(inner, WithConstants) else inner
    if isinstance(inner, FittedSequential):
        return inner
    found = "a generator that could not be fitted" if inner is None else f"a fitted {type(inner).__name__}"
    allowed = "a generator of the method sequential: others have no outcome given covariates and arm"
    remedy = "name one with --config generator=NAME"
    if isinstance(inner, Refitted):
        found, allowed, remedy = "a fit for each replicate (synthesis.fit: bootstrap)", "one fit", "set synthesis.fit: single"
    raise GenerationError(f"virtual twins\n    found    {found}\n    allowed  {allowed}\n    to do    {remedy}")


def choose_times(outcome: Outcome) -> FloatArray:
    """A survival outcome's horizons and a grid of equal steps up to the last; NaN for one without times."""
    if not isinstance(outcome, SurvivalOutcome):
        return np.array([np.nan])
    return np.unique(np.concatenate([outcome.horizons_days, np.linspace(0.0, outcome.horizons_days[-1], _GRID)]))


def trace_twins(fitted: object, patients: pd.DataFrame) -> dict[str, TwinCurves]:
    """By outcome, the curves of ``patients`` (n rows with the covariates' columns) under both arms, at :func:`choose_times`."""
    chain = require_sequential(fitted)
    columns = chain.columns.of(patients)
    found = {}
    for name, outcome in chain.form.context.outcomes.items():
        times = choose_times(outcome)
        of_arms = [_predict(chain.outcomes[arm][name], outcome, columns, times) for arm in ARMS]
        found[name] = TwinCurves(times, {quantity: np.stack([of_arm[quantity] for of_arm in of_arms]) for quantity in of_arms[0]})
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

    Resample i takes n of the n patients of ``cohort`` with replacement, from (seed, i) alone (Efron & Tibshirani 1993, section 13.3), anew where it
    lacks what a fit needs (:func:`parallax.synthesis.registry.fit_resample`). The covariates' joint model does not touch the curves of given
    patients and is left out of the refits; under the calibrated recipe it does, and stays.
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
        model, redrawn = fit_resample(refitted, cohort, rng=rng, seeds=2**32, covariates=covariates, outcomes=outcomes)
        if redrawn:
            logger.info("refit %d of %d: its resample was drawn anew %d times", refit + 1, refits, redrawn)
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


def average_twins(bands: Mapping[str, TwinBand], cohort: pd.DataFrame, outcomes: OutcomesSection) -> pd.DataFrame:
    """The averages over the patients as a TWIN_AVERAGES table, beside what the real ``cohort`` that was learnt from knows of each time.

    ``at_risk`` counts the real patients followed beyond the time and ``events`` those with an event by it, each in the arm that has fewer.
    Without times these are the arm's patients, and those with the rarer answer (yes or no), with any event (counts), or again all.
    """
    parts = []
    treated = cohort["treated"].to_numpy(bool)
    for outcome, band in bands.items():
        of_arms = [_count_known(cohort[arm], outcome, outcomes[outcome], band.curves.times) for arm in (treated, ~treated)]
        at_risk, events = (np.minimum(*counts) for counts in zip(*of_arms, strict=True))
        for quantity, means in band.means.items():
            for row, arm in enumerate((*ARMS, "difference")):
                cells = {"value": means[row], "lower": band.mean_lower[quantity][row], "upper": band.mean_upper[quantity][row]}
                known = {"at_risk": at_risk, "events": events, "refits": band.refits}
                parts.append(pd.DataFrame({"outcome": outcome, "arm": arm, "quantity": quantity, "time_days": band.curves.times} | cells | known))
    return pd.concat(parts, ignore_index=True)


def draw_twins(fitted: object, patients: int, *, rng: np.random.Generator) -> TwinCohort:
    """A twin cohort of ``patients`` synthetic patients; the same ``rng`` state gives the same bits.

    ``propensity`` is exact under the direct recipe; under the calibrated one, in which treatment comes first, it is the score that the
    covariates were calibrated to. Constraints hold: patients who break one are drawn anew.
    """
    chain = require_sequential(fitted)
    both = _Both(_without_constraints(fitted), chain)
    drawn = (Constrained(both, fitted.rules) if isinstance(fitted, Constrained) else both).draw(patients, rng=rng)
    identity = pd.DataFrame({"replicate": np.int64(0), "patient_id": pd.array(np.arange(1, patients + 1).astype(str), dtype="string")})
    potential = []
    for arm in ARMS:
        of_arm = {column: drawn[f"{arm} {column}"] for column in chain.form.context.outcomes.cohort_columns}
        potential.append(identity.assign(treated=arm == ARMS[0], **of_arm, propensity=drawn[_SCORE]))
    order = list(both.fitted.columns if isinstance(both.fitted, WithConstants) else chain.form.context.columns)
    return TwinCohort(identity.join(drawn[order]), pd.concat(potential, ignore_index=True))


@dataclass(frozen=True, slots=True)
class _Both:
    """Draws the cohort table's columns, and beside them the outcomes under either arm and the propensity."""

    fitted: object
    chain: FittedSequential

    def draw(self, patients: int, *, rng: np.random.Generator) -> pd.DataFrame:
        chain = self.chain
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
            under = chain.form.restore(given | parts[1])[list(context.outcomes.cohort_columns)]
            complete.append(under.add_prefix(f"{arm} "))
        cohort = pd.concat([followed[0][treated], followed[1][~treated]]).sort_index()
        if isinstance(self.fitted, WithConstants):
            cohort = cohort.join(self.fitted.constants.loc[self.fitted.constants.index.repeat(patients)].reset_index(drop=True))
        score = expit(np.clip(treatment.logit(drawn), treatment.lowest, treatment.highest))
        return pd.concat([cohort, *complete], axis=1).assign(**{_SCORE: score})


def _without_constraints(fitted: object) -> object:
    return fitted.fitted if isinstance(fitted, Constrained) else fitted


def _predict(model: OutcomeModel, outcome: Outcome, columns: FloatArray, times: FloatArray) -> dict[str, FloatArray]:
    """By quantity, (n, k)."""
    match model:
        case EventTimes():
            found = {"survival": model.survival(columns, times)}
            return found | ({"incidence": model.incidence(columns, times)} if len(model.causes) > 1 else {})
        case BinaryModel():
            return {"probability": model.expected(columns)[:, None]}
        case ContinuousModel():
            return {"mean": model.expected(columns)[:, None]}
        case CountModel():
            return {"mean" if model.person_time is None else "rate": model.expected(columns)[:, None]}
    raise GenerationError(f"virtual twins\n    found    an outcome of the type {outcome.type}\n    allowed  one with an expected value")


def _count_known(arm: pd.DataFrame, name: str, outcome: Outcome, times: FloatArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Patients of an arm followed beyond each time (k,), and with an event by it."""
    if isinstance(outcome, SurvivalOutcome):
        days, happened = arm[f"{name}_days"].to_numpy(float)[:, None], arm[f"{name}_event"].to_numpy()[:, None] > 0
        return (days > times).sum(axis=0), (happened & (days <= times)).sum(axis=0)
    patients, positive = len(arm), int((arm[f"{name}_value"] > 0).sum())
    events = {"binary": min(positive, patients - positive), "count": positive}.get(outcome.type, patients)
    return np.array([patients]), np.array([events])


def _draw_both(model: OutcomeModel, columns: FloatArray, rng: np.random.Generator) -> tuple[Mapping[str, FloatArray], Mapping[str, FloatArray]]:
    """An outcome as it is followed, and had nobody been lost."""
    if isinstance(model, EventTimes):
        return model.draw_with_complete(columns, rng=rng)
    drawn = model.draw(columns, rng=rng)
    return drawn, drawn


def _percentiles(many: list[FloatArray] | list[NDArray[np.float32]]) -> FloatArray:
    limits: FloatArray = np.quantile(np.stack(many), (0.025, 0.975), axis=0)
    return limits
