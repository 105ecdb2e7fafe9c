"""The stated models of a simulated study: who is treated, what happens to them, and who is lost.

Every model is linear in the same regression terms x (N, q) of the patients (:func:`regression_terms`): standardised covariates, with squares and
products where confounding is to bend. Treatment a is 0 or 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from parallax.errors import StatisticsError
from parallax.statistics.domain import BoolArray, FloatArray, check_matrix


def regression_terms(
    columns: ArrayLike, *, squares: Sequence[int] = (), products: Sequence[tuple[int, int]] = (), limit: float = np.inf
) -> FloatArray:
    """Terms (N, q) of covariate ``columns`` (N, p): each standardised to z (mean 0, variance 1) and cut at ±``limit``, then z² − 1 of the columns
    numbered in ``squares``, then z_j z_k of the pairs in ``products``.

    The cut keeps a square or a product of a long-tailed covariate from deciding one patient's treatment. Raises StatisticsError for a column that
    does not vary.
    """
    x = check_matrix("columns", columns)
    spread = x.std(axis=0)
    if constant := np.flatnonzero(spread <= 1e-12 * np.abs(x).max(axis=0)).tolist():
        raise StatisticsError(f"columns: {constant} do not vary; leave them out")
    z = np.clip((x - x.mean(axis=0)) / spread, -limit, limit)
    return np.column_stack([z, *(z[:, [j]] ** 2 - 1.0 for j in squares), *(z[:, [j]] * z[:, [k]] for j, k in products)])


@dataclass(frozen=True, slots=True)
class TreatmentModel:
    """logit P(A = 1 | x) = ``intercept`` + x'``coefficients`` (q,); coefficients of zero make a randomised study."""

    intercept: float
    coefficients: FloatArray

    def propensity(self, terms: FloatArray) -> FloatArray:
        """The true propensity score e(x), (n,)."""
        score: FloatArray = expit(self.intercept + terms @ self.coefficients)
        return score


@dataclass(frozen=True, slots=True)
class _MeanModel:
    """Linear predictor ``intercept`` + x'``coefficients`` + a(``effect`` + x'``modifiers``); modifiers make the effect differ between patients."""

    intercept: float
    coefficients: FloatArray
    effect: float
    modifiers: FloatArray

    def with_effect(self, effect: float, *, modifiers: ArrayLike = 0.0) -> Self:
        """The same model with another effect; an effect and modifiers of 0 make the null."""
        return replace(self, effect=effect, modifiers=np.broadcast_to(np.asarray(modifiers, dtype=np.float64), self.coefficients.shape))

    def predictor(self, terms: FloatArray, treated: bool | BoolArray) -> FloatArray:
        """The linear predictor (n,) of patients who are all, or each, given a treatment."""
        found: FloatArray = self.intercept + terms @ self.coefficients + treated * (self.effect + terms @ self.modifiers)
        return found


@dataclass(frozen=True, slots=True)
class BinaryModel(_MeanModel):
    """logit P(Y = 1 | x, a) is the linear predictor."""

    def mean(self, terms: FloatArray, treated: bool | BoolArray) -> FloatArray:
        """P(Y = 1 | x, a), (n,)."""
        probability: FloatArray = expit(self.predictor(terms, treated))
        return probability

    def draw(self, terms: FloatArray, treated: BoolArray, *, rng: np.random.Generator) -> dict[str, FloatArray]:
        """``value`` (n,), 0 or 1."""
        return {"value": (rng.random(len(terms)) < self.mean(terms, treated)).astype(np.float64)}


@dataclass(frozen=True, slots=True)
class ContinuousModel(_MeanModel):
    """Y is normal with the linear predictor as mean and standard ``deviation``."""

    deviation: float

    def mean(self, terms: FloatArray, treated: bool | BoolArray) -> FloatArray:
        """E(Y | x, a), (n,)."""
        return self.predictor(terms, treated)

    def draw(self, terms: FloatArray, treated: BoolArray, *, rng: np.random.Generator) -> dict[str, FloatArray]:
        """``value`` (n,)."""
        return {"value": self.mean(terms, treated) + self.deviation * rng.standard_normal(len(terms))}


