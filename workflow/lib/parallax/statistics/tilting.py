"""Exponential tilting: the density nearest to a given one under which moments have stated means, nearly."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from parallax.errors import StatisticsError
from parallax.statistics.domain import FloatArray, check_matrix
from parallax.statistics.newton import Curvature, maximise, weighted_gram


def tilt(moments: ArrayLike, target: ArrayLike, *, penalty: float) -> FloatArray:
    """λ (k,) of the weights w_i ∝ exp(λ'm_i) that bring the means of ``moments`` (n, k) to ``target`` (k,).

    Formula: the minimum of log n⁻¹ Σ exp{λ'(m_i − t)} + ½ penalty |λ|², the dual of relaxed maximum entropy: among all weights whose moments
    miss the target by penalty·λ, those nearest to equal ones in the sense of Kullback and Leibler. A penalty above zero has a finite minimum
    whatever the target, also outside the convex hull of the moments. Give moments in comparable units.

    Source: Dudík, Phillips & Schapire (2007) JMLR 8:1217, section 5.3 (ℓ2² relaxation); without penalty Hainmueller (2012), eq. 9.
    Raises StatisticsError for arguments outside the domain.
    """
    x = check_matrix("moments", moments)
    centred = x - np.asarray(target, dtype=np.float64)
    if not penalty > 0.0:
        raise StatisticsError(f"penalty: found {penalty}; allowed is above 0")

    def evaluate(slopes: FloatArray) -> Curvature:
        score = centred @ slopes
        highest = float(score.max())
        share = np.exp(score - highest)
        total = float(share.sum())
        share /= total
        mean = share @ centred
        height = highest + float(np.log(total / len(centred)))
        return Curvature(-height, -mean, weighted_gram(centred, share) - np.outer(mean, mean))

    return maximise(evaluate, np.full(x.shape[1], penalty), diverging="no weights have these moments").coefficients
