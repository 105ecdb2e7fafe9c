"""Event or censoring times of one arm by a flexible parametric model: a cubic spline of log time for the log cumulative hazard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from parallax.statistics.newton import Curvature, maximise

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

#: inner knots where there are enough events for them, as Royston and Parmar recommend (three degrees of freedom)
_INNER_KNOTS: Final = 2
_EVENTS_PER_KNOT: Final = 10
#: penalty on departures of the baseline from constant hazards: finite estimates whatever the events
_TO_EXPONENTIAL: Final = 0.1
#: a last day that this share of patients reach is the end of the study, not an event of the process
_END: Final = 0.01
_GRID: Final = 300


@dataclass(frozen=True, slots=True)
class SplineHazard:
    """Times whose log cumulative hazard is L(t | x) = s(u) + x'β + (u − ū) x'δ, u = log t, s a natural cubic spline.

    δ lets covariate effects fade or grow with log time. The penalised likelihood Σ d {log L'(u) + L(u)} − exp L(u) − ½ ridge Σ (β² + δ²) is
    concave in all parameters. Where L falls with time for some patients it is replaced by its running maximum. Times are drawn between the
    first and the last time of an event; later ones never happen.

    Source: Royston & Parmar (2002) Stat Med 21:2175, section 2 (basis: their appendix; time-dependent effects: section 2.4).
    """

    knots: FloatArray
    baseline: FloatArray
    proportional: FloatArray
    drift: FloatArray
    centre: float
    first: float
    last: float

    @classmethod
    def fit(cls, days: FloatArray, event: BoolArray, columns: FloatArray, *, ridge: float | FloatArray) -> Self | None:
        """Fit to follow-up ``days`` (n,), ``event`` (n,) and standardised ``columns`` (n, p); None where nothing ever happens."""
        at_end = days == days.max()
        happens = event & ~at_end if np.mean(at_end & event) >= _END else event
        if not happens.any():
            return None
        u, seen = np.log(days), np.log(days[happens])
        inner = _INNER_KNOTS if happens.sum() >= _EVENTS_PER_KNOT * (_INNER_KNOTS + 1) else 0
        knots = np.unique(np.quantile(seen, np.linspace(0.0, 1.0, inner + 2)))
        centre = float(seen.mean())
        basis, slope = _basis(u, knots)
        drift = (u - centre)[:, None] * columns
        rows = np.column_stack([basis, columns, drift])
        derivative = np.column_stack([slope, np.zeros_like(columns), columns])[happens]
        penalty = np.concatenate([[0.0], np.full(basis.shape[1] - 1, _TO_EXPONENTIAL), np.tile(np.broadcast_to(ridge, columns.shape[1]), 2)])
        start = np.zeros(rows.shape[1])
        start[:2] = np.log(happens.sum() / days.sum()), 1.0
        origin = start * (np.arange(start.size) == 1)
        total = rows[happens].sum(axis=0)

        def evaluate(theta: FloatArray) -> Curvature:
            rising = derivative @ theta
            if (rising <= 0.0).any():
                return Curvature(-np.inf, np.zeros_like(theta), np.eye(theta.size))
            level = rows @ theta
            hazard = np.exp(np.minimum(level, 700.0))
            away = theta - origin
            value = float(np.log(rising).sum() + total @ theta - hazard.sum() - 0.5 * penalty @ away**2)
            gradient = (derivative / rising[:, None]).sum(axis=0) + total - hazard @ rows - penalty * away
            scaled = derivative / rising[:, None]
            return Curvature(value, gradient, scaled.T @ scaled + rows.T @ (rows * hazard[:, None]) + np.diag(penalty))

        theta = maximise(evaluate, np.zeros(start.size), diverging="the flexible parametric hazard has no finite estimate", start=start).coefficients
        cut = basis.shape[1], basis.shape[1] + columns.shape[1]
        return cls(knots, theta[: cut[0]], theta[cut[0] : cut[1]], theta[cut[1] :], centre, float(seen.min()), float(seen.max()))

    def draw(self, columns: FloatArray, *, rng: np.random.Generator) -> FloatArray:
        """One time for each row of ``columns``; infinite for those whom it does not happen to by the last time seen."""
        credit = np.log(rng.standard_exponential(columns.shape[0]))
        grid = np.linspace(self.first, self.last, _GRID)
        base = _basis(grid, self.knots)[0] @ self.baseline
        times = np.full(columns.shape[0], np.inf)
        proportional, drift = columns @ self.proportional, columns @ self.drift
        before = base[0] + proportional + (grid[0] - self.centre) * drift
        times[credit <= before] = np.exp(self.first)
        for left, right, level in zip(grid[:-1], grid[1:], base[1:], strict=True):
            after = np.maximum(before, level + proportional + (right - self.centre) * drift)
            ends = np.isinf(times) & (credit <= after)
            times[ends] = np.exp(left + (right - left) * (credit[ends] - before[ends]) / (after[ends] - before[ends]))
            before = after
        return times

    def survival(self, columns: FloatArray, times: FloatArray) -> FloatArray:
        """exp{−exp L(t | x)}, (n, k), at each of ``times`` (k,), L the running maximum on the grid that times are drawn from."""
        grid = np.linspace(self.first, self.last, _GRID)
        base = _basis(grid, self.knots)[0] @ self.baseline
        level = base + (columns @ self.proportional)[:, None] + (columns @ self.drift)[:, None] * (grid - self.centre)
        level = np.maximum.accumulate(level, axis=1)
        u = np.log(np.maximum(times, np.finfo(np.float64).tiny))
        left = np.clip(np.searchsorted(grid, u, side="right") - 1, 0, _GRID - 2)
        share = np.clip((u - grid[left]) / (grid[left + 1] - grid[left]), 0.0, 1.0)
        found = np.exp(-np.exp(np.minimum(level[:, left] + share * (level[:, left + 1] - level[:, left]), 700.0)))
        # a time computed as exp(log t) may miss t by rounding
        return np.where(u < self.first - 1e-12, 1.0, found)

    def steps(self) -> FloatArray:
        """The grid that times are drawn from."""
        return np.exp(np.linspace(self.first, self.last, _GRID))


def _basis(u: FloatArray, knots: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The natural cubic spline basis at ``u`` (n,), and its derivatives: constant, u, and one column per inner knot."""
    columns, slopes = [np.ones_like(u), u], [np.zeros_like(u), np.ones_like(u)]
    low, high = knots[0], knots[-1]

    def cubic(knot: float) -> tuple[FloatArray, FloatArray]:
        part = np.maximum(u - knot, 0.0)
        return part**3, 3.0 * part**2

    for knot in knots[1:-1]:
        share = (high - knot) / (high - low)
        unit = (high - low) ** 2
        parts = [cubic(float(k)) for k in (knot, low, high)]
        columns.append((parts[0][0] - share * parts[1][0] - (1.0 - share) * parts[2][0]) / unit)
        slopes.append((parts[0][1] - share * parts[1][1] - (1.0 - share) * parts[2][1]) / unit)
    return np.column_stack(columns), np.column_stack(slopes)
