"""The floor: the study's own analysis of cohorts resampled from the real patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from parallax.analysis import apply_designs, estimate_effects
from parallax.cohort.resampling import resample_patients
from parallax.protocol.cohort import Covariates
from parallax.protocol.designs import DesignsSection, MatchDesign, WeightDesign
from parallax.protocol.outcomes import OutcomesSection
from parallax.protocol.propensity import PropensitySection
from parallax.protocol.question import PrimaryEstimate
from parallax.tables import ESTIMATES, FIDELITY
from parallax.validation.fidelity import measure_gaps
from parallax.validation.metrics import floor_of


@dataclass(frozen=True, slots=True)
class Floor:
    """What the study finds on the resampled cohorts: ``estimates`` (ESTIMATES, by replicate) and the gaps of their patients (FIDELITY)."""

    estimates: pd.DataFrame
    fidelity: pd.DataFrame


def measure_floor(
    real: pd.DataFrame,
    *,
    real_overlap: pd.DataFrame,
    covariates: Covariates,
    designs: DesignsSection,
    propensity: PropensitySection,
    outcomes: OutcomesSection,
    primary: PrimaryEstimate,
    seeds: Sequence[int],
    seed: int,
) -> Floor:
    """Resample the real cohort once for every seed and put the cohorts through the study's own analysis; only results come back.

    The floor is read by its estimates alone, so that no design is judged and none bootstraps its variance. ``seed`` is the analysis's own
    (folds, random orders).
    """
    cohort = resample_patients(real, seeds=seeds)
    quick = without_bootstrap(designs)
    designed = apply_designs(cohort, covariates=covariates, designs=quick, propensity=propensity, imbalance=np.inf, effective_patients=0, seed=seed)
    estimated = estimate_effects(
        cohort,
        weights=designed.weights,
        overlap=designed.overlap,
        scores=designed.propensity,
        covariates=covariates,
        designs=quick,
        propensity=propensity,
        outcomes=outcomes,
        seed=seed,
    )
    gaps = measure_gaps(real, cohort, real_overlap=real_overlap, synthetic_overlap=designed.overlap, design=primary.design, outcomes=outcomes)
    rows = [gap | {"metric": floor_of(str(gap["metric"]))} for gap in gaps]
    return Floor(ESTIMATES.validate(estimated.estimates), FIDELITY.validate(pd.DataFrame(rows, columns=list(FIDELITY.columns))))


def without_bootstrap(designs: DesignsSection) -> DesignsSection:
    """The same designs, their variances made in closed form: the same estimates at a fraction of the cost."""
    closed = {"match": "clustered", "weight": "score_as_known"}
    return DesignsSection(
        {
            name: design.model_copy(update={"variance": closed[design.method]})
            if isinstance(design, MatchDesign | WeightDesign) and design.variance == "bootstrap"
            else design
            for name, design in designs.items()
        }
    )
