"""How the values of one patient hang together over irregular times: a correlation that decays, and a part that does not hang together at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_SHARES: Final = (0.25, 0.5, 0.75, 1.0)
#: a line has two coefficients
_LINE: Final = 2


@dataclass(frozen=True, slots=True)
class Correlation:
    """Correlation ``share`` · 2^(−|t − s| / ``half_life``) of two values of one patient at different times; 1 of a value with itself."""

    share: float
    half_life: float

    def between(self, times: FloatArray) -> FloatArray:
        """The matrices (…, n, n) of series with ``times`` (…, n)."""
        apart = np.abs(times[..., :, None] - times[..., None, :])
        correlation = self.share * np.exp2(-apart / self.half_life)
        diagonal = np.arange(times.shape[-1])
        correlation[..., diagonal, diagonal] = 1.0
        return correlation


def fit_correlation(series: Sequence[tuple[FloatArray, FloatArray]], *, half_lives: Sequence[float]) -> Correlation:
    """The correlation with the greatest restricted likelihood, among ``half_lives`` with shares of a quarter to one, and none at all.

    Assumption
        Values of a patient vary normally about a line of the patient's own, with a variance of the patient's own.
    Formula
        Σᵢ −½ (log|Rᵢ| + log|XᵢᵀRᵢ⁻¹Xᵢ| + (nᵢ − 2) log qᵢ), where Xᵢ = (1, t) and (nᵢ − 2)⁻¹qᵢ = (nᵢ − 2)⁻¹ rᵀRᵢ⁻¹r is the variance given R
        (Harville 1977, Maximum likelihood approaches to variance component estimation, with each patient's variance profiled out). Restricted:
        that every patient's own line is fitted does not make the values seem less correlated than they are.
    Shapes
        ``series`` holds pairs (times, values), each (B, n): B patients with n different times each, n ≥ 3.
    Degenerate
        Series that their line fits exactly say nothing and are left out; without any other the correlation is none.
    """
    candidates = [Correlation(0.0, 1.0), *(Correlation(share, half_life) for half_life in half_lives for share in _SHARES)]
    found = [sum(_restricted_likelihood(times, values, candidate) for times, values in series) for candidate in candidates]
    return candidates[int(np.argmax(found))]


def profile_scales(times: FloatArray, values: FloatArray, correlation: Correlation) -> FloatArray:
    """Each patient's standard deviation √(q/(n − 2)) about the own line, given the correlation; of series (B, n), n ≥ 3."""
    _, quadratic = _profile(times, values, correlation)
    return np.asarray(np.sqrt(quadratic / (times.shape[1] - _LINE)), dtype=np.float64)


def _restricted_likelihood(times: FloatArray, values: FloatArray, correlation: Correlation) -> float:
    determinants, quadratic = _profile(times, values, correlation)
    telling = quadratic > 1e-12 * np.maximum((values**2).sum(axis=1), 1e-300)
    freedom = times.shape[1] - _LINE
    return float(-0.5 * (determinants[telling] + freedom * np.log(quadratic[telling])).sum())


def _profile(times: FloatArray, values: FloatArray, correlation: Correlation) -> tuple[FloatArray, FloatArray]:
    """log|R| + log|XᵀR⁻¹X| and q, each (B,)."""
    root = np.linalg.cholesky(correlation.between(times))
    line = np.stack([np.ones_like(times), times - times.mean(axis=1, keepdims=True)], axis=2)
    white = np.linalg.solve(root, np.concatenate([line, (values - values.mean(axis=1, keepdims=True))[:, :, None]], axis=2))
    x, y = white[:, :, :_LINE], white[:, :, _LINE]
    information = np.swapaxes(x, 1, 2) @ x
    coefficients = np.linalg.solve(information, np.einsum("bnc,bn->bc", x, y)[:, :, None])
    residual = y - (x @ coefficients)[:, :, 0]
    determinants = 2.0 * np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1) + np.linalg.slogdet(information)[1]
    return determinants, (residual**2).sum(axis=1)
