"""What is measured: a line of the patient's own, and correlated deviations from it, moved to where the patient's summaries are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, ndtr, ndtri, polygamma

from parallax.statistics.autocorrelation import Correlation, fit_correlation, profile_scales
from parallax.statistics.conditioning import condition_series, round_series
from parallax.synthesis.records import Grid

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

#: shortest series whose deviations say something of a patient's scale; and of correlation and shape
_SCALED: Final = 3
_TELLING: Final = 5
#: patients and their latest values that the correlation is learnt from
_PATIENTS: Final = 500
_LATEST: Final = 60
#: fewest telling patients for a scale of each patient's own
_FEWEST: Final = 10
#: a factor of √2 apart, up to the window
_HALF_LIVES: Final = 13
_RIDGE: Final = 1.0
_LEVELS: Final = np.concatenate([[0.005], np.arange(0.01, 1.0, 0.01), [0.995]])
#: smallest scale of a patient, in typical ones
_SMALLEST: Final = 1e-3

#: what is drawn of every patient: the mean, the slope times the standard deviation of the times, which is a change of the value however near
#: the times are, and the logarithm of the standard deviation about the line
FEATURES: Final = ("mean", "rise", "scale")


@dataclass(frozen=True, slots=True)
class SeriesValues:
    """Values of measured patients at given times, learnt from those of one arm.

    Assumptions: FEATURES of a patient are linear in the covariates (ridge), with residuals of real patients who
    have about as many values; deviations follow a correlation that decays with time (``Correlation``), their distribution has one shape.
    Measurements of one patient are independent of each other given the covariates. Nothing but the line changes with time.
    """

    grid: Grid
    correlation: Correlation
    shape: FloatArray
    """Quantiles of standardised deviations at ``_LEVELS``."""
    coefficients: FloatArray
    """(1 + p, 3) of FEATURES."""
    residuals: FloatArray
    """(patients, 3), in the order of the times' donors; 0 where a patient's series does not tell."""

    @classmethod
    def fit(cls, series: Sequence[tuple[IntArray, FloatArray, FloatArray]], predictors: FloatArray, grid: Grid, *, window_days: float) -> Self:
        """From batches by number of values, shortest first; ``predictors`` (patients of the arm, p) by the batches' patient numbers."""
        telling = [(times, values) for _, times, values in series if times.shape[1] >= _TELLING]
        sample, left = [], _PATIENTS
        for times, values in reversed(telling):
            sample.append((times[:left, -_LATEST:], values[:left, -_LATEST:]))
            left = max(left - len(times), 0)
        half_lives = np.geomspace(max(window_days, 1.0) / 64, max(window_days, 1.0), _HALF_LIVES)
        correlation = fit_correlation([pair for pair in sample if len(pair[0])], half_lives=half_lives.tolist())

        features, standardised = [], [np.zeros(0)]
        for _, times, values in series:
            centred = times - times.mean(axis=1, keepdims=True)
            level, scale = values.mean(axis=1), np.full(len(times), np.nan)
            spread = np.sqrt((centred**2).mean(axis=1))
            rise = (centred * values).mean(axis=1) / spread if times.shape[1] > 1 else np.full(len(times), np.nan)
            if times.shape[1] >= _SCALED:
                scale = profile_scales(times, values, correlation)
            if times.shape[1] >= _TELLING:
                varied = scale > 1e-9 * np.maximum(np.abs(level), 1e-300)
                deviations = values - level[:, None] - (rise / spread)[:, None] * centred
                standardised.append((deviations[varied] / scale[varied, None]).ravel())
            features.append(np.column_stack([level, rise, scale]))
        people = np.concatenate([people for people, _, _ in series])
        found = np.vstack(features)
        freedom = np.concatenate([np.full(len(times), float(max(times.shape[1] - 2, 1))) for _, times, _ in series])
        found[:, 2] = _log_scales(found[:, 2], freedom)
        coefficients, residuals = _regress(found, predictors[people])
        residuals[:, 2] *= _without_noise(residuals[:, 2], polygamma(1, freedom / 2) / 4, ~np.isnan(found[:, 2]))
        return cls(grid, correlation, _shape_of(np.concatenate(standardised)), coefficients, residuals)

    def draw(
        self, times: FloatArray, predictors: FloatArray, donors: IntArray, given: Mapping[str, FloatArray], *, rng: np.random.Generator
    ) -> FloatArray:
        """Values (B, n) at ``times`` (B, n) whose summaries are as ``given``: by name, each (B,), NaN where a patient has none.

        A mean and a slope that are not given are drawn, and give way to what is. Where summaries contradict each other or the range of real
        values, they are kept as nearly as the range allows.
        """
        patients, number = times.shape
        own = np.column_stack([np.ones(patients), predictors]) @ self.coefficients + self.residuals[donors]
        unknown = np.full(patients, np.nan)
        least, most = given.get("minimum", unknown), given.get("maximum", unknown)
        lower = np.fmax(np.full(patients, self.grid.lower), np.minimum(least, self.grid.upper))
        upper = np.maximum(np.fmin(np.full(patients, self.grid.upper), np.maximum(most, self.grid.lower)), lower)
        stated = {name: given.get(name, unknown) for name in ("mean", "slope")}
        mean = np.where(np.isnan(stated["mean"]), np.clip(own[:, 0], lower, upper), stated["mean"])
        centred = times - times.mean(axis=1, keepdims=True)
        spread = np.sqrt((centred**2).mean(axis=1))
        slope = np.where(np.isnan(stated["slope"]), own[:, 1] / spread, stated["slope"]) if number > 1 else np.zeros(patients)
        correlation = self.correlation.between(times)
        normal = np.einsum("bij,bj->bi", np.linalg.cholesky(correlation), rng.standard_normal((patients, number)))
        deviations = np.exp(own[:, 2])[:, None] * np.interp(ndtr(normal), _LEVELS, self.shape)
        drawn = mean[:, None] + slope[:, None] * centred + deviations

        about = np.where(spread > 0, number * spread**2, 1.0)
        line = [np.full((patients, number), 1.0 / number), centred / about[:, None]]
        bounds = {"covariance": correlation, "lower": lower, "upper": upper}
        kept = condition_series(drawn, np.stack(line, axis=1), np.column_stack([mean, slope if number > 1 else unknown]), **bounds)

        at_last = np.arange(number) == np.full((patients, 1), number - 1)
        rows, targets = [*line, at_last.astype(np.float64)], [stated["mean"], stated["slope"], given.get("last", unknown)]
        kept = condition_series(kept, np.stack(rows, axis=1), np.column_stack(targets), **bounds)
        at_least = _place(-kept, least, [(at_last, targets[2])])
        at_most = _place(kept, most, [(at_last, targets[2]), (at_least, least)])
        rows, targets = [*rows, at_least.astype(np.float64), at_most.astype(np.float64)], [*targets, least, most]
        kept = condition_series(kept, np.stack(rows, axis=1), np.column_stack(targets), **bounds)
        if self.grid.decimals is None:
            return kept
        places = ((at_last, targets[2]), (at_least, least), (at_most, most))
        fixed = np.any([place & ~np.isnan(target)[:, None] for place, target in places], axis=0)
        return round_series(kept, decimals=self.grid.decimals, fixed=fixed, lower=lower, upper=upper)


