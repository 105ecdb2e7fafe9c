"""The cohorts of the repository's studies against published counts.

RHC: Connors et al. 1996, JAMA 276:889: 5,735 patients, 2,184 with a right heart catheter within 24 hours; 830 (38.0 %) and 1,088 (30.6 %)
died within 30 days. The largest standardised difference before adjustment, 0.50, was computed in R.
GBSG-2: Schumacher et al. 1994, J Clin Oncol 12:2086: 686 patients, 246 with hormone therapy, 299 events.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from parallax.cohort.characteristics import describe_arms
from parallax.cohort.selection import Selection, select_cohort
from parallax.extraction.registry import read_source
from parallax.protocol import Protocol
from parallax.protocol.loading import read_protocol

STUDIES = Path(__file__).parents[2] / "config" / "studies"


def select(study: str) -> tuple[Protocol, Selection]:
    protocol = read_protocol(STUDIES / f"{study}.yaml")
    (source,) = protocol.data.sites.values()
    return protocol, select_cohort(read_source(source, folder=STUDIES), protocol.cohort, protocol.outcomes, source.patient_id)


def test_right_heart_catheterisation() -> None:
    protocol, selection = select("rhc")
    cohort = selection.cohort
    died = cohort["death_days"].le(30) & cohort["death_event"].eq(1)
    assert cohort["treated"].sum() == 2184
    assert (~cohort["treated"]).sum() == 3551
    assert (died & cohort["treated"]).sum() == 830
    assert (died & ~cohort["treated"]).sum() == 1088
    table = describe_arms(cohort, protocol.cohort.covariates)
    assert table["smd"].abs().max() == pytest.approx(0.50, abs=0.005)


def test_breast_cancer() -> None:
    cohort = select("gbsg")[1].cohort
    assert len(cohort) == 686
    assert cohort["treated"].sum() == 246
    assert cohort["relapse_or_death_event"].sum() == 299
