"""What the designs' estimates converge to: the marginal truth of a simulated study, integrated over its population, nothing drawn.

Weights h/e for the treated and h/(1 − e) for the comparators turn either arm into the population tilted by h(x) (Li, Morgan & Zaslavsky 2018, §2
and table 1): in the limit a weighted study holds of patient i the *mass* h(x_i) in both arms, with outcomes by the potential outcome of the arm.
Every truth here is a function of the two arms' masses (:class:`Target`), so that it also serves weights that make the arms unequal (stabilised
ones), that leave patients out, or the crude comparison, whose masses are e and 1 − e.

**Survival.** Times are recorded in units, t_k = k·unit. With S_a(t | x) of event and G_a(t | x) of loss to follow-up, both known in closed form,
arm a has in the limit

    y_a(k) = Σ_i m_ai S_a(t_{k−1} | x_i) G_a(t_{k−1} | x_i)                            at risk at t_k,
    d_a(k) = Σ_i m_ai {S_a(t_{k−1} | x_i) − S_a(t_k | x_i)} G_a(t_{k−1} | x_i)         events at t_k.

These sums are exact. The Kaplan–Meier curve of the arm is Π(1 − d_a/y_a); risk difference and restricted mean difference follow from it.
The log hazard ratio β of the weighted Cox model on treatment alone, follow-up censored at the horizon h, solves in the limit (Struthers & Kalbfleisch
1986, §2, with Efron's ties and masses for probabilities)

    Σ_{t_k ≤ h} [ d_1(k) − {d_1(k) + d_0(k)} ∫₀¹ θ{y_1 − u d_1}/(θ{y_1 − u d_1} + y_0 − u d_0) du ] = 0,    θ = exp β,

u the share of the unit's events that have left the risk set: Efron's sum over l/m as m grows. Without proportional *marginal* hazards – they hardly
ever are, even where the conditional ones are – β is an average of the log hazard ratio over time that depends on h, on the arms' relative size, hence
on whether weights are stabilised, and on who is lost. Hence two truths, which differ by G:

* ``censored=False``: G = 1, nobody lost before h. This is the estimand: it depends on potential outcomes and the target alone.
* ``censored=True``: the study's own losses. This is what an estimator without a model of censoring converges to. Where losses depend neither on x
  nor on a, curves are the same and the hazard ratio is weighted to early times; where they do, the difference to the estimand is informative
  censoring's bias.

**Error.** The sums are exact up to rounding; the integral over u is by sixteen Gauss points, which leave an error of β below 1e-10 while no unit
takes more than nine tenths of an arm; β is found to 1e-12. Against times that are *not* rounded up, Efron's correction leaves a difference of the
order of the squared risk within a unit; a study with a finer ``unit_days`` has less of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, Self

import numpy as np
from scipy.special import logit

from parallax.errors import StatisticsError
from parallax.simulation.models import BinaryModel, SurvivalModel
from parallax.simulation.plasmode import Plasmode
from parallax.statistics.domain import FloatArray
from parallax.statistics.newton import Curvature, maximise
from parallax.vocabulary import Estimand

TrueContrast = Literal["hazard_ratio", "risk_difference", "rmst_difference", "mean_difference", "odds_ratio"]

_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(16)
#: Gauss points on (0, 1)
_U: Final = 0.5 * (_NODES + 1.0)
_DU: Final = 0.5 * _NODE_WEIGHTS
#: patients × times held at once
_BLOCK: Final = 1_000_000


def tilt(propensity: FloatArray, estimand: Estimand) -> FloatArray:
    """The tilting function h(x) (N,): 1, e, 1 − e, e(1 − e), min(e, 1 − e) for ATE, ATT, ATC, ATO, ATM (Li, Morgan & Zaslavsky 2018, table 1)."""
    e = propensity
    match estimand:
        case "ATE":
            return np.ones_like(e)
        case "ATT":
            return e
        case "ATC":
            return 1.0 - e
        case "ATO":
            return e * (1.0 - e)
        case "ATM":
            return np.minimum(e, 1.0 - e)
    raise StatisticsError(f"estimand: found {estimand!r}; allowed are 'ATE', 'ATT', 'ATC', 'ATO' and 'ATM'")


@dataclass(frozen=True, slots=True)
class Target:
    """Mass (N,) of every patient of the population in the treated and in the comparator arm of an infinitely large weighted study."""

    treated: FloatArray
    comparator: FloatArray

    @classmethod
    def of(cls, propensity: FloatArray, estimand: Estimand | None, *, stabilised: bool = False) -> Self:
        """The masses that the weights of an estimand leave, both h; with ``stabilised`` (ATE only) each times the share of its arm.

        ``None`` is the crude comparison: e and 1 − e, an effect only where treatment is randomised.
        """
        if estimand is None:
            return cls(propensity, 1.0 - propensity)
        mass = tilt(propensity, estimand)
        share = propensity.mean() if stabilised and estimand == "ATE" else 0.5
        return cls(share * mass, (1.0 - share) * mass)


@dataclass(frozen=True, slots=True)
class MarginalCourse:
    """The two arms of an infinitely large weighted study.

    Recorded times ``unit_days``·(1 … K); ``at_risk`` and ``events`` (2, K) are y and d of the module, the comparators first.
    """

    unit_days: float
    at_risk: FloatArray
    events: FloatArray

    @property
    def survival(self) -> FloatArray:
        """The arms' Kaplan–Meier curves (2, K + 1) from day 0 on."""
        steps = 1.0 - np.divide(self.events, self.at_risk, out=np.zeros_like(self.events), where=self.at_risk > 0.0)
        return np.hstack([np.ones((2, 1)), np.cumprod(steps, axis=1)])

    def risk_difference(self, horizon_days: float | None = None) -> float:
        """Risk by the horizon (None: the end of follow-up), treated minus comparator."""
        comparator, treated = self.survival[:, self._until(horizon_days)]
        return float(comparator - treated)

    def rmst_difference(self, horizon_days: float | None = None) -> float:
        """Mean recorded days lived up to the horizon, treated minus comparator."""
        last = self._until(horizon_days)
        area = self.unit_days * self.survival[:, :last].sum(axis=1)
        if horizon_days is not None:
            area += (horizon_days - last * self.unit_days) * self.survival[:, last]
        return float(area[1] - area[0])

    def hazard_ratio(self, horizon_days: float | None = None) -> float:
        """The limit of the weighted Cox model's hazard ratio, follow-up censored at the horizon.

        Raises NotEstimable where there are no events by then, or in one arm only.
        """
        last = self._until(horizon_days)
        scale = self.at_risk[:, 0].sum()
        (y0, y1), (d0, d1) = self.at_risk[:, :last, None] / scale, self.events[:, :last, None] / scale
        treated, comparator = y1 - _U * d1, y0 - _U * d0
        events = (d0 + d1)[:, 0]
        seen = float(d1.sum())

        def evaluate(beta: FloatArray) -> Curvature:
            theta = np.exp(beta[0])
            total = theta * treated + comparator
            share = np.divide(theta * treated, total, out=np.zeros_like(total), where=total > 0.0)
            log_total = np.log(total, out=np.zeros_like(total), where=total > 0.0)
            gradient = seen - events @ (share @ _DU)
            information = events @ ((share * (1.0 - share)) @ _DU)
            return Curvature(float(beta[0] * seen - events @ (log_total @ _DU)), np.array([gradient]), np.array([[information]]))

        return float(np.exp(maximise(evaluate, np.zeros(1), diverging="no events by the horizon, or in one arm only").coefficients[0]))

    def _until(self, horizon_days: float | None) -> int:
        """How many recorded times there are up to the horizon."""
        recorded: int = self.events.shape[1]
        if horizon_days is None:
            return recorded
        units = horizon_days / self.unit_days + 1e-9
        if not 0.0 < horizon_days < np.inf or units > recorded + 1e-6:
            raise StatisticsError(f"horizon: found {horizon_days:g}; allowed is a time above zero and up to the end of follow-up")
        return int(units)


