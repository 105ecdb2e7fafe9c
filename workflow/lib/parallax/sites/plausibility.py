"""What the variance of an answer can at least be, of the patients and events that it tells: a smaller one would be all of a pooled answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import expm1
from types import MappingProxyType
from typing import Final

from parallax.sites.site_results import Answer

#: of the variance between unadjusted arms: what weights and covariates do not get below, and rounded counts neither
LEAST_SHARE: Final = 1 / 8

#: patients and events of an arm
Arm = tuple[int, int]


def least_variance(answer: Answer, *, competing: bool = False, multiple: float = 1.0) -> float | None:
    """The least variance, on the analysis scale, that the estimate of these n patients and e events in an arm can have; None where nothing is known.

    Assumption
        Weights, covariates and matching leave an eighth or more of what unadjusted arms have, and counts scatter an eighth as much as Poisson's or
        more. Up to a horizon, of those without an event an eighth of an eighth or more would have none, were nobody censored.
    Formula
        an eighth of: 4/(e₁ + e₀) for a hazard ratio (half of those at risk are treated; more elsewhere); Σ e(n − e)/n³ for a difference of risks,
        Σ (1/e − 1/n) for their ratio, Σ n/(e(n − e)) for their odds ratio; Σ 1/e for a ratio of rates. Of restricted means up to L days the arm
        with the smaller one has lost l days or more on average, to e of its n patients: by Cauchy and Schwarz the days lost have the variance
        l²(n − e)/e or more, the mean l²(1/e − 1/n); l is the difference itself, and of a ratio r < 1 L(1 − r), on the logarithmic scale (1/r − 1).
        Up to a horizon an eighth of it again: with e events among those who are followed a risk F has the variance F²(1 − F)/e or more, which
        falls with 1 − F, and F is not e/n where patients are censored.
    Hidden events
        of an estimate that is shown are near n, for few are without one, and taken for n. Differences of risks, odds and rates do not hide them.
    Nothing is known
        of a mean difference, whose outcome's scale is in no file; of a restricted mean where events compete (``competing``), for it ends with any
        of them; and of one that hardly differs between the arms.

    ``multiple``: of a generator, the patients of a replicate as a multiple k/n of the real ones; every rule's T is vk/n or more.
    """
    if answer.estimate is None or len(answer.arms) < 2:
        return None
    treated, comparator = ((patients, patients if events is None else events) for patients, events in answer.arms)
    if not (treated[0] > 0 < treated[1] and comparator[0] > 0 < comparator[1]):
        return None
    if answer.contrast == "hazard_ratio":
        return LEAST_SHARE * multiple * 4 / (treated[1] + comparator[1])
    share = LEAST_SHARE * multiple * (1.0 if answer.horizon_days is None else LEAST_SHARE)
    if answer.contrast in _OF_ARMS:
        return share * sum(map(_OF_ARMS[answer.contrast], (treated, comparator)))
    if answer.contrast in ("rmst_difference", "rmst_ratio") and not competing:
        lost = expm1(abs(answer.estimate)) if answer.contrast == "rmst_ratio" else abs(answer.estimate)
        return share * lost**2 * _of_log_risk(treated if answer.estimate < 0 else comparator)
    return None


def _of_risk(arm: Arm) -> float:
    patients, events = arm
    return events * (patients - events) / patients**3


def _of_log_risk(arm: Arm) -> float:
    patients, events = arm
    return 1 / events - 1 / patients


def _of_log_odds(arm: Arm) -> float:
    patients, events = arm
    return patients / (events * max(patients - events, 1))


def _of_log_rate(arm: Arm) -> float:
    return 1 / arm[1]


#: the variance of one arm's quantity, by contrast of two arms
_OF_ARMS: Final[Mapping[str, Callable[[Arm], float]]] = MappingProxyType(
    {"risk_difference": _of_risk, "risk_ratio": _of_log_risk, "odds_ratio": _of_log_odds, "rate_ratio": _of_log_rate}
)
