"""The patients of one replicate as a design sees them, and what is inferred from an influence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parallax.statistics.bootstrap import bootstrap_std_error
from parallax.statistics.intervals import normal_interval, normal_p_value
from parallax.statistics.stacked import EstimatedWeights, stack_influence

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Weighted:
    """Patients under a design that weights or matches.

    ``treated``, ``weight`` (n,), weight 0 for who is outside the design; ``clusters`` (n,) numbers the matched sets, None where patients are
    independent; ``estimated`` what is known of how the weights were estimated, None where the variance takes them as known; ``resampled``
    (B, n) the weights of a bootstrap, None where there is none.
    """

    treated: NDArray[np.bool_]
    weight: FloatArray
    clusters: NDArray[np.int64] | None = None
    estimated: EstimatedWeights | None = None
    resampled: FloatArray | None = None

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Who takes part in the design."""
        return self.weight > 0

    @property
    def variance_method(self) -> str:
        """How standard errors deal with the design."""
        if self.resampled is not None:
            return f"bootstrap of {len(self.resampled)} resamples"
        if self.estimated is not None:
            return "stacked estimating equations"
        if self.clusters is not None:
            return "clustered by matched set"
        return "weights as known" if np.ptp(self.weight[self.inside]) > 0 else "unweighted"

    def std_error(self, influence: FloatArray, effect: Callable[[FloatArray], float]) -> float:
        """√ of the summed squares of the patients' influence on an effect, with what the design adds to it; or the bootstrap's.

        ``effect`` estimates anew under other weights.
        """
        if self.resampled is not None:
            return bootstrap_std_error(effect, self.resampled)
        if self.estimated is not None:
            influence = stack_influence(influence, self.weight, self.estimated)
        if self.clusters is not None:
            influence = np.bincount(self.clusters[self.inside], weights=influence[self.inside]).astype(np.float64)
        return float(np.sqrt(np.sum(influence**2)))

    def infer(self, estimate: float, influence: FloatArray, effect: Callable[[FloatArray], float], *, ratio: bool, label: str) -> Effect:
        """The effect with its interval; ``label`` names the variance where there is no bootstrap."""
        method = self.variance_method if self.resampled is not None else f"{label}, {self.variance_method}"
        return Effect.of(estimate, self.std_error(influence, effect), ratio=ratio, method=method)


@dataclass(frozen=True, slots=True)
class Modelled:
    """Patients under a design that rests on an outcome regression.

    ``inside`` (n,) who takes part; for these (k of them) ``treated`` (k,), ``regressors`` (k, p) standardised columns without intercept,
    ``propensity`` (k,) and ``folds`` (k,) where the method needs them; ``method`` and ``estimand`` as in the protocol.
    """

    inside: NDArray[np.bool_]
    treated: NDArray[np.bool_]
    regressors: FloatArray
    propensity: FloatArray
    folds: NDArray[np.int64]
    method: str
    estimand: str


@dataclass(frozen=True, slots=True)
class Effect:
    """An estimate on its natural scale; ``std_error`` of the logarithm for ratios."""

    estimate: float
    std_error: float
    lower: float
    upper: float
    p_value: float
    variance_method: str

    @classmethod
    def of(cls, estimate: float, std_error: float, *, ratio: bool, method: str) -> Effect:
        """From an estimate on the analysis scale (the logarithm for ratios), normal interval and p-value."""
        natural: Callable[[float], float] = (lambda value: float(np.exp(value))) if ratio else float
        lower, upper = normal_interval(estimate, std_error)
        return cls(natural(estimate), std_error, natural(lower), natural(upper), normal_p_value(estimate, std_error), method)