def follow(plasmode: Plasmode, target: Target, *, censored: bool = False) -> MarginalCourse:
    """The course of the study's survival outcome in the two arms; ``censored`` with the study's own losses, see the module."""
    model = plasmode.outcome
    if not isinstance(model, SurvivalModel):
        raise StatisticsError("outcome: its course over time is asked for; allowed is a survival outcome")
    arms = []
    for given, mass in ((False, target.comparator), (True, target.treated)):
        at_risk, events = [], []
        for days in _blocks(model, len(mass)):
            survival = np.exp(-model.event.cumulative(plasmode.terms, given, days))
            start, end = survival[:, :-1], survival[:, 1:]
            kept = np.exp(-model.dropout.cumulative(plasmode.terms, given, days[:-1])) if censored and model.dropout is not None else 1.0
            at_risk.append(mass @ (start * kept))
            events.append(mass @ ((start - end) * kept))
        arms.append((np.concatenate(at_risk), np.concatenate(events)))
    return MarginalCourse(model.unit_days, np.vstack([y for y, _ in arms]), np.vstack([d for _, d in arms]))


def mean_outcomes(plasmode: Plasmode, target: Target) -> tuple[float, float]:
    """Mean of a binary or continuous outcome Σ m_a E(Y | x, a)/Σ m_a of treated and comparators (Li, Morgan & Zaslavsky 2018, §2)."""
    model = plasmode.outcome
    if isinstance(model, SurvivalModel):
        raise StatisticsError("outcome: its mean is asked for; allowed is a binary or a continuous outcome")
    return (
        float(np.average(model.mean(plasmode.terms, True), weights=target.treated)),
        float(np.average(model.mean(plasmode.terms, False), weights=target.comparator)),
    )


