"""Series that keep given summaries: normal conditioning on linear ones, within bounds."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_ROUNDS: Final = 100
_CLOSE: Final = 1e-9


def condition_series(
    drawn: FloatArray, rows: FloatArray, targets: FloatArray, covariance: FloatArray, *, lower: FloatArray, upper: FloatArray
) -> FloatArray:
    """The drawn series moved to where every known linear summary of theirs is as given, within bounds.

    Formula
        y + RAᵀ(ARAᵀ)⁻(b − Ay): a draw from the normal process given Ay = b, where y is one from the process (Hoffman & Ribak 1991; kriging).
        Where that leaves the bounds, the two are enforced by turns: projections onto convex sets, which reach a point of both where
        there is one. Where there is none, bounds are kept and summaries missed.
    Shapes
        ``drawn`` (B, n), ``rows`` A (B, c, n), ``targets`` b (B, c), NaN where a summary is not given, ``covariance`` R (B, n, n) up to a factor,
        ``lower`` and ``upper`` (B,).
    """
    given = ~np.isnan(targets)
    if not given.any():
        return np.clip(drawn, lower[:, None], upper[:, None])
    active = np.where(given[:, :, None], rows, 0.0)
    wanted = np.where(given, targets, 0.0)
    spread = covariance @ np.swapaxes(active, 1, 2)
    norm = np.sqrt(np.einsum("bcn,bnc->bc", active, spread))
    scale = np.where(norm > 0, norm, 1.0)
    inner = (active @ spread) / (scale[:, :, None] * scale[:, None, :])
    gain = (spread / scale[:, None, :]) @ np.linalg.pinv(inner, rcond=1e-10, hermitian=True)
    moved = drawn
    for _ in range(_ROUNDS):
        missed = (wanted - np.einsum("bcn,bn->bc", active, moved)) / scale
        moved = moved + np.einsum("bnc,bc->bn", gain, missed)
        inside = np.clip(moved, lower[:, None], upper[:, None])
        apart = np.abs(inside - moved).max(axis=1)
        moved = inside
        if (apart <= _CLOSE * np.maximum(np.abs(moved).max(axis=1), 1.0)).all():
            break
    return moved


def round_series(series: FloatArray, *, decimals: int, fixed: NDArray[np.bool_], lower: FloatArray, upper: FloatArray) -> FloatArray:
    """Series (B, n) rounded within bounds (B,) so that their sums stay to half a unit where bounds allow.

    What one value loses the next one gains, but for the ``fixed`` (B, n) ones, which are rounded by themselves.
    """
    rounded, carried = np.empty_like(series), np.zeros(len(series))
    for place in range(series.shape[1]):
        wanted = series[:, place] + carried
        rounded[:, place] = np.clip(np.round(np.where(fixed[:, place], series[:, place], wanted), decimals), lower, upper)
        carried = wanted - rounded[:, place]
    return rounded
