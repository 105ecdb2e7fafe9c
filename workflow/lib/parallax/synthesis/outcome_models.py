"""The outcomes of one arm given the covariates, one model per kind of outcome: each is fitted to real patients and draws for synthetic ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, gammaln

from parallax.protocol import BinaryOutcome, ContinuousOutcome, CountOutcome, Outcome, SurvivalOutcome
from parallax.statistics.logistic import fit_logistic
from parallax.statistics.newton import Curvature, maximise
from parallax.synthesis.hazards import IntervalHazard

FloatArray = NDArray[np.float64]


class OutcomeModel(Protocol):
    """A fitted model of one outcome in one arm."""

    def draw(self, columns: FloatArray, *, rng: np.random.Generator) -> dict[str, FloatArray]:
        """The outcome's columns by part (``days``, ``event``, ``value``, ``person_days``) for patients with these standardised covariates (n, p)."""
        ...


def fit_outcome(name: str, outcome: Outcome, cohort: pd.DataFrame, columns: FloatArray, *, ridge: float) -> OutcomeModel:
    """The model of the outcome ``name`` in the patients of ``cohort`` (n rows), one arm's, given their standardised ``columns`` (n, p).

    ``ridge`` is the penalty ½ λ Σβ² of every regression. Raises NotEstimable where a regression without penalty has no finite estimate.
    """
    match outcome:
        case SurvivalOutcome():
            days, kind = cohort[f"{name}_days"].to_numpy(float), cohort[f"{name}_event"].to_numpy()
            edges = tuple(edge for edge in outcome.horizons_days if edge < days.max())
            return FollowUpModel.fit(days, kind, columns, codes=len(outcome.codes), edges=edges, ridge=ridge)
        case BinaryOutcome():
            return BinaryModel.fit(cohort[f"{name}_value"].to_numpy(float), columns, ridge=ridge)
        case ContinuousOutcome():
            return ContinuousModel.fit(cohort[f"{name}_value"].to_numpy(float), columns, ridge=ridge)
        case CountOutcome():
            person_days = cohort[f"{name}_person_days"].to_numpy(float) if outcome.person_days is not None else None
            return CountModel.fit(cohort[f"{name}_value"].to_numpy(float), person_days, columns, ridge=ridge)


@dataclass(frozen=True, slots=True)
class FollowUpModel:
    """Times to each kind of event and to censoring, independent given the covariates: the earliest is seen."""

    events: tuple[IntervalHazard, ...]
    censoring: IntervalHazard

    @classmethod
    def fit(cls, days: FloatArray, kind: NDArray[np.int64], columns: FloatArray, *, codes: int, edges: tuple[float, ...], ridge: float) -> Self:
        """Cause-specific hazards of the kinds 1 … ``codes`` − 1, and of censoring."""
        # at a shared time events come before censoring: who has one is not at risk of being censored
        followed = np.where(kind > 0, np.nextafter(days, 0.0), days)
        events = tuple(IntervalHazard.fit(days, kind == code, columns, edges=edges, ridge=ridge) for code in range(1, codes))
        return cls(events, IntervalHazard.fit(followed, kind == 0, columns, edges=edges, ridge=ridge))

    def draw(self, columns: FloatArray, *, rng: np.random.Generator) -> dict[str, FloatArray]:
        """``days`` and ``event``."""
        times = np.column_stack([hazard.draw(columns, rng=rng) for hazard in self.events])
        censored = self.censoring.draw(columns, rng=rng)
        first = times.min(axis=1)
        happens = np.isfinite(first) & (first <= censored)
        return {"days": np.minimum(first, censored), "event": np.where(happens, 1.0 + times.argmin(axis=1), 0.0)}


