"""Covariates by a Gaussian copula with empirical margins, for numbers, levels and missing values alike.

Every covariate is read as a chain of ordered questions, each answered by one latent standard normal variable cut at thresholds:

    numeric      [is it missing?] → which of the observed values, in their order
    categorical  [is it missing?] → is it the commonest level? → if not, is it the second? → …

A question is asked only of the patients whom the ones before it left open, so that the latent variables of one covariate never meet in a
patient; their correlation is not identified and is 0, under which every margin is reproduced exactly. A nominal covariate keeps one latent
direction per level but the last, so that its levels need no order.

Correlation. Let s_j be the mean of the latent normal within the interval that a patient's answer stands for (a tie has one score, not a
random one). With Mehler's expansion, the covariance of the scores of two variables of latent correlation ρ is

    E[s_j s_k] = Σ_{h ≥ 1} ρ^h c_jh c_kh,    c_jh = Σ_l s_jl ∫_l he_h(z) φ(z) dz,

he_h the normalised Hermite polynomials. Solving it for ρ with the observed covariance on the left undoes the attenuation by ties and cuts
(the polychoric correlation's moment form; normal scores with jitter are too small by c_j1 c_k1, 0.64 for two even binaries). Where one of
the questions was asked of a part of the patients, the covariance within that part equals the whole's, since its own answer is independent
of having been asked. Each ρ is multiplied by 1 − ν/ρ², at least 0, ν its variance at ρ = 0 (the positive-part rule of James and Stein), so
that rare levels do not bring noise and strong dependence stays; the matrix is replaced by the nearest positive definite one with the same
zeros.

Sources: Mehler (1866); Lancaster (1957) Biometrika 44:289, eq. 2; Olsson (1979) Psychometrika 44:443; Higham (2002) for the last step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from parallax.synthesis.generator import Context
from parallax.synthesis.records import Grid

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_TERMS: Final = 40
_LARGEST: Final = 0.98
_SMALLEST_EIGENVALUE: Final = 1e-4
_PROJECTIONS: Final = 100


@dataclass(frozen=True, slots=True)
class _Question:
    """One ordered question: the rank of each patient's answer, −1 where it was not asked."""

    covariate: str
    answers: IntArray


@dataclass(frozen=True, slots=True)
class NumericMargin:
    """The margin of a numeric covariate: the share missing, and the observed values in order."""

    missing: float
    ordered: FloatArray
    grid: Grid

    @classmethod
    def of(cls, values: FloatArray) -> Self:
        """The margin of ``values`` (n,) with NaN where missing."""
        known = values[~np.isnan(values)]
        return cls(float(1.0 - known.size / values.size), np.sort(known), Grid.of(known))

    def quantile(self, probability: FloatArray) -> FloatArray:
        """The empirical quantile: a step function onto a list, linear between neighbours elsewhere."""
        last = self.ordered.size - 1
        if self.grid.listed is not None:
            return self.ordered[np.minimum((probability * self.ordered.size).astype(np.int64), last)]
        position = np.clip(probability * self.ordered.size - 0.5, 0.0, last)
        return self.grid.nearest(np.interp(position, np.arange(last + 1), self.ordered))


def ordered_levels(values: pd.Series) -> tuple[str | None, ...]:
    """The levels of a categorical covariate, the commonest first; ``None``, where some are missing, before all."""
    counts = values.value_counts()
    common = sorted((str(level) for level in counts.index), key=lambda level: (-int(counts[level]), level))
    return (None, *common) if values.isna().any() else tuple(common)


@dataclass(frozen=True, slots=True)
class _Categorical:
    """How a categorical covariate is read off its latent variables: levels (``None``: missing) and the share of each among those left."""

    levels: tuple[str | None, ...]
    shares: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class CovariateCopula:
    """A fitted copula: ``factor`` (q, q) with factor·factor' the latent correlation, and each covariate's reading in order."""

    factor: FloatArray
    readings: Mapping[str, NumericMargin | _Categorical]

    @classmethod
    def fit(cls, cohort: pd.DataFrame, context: Context) -> Self:
        """Learn margins, missingness and dependence of the covariates."""
        readings: dict[str, NumericMargin | _Categorical] = {}
        questions: list[_Question] = []
        for name in context.covariates.numeric:
            values = cohort[name].to_numpy(float)
            known = ~np.isnan(values)
            readings[name] = NumericMargin.of(values)
            questions += _ask_missing(name, known)
            answers = np.full(values.size, -1, dtype=np.int64)
            answers[known] = np.unique(values[known], return_inverse=True)[1]
            questions.append(_Question(name, answers))
        for name in context.covariates.categorical:
            levels = ordered_levels(cohort[name])
            left = np.ones(len(cohort), dtype=bool)
            shares = []
            for level in levels[:-1]:
                is_level = (cohort[name].isna() if level is None else cohort[name].eq(level)).fillna(False).to_numpy(bool)
                questions.append(_Question(name, np.where(left, is_level.astype(np.int64), -1)))
                shares.append(float(is_level[left].mean()))
                left = left & ~is_level
            readings[name] = _Categorical(levels, tuple(shares))
        return cls(factor=_correlation_factor(questions), readings=readings)

    def draw(self, patients: int, *, rng: np.random.Generator) -> dict[str, object]:
        """Covariates of new patients, by name: float arrays with NaN, object arrays with None."""
        uniform = ndtr(rng.standard_normal((patients, self.factor.shape[0])) @ self.factor.T)
        drawn: dict[str, object] = {}
        column = 0
        for name, reading in self.readings.items():
            if isinstance(reading, NumericMargin):
                missing = np.zeros(patients, dtype=bool)
                if reading.missing > 0.0:
                    missing = uniform[:, column] >= 1.0 - reading.missing
                    column += 1
                drawn[name] = np.where(missing, np.nan, reading.quantile(uniform[:, column]))
                column += 1
                continue
            chosen = np.full(patients, reading.levels[-1], dtype=object)
            left = np.ones(patients, dtype=bool)
            for level, share in zip(reading.levels, reading.shares, strict=False):
                is_level = left & (uniform[:, column] >= 1.0 - share)
                chosen[is_level] = level
                left &= ~is_level
                column += 1
            drawn[name] = chosen
        return drawn


