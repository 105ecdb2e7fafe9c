"""Event or censoring times of one arm: what every model of them offers, and a Cox–Breslow model in every interval between the horizons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from parallax.statistics.cox import baseline_hazard, fit_cox

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


class Hazard(Protocol):
    """A fitted hazard of one arm."""

    def draw(self, columns: FloatArray, *, rng: np.random.Generator) -> FloatArray:
        """One time for each row of ``columns`` (n, p); infinite for those whom it never happens to."""
        ...

    def survival(self, columns: FloatArray, times: FloatArray) -> FloatArray:
        """P(T > t | x), (n, k), of the times that ``draw`` draws, at each of ``times`` (k,)."""
        ...

    def steps(self) -> FloatArray:
        """The times at which T can fall, increasing; of a continuous T a grid that is fine enough to integrate over."""
        ...


class FitHazard(Protocol):
    """How a hazard is learnt."""

    def __call__(self, days: FloatArray, event: BoolArray, columns: FloatArray, *, edges: tuple[float, ...]) -> Hazard:
        """Fit to follow-up ``days`` (n,), ``event`` (n,) and standardised ``columns`` (n, p); effects may change at ``edges``, increasing."""
        ...


@dataclass(frozen=True, slots=True)
class NeverHappens:
    """The hazard of what no patient of the arm has had."""

    def draw(self, columns: FloatArray, *, rng: np.random.Generator) -> FloatArray:  # noqa: ARG002 -- part of the interface
        """Infinite times."""
        return np.full(columns.shape[0], np.inf)

    def survival(self, columns: FloatArray, times: FloatArray) -> FloatArray:
        """One, always."""
        return np.ones((columns.shape[0], times.size))

    def steps(self) -> FloatArray:
        """None."""
        return np.zeros(0)


@dataclass(frozen=True, slots=True)
class _Interval:
    """One interval's log hazard ratios (p,), its distinct times and the baseline's cumulative hazard since the interval's start."""

    coefficients: FloatArray
    times: FloatArray
    cumulative: FloatArray


@dataclass(frozen=True, slots=True)
class IntervalHazard:
    """Hazards whose covariate effects are constant within an interval and change between intervals.

    In the interval (a, b], among those still at risk after a, the hazard is λ_ab(t) exp(x'β_ab), β_ab at the maximum of Breslow's partial
    likelihood less ½ ridge Σβ². Times are days on a calendar, so the baseline's steps are those of a discrete hazard: Breslow's increment is
    multiplied by −log(1 − d/r)/(d/r), d of the r at risk, which makes the survival of an average patient the product-limit one instead of
    its exponential, and ends it at zero where the last ones at risk have the event. Kalbfleisch & Prentice (2002), §4.3 and §4.7.
    """

    intervals: tuple[_Interval, ...]

    @classmethod
    def fit(cls, days: FloatArray, event: BoolArray, columns: FloatArray, *, edges: tuple[float, ...], ridge: float | FloatArray) -> Self:
        """Fit to follow-up ``days`` (n,), ``event`` (n,) and standardised ``columns`` (n, p); ``edges`` are the inner bounds, increasing."""
        intervals = []
        for start, end in zip((0.0, *edges), (*edges, np.inf), strict=True):
            at_risk = days > start
            time, happens, x = np.minimum(days[at_risk], end), event[at_risk] & (days[at_risk] <= end), columns[at_risk]
            if not happens.any():
                continue
            fit = fit_cox(time, happens, x, ties="breslow", ridge=ridge)
            baseline = baseline_hazard(fit, time, happens, x)
            ordered = np.sort(time)
            share = np.bincount(np.searchsorted(baseline.times, time[happens])) / (time.size - np.searchsorted(ordered, baseline.times))
            with np.errstate(divide="ignore"):
                discrete = -np.log1p(-share) / share
            intervals.append(_Interval(fit.coefficients, baseline.times, np.cumsum(baseline.increments * discrete)))
        return cls(tuple(intervals))

    def draw(self, columns: FloatArray, *, rng: np.random.Generator) -> FloatArray:
        """One time for each row of ``columns``, among the times seen; infinite for those whom it never happens to."""
        credit = rng.standard_exponential(columns.shape[0])
        times = np.full(columns.shape[0], np.inf)
        for interval in self.intervals:
            risk = np.exp(columns @ interval.coefficients)
            step = np.searchsorted(interval.cumulative, credit / risk)
            ends = np.isinf(times) & (step < interval.times.size)
            times[ends] = interval.times[step[ends]]
            credit = credit - risk * interval.cumulative[-1]
        return times

    def survival(self, columns: FloatArray, times: FloatArray) -> FloatArray:
        """S(t | x) = exp{−Σ_ab Λ_ab(t) exp(x'β_ab)}, (n, k), at each of ``times`` (k,)."""
        total = np.zeros((columns.shape[0], times.size))
        for interval in self.intervals:
            so_far = np.concatenate([[0.0], interval.cumulative])[np.searchsorted(interval.times, times, side="right")]
            reached = so_far > 0.0
            total[:, reached] += np.exp(columns @ interval.coefficients)[:, None] * so_far[reached]
        return np.exp(-total)

    def steps(self) -> FloatArray:
        """The times seen."""
        return np.concatenate([np.zeros(0), *(interval.times for interval in self.intervals)])

    def with_increments(self, increments: tuple[FloatArray, ...]) -> IntervalHazard:
        """The same effects on other baselines: the increments of each interval at its times."""
        return IntervalHazard(
            tuple(
                _Interval(interval.coefficients, interval.times, np.cumsum(steps)) for interval, steps in zip(self.intervals, increments, strict=True)
            )
        )