@dataclass(frozen=True, slots=True)
class BinaryModel:
    """Logistic regression; ``coefficients`` (p + 1,), the intercept first."""

    coefficients: FloatArray

    @classmethod
    def fit(cls, value: FloatArray, columns: FloatArray, *, ridge: float) -> Self:
        """Where all patients of the arm have the same value, so do the synthetic ones."""
        if np.ptp(value) == 0:
            return cls(np.append(np.inf if value[0] else -np.inf, np.zeros(columns.shape[1])))
        return cls(fit_logistic(_with_intercept(columns), value, ridge=_but_intercept(columns, ridge)).coefficients)

    def draw(self, columns: FloatArray, *, rng: np.random.Generator) -> dict[str, FloatArray]:
        """``value``, 0 or 1."""
        probability = expit(self.coefficients[0] + columns @ self.coefficients[1:])
        return {"value": (rng.random(len(columns)) < probability).astype(np.float64)}


@dataclass(frozen=True, slots=True)
class ContinuousModel:
    """Linear regression with the residuals of the real patients, drawn with replacement."""

    coefficients: FloatArray
    residuals: FloatArray

    @classmethod
    def fit(cls, value: FloatArray, columns: FloatArray, *, ridge: float) -> Self:
        """Ridge regression; the residuals are stretched by √(n / (n − p_eff)), p_eff the trace of the hat matrix, which fitting has shrunk."""
        x = _with_intercept(columns)
        gram = x.T @ x
        inverse = np.linalg.pinv(gram + np.diag(_but_intercept(columns, ridge)), hermitian=True)
        coefficients = inverse @ (x.T @ value)
        used = float(np.trace(inverse @ gram))
        stretch = np.sqrt(len(value) / max(len(value) - used, 1.0))
        residuals = value - x @ coefficients
        return cls(coefficients, (residuals - residuals.mean()) * stretch)

    def draw(self, columns: FloatArray, *, rng: np.random.Generator) -> dict[str, FloatArray]:
        """``value``."""
        return {"value": _with_intercept(columns) @ self.coefficients + rng.choice(self.residuals, len(columns))}


@dataclass(frozen=True, slots=True)
class CountModel:
    """Poisson regression with log person-days as offset and a gamma frailty of variance ``dispersion`` (0: none): negative binomial counts.

    ``person_days`` of the real patients of the arm, drawn with replacement; None where all patients were watched alike.
    """

    coefficients: FloatArray
    dispersion: float
    person_days: FloatArray | None

    @classmethod
    def fit(cls, value: FloatArray, person_days: FloatArray | None, columns: FloatArray, *, ridge: float) -> Self:
        """The dispersion by moments: Σ {(y − μ)² − μ} / Σ μ², at least zero."""
        x, offset = _with_intercept(columns), np.log(np.ones(len(value)) if person_days is None else person_days)

        def evaluate(beta: FloatArray) -> Curvature:
            mean = np.exp(np.minimum(x @ beta + offset, 50.0))
            likelihood = float(np.sum(value * (x @ beta + offset) - mean - gammaln(value + 1.0)))
            return Curvature(likelihood, x.T @ (value - mean), (x * mean[:, None]).T @ x)

        start = np.zeros(x.shape[1])
        start[0] = np.log(max(value.sum(), 0.5) / np.exp(offset).sum())
        found = maximise(evaluate, _but_intercept(columns, ridge), diverging="the counts of an arm have no finite estimate", start=start)
        mean = np.exp(x @ found.coefficients + offset)
        dispersion = max(float(np.sum((value - mean) ** 2 - mean) / np.sum(mean**2)), 0.0)
        return cls(found.coefficients, dispersion, person_days)

    def draw(self, columns: FloatArray, *, rng: np.random.Generator) -> dict[str, FloatArray]:
        """``value``, and ``person_days`` where they differ."""
        watched = np.ones(len(columns)) if self.person_days is None else rng.choice(self.person_days, len(columns))
        mean = np.exp(_with_intercept(columns) @ self.coefficients) * watched
        if self.dispersion > 0:
            mean = mean * rng.gamma(1.0 / self.dispersion, self.dispersion, len(columns))
        counts = {"value": rng.poisson(mean).astype(np.float64)}
        return counts if self.person_days is None else counts | {"person_days": watched}


def _with_intercept(columns: FloatArray) -> FloatArray:
    return np.column_stack([np.ones(len(columns)), columns])


def _but_intercept(columns: FloatArray, ridge: float) -> FloatArray:
    return np.append(0.0, np.full(columns.shape[1], ridge))
