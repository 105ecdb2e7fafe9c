"""A quantity in both arms, each with the influence of every patient, and the contrasts that are made of the two.

The influence of patient i on a quantity q is w_i ∂q/∂w_i, w_i the patient's weight. The variance of any contrast is the sum of its squared
influences (the infinitesimal jackknife), and that of a smooth function g(q₁, q₀) follows from the chain rule:

    influence on g = ∂g/∂q₁ · influence on q₁ + ∂g/∂q₀ · influence on q₀    (delta method; van der Vaart 1998, theorem 3.1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from parallax.errors import NotEstimable
from parallax.statistics.domain import FloatArray, check_labels


@dataclass(frozen=True, slots=True)
class ArmDifference:
    """Treated minus comparator, of a quantity or of a function of it, with the influence (n,) of each patient, zero for weight zero."""

    estimate: float
    influence: FloatArray

    @property
    def std_error(self) -> float:
        """For independent patients."""
        return float(np.sqrt(np.sum(self.influence**2)))

    def clustered_std_error(self, clusters: ArrayLike) -> float:
        """For independent clusters (n,): influences are added within a cluster before they are squared. Raises NotEstimable where all is zero."""
        labels = check_labels("clusters", clusters, size=self.influence.size)
        std_error = float(np.sqrt(np.sum(np.bincount(labels, weights=self.influence) ** 2)))
        if std_error == 0.0:
            raise NotEstimable("no variation between clusters")
        return std_error


@dataclass(frozen=True, slots=True)
class ArmPair:
    """A quantity in the treated and in the comparator arm, with the influence (n,) of each patient on either."""

    treated: float
    comparator: float
    influence_treated: FloatArray
    influence_comparator: FloatArray

    def difference(self) -> ArmDifference:
        """Treated minus comparator. Raises NotEstimable where no patient moves it."""
        return _varying(ArmDifference(self.treated - self.comparator, self.influence_treated - self.influence_comparator))

    def log_ratio(self) -> ArmDifference:
        """Logarithm of treated over comparator. Raises NotEstimable where either is zero or below."""
        for name, value in (("treated", self.treated), ("comparator", self.comparator)):
            if value <= 0.0:
                raise NotEstimable(f"a ratio needs a quantity above zero in the {name} arm")
        influence = self.influence_treated / self.treated - self.influence_comparator / self.comparator
        return _varying(ArmDifference(float(np.log(self.treated / self.comparator)), influence))

    def log_odds_ratio(self) -> ArmDifference:
        """Logarithm of the odds ratio of two risks. Raises NotEstimable where either is not inside (0, 1)."""
        for name, value in (("treated", self.treated), ("comparator", self.comparator)):
            if not 0.0 < value < 1.0:
                raise NotEstimable(f"an odds ratio needs a risk above zero and below one in the {name} arm")
        odds = [value / (1.0 - value) for value in (self.treated, self.comparator)]
        slopes = [1.0 / (value * (1.0 - value)) for value in (self.treated, self.comparator)]
        influence = slopes[0] * self.influence_treated - slopes[1] * self.influence_comparator
        return _varying(ArmDifference(float(np.log(odds[0] / odds[1])), influence))


def _varying(difference: ArmDifference) -> ArmDifference:
    if not np.any(difference.influence):
        raise NotEstimable("no variation up to the horizon: neither arm has an event, or all patients are alike")
    return difference
