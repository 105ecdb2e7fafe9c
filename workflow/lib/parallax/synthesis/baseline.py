"""Covariates and treatment of new patients together: the first half of the survival-aware generator, in either order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from parallax.statistics.logistic import fit_logistic
from parallax.statistics.tilting import tilt
from parallax.synthesis.copula import CovariateCopula
from parallax.synthesis.generator import Context
from parallax.synthesis.predictors import Predictors
from parallax.vocabulary import ARMS

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

#: most rounds in which patients beyond the real scores are drawn again
_ROUNDS: Final = 100
#: candidates per patient when covariates are tilted: most at fit, and for every patient drawn
_CANDIDATES: Final = 20
_MOST_CANDIDATES: Final = 100_000
_CANDIDATES_DRAWN: Final = 10
_PATIENTS_AT_ONCE: Final = 5_000
_PENALTY: Final = 1e-3
#: a normal prior of standard deviation one for the effect of a standard deviation of the score: finite estimates, hardly any shrinkage
_SCORE_RIDGE: Final = 1.0


class CovariateModel(Protocol):
    """A fitted joint model of the covariates."""

    def draw(self, patients: int, *, rng: np.random.Generator) -> dict[str, object]:
        """Covariates of new patients, by name: float arrays with NaN, object arrays with None."""
        ...


@dataclass(frozen=True, slots=True)
class TreatmentModel:
    """Log odds of treatment linear in columns, ``coefficients`` with the intercept first; ``lowest`` and ``highest`` of the real ones."""

    predictors: Predictors
    coefficients: FloatArray
    lowest: float
    highest: float

    @classmethod
    def fit(cls, cohort: pd.DataFrame, predictors: Predictors, *, ridge: float) -> Self:
        """Penalised logistic regression: ½ ridge Σ β², intercept free."""
        design = np.column_stack([np.ones(len(cohort)), predictors.standardise(cohort)])
        penalty = np.full(design.shape[1], ridge)
        penalty[0] = 0.0
        coefficients = fit_logistic(design, cohort["treated"].to_numpy(bool), ridge=penalty).coefficients
        logit = design @ coefficients
        return cls(predictors, coefficients, float(logit.min()), float(logit.max()))

    def logit(self, patients: Mapping[str, object] | pd.DataFrame) -> FloatArray:
        """The log odds of treatment (n,)."""
        odds: FloatArray = self.coefficients[0] + self.predictors.standardise(patients) @ self.coefficients[1:]
        return odds

    def beyond(self, logit: FloatArray) -> BoolArray:
        """Whether a score lies outside those of the real patients."""
        return (logit < self.lowest) | (logit > self.highest)


class Baseline(Protocol):
    """A fitted model of covariates and treatment."""

    def draw(self, patients: int, *, rng: np.random.Generator) -> dict[str, object]:
        """``treated`` and the covariates of new patients."""
        ...


@dataclass(frozen=True, slots=True)
class CovariatesThenTreatment:
    """Covariates from their joint model, then treatment given them.

    Patients whose score lies beyond those of all real patients are drawn again: the synthetic population has the real one's support in the
    score, outside of which the treatment model extrapolates.
    """

    covariates: CovariateModel
    treatment: TreatmentModel

    def draw(self, patients: int, *, rng: np.random.Generator) -> dict[str, object]:
        """``treated`` and the covariates of new patients."""
        drawn = self.covariates.draw(patients, rng=rng)
        logit = self.treatment.logit(drawn)
        for _ in range(_ROUNDS):
            beyond = np.flatnonzero(self.treatment.beyond(logit))
            if not beyond.size:
                break
            again = self.covariates.draw(beyond.size, rng=rng)
            for name, values in drawn.items():
                np.asarray(values)[beyond] = np.asarray(again[name])
            logit[beyond] = self.treatment.logit(again)
        return drawn | {"treated": rng.random(patients) < expit(np.clip(logit, self.treatment.lowest, self.treatment.highest))}


@dataclass(frozen=True, slots=True)
class OutcomeColumns:
    """What outcomes are regressed on: the covariates' standardised columns, and last the standardised log odds of treatment.

    A penalty on the covariates' effects leaves in each arm's intercept what it takes from them, as far as it goes with treatment: the arm
    is then not carried over to other patients, and the effect moves towards the crude one (regularisation-induced confounding; Hahn, Murray
    & Carvalho 2020 Bayesian Anal 15:965, section 4). The score, all but unpenalised, takes that part up (their section 5.2).
    """

    predictors: Predictors
    treatment: TreatmentModel
    centre: float
    scale: float

    @classmethod
    def fit(cls, cohort: pd.DataFrame, predictors: Predictors, treatment: TreatmentModel) -> Self:
        """Fix the score's centre and scale on the real patients."""
        logit = treatment.logit(cohort)
        return cls(predictors, treatment, float(logit.mean()), float(logit.std()) or 1.0)

    def of(self, patients: Mapping[str, object] | pd.DataFrame) -> FloatArray:
        """The columns (n, p + 1)."""
        score = (self.treatment.logit(patients) - self.centre) / self.scale
        return np.column_stack([self.predictors.standardise(patients), score])

    def penalty(self, ridge: float) -> FloatArray:
        """The penalty of each column (p + 1,): ``ridge``, and at most 1 for the score."""
        return np.append(np.full(self.predictors.varying.size, ridge), min(ridge, _SCORE_RIDGE))