def _place(scores: FloatArray, extreme: FloatArray, taken: Sequence[tuple[NDArray[np.bool_], FloatArray]]) -> NDArray[np.bool_]:
    """Where the extreme of each series (B, n) goes: the highest score, but a place that is taken only, and always, by the same value."""
    for at, value in taken:
        known = at & ~np.isnan(value)[:, None]
        scores = np.where(known, np.where((value == extreme)[:, None], np.inf, -np.inf), scores)
    return np.asarray(np.arange(scores.shape[1]) == scores.argmax(axis=1)[:, None], dtype=np.bool_)


def _regress(features: FloatArray, predictors: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Coefficients (1 + p, k), the first of the constant, and residuals; of a feature that few patients tell only a constant is learnt."""
    columns = np.column_stack([np.ones(len(predictors)), predictors])
    penalty = np.diag(np.append(0.0, np.full(predictors.shape[1], _RIDGE)))
    coefficients, residuals = np.zeros((columns.shape[1], features.shape[1])), np.zeros_like(features)
    for feature in range(features.shape[1]):
        known = ~np.isnan(features[:, feature])
        x, y = columns[known], features[known, feature]
        if known.sum() >= _FEWEST:
            coefficients[:, feature] = np.linalg.solve(x.T @ x + penalty, x.T @ y)
            residuals[known, feature] = y - x @ coefficients[:, feature]
        elif known.any():
            coefficients[0, feature] = y.mean()
    return coefficients, residuals


def _log_scales(scales: FloatArray, freedom: FloatArray) -> FloatArray:
    """Unbiased logarithms of standard deviations estimated with so many degrees of freedom: log s − ½(ψ(f/2) − log(f/2)) of normal values."""
    known = scales[~np.isnan(scales)]
    least = max(_SMALLEST * float(np.median(known)), 1e-300) if known.size else 1e-300
    return np.asarray(np.log(np.maximum(scales, least)) - (digamma(freedom / 2) - np.log(freedom / 2)) / 2, dtype=np.float64)


def _without_noise(residuals: FloatArray, noise: FloatArray, known: NDArray[np.bool_]) -> float:
    """By how much to shrink residuals whose estimates have the variances ``noise``, so that they spread as patients do."""
    if not known.any() or (spread := float(residuals[known].var())) <= 0:
        return 0.0
    return float(np.sqrt(max(1.0 - noise[known].mean() / spread, 0.0)))


def _shape_of(standardised: FloatArray) -> FloatArray:
    """Quantiles at ``_LEVELS`` with mean 0 and variance 1 when read at a uniform number; the normal's where too few deviations tell."""
    quantiles: FloatArray = np.quantile(standardised, _LEVELS) if standardised.size >= _FEWEST * _TELLING else ndtri(_LEVELS)
    read = np.interp((np.arange(1000) + 0.5) / 1000, _LEVELS, quantiles)
    return np.asarray((quantiles - read.mean()) / (read.std() or 1.0), dtype=np.float64)
