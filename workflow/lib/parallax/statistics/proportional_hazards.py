"""Whether the hazard ratio of two arms is the same over all follow-up: its trend, the test of it, and its smoothed course."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from parallax.errors import NotEstimable, StatisticsError
from parallax.statistics.cox import fit_cox
from parallax.statistics.domain import BoolArray, FloatArray, IntArray, check_binary, check_labels, check_times, check_vector, check_weights
from parallax.statistics.survival import SurvivalCurve, kaplan_meier


@dataclass(frozen=True, slots=True)
class HazardTrend:
    """The change of the log hazard ratio β over follow-up.

    ``slope`` θ of β + θ g(t) in one step from θ = 0, with its model-based ``variance`` and the ``influence`` (n,) of each patient; the event
    ``times`` (d,), one entry per event, their ``weights`` (d,) and ``g`` (d,), and ``residuals`` (d,), β plus the scaled Schoenfeld residual, of
    weighted mean β; ``spread`` their variance.
    """

    slope: float
    variance: float
    influence: FloatArray
    times: FloatArray
    weights: FloatArray
    g: FloatArray
    residuals: FloatArray
    spread: float

    @property
    def statistic(self) -> float:
        """The test's χ² with one degree of freedom, all patients weighing the same."""
        return self.slope**2 / self.variance


def measure_trend(
    time: ArrayLike, event: ArrayLike, treated: ArrayLike, *, weights: ArrayLike | None = None, strata: ArrayLike | None = None
) -> HazardTrend:
    """Score test of θ = 0 in λ(t | a) = λ0(t) exp{a (β + θ g(t))}, g(t) = 1 − S(t−) of the unweighted Kaplan–Meier curve of all patients.

    The score and the information of (β, θ) at (β̂, 0) are sums over the terms of Efron's partial likelihood with weights g and g² (Grambsch &
    Therneau 1994, eq. 4; what R's ``cox.zph`` of survival 3 computes). With I_gg.b = I_gg − I_gb²/I_bb: θ = U_g / I_gg.b of variance 1/I_gg.b; its
    influence is that of the score residuals of both equations. exp(θ) is the ratio of the hazard ratio at the end of follow-up to that at the
    beginning, were it to change along g.
    ``strata`` (n,) integers have a λ0 each; score, information and influence are sums over them, g is of all patients (as in ``cox.zph``).
    ``time`` (n,) above zero, ``event``, ``treated`` (n,) 0/1, ``weights`` (n,) at least zero. Errors as of ``fit_cox``.
    """
    t = check_times("time", time)
    d = check_binary("event", event, size=t.size)
    arm = check_binary("treated", treated, size=t.size)
    w = check_weights(weights, size=t.size)
    stratum = np.zeros(t.size, dtype=np.int64) if strata is None else check_labels("strata", strata, size=t.size)
    beta = float(fit_cox(t, d, arm.astype(np.float64)[:, None], weights=w, strata=stratum).coefficients[0])
    kept = w > 0.0
    curve = kaplan_meier(t[kept], d[kept])
    parts = [np.flatnonzero(kept & (stratum == one)) for one in np.unique(stratum[kept])]
    terms = [_Terms.of(t[rows], d[rows], arm[rows], w[rows], beta, curve) for rows in parts]
    information = [
        sum(float(np.sum(part.mass * part.mean * (1.0 - part.mean) * part.g[part.rank] ** power)) for part in terms) for power in (0, 1, 2)
    ]
    left = information[2] - information[1] ** 2 / information[0]
    if left <= 1e-12 * information[2]:
        raise NotEstimable("events at one time only: a hazard ratio cannot change")
    influence = np.zeros(t.size)
    for rows, part in zip(parts, terms, strict=True):
        ones = part.score_residuals(np.ones(part.times.size))
        influence[rows] = (part.score_residuals(part.g) - information[1] / information[0] * ones) / left
    weight, arm_at, mean_at, times, g = (
        np.concatenate(found)
        for found in zip(
            *(
                (part.weight[e], part.arm[e], part.mean_at[part.at[e]], part.times[part.at[e]], part.g[part.at[e]])
                for part in terms
                for e in [part.events]
            ),
            strict=True,
        )
    )
    spread = float(weight.sum()) / information[0]
    ordered = np.argsort(times, kind="stable")
    return HazardTrend(
        slope=float(influence.sum()),
        variance=1.0 / left,
        influence=influence,
        times=times[ordered],
        weights=weight[ordered],
        g=g[ordered],
        residuals=(beta + (arm_at - mean_at) * spread)[ordered],
        spread=spread,
    )


