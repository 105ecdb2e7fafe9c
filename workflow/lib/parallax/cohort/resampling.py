"""Cohorts resampled from a cohort's own patients: what sampling alone would have made of the study."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from parallax.errors import CohortError


def resample_patients(cohort: pd.DataFrame, *, seeds: Sequence[int]) -> pd.DataFrame:
    """A cohort table with a replicate for every seed: n of the n patients, drawn with replacement, replicate i from ``seeds[i]`` alone.

    A patient who is drawn twice is two patients: ``patient_id`` is "1" … "n" within a replicate and tells nothing of who was drawn, so that
    matching treats copies as it treats any two patients alike. Rows are whole, so that everything that ties covariates, treatment and
    outcomes together stays as it is (the bootstrap of Efron 1979). Raises CohortError for a seed that occurs twice and for an empty cohort.
    """
    patients = len(cohort)
    if patients == 0 or len(set(seeds)) != len(seeds):
        raise CohortError(
            f"floor\n    found    {patients} patients and {len(set(seeds))} different seeds for {len(seeds)} replicates\n"
            "    allowed  at least one patient, and a seed of its own for every replicate\n    to do    correct the cohort or the seeds"
        )
    identity = pd.array([str(number) for number in range(1, patients + 1)], dtype="string")
    replicates = [
        cohort.iloc[np.random.default_rng(seed).integers(patients, size=patients)].assign(replicate=replicate, patient_id=identity)
        for replicate, seed in enumerate(seeds)
    ]
    return pd.concat(replicates, ignore_index=True)
