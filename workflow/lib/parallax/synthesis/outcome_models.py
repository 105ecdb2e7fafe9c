"""What happens to the patients of one arm given their covariates: a model for each type of outcome.

Every penalty is ½ λ Σ β² on the standardised columns, the intercept free, so that the arm's mean (its rate, its share) is kept whatever λ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from parallax.protocol import OutcomesSection
from parallax.protocol.outcomes import BinaryOutcome, ContinuousOutcome, CountOutcome, SurvivalOutcome
from parallax.statistics.increments import solve_increments
from parallax.statistics.logistic import fit_logistic
from parallax.statistics.poisson import fit_poisson
from parallax.synthesis.hazards import FitHazard, Hazard, IntervalHazard

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

#: a mean beyond every count that can be observed, where a rate extrapolates without bound
_BOUND: Final = 1e9
#: patients × times held at once
_HELD_AT_ONCE: Final = 2_000_000


class OutcomeModel(Protocol):
    """A fitted model of one outcome in one arm."""

    def draw(self, columns: FloatArray, *, rng: np.random.Generator) -> Mapping[str, FloatArray]:
        """The outcome's columns by their part of the cohort table's name, for patients with standardised covariates ``columns`` (n, p)."""
        ...

    def slopes(self) -> FloatArray:
        """The linear predictors of the outcome as columns (p, k), none where the model has no such thing."""
        ...


def fit_outcome_models(
    arm: pd.DataFrame, columns: FloatArray, outcomes: OutcomesSection, *, ridge: float | FloatArray, fit_hazard: FitHazard
) -> dict[str, OutcomeModel]:
    """A model of every outcome for the patients of one arm; raises NotEstimable where a model without penalty has no finite estimate."""
    models: dict[str, OutcomeModel] = {}
    for name, outcome in outcomes.items():
        parts = {part: arm[f"{name}_{part}"].to_numpy(float) for part in outcome.columns}
        match outcome:
            case SurvivalOutcome():
                events = parts["event"].astype(np.int64)
                models[name] = EventTimes.fit(
                    parts["days"], events, columns, causes=1 + len(outcome.competing), horizons=outcome.horizons_days, fit_hazard=fit_hazard
                )
            case BinaryOutcome():
                models[name] = BinaryModel.fit(parts["value"], columns, ridge=ridge)
            case ContinuousOutcome():
                models[name] = ContinuousModel.fit(parts["value"], columns, ridge=ridge)
            case CountOutcome():
                models[name] = CountModel.fit(parts["value"], parts.get("person_days"), columns, ridge=ridge)
    return models


@dataclass(frozen=True, slots=True)
class EventTimes:
    """Times to the first of several causes, and to censoring: a hazard each, of which the earliest wins.

    Assumption: given the covariates, the times of the causes and of censoring are independent; a cause that no patient of the arm has never
    happens. At a shared time the causes come in the order of their codes and censoring last, and who has one is not at risk of those after
    it: the survival of an average patient is then the product-limit one, its incidences Aalen and Johansen's.
    """

    causes: tuple[Hazard, ...]
    censoring: Hazard
    latest: float

    @classmethod
    def fit(cls, days: FloatArray, event: IntArray, columns: FloatArray, *, causes: int, horizons: tuple[float, ...], fit_hazard: FitHazard) -> Self:
        """Fit to ``days`` (n,), ``event`` (n,) with 0 for censoring and 1 … ``causes``; covariate effects change at the ``horizons``."""
        edges = tuple(edge for edge in horizons if edge < days.max())
        hazards, at_risk_until = [], days
        for cause in range(1, causes + 1):
            hazards.append(fit_hazard(at_risk_until, event == cause, columns, edges=edges))
            at_risk_until = np.where(event == cause, np.nextafter(days, 0.0), at_risk_until)
        censoring = fit_hazard(at_risk_until, event == 0, columns, edges=edges)
        return cls(tuple(hazards), censoring, float(days.max()))

    def draw(self, columns: FloatArray, *, rng: np.random.Generator) -> Mapping[str, FloatArray]:
        """Days, among the times seen, and event codes."""
        return self.draw_with_complete(columns, rng=rng)[0]

    def draw_until(
        self, other: EventTimes, columns: FloatArray, other_columns: FloatArray, *, rng: np.random.Generator, censoring_rng: np.random.Generator
    ) -> Mapping[str, FloatArray]:
        """What ``draw`` draws, with ``other``'s censoring, which has columns and random numbers of its own."""
        times = np.column_stack([hazard.draw(columns, rng=rng) for hazard in self.causes])
        censored = np.minimum(other.censoring.draw(other_columns, rng=censoring_rng), other.latest)
        first = times.min(axis=1)
        return {"days": np.minimum(first, censored), "event": np.where(first <= censored, times.argmin(axis=1) + 1.0, 0.0)}

    def draw_with_complete(self, columns: FloatArray, *, rng: np.random.Generator) -> tuple[Mapping[str, FloatArray], Mapping[str, FloatArray]]:
        """What ``draw`` draws, and the same patients had nobody been censored before the arm's last day."""
        times = np.column_stack([hazard.draw(columns, rng=rng) for hazard in self.causes])
        censored = self.censoring.draw(columns, rng=rng)
        first, cause = times.min(axis=1), times.argmin(axis=1) + 1.0
        ever = np.isfinite(first)
        happens = ever & (first <= censored)
        followed = {"days": np.minimum(np.minimum(first, censored), self.latest), "event": np.where(happens, cause, 0.0)}
        return followed, {"days": np.minimum(first, self.latest), "event": np.where(ever, cause, 0.0)}

    def survival(self, columns: FloatArray, times: FloatArray) -> FloatArray:
        """Probability (n, k) of none of the causes by each of ``times`` (k,) had nobody been censored: Π_j S_j(t | x)."""
        total = np.ones((columns.shape[0], times.size))
        for cause in self.causes:
            total *= cause.survival(columns, times)
        return total

    def incidence(self, columns: FloatArray, times: FloatArray, *, cause: int = 1) -> FloatArray:
        """Cumulative incidence (n, k) of a cause by each of ``times`` (k,) had nobody been censored.

        F_j(t | x) = Σ_{s ≤ t} {S_j(s−) − S_j(s)} Π_{l<j} S_l(s) Π_{l>j} S_l(s−) over the times s at which a cause can happen: at a shared time
        the causes come in the order of their codes. Exact where all times are among those seen, else up to the step of the grid.
        Kalbfleisch & Prentice (2002), section 8.2.
        """
        if len(self.causes) == 1:
            return 1.0 - self.causes[0].survival(columns, times)
        steps = np.unique(np.concatenate([hazard.steps() for hazard in self.causes]))
        steps = steps[steps <= times.max(initial=0.0)]
        found = np.zeros((columns.shape[0], times.size))
        place = np.searchsorted(steps, times, side="right")
        for rows in np.array_split(np.arange(columns.shape[0]), 1 + columns.shape[0] * (steps.size + 1) // _HELD_AT_ONCE):
            mass = np.ones((rows.size, steps.size))
            for number, hazard in enumerate(self.causes, 1):
                after = hazard.survival(columns[rows], steps)
                before = np.hstack([np.ones((rows.size, 1)), after[:, :-1]]) if steps.size else after
                mass *= before - after if number == cause else after if number < cause else before
            found[rows] = np.hstack([np.zeros((rows.size, 1)), np.cumsum(mass, axis=1)])[:, place]
        return found

    def slopes(self) -> FloatArray:
        """The log hazard ratios of every cause in every interval; censoring's are none of the outcome's."""
        effects = [interval.coefficients for cause in self.causes if isinstance(cause, IntervalHazard) for interval in cause.intervals]
        return np.column_stack(effects) if effects else np.zeros((0, 0))

    def recalibrate(self, days: FloatArray, event: IntArray, columns: FloatArray) -> EventTimes:
        """The same effects, with baselines under which patients with ``columns`` (M, p) leave the risk set at the rates observed.

        At every observed time the share of the M patients still at risk that have each cause, and that are censored, is that of the arm's
        ``days`` (n,) and ``event`` (n,), in the causes' order and censoring last: product-limit curves and incidences of drawn patients equal
        the arm's but for chance, whatever the covariates' effect on censoring. What is fitted by construction validates nothing.
        """
        hazards = [hazard for hazard in (*self.causes, self.censoring) if isinstance(hazard, IntervalHazard)]
        codes = [*range(1, len(self.causes) + 1), 0]
        risks: list[FloatArray] = []
        steps: list[tuple[float, int, int, int]] = []
        for order, (hazard, code) in enumerate(zip(hazards, codes, strict=True)):
            for interval in hazard.intervals:
                steps += [(float(time), order, code, len(risks)) for time in interval.times]
                risks.append(np.exp(columns @ interval.coefficients))
        placed = sorted(range(len(steps)), key=lambda k: steps[k][:2])
        ordered = np.sort(days)
        share = np.empty(len(steps))
        for place, k in enumerate(placed):
            time, order, code, _ = steps[k]
            earlier = sum(int(((days == time) & (event == before)).sum()) for before in codes[:order])
            at_risk = days.size - int(np.searchsorted(ordered, time)) - earlier
            share[place] = int(((days == time) & (event == code)).sum()) / at_risk
        solved = solve_increments(np.vstack(risks), np.array([steps[k][3] for k in placed]), share)
        increments = np.empty(len(steps))
        increments[placed] = solved
        found, start = [], 0
        for hazard in hazards:
            parts = []
            for interval in hazard.intervals:
                parts.append(increments[start : start + interval.times.size])
                start += interval.times.size
            found.append(hazard.with_increments(tuple(parts)))
        return EventTimes(tuple(found[:-1]), found[-1], self.latest)


@dataclass(frozen=True, slots=True)
class BinaryModel:
    """Yes or no with log odds linear in the covariates; an arm of one value keeps it."""

    coefficients: FloatArray

    @classmethod
    def fit(cls, value: FloatArray, columns: FloatArray, *, ridge: float | FloatArray) -> Self:
        """Fit to ``value`` (n,) of 0 and 1 by penalised logistic regression."""
        if value.min() == value.max():
            return cls(_only_intercept(np.inf if value[0] == 1.0 else -np.inf, columns))
        return cls(fit_logistic(_with_intercept(columns), value, ridge=_penalty(columns, ridge)).coefficients)

    def draw(self, columns: FloatArray, *, rng: np.random.Generator) -> Mapping[str, FloatArray]:
        """One value per patient."""
        return {"value": (rng.random(columns.shape[0]) < self.expected(columns)).astype(np.float64)}

    def expected(self, columns: FloatArray) -> FloatArray:
        """The probability of yes (n,): expit(x'β)."""
        share: FloatArray = expit(self.coefficients[0] + columns @ self.coefficients[1:])
        return share

    def slopes(self) -> FloatArray:
        """The coefficients without the intercept."""
        return self.coefficients[1:, None]


@dataclass(frozen=True, slots=True)
class ContinuousModel:
    """A measurement with a mean linear in the covariates, plus a residual drawn from the arm's own.

    Assumption: the residuals' distribution, of whatever shape, does not depend on the covariates. Least squares on the measurement in standard
    deviations of the arm; the residuals have mean zero.
    """

    coefficients: FloatArray
    residuals: FloatArray

    @classmethod
    def fit(cls, value: FloatArray, columns: FloatArray, *, ridge: float | FloatArray) -> Self:
        """Fit to ``value`` (n,) by ridge regression; without a penalty, collinear columns share their effect."""
        centre, spread = columns.mean(axis=0), value.std() or 1.0
        x, y = columns - centre, (value - value.mean()) / spread
        slopes = spread * np.linalg.lstsq(x.T @ x + np.diag(np.broadcast_to(ridge, x.shape[1])), x.T @ y, rcond=None)[0]
        coefficients = np.concatenate([[value.mean() - centre @ slopes], slopes])
        return cls(coefficients, value - _with_intercept(columns) @ coefficients)

    def draw(self, columns: FloatArray, *, rng: np.random.Generator) -> Mapping[str, FloatArray]:
        """One value per patient, not yet on the real grid."""
        return {"value": self.expected(columns) + rng.choice(self.residuals, columns.shape[0])}

    def expected(self, columns: FloatArray) -> FloatArray:
        """The mean (n,): x'β."""
        mean: FloatArray = self.coefficients[0] + columns @ self.coefficients[1:]
        return mean

    def slopes(self) -> FloatArray:
        """The coefficients without the intercept."""
        return self.coefficients[1:, None]


@dataclass(frozen=True, slots=True)
class CountModel:
    """Person-time, then a negative binomial count of mean μ = person-time · exp(x'β) and variance μ + α μ².

    β by penalised Poisson regression, which needs the mean alone; α = Σ{(y − μ)² − μ} / Σ μ², at least 0, so that the summed variance is the
    observed one. Less spread than a Poisson count's is not kept. The rate is assumed not to depend on person-time. An arm without events has
    none.
    """

    person_time: PersonTime | None
    coefficients: FloatArray
    dispersion: float

    @classmethod
    def fit(cls, value: FloatArray, person_days: FloatArray | None, columns: FloatArray, *, ridge: float | FloatArray) -> Self:
        """Fit to ``value`` (n,), counts in ``person_days`` (n,), or in the same time for everybody (None)."""
        person_time = None if person_days is None else PersonTime.fit(person_days, columns, ridge=ridge)
        if not value.any():
            return cls(person_time, _only_intercept(-np.inf, columns), 0.0)
        fit = fit_poisson(_with_intercept(columns), value, exposure=person_days, ridge=_penalty(columns, ridge))
        excess = float(((value - fit.fitted) ** 2 - fit.fitted).sum() / (fit.fitted**2).sum())
        return cls(person_time, fit.coefficients, max(excess, 0.0))

    def draw(self, columns: FloatArray, *, rng: np.random.Generator) -> Mapping[str, FloatArray]:
        """Counts, and person-days where the outcome has them."""
        patients = columns.shape[0]
        days = None if self.person_time is None else self.person_time.draw(columns, rng=rng)
        mean = self.expected(columns) if days is None else self.expected(columns) * days
        if self.dispersion > 0.0:
            mean = mean * rng.gamma(1.0 / self.dispersion, self.dispersion, patients)
        counts = {"value": rng.poisson(np.minimum(mean, _BOUND)).astype(np.float64)}
        return counts if days is None else counts | {"person_days": days}

    def expected(self, columns: FloatArray) -> FloatArray:
        """The mean count (n,), per person-day where the outcome has person-time: exp(x'β)."""
        mean: FloatArray = np.exp(np.minimum(self.coefficients[0] + columns @ self.coefficients[1:], np.log(_BOUND)))
        return mean

    def slopes(self) -> FloatArray:
        """The coefficients without the intercept."""
        return self.coefficients[1:, None]


@dataclass(frozen=True, slots=True)
class PersonTime:
    """Person-time as a time to its end, with proportional hazards given the covariates; the arm's longest is an end for all still followed."""

    ending: IntervalHazard
    longest: float

    @classmethod
    def fit(cls, days: FloatArray, columns: FloatArray, *, ridge: float | FloatArray) -> Self:
        """Fit to ``days`` (n,) above zero."""
        return cls(IntervalHazard.fit(days, days < days.max(), columns, edges=(), ridge=ridge), float(days.max()))

    def draw(self, columns: FloatArray, *, rng: np.random.Generator) -> FloatArray:
        """One of the person-times seen for each patient."""
        return np.minimum(self.ending.draw(columns, rng=rng), self.longest)


def _with_intercept(columns: FloatArray) -> FloatArray:
    return np.column_stack([np.ones(columns.shape[0]), columns])


def _penalty(columns: FloatArray, ridge: float | FloatArray) -> FloatArray:
    return np.concatenate([[0.0], np.broadcast_to(ridge, columns.shape[1])])


def _only_intercept(intercept: float, columns: FloatArray) -> FloatArray:
    return np.concatenate([[intercept], np.zeros(columns.shape[1])])
