"""Covariates one by one, each given those before it in a stated order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, ndtr, ndtri
from scipy.stats import rankdata

from parallax.protocol import OutcomesSection
from parallax.statistics.logistic import fit_logistic
from parallax.synthesis.copula import NumericMargin, ordered_levels
from parallax.synthesis.generator import Context
from parallax.synthesis.predictors import Predictors

FloatArray = NDArray[np.float64]

#: ½ λ Σ β² on standardised columns, as in the treatment model
_RIDGE: Final = 1.0


@dataclass(frozen=True, slots=True)
class _Answer:
    """A yes or no with log odds linear in the columns before it, intercept first; an infinite one where all answers are the same."""

    coefficients: FloatArray

    @classmethod
    def fit(cls, columns: FloatArray, answer: NDArray[np.bool_]) -> Self:
        if answer.all() or not answer.any():
            return cls(np.concatenate([[np.inf if answer.size and answer[0] else -np.inf], np.zeros(columns.shape[1])]))
        design = np.column_stack([np.ones(answer.size), columns])
        penalty = np.full(design.shape[1], _RIDGE)
        penalty[0] = 0.0
        return cls(fit_logistic(design, answer, ridge=penalty).coefficients)

    def draw(self, columns: FloatArray, *, rng: np.random.Generator) -> NDArray[np.bool_]:
        drawn: NDArray[np.bool_] = rng.random(len(columns)) < expit(self.coefficients[0] + columns @ self.coefficients[1:])
        return drawn


@dataclass(frozen=True, slots=True)
class _Number:
    """A numeric covariate: missing or not; its normal score linear in the columns before it, with a residual drawn from its own."""

    missing: _Answer
    margin: NumericMargin
    coefficients: FloatArray
    residuals: FloatArray

    @classmethod
    def fit(cls, columns: FloatArray, values: FloatArray) -> Self:
        known = ~np.isnan(values)
        x, score = columns[known], ndtri((rankdata(values[known]) - 0.5) / known.sum())
        centre = x.mean(axis=0)
        slopes = np.linalg.solve((x - centre).T @ (x - centre) + _RIDGE * np.eye(x.shape[1]), (x - centre).T @ score)
        coefficients = np.concatenate([[score.mean() - centre @ slopes], slopes])
        return cls(_Answer.fit(columns, ~known), NumericMargin.of(values), coefficients, score - coefficients[0] - x @ slopes)

    def draw(self, columns: FloatArray, *, rng: np.random.Generator) -> FloatArray:
        missing = self.missing.draw(columns, rng=rng)
        score = self.coefficients[0] + columns @ self.coefficients[1:] + rng.choice(self.residuals, len(columns))
        return np.where(missing, np.nan, self.margin.quantile(ndtr(score)))


@dataclass(frozen=True, slots=True)
class _Level:
    """A categorical covariate: is it the commonest level; if not, is it the second; … (``None``: missing)."""

    levels: tuple[str | None, ...]
    answers: tuple[_Answer, ...]

    @classmethod
    def fit(cls, columns: FloatArray, values: pd.Series) -> Self:
        levels, left, answers = ordered_levels(values), np.ones(len(values), dtype=bool), []
        for level in levels[:-1]:
            is_level = (values.isna() if level is None else values.eq(level)).fillna(False).to_numpy(bool)
            answers.append(_Answer.fit(columns[left], is_level[left]))
            left = left & ~is_level
        return cls(levels, tuple(answers))

    def draw(self, columns: FloatArray, *, rng: np.random.Generator) -> NDArray[np.object_]:
        chosen = np.full(len(columns), self.levels[-1], dtype=object)
        left = np.ones(len(columns), dtype=bool)
        for level, answer in zip(self.levels, self.answers, strict=False):
            is_level = left & answer.draw(columns, rng=rng)
            chosen[is_level] = level
            left &= ~is_level
        return chosen


@dataclass(frozen=True, slots=True)
class CovariateChain:
    """The fitted chain: a model of each covariate given the standardised ``predictors`` of those before it, in order.

    Assumption: given those before it, a covariate's normal score is linear in them with residuals of one distribution, its levels' and gaps'
    log odds are linear in them; squares of numbers count as columns. The order matters where this is wrong.
    """

    predictors: Mapping[str, Predictors | None]
    models: Mapping[str, _Number | _Level]

    @classmethod
    def fit(cls, cohort: pd.DataFrame, context: Context, *, order: tuple[str, ...]) -> Self:
        """Fit in the given order, which names every covariate once; an empty one is the protocol's own."""
        predictors: dict[str, Predictors | None] = {}
        models: dict[str, _Number | _Level] = {}
        names = [name for name in order or context.covariates.names if name in context.covariates.names]
        for place, name in enumerate(names):
            before = set(names[:place])
            kinds = {kind: tuple(n for n in getattr(context.covariates, kind) if n in before) for kind in ("numeric", "categorical")}
            earlier = Context(context.covariates.model_copy(update=kinds), OutcomesSection.model_construct({}))
            predictors[name] = Predictors.fit(cohort, earlier, squares=True) if before else None
            columns = _columns(predictors[name], cohort, len(cohort))
            is_number = name in context.covariates.numeric
            models[name] = _Number.fit(columns, cohort[name].to_numpy(float)) if is_number else _Level.fit(columns, cohort[name])
        return cls(predictors, models)

    def draw(self, patients: int, *, rng: np.random.Generator) -> dict[str, object]:
        """Covariates of new patients, by name: float arrays with NaN, object arrays with None."""
        drawn: dict[str, object] = {}
        for name, model in self.models.items():
            drawn[name] = model.draw(_columns(self.predictors[name], drawn, patients), rng=rng)
        return drawn


def _columns(predictors: Predictors | None, patients: Mapping[str, object] | pd.DataFrame, size: int) -> FloatArray:
    return np.zeros((size, 0)) if predictors is None else predictors.standardise(patients)