@dataclass(frozen=True, slots=True)
class Hazard:
    """Piecewise Weibull hazard whose coefficients and treatment effect may change between intervals.

    From ``edges[j]`` (the first is 0) to the next edge, the last interval being open,

        λ(t | x, a) = k t^(k−1) r_j exp{x'β_j + a(τ_j + x'γ_j)},

    k ``shape``, r (J,) ``rates``, β (J, q) ``coefficients``, τ (J,) ``effects``, γ (J, q) ``modifiers``. One interval is a Weibull proportional
    hazards model; k = 1 is piecewise exponential; β, γ of zero and τ of zero make a time independent of covariates and treatment.
    """

    edges: FloatArray
    rates: FloatArray
    coefficients: FloatArray
    effects: FloatArray
    modifiers: FloatArray
    shape: float

    @classmethod
    def of(
        cls,
        rates: ArrayLike,
        coefficients: ArrayLike,
        *,
        edges: ArrayLike = (0.0,),
        effects: ArrayLike = 0.0,
        modifiers: ArrayLike = 0.0,
        shape: float = 1.0,
    ) -> Self:
        """The model; what is given once, for one interval or for one term, holds for all. Raises StatisticsError for values outside the domain."""
        starts = np.atleast_1d(np.asarray(edges, dtype=np.float64))
        beta = np.atleast_1d(np.asarray(coefficients, dtype=np.float64))
        size = (starts.size, beta.shape[-1])
        if starts[0] != 0.0 or not np.all(np.diff(starts) > 0.0):
            raise StatisticsError("edges: allowed are the starts of the intervals, increasing, the first 0")
        rate = np.broadcast_to(np.asarray(rates, dtype=np.float64), starts.shape)
        if not np.all(np.isfinite(rate) & (rate >= 0.0)) or not 0.0 < shape < np.inf:
            raise StatisticsError("rates and shape: allowed are finite numbers, rates at least zero, the shape above zero")
        tau = np.broadcast_to(np.asarray(effects, dtype=np.float64), starts.shape)
        gamma = np.broadcast_to(np.asarray(modifiers, dtype=np.float64), size)
        if not all(np.all(np.isfinite(values)) for values in (beta, tau, gamma)):
            raise StatisticsError("coefficients, effects and modifiers: allowed are finite numbers")
        return cls(starts, rate, np.broadcast_to(beta, size), tau, gamma, shape)

    def with_effect(self, effect: ArrayLike, *, modifiers: ArrayLike = 0.0) -> Self:
        """The same hazard with another log hazard ratio of treatment, one or one for each interval; zeros make the null."""
        return type(self).of(self.rates, self.coefficients, edges=self.edges, effects=effect, modifiers=modifiers, shape=self.shape)

    def cumulative(self, terms: FloatArray, treated: bool | BoolArray, days: FloatArray) -> FloatArray:
        """Cumulative hazard (n, k) of every patient at each of ``days`` (k,)."""
        ends = np.append(self.edges[1:], np.inf)
        spent = np.clip(days, self.edges[:, None], ends[:, None]) ** self.shape - self.edges[:, None] ** self.shape
        total: FloatArray = self._rates(terms, treated) @ spent
        return total

    def draw(self, terms: FloatArray, treated: BoolArray, *, rng: np.random.Generator) -> FloatArray:
        """One time (n,) per patient by inversion of the cumulative hazard, Λ(T | x, a) = E, E standard exponential (Bender et al. 2005, §2).

        Infinite for those whom it never happens to, where the last rate is zero.
        """
        rates = self._rates(terms, treated)
        credit = rng.standard_exponential(len(terms))
        days = np.full(len(terms), np.inf)
        for rate, start, end in zip(rates.T, self.edges, np.append(self.edges[1:], np.inf), strict=True):
            with np.errstate(divide="ignore", invalid="ignore"):
                found = (start**self.shape + credit / rate) ** (1.0 / self.shape)
            days = np.where(np.isinf(days) & (found <= end), found, days)
            if end < np.inf:
                credit = np.maximum(credit - rate * (end**self.shape - start**self.shape), 0.0)
        return days

    def _rates(self, terms: FloatArray, treated: bool | BoolArray) -> FloatArray:
        """Rate (n, J) of each patient in each interval."""
        arm = np.asarray(treated, dtype=np.float64).reshape(-1, 1)
        rates: FloatArray = self.rates * np.exp(terms @ self.coefficients.T + arm * (self.effects + terms @ self.modifiers.T))
        return rates


@dataclass(frozen=True, slots=True)
class SurvivalModel:
    """Time to an event, follow-up that ends at ``end_days`` for everybody, and loss before by the hazard ``dropout`` (None: nobody is lost).

    Event and loss are independent given x and a. A dropout hazard that depends on x makes censoring informative for whoever does not model it.
    Both times are recorded in units of ``unit_days``, rounded up, as a calendar records them: an event in the unit of the loss counts as seen.
    """

    event: Hazard
    end_days: float
    dropout: Hazard | None = None
    unit_days: float = 1.0

    def __post_init__(self) -> None:
        units = self.end_days / self.unit_days
        if not 1.0 <= units < np.inf or abs(units - round(units)) > 1e-9 * units:
            raise StatisticsError(f"end_days: found {self.end_days:g}; allowed is a multiple of unit_days, {self.unit_days:g}")

    @property
    def units(self) -> int:
        """How many recorded times there are up to the end of follow-up."""
        return round(self.end_days / self.unit_days)

    def with_effect(self, effect: ArrayLike, *, modifiers: ArrayLike = 0.0) -> Self:
        """The same model with another effect on the event's hazard, see :meth:`Hazard.with_effect`."""
        return replace(self, event=self.event.with_effect(effect, modifiers=modifiers))

    def draw(self, terms: FloatArray, treated: BoolArray, *, rng: np.random.Generator) -> dict[str, FloatArray]:
        """``days`` (n,) above zero and ``event`` (n,), 1 where the event was seen."""
        happens = np.ceil(self.event.draw(terms, treated, rng=rng) / self.unit_days)
        lost = np.full(len(terms), float(self.units))
        if self.dropout is not None:
            lost = np.minimum(lost, np.ceil(self.dropout.draw(terms, treated, rng=rng) / self.unit_days))
        # a time of exactly zero has probability zero, not that of underflow
        return {"days": np.minimum(happens, lost).clip(min=1.0) * self.unit_days, "event": (happens <= lost).astype(np.float64)}


OutcomeModel = SurvivalModel | BinaryModel | ContinuousModel
