"""Averages over patients by an outcome model and a propensity score together, given the predictions of both.

With m_a(x) the predicted outcome under treatment a, π_a(x) the probability of a, and t_i the share of patient i in the average asked for (1/n
for the ATE, A/n₁ for the ATT, (1 − A)/n₀ for the ATC; ω(x) the same as a function of x: 1, π_1, π_0),

    θ_a = Σ_i t_i m_a(x_i) + Σ_i c_i r_i,        c_i = 1(A_i = a) ω(x_i)/π_a(x_i) · t̄,

r_i the residual y_i − m_a(x_i) of those who had a, t̄ = n⁻¹, n₁⁻¹, n₀⁻¹ (Robins, Rotnitzky & Zhao 1994; Hahn 1998, theorem 1 for the ATT). The
influence of a patient is t_i {m_a(x_i) − θ_a} + c_i r_i. It is that of the estimate whichever of the two models is right, provided that both
converge and predictions are made out of fold (Chernozhukov et al. 2018, theorem 5.1).

TMLE first moves the predictions along a logistic submodel until Σ c_i r_i = 0 (van der Laan & Rubin 2006); it stays in the outcome's range.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from scipy.special import expit, logit

from parallax.errors import NotEstimable, StatisticsError
from parallax.statistics.arms import ArmPair
from parallax.statistics.domain import BoolArray, FloatArray

Target = Literal["ATE", "ATT", "ATC"]

#: probabilities are kept off 0 and 1 by this much before a logit is taken of them
_EDGE: Final = 1e-6


@dataclass(frozen=True, slots=True)
class ConditionalHazards:
    """Predictions of a survival outcome for each patient under one treatment, on a grid of K times.

    ``event`` (n, K) discrete hazard of the event at each time; ``followed`` (n, K) probability of not being censored before it.
    """

    event: FloatArray
    followed: FloatArray

    @property
    def risk(self) -> FloatArray:
        """Probability (n,) of the event by the grid's last time."""
        risk: FloatArray = -np.expm1(np.sum(np.log1p(-self._inside), axis=1))
        return risk

    @property
    def leverage(self) -> FloatArray:
        """S(h)/(S_k G_k) (n, K): how a surprise at each time moves the risk by the grid's end h."""
        log_survival = np.cumsum(np.log1p(-self._inside), axis=1)
        leverage: FloatArray = np.exp(log_survival[:, -1:] - log_survival) / self.followed
        return leverage

    @property
    def _inside(self) -> FloatArray:
        return np.minimum(self.event, 1.0 - 1e-12)


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of a survival outcome on the grid: ``at_risk`` (n, K) whether followed to the time, ``event`` (n, K) whether it came then."""

    at_risk: BoolArray
    event: BoolArray

    @classmethod
    def of(cls, time: FloatArray, event: BoolArray, grid: FloatArray) -> Seen:
        """From ``time`` and ``event`` (n,) and the grid's times (K,), which hold every time of an event up to the horizon."""
        return cls(time[:, None] >= grid, event[:, None] & (time[:, None] == grid))


def average(predicted_treated: FloatArray, predicted_comparator: FloatArray, treated: BoolArray, estimand: Target) -> ArmPair:
    """Plug-in averages Σ t_i m_a(x_i), with the part of the influence that the patients' covariates make, t_i {m_a(x_i) − θ_a}."""
    share = _shares(treated, estimand)
    values = [float(share @ predicted) for predicted in (predicted_treated, predicted_comparator)]
    moved = [share * (predicted - value) for predicted, value in zip((predicted_treated, predicted_comparator), values, strict=True)]
    return ArmPair(values[0], values[1], moved[0], moved[1])


def augment(
    predicted_treated: FloatArray,
    predicted_comparator: FloatArray,
    residuals: FloatArray,
    treated: BoolArray,
    propensity: FloatArray,
    estimand: Target,
) -> ArmPair:
    """AIPW from predictions (n,) under either treatment, and each patient's ``residuals`` (n,) under the own one; see the module."""
    plain = average(predicted_treated, predicted_comparator, treated, estimand)
    correction = corrections(treated, propensity, estimand) * residuals
    added = [np.where(arm, correction, 0.0) for arm in (treated, ~treated)]
    return ArmPair(
        plain.treated + float(added[0].sum()),
        plain.comparator + float(added[1].sum()),
        plain.influence_treated + added[0],
        plain.influence_comparator + added[1],
    )


def corrections(treated: BoolArray, propensity: FloatArray, estimand: Target) -> FloatArray:
    """The weight c (n,) of each patient's residual. Raises NotEstimable for a propensity score of 0 or 1."""
    if not np.all((propensity > 0.0) & (propensity < 1.0)):
        raise NotEstimable("positivity: a propensity score is 0 or 1")
    own = np.where(treated, propensity, 1.0 - propensity)
    target = {"ATE": np.ones(own.size), "ATT": propensity, "ATC": 1.0 - propensity}[estimand]
    size = {"ATE": treated.size, "ATT": int(treated.sum()), "ATC": int((~treated).sum())}[estimand]
    weight: FloatArray = target / own / size
    return weight