def _ask_missing(name: str, known: NDArray[np.bool_]) -> list[_Question]:
    return [] if known.all() else [_Question(name, (~known).astype(np.int64))]


def _correlation_factor(questions: list[_Question]) -> FloatArray:
    """A factor of the latent correlation matrix (module docstring)."""
    count = len(questions)
    asked = np.column_stack([question.answers >= 0 for question in questions]).astype(np.float64)
    scores = np.zeros_like(asked)
    expansion = np.empty((count, _TERMS))
    for j, question in enumerate(questions):
        of_answer, expansion[j] = _score(question.answers[question.answers >= 0])
        scores[question.answers >= 0, j] = of_answer[question.answers[question.answers >= 0]]
    both = np.maximum(asked.T @ asked, 1.0)
    sums = scores.T @ asked
    covariance = scores.T @ scores / both - (sums / both) * (sums.T / both)
    correlation = _solve_correlation(covariance, expansion)

    linear = np.outer(expansion[:, 0], expansion[:, 0])
    noise = 1.0 / (both * np.maximum(linear, 1e-6))
    correlation *= np.maximum(1.0 - noise / np.maximum(correlation**2, noise), 0.0)
    names = np.array([question.covariate for question in questions])
    same = names[:, None] == names[None, :]
    correlation[same] = 0.0
    np.fill_diagonal(correlation, 1.0)
    return _nearest_factor(correlation, fixed=same)


def _nearest_factor(correlation: FloatArray, *, fixed: NDArray[np.bool_]) -> FloatArray:
    """A factor of the nearest positive definite matrix that keeps the ``fixed`` entries, by alternating projections with Dykstra's correction."""
    matrix, correction = correlation, np.zeros_like(correlation)
    for _ in range(_PROJECTIONS):
        eigenvalues, vectors = np.linalg.eigh(matrix - correction)
        root = vectors * np.sqrt(np.maximum(eigenvalues, _SMALLEST_EIGENVALUE))
        positive = root @ root.T
        correction = positive - (matrix - correction)
        matrix = np.where(fixed, correlation, positive)
    factor: FloatArray = root / np.linalg.norm(root, axis=1, keepdims=True)
    return factor


def _score(answers: IntArray) -> tuple[FloatArray, FloatArray]:
    """The mean of the latent normal for each answer (m,), and the coefficients c_1 … c_H of the scores (H,)."""
    share = np.bincount(answers) / answers.size
    cuts = ndtri(np.clip(np.cumsum(share)[:-1], 0.0, 1.0))
    density = np.exp(-0.5 * cuts**2) / np.sqrt(2.0 * np.pi)
    edge = np.concatenate([[0.0], density, [0.0]])
    scores = (edge[:-1] - edge[1:]) / share
    # ∫_a^b he_h φ = {he_{h-1}(a) φ(a) − he_{h-1}(b) φ(b)} / √h; summed by parts, each cut counts with the jump of the score there
    jump = np.diff(scores) * density
    coefficients = np.empty(_TERMS)
    before, now = np.zeros_like(cuts), np.ones_like(cuts)
    for h in range(1, _TERMS + 1):
        coefficients[h - 1] = jump @ now / np.sqrt(h)
        before, now = now, (cuts * now - np.sqrt(h - 1.0) * before) / np.sqrt(h)
    return scores, coefficients


def _solve_correlation(covariance: FloatArray, expansion: FloatArray) -> FloatArray:
    """ρ (q, q) with Σ_h ρ^h c_jh c_kh equal to the covariance, by bisection within ±0.98."""
    low, high = np.full_like(covariance, -_LARGEST), np.full_like(covariance, _LARGEST)
    for _ in range(30):
        middle = 0.5 * (low + high)
        value, power = np.zeros_like(middle), np.ones_like(middle)
        for h in range(expansion.shape[1]):
            power = power * middle
            value += power * np.outer(expansion[:, h], expansion[:, h])
        below = value < covariance
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return 0.5 * (low + high)
