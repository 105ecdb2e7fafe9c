"""A cohort in the form of its source, selected again by the protocol, is the cohort: through memory, Parquet and CSV, for every example study."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pytest

from parallax.cohort.selection import select_cohort
from parallax.extraction.registry import normalise, read_source
from parallax.protocol.loading import read_protocol
from parallax.release.patients import list_applied, restore_source

STUDIES = Path(__file__).parents[2] / "config/studies"


@pytest.mark.parametrize("name", ["rhc", "gbsg", "nhefs"])
@pytest.mark.parametrize("by_way_of", ["memory", "parquet", "csv"])
def test_the_form_of_the_source_loses_nothing(name: str, by_way_of: str) -> None:
    protocol = read_protocol(STUDIES / f"{name}.yaml")
    source = next(iter(protocol.data.sites.values()))
    cohort = select_cohort(read_source(source, folder=STUDIES), protocol.cohort, protocol.outcomes, source.patient_id).cohort
    restored = restore_source(cohort, protocol.cohort, protocol.outcomes)
    applied = list_applied(protocol.cohort, restored.columns)
    if by_way_of == "parquet":
        buffer = io.BytesIO()
        restored.to_parquet(buffer, index=False)
        restored = pd.read_parquet(buffer)
    if by_way_of == "csv":
        restored = pd.read_csv(io.StringIO(restored.to_csv(index=False)), float_precision="round_trip")
    again = select_cohort(normalise(restored), protocol.cohort, protocol.outcomes, "patient_id", applied=applied)
    pd.testing.assert_frame_equal(again.cohort, cohort)
    assert again.attrition["excluded"].sum() == 0