@dataclass(frozen=True, slots=True)
class Moments:
    """What tilted patients share with the real ones, arm by arm: the means of the scores, of their squares and of their products.

    Scores: the log odds of treatment, and the linear predictors ``slopes`` (p, k) of the outcome models of both arms, standardised among the
    real patients. And the propensity score's estimating equations z (A − e(x)), z the treatment model's columns.
    """

    columns: OutcomeColumns
    slopes: FloatArray
    centre: FloatArray
    scale: FloatArray

    @classmethod
    def fit(cls, cohort: pd.DataFrame, columns: OutcomeColumns, slopes: FloatArray) -> Self:
        """Fix centres and scales of the scores on the real patients."""
        raw = _scores(cohort, columns, slopes)
        scale = raw.std(axis=0)
        kept = np.flatnonzero(scale > 1e-9)
        kept_slopes = slopes[:, kept[kept > 0] - 1]
        raw = _scores(cohort, columns, kept_slopes)
        return cls(columns, kept_slopes, raw.mean(axis=0), raw.std(axis=0))

    def of(self, patients: Mapping[str, object] | pd.DataFrame) -> FloatArray:
        """The moments of each patient (n, q)."""
        treated = np.asarray(patients["treated"], dtype=np.float64)
        raw = _scores(patients, self.columns, self.slopes)
        scores = (raw - self.centre) / self.scale
        upper = np.triu_indices(scores.shape[1])
        described = np.column_stack([scores, scores[:, upper[0]] * scores[:, upper[1]]])
        equations = self.columns.treatment.predictors.standardise(patients) * (treated - expit(raw[:, 0]))[:, None]
        return np.column_stack([treated, described * treated[:, None], described * (1.0 - treated)[:, None], equations])


@dataclass(frozen=True, slots=True)
class TreatmentThenCovariates:
    """Treatment from its share, covariates from a copula per arm, tilted so that ``moments`` have their real means.

    The density of a patient (A, x) is P(A) g_A(x) exp(λ'm(A, x)), g_A the arm's copula, λ = ``slopes``: by maximum entropy the nearest to the
    copulas' with those moments (:func:`parallax.statistics.tilting.tilt`), found on a pool of candidates. New patients are drawn from new
    candidates, ten for each, without replacement with those weights (Gumbel's maxima), so that no two replicates share a candidate.
    """

    share: float
    copulas: Mapping[str, CovariateCopula]
    moments: Moments
    slopes: FloatArray

    @classmethod
    def fit(cls, cohort: pd.DataFrame, context: Context, moments: Moments, *, rng: np.random.Generator) -> Self:
        """Fit the copulas and the tilt; ``rng`` draws the pool. Of each arm every number is known often enough (``find_unknown_in_arms``)."""
        treated = cohort["treated"].to_numpy(bool)
        arms = {arm: cohort[chosen] for arm, chosen in zip(ARMS, (treated, ~treated), strict=True)}
        copulas = {arm: CovariateCopula.fit(of_arm, context) for arm, of_arm in arms.items()}
        untilted = cls(float(treated.mean()), copulas, moments, np.zeros(0))
        pool = untilted._candidates(min(_CANDIDATES * len(cohort), _MOST_CANDIDATES), rng=rng)
        real = moments.of(cohort)
        scale = np.maximum(real.std(axis=0), 1e-9)
        slopes = tilt(moments.of(pool) / scale, real.mean(axis=0) / scale, penalty=_PENALTY)
        return cls(untilted.share, copulas, moments, slopes / scale)

    def draw(self, patients: int, *, rng: np.random.Generator) -> dict[str, object]:
        """``treated`` and the covariates of new patients."""
        parts = [self._select(size, rng=rng) for size in _portions(patients)]
        return {name: np.concatenate([np.asarray(part[name]) for part in parts]) for name in parts[0]}

    def _select(self, patients: int, *, rng: np.random.Generator) -> dict[str, object]:
        pool = self._candidates(_CANDIDATES_DRAWN * patients, rng=rng)
        key = self.moments.of(pool) @ self.slopes + rng.gumbel(size=_CANDIDATES_DRAWN * patients)
        logit = self.moments.columns.treatment.logit(pool)
        key[self.moments.columns.treatment.beyond(logit)] = -np.inf
        chosen = np.sort(np.argpartition(-key, patients - 1)[:patients])
        return {name: np.asarray(values)[chosen] for name, values in pool.items()}

    def _candidates(self, size: int, *, rng: np.random.Generator) -> dict[str, object]:
        treated = rng.random(size) < self.share
        arms = {arm: self.copulas[arm].draw(int(chosen.sum()), rng=rng) for arm, chosen in zip(ARMS, (treated, ~treated), strict=True)}
        pool: dict[str, object] = {}
        for name, values in arms[ARMS[0]].items():
            merged = np.empty(size, dtype=np.asarray(values).dtype)
            merged[treated], merged[~treated] = np.asarray(values), np.asarray(arms[ARMS[1]][name])
            pool[name] = merged
        return pool | {"treated": treated}


def _portions(patients: int) -> Iterator[int]:
    for start in range(0, patients, _PATIENTS_AT_ONCE):
        yield min(_PATIENTS_AT_ONCE, patients - start)


def _scores(patients: Mapping[str, object] | pd.DataFrame, columns: OutcomeColumns, slopes: FloatArray) -> FloatArray:
    return np.column_stack([columns.treatment.logit(patients), columns.of(patients) @ slopes])