def smooth_course(trend: HazardTrend, at: ArrayLike, *, degrees: int = 4) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The log hazard ratio at the times ``at`` (k,), with its pointwise 95 % band: a natural cubic spline in g(t) through the residuals.

    ``degrees`` of freedom, knots at quantiles of g over the events; weighted least squares of variance ``spread``·x'(X'WX)⁻¹X'W²X(X'WX)⁻¹x, without
    weights ``spread``·x'(X'X)⁻¹x (Grambsch & Therneau 1994, §5, as R's ``plot.cox.zph``). Times outside those of the events take the nearest
    one's value. Raises NotEstimable where there are too few event times.
    """
    times = check_vector("at", at)
    if degrees < 2:
        raise StatisticsError(f"degrees: found {degrees}; allowed are 2 or more")
    knots = np.unique(np.quantile(trend.g, np.linspace(0.0, 1.0, degrees)))
    if knots.size < degrees:
        raise NotEstimable("too few event times for a course of the hazard ratio")
    g = np.interp(times, trend.times, trend.g)
    columns = _natural_spline(trend.g, knots)
    weighted = columns * trend.weights[:, None]
    inverse = np.linalg.pinv(weighted.T @ columns)
    where = _natural_spline(g, knots)
    value = where @ (inverse @ (weighted.T @ trend.residuals))
    half = 1.959963984540054 * np.sqrt(np.sum((where @ inverse @ weighted.T) ** 2, axis=1) * trend.spread)
    return value, value - half, value + half


def _natural_spline(x: FloatArray, knots: FloatArray) -> FloatArray:
    """Intercept, x, and the cubic columns that are straight beyond the outer knots (Hastie, Tibshirani & Friedman 2009, eq. 5.4)."""
    last = knots[-1]
    cubes = [(np.clip(x - knot, 0.0, None) ** 3 - np.clip(x - last, 0.0, None) ** 3) / (last - knot) for knot in knots[:-1]]
    return np.column_stack([np.ones(x.size), x, *(cube - cubes[-1] for cube in cubes[:-1])])


@dataclass(frozen=True, slots=True)
class _Terms:
    """Efron's terms: one per event, the l-th of the m at time k; per time (K,): ``times``, ``g``, ``mean_at``; per term: ``rank`` its time, ``mass``
    the mean weight of the events there, ``mean`` the share treated, ``hazard``, ``share`` 1 − l/m; per patient: ``at`` the time's rank, ``arm``."""

    times: FloatArray
    g: FloatArray
    mean_at: FloatArray
    rank: IntArray
    mass: FloatArray
    mean: FloatArray
    hazard: FloatArray
    share: FloatArray
    at: IntArray
    arm: FloatArray
    weight: FloatArray
    risk: FloatArray
    happens: BoolArray
    events: IntArray

    @classmethod
    def of(cls, time: FloatArray, event: BoolArray, treated: BoolArray, weight: FloatArray, beta: float, curve: SurvivalCurve) -> _Terms:
        times, at = np.unique(time, return_inverse=True)
        arm, risk = treated.astype(np.float64), np.exp(beta * treated)
        g = 1.0 - curve.survival[np.searchsorted(curve.times[1:], times)]
        at_risk, of_treated = (np.cumsum(np.bincount(at, weights=part)[::-1])[::-1] for part in (weight * risk, weight * risk * arm))
        dying, dying_treated = (np.bincount(at, weights=part * event) for part in (weight * risk, weight * risk * arm))
        tied = np.bincount(at, weights=event).astype(np.int64)
        rank = np.repeat(np.arange(times.size), tied)
        first = np.repeat(np.cumsum(tied) - tied, tied)
        gone = (np.arange(rank.size) - first) / tied[rank]
        total = at_risk[rank] - gone * dying[rank]
        mean = (of_treated[rank] - gone * dying_treated[rank]) / total
        mass = (np.bincount(at, weights=weight * event)[rank]) / tied[rank]
        mean_at = np.divide(np.bincount(rank, weights=mean, minlength=times.size), tied, out=np.zeros(times.size), where=tied > 0)
        return cls(times, g, mean_at, rank, mass, mean, mass / total, 1.0 - gone, at, arm, weight, risk, event, np.flatnonzero(event))

    def score_residuals(self, g: FloatArray) -> FloatArray:
        """w_i times the score residual of each patient, the terms weighted by g (K,) of their times."""
        by_time = [
            np.bincount(self.rank, weights=g[self.rank] * self.hazard * part, minlength=self.times.size)
            for part in (np.ones(self.rank.size), self.mean, self.share, self.share * self.mean)
        ]
        before = [np.cumsum(part) - part for part in by_time[:2]]
        own = [np.where(self.happens, tied[self.at], plain[self.at]) for tied, plain in zip(by_time[2:], by_time[:2], strict=True)]
        compensator = self.arm * (before[0][self.at] + own[0]) - (before[1][self.at] + own[1])
        residuals: FloatArray = self.weight * (self.happens * g[self.at] * (self.arm - self.mean_at[self.at]) - self.risk * compensator)
        return residuals
