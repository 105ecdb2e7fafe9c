"""E-values: how strong an unmeasured confounder would have to be to explain an estimate away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from parallax.errors import StatisticsError

Scale = Literal["risk_ratio", "rate_ratio", "odds_ratio", "hazard_ratio"]


@dataclass(frozen=True, slots=True)
class EValues:
    """The E-value of an estimate, and of the end of its interval nearest to the null (1 where the interval holds the null)."""

    estimate: float
    bound: float


def e_value(risk_ratio: float) -> float:
    """RR + √{RR (RR − 1)}, of 1/RR where RR is below one (VanderWeele & Ding 2017, p. 269)."""
    if not 0.0 < risk_ratio < np.inf:
        raise StatisticsError("risk_ratio: allowed is a finite number above zero")
    ratio = max(risk_ratio, 1.0 / risk_ratio)
    return float(ratio + np.sqrt(ratio * (ratio - 1.0)))


def e_values(risk_ratio: float, lower: float, upper: float) -> EValues:
    """E-values of a risk ratio and of its interval: the least strength, as risk ratios with treatment and with outcome alike, that would do."""
    nearest = 1.0 if lower <= 1.0 <= upper else lower if risk_ratio > 1.0 else upper
    return EValues(e_value(risk_ratio), e_value(nearest))


def approximate_risk_ratio(value: float, scale: Scale, *, rare: bool) -> float:
    """A ratio on the scale of risk ratios (VanderWeele & Ding 2017, table 2).

    Where the outcome is rare (below 15 %) odds and hazard ratios are taken as they are; where it is common OR ↦ √OR and
    HR ↦ (1 − 0.5^√HR) / (1 − 0.5^√(1/HR)). A rate ratio is taken for a risk ratio.
    """
    if not 0.0 < value < np.inf:
        raise StatisticsError("value: allowed is a finite ratio above zero")
    if rare or scale in ("risk_ratio", "rate_ratio"):
        return value
    if scale == "odds_ratio":
        return float(np.sqrt(value))
    return float((1.0 - 0.5 ** np.sqrt(value)) / (1.0 - 0.5 ** np.sqrt(1.0 / value)))