def true_effect(plasmode: Plasmode, contrast: TrueContrast, target: Target, *, horizon_days: float | None = None, censored: bool = False) -> float:
    """The marginal effect on its natural scale, for one contrast; where several are asked of one survival study, :func:`follow` it once.

    A survival outcome has ``hazard_ratio``, ``risk_difference`` and ``rmst_difference`` at a horizon (None: the end of follow-up), a binary one
    ``risk_difference`` and ``odds_ratio`` (of the marginal risks), a continuous one ``mean_difference``.
    """
    if isinstance(plasmode.outcome, SurvivalModel):
        course = follow(plasmode, target, censored=censored)
        over_time: dict[str, Callable[[float | None], float]] = {
            "hazard_ratio": course.hazard_ratio,
            "risk_difference": course.risk_difference,
            "rmst_difference": course.rmst_difference,
        }
        if contrast in over_time:
            return over_time[contrast](horizon_days)
    else:
        treated, comparator = mean_outcomes(plasmode, target)
        binary = isinstance(plasmode.outcome, BinaryModel)
        if contrast == ("risk_difference" if binary else "mean_difference"):
            return treated - comparator
        if binary and contrast == "odds_ratio":
            return float(np.exp(logit(treated) - logit(comparator)))
    raise StatisticsError(f"contrast: found {contrast!r}; the outcome is a {type(plasmode.outcome).__name__}")


def _blocks(model: SurvivalModel, patients: int) -> Iterator[FloatArray]:
    """Recorded times from 0 to the end in overlapping runs: each begins where the one before it ended."""
    days: FloatArray = model.unit_days * np.arange(model.units + 1, dtype=np.float64)
    step = max(1, _BLOCK // patients)
    for first in range(0, model.units, step):
        yield days[first : first + step + 1]
