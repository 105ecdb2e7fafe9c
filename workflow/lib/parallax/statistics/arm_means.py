"""Weighted means and event rates of both arms."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from parallax.errors import NotEstimable
from parallax.statistics.arms import ArmPair
from parallax.statistics.domain import check_binary, check_times, check_vector, check_weights


def weighted_means(value: ArrayLike, treated: ArrayLike, *, weights: ArrayLike | None = None) -> ArmPair:
    """Mean Σ w y / Σ w of each arm, with the influence w (y − mean) / Σ w.

    ``value`` (n,), ``treated`` (n,) 0/1, ``weights`` (n,) at least zero, taken as known. The contrasts are the coefficients of a generalised
    linear model with the arm alone, and their variances its HC0 sandwich (White 1980, eq. 9). Raises NotEstimable when an arm is empty.
    """
    y = check_vector("value", value)
    return weighted_rates(y, np.ones(y.size), treated, weights=weights)


def weighted_rates(count: ArrayLike, exposure: ArrayLike, treated: ArrayLike, *, weights: ArrayLike | None = None) -> ArmPair:
    """Events per unit of person-time r = Σ w y / Σ w e of each arm, with the influence w (y − r e) / Σ w e.

    ``count`` (n,), ``exposure`` (n,) above zero, in any unit; the rest as for :func:`weighted_means`. The log of the ratio is the coefficient
    of a Poisson regression with the arm alone and log exposure as offset; the variance does not need the counts to be Poisson.
    """
    y = check_vector("count", count)
    e = check_times("exposure", exposure, size=y.size)
    arm = check_binary("treated", treated, size=y.size)
    w = check_weights(weights, size=y.size)
    values, influences = [], []
    for name, members in (("treated", arm), ("comparator", ~arm)):
        total = float(np.sum((w * e)[members]))
        if total == 0.0:
            raise NotEstimable(f"the {name} arm is empty")
        rate = float(np.sum((w * y)[members])) / total
        values.append(rate)
        influences.append(np.where(members, w * (y - rate * e) / total, 0.0))
    return ArmPair(values[0], values[1], influences[0], influences[1])
