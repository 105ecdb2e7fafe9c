"""Crump et al. 2009 trimmed the patients of the right heart catheter study: α = 0.1026 keeps 2,671 comparators and 2,057 treated of 5,735.

Their score has other covariates than ours (the distributed file lacks some), so the bands allow for another model of the score.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from parallax.cohort.selection import select_cohort
from parallax.design.matrix import build_design_matrix
from parallax.extraction.registry import read_source
from parallax.protocol.loading import read_protocol
from parallax.statistics.logistic import fit_logistic
from parallax.statistics.newton import dependent_columns
from parallax.statistics.trimming import trim_crump

STUDIES = Path(__file__).parents[2] / "config/studies"


def test_right_heart_catheter() -> None:
    protocol = read_protocol(STUDIES / "rhc.yaml")
    source = protocol.data.sites[protocol.sites[0]]
    cohort = select_cohort(read_source(source, folder=STUDIES), protocol.cohort, protocol.outcomes, source.patient_id).cohort
    values = build_design_matrix(cohort, protocol.cohort.covariates).values
    design = np.column_stack([np.ones(len(values)), values])
    design = np.delete(design, dependent_columns(design), axis=1)
    treated = cohort["treated"].to_numpy(dtype=bool)
    trim = trim_crump(fit_logistic(design, treated).fitted, treated)
    assert trim.lower == pytest.approx(0.1026, abs=0.002)
    assert treated.sum() - trim.excluded_treated == pytest.approx(2057, rel=0.03)
    assert (~treated).sum() - trim.excluded_comparator == pytest.approx(2671, rel=0.03)