def target_means(
    value: FloatArray, predicted_treated: FloatArray, predicted_comparator: FloatArray, treated: BoolArray, propensity: FloatArray, estimand: Target
) -> tuple[FloatArray, FloatArray]:
    """TMLE's predictions: logit m*_a = logit m_a + ε_a on the outcome scaled to [0, 1] by its range, with weights c (Gruber & van der Laan 2010).

    Each ε_a solves Σ c_i {y_i − m*_a(x_i)} = 0 over those who had a. Raises NotEstimable for a constant outcome.
    """
    low, spread = float(value.min()), float(np.ptp(value))
    if spread == 0.0:
        raise NotEstimable("the outcome is the same for all patients")
    weight, scaled = corrections(treated, propensity, estimand), (value - low) / spread
    moved = []
    for predicted, arm in ((predicted_treated, treated), (predicted_comparator, ~treated)):
        predictor = logit(np.clip((predicted - low) / spread, _EDGE, 1.0 - _EDGE))
        shift = _solve_shift(predictor[arm], scaled[arm], weight[arm], np.ones(int(arm.sum())))
        moved.append(low + spread * expit(predictor + shift))
    return moved[0], moved[1]


def risk_residuals(seen: Seen, hazards: ConditionalHazards) -> FloatArray:
    """S(h | x) Σ_k at_risk_k (event_k − λ_k) / (S_k G_k) of each patient (n,) under the own treatment.

    The censored-data residual: its mean given x is the error of the predicted risk by the grid's end, where either the hazards of the event or
    those of censoring are right (Hubbard, van der Laan & Robins 2000, §3; Westling et al. 2023, eq. 4). Without censoring it is 1(T ≤ h) − R(h | x).
    """
    residual: FloatArray = np.sum(seen.at_risk * (seen.event - hazards.event) * hazards.leverage, axis=1)
    return residual


def target_hazards(seen: Seen, hazards: ConditionalHazards, arm: BoolArray, weight: FloatArray, *, steps: int = 50) -> ConditionalHazards:
    """TMLE's hazards of one treatment: logit λ* = logit λ + ε S(h)/(S_k G_k), again and again (Moore & van der Laan 2009, §4).

    ``arm`` (n,) who had the treatment, ``weight`` c (n,). Stops when Σ c r is below a hundredth of √Σ (c r)², within ``steps`` steps; raises
    NotEstimable where it does not.
    """
    present = hazards
    for _ in range(steps):
        residual = np.where(arm, weight * risk_residuals(seen, present), 0.0)
        if abs(residual.sum()) <= 0.01 * np.sqrt(np.sum(residual**2)):
            return present
        clever = present.leverage
        predictor = logit(np.clip(present.event, 1e-12, 1.0 - _EDGE))
        rows = seen.at_risk & arm[:, None]
        weights = np.broadcast_to(weight[:, None], rows.shape)[rows]
        shift = _solve_shift(predictor[rows], seen.event[rows].astype(np.float64), weights, clever[rows])
        present = ConditionalHazards(expit(predictor + shift * clever), present.followed)
    raise NotEstimable("TMLE: the targeted hazards do not settle")


def _solve_shift(predictor: FloatArray, value: FloatArray, weight: FloatArray, slope: FloatArray) -> float:
    """ε of Σ w s {y − expit(η + ε s)} = 0 by Newton's method with halving; the sum falls in ε."""
    size = float(weight.sum())
    shift, step = 0.0, np.inf
    for _ in range(100):
        probability = expit(predictor + shift * slope)
        score = float(np.sum(weight * slope * (value - probability)))
        if abs(score) <= 1e-12 * size:
            return shift
        information = float(np.sum(weight * slope**2 * probability * (1.0 - probability)))
        if information <= 0.0:
            break
        step = float(np.clip(score / information, -2.0, 2.0))
        shift += step
    if abs(step) > 1e-6:
        raise NotEstimable("TMLE: the outcome model cannot be targeted, for an arm's outcome is almost always the same")
    return shift


def _shares(treated: BoolArray, estimand: Target) -> FloatArray:
    members = {"ATE": np.ones(treated.size, dtype=bool), "ATT": treated, "ATC": ~treated}
    if estimand not in members:
        raise StatisticsError(f"estimand: found {estimand!r}; allowed are ATE, ATT and ATC")
    rows = members[estimand]
    if not rows.any():
        raise NotEstimable("an arm has no patients")
    share: FloatArray = rows / rows.sum()
    return share
