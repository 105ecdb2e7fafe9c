"""Similarity: how near the synthetic records come to patients seen and not seen. Reported; no gate rests on it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from parallax.validation.bounds import Bounded
from parallax.validation.neighbours import find_nearest


def measure_closeness(train: NDArray[np.float32], hold_out: NDArray[np.float32], synthetic: NDArray[np.float32]) -> Bounded:
    """Share of synthetic records nearer to a train than to a hold-out patient, ties half; 0.5 for a generator that tells nothing.

    ``train`` must be subsampled to the hold-out's size, or the larger side wins by number alone.

    Interval
        the unit is the real patient, not the synthetic record: with wⱼ the share of synthetic records whose nearest real patient is j and
        Lⱼ = 1 for a train patient, the share is Σ wⱼLⱼ and its variance J/(J − 1)·Σ wⱼ²(Lⱼ − share)², J real patients. A further replicate
        thus adds no certainty by itself. Normal 95 %, two-sided, kept within [0, 1].
    """
    seen, unseen = find_nearest(synthetic, train), find_nearest(synthetic, hold_out)
    to_train = np.where(seen.distance < unseen.distance, 1.0, np.where(seen.distance == unseen.distance, 0.5, 0.0))
    share = float(to_train.mean())
    weight = np.concatenate(
        [
            np.bincount(seen.index, weights=to_train, minlength=len(train)),
            np.bincount(unseen.index, weights=1 - to_train, minlength=len(hold_out)),
        ]
    ) / len(synthetic)
    label = np.repeat([1.0, 0.0], [len(train), len(hold_out)])
    variance = len(label) / (len(label) - 1) * float((weight**2 * (label - share) ** 2).sum())
    margin = float(ndtri(0.975)) * math.sqrt(variance)
    return Bounded(share, max(0.0, share - margin), min(1.0, share + margin))
