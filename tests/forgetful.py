"""A generator that forgets one confounder, and is otherwise as good as the patients themselves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from parallax.validation.floor import resample_patients


def forget(cohort: pd.DataFrame, confounder: str, *, seeds: Sequence[int]) -> pd.DataFrame:
    """Cohorts resampled from the patients whose ``confounder`` is shuffled: its margin is kept, its every relation is lost."""
    drawn = resample_patients(cohort, seeds)
    parts = []
    for seed, (_, replicate) in zip(seeds, drawn.groupby("replicate", sort=True), strict=True):
        shuffled = replicate[confounder].iloc[np.random.default_rng([seed, 1]).permutation(len(replicate))]
        parts.append(replicate.assign(**{confounder: shuffled.array}))
    return pd.concat(parts, ignore_index=True)
