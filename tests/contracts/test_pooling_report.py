"""What a reader sees of several sites, some of them elsewhere: a site here, one of which a release and results came, one that sent results only."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from parallax.disclosure.pooled import disclose_heterogeneity
from parallax.protocol.protocol import Protocol
from parallax.reporting.inputs import ReportInputs
from parallax.reporting.pooling import PooledPage, describe_pooled
from parallax.reporting.report import render_report
from parallax.reporting.results import collect_heterogeneity
from parallax.sites.aggregates import pool_aggregates
from parallax.sites.costs import list_jobs, measure_costs
from parallax.sites.heterogeneity import measure_heterogeneity
from parallax.tables import COMBINED
from simulated_tables import simulated_inputs

RESULTS = {name: {"path": f"{name}.json"} for name in ("old_harbour", "island")}
GENERATOR = "sequential"


def protocol_of(inputs: ReportInputs) -> Protocol:
    content: dict[str, Any] = inputs.protocol.plain()
    content["data"]["sites"]["old_harbour"] = {"source": "release", "path": "received"}
    here = next(iter(content["data"]["sites"]))
    return Protocol.of(content | {"pooling": {"here": [here], "site_results": RESULTS}})


@pytest.fixture(scope="module")
def inputs() -> ReportInputs:
    plain = simulated_inputs()
    here = next(iter(plain.protocol.data.sites))
    plain = simulated_inputs(sites={here: (), "old_harbour": ()})
    protocol = protocol_of(plain)
    own = plain.sites[here].combined["real"]
    answers = {site: COMBINED.validate(own[list(COMBINED.columns)].assign(status="ok", reason=None)) for site in (here, "old_harbour", "island")}
    pooled = pool_aggregates(answers, way="aggregates", excluded={}, unverified=("island",)).assign(design_failure=None)
    told = {"real": measure_heterogeneity(answers, excluded={})}
    told[GENERATOR] = measure_heterogeneity(answers, excluded={"island": "verdict inconclusive"})
    entry = {"way": "aggregates_synthetic", "dataset": GENERATOR, "benchmark": "aggregates", "verdict": "agrees", "shift": None, "threshold": 1.0}
    entry |= {"sites": f"{here}, old_harbour", "left_out": "island: verdict inconclusive", "reason": "how far it lies is not shown"}
    jobs = {f"select_cohort/{here}": (2.0, 3.0), "take_release/old_harbour": (1.0, 1.5), "pool_aggregates/real": (4.0, 5.0)}
    overlap = {"site": here, "other": "island", "measure": "smd", "covariate": "age", "level": None, "value": 0.3, "reason": None}
    return replace(
        plain,
        protocol=protocol,
        verdict={**plain.verdict, "pooled": [entry]},
        pooled={"real": pooled},
        pooling_costs=measure_costs(jobs, list_jobs(protocol)),
        heterogeneity=collect_heterogeneity({name: disclose_heterogeneity(table) for name, table in told.items()}),
        site_overlap=pd.DataFrame([overlap]),
    )


@pytest.fixture(scope="module")
def page(inputs: ReportInputs) -> PooledPage:
    found = describe_pooled(inputs)
    assert found is not None
    return found


def test_every_site_has_its_rows_wherever_it_is(page: PooledPage) -> None:
    forest = page.forest.svg
    for block in ("Old harbour (elsewhere), its site results (real)", "Old harbour (elsewhere), its site results (sequential)"):
        assert block in forest
    assert "Old harbour (elsewhere), one replicate of its release (AI-generated)" in forest
    assert "Island (elsewhere), its site results (real)" in forest
    assert "Island (elsewhere), its site results (sequential)" not in forest, "its generator was not released"
    assert "One replicate of a release is AI-generated" in page.forest.caption


def test_sites_have_one_name_on_the_whole_page(page: PooledPage, inputs: ReportInputs) -> None:
    here = next(iter(inputs.protocol.data.sites)).capitalize()
    assert page.ways.rows[0][2].text == f"{here}, Old harbour, Island"
    assert page.ways.rows[0][1].text.endswith("not verified by a signature: Island")
    assert page.cards[0].reason == "How far it lies is not shown; left out: Island: verdict inconclusive."
    assert page.heterogeneity is not None
    assert [row[0].text for row in page.heterogeneity.rows[:3]] == [f"At {here}", "At Old harbour", "At Island"]


def test_what_each_way_took(page: PooledPage, inputs: ReportInputs) -> None:
    assert page.times is not None
    here = next(iter(inputs.protocol.data.sites)).capitalize()
    assert page.times.headings == ("Way", here, "Old harbour", "Where they meet", "In all")
    rows = {(row[0].text, row[0].note): [cell.text for cell in row[1:]] for row in page.times.rows}
    assert rows["aggregates", "real"] == ["1 · 2 s", "–", "1 · 4 s", "2 · 6 s"]
    assert rows["real here, synthetic elsewhere", "sequential"] == ["1 · 2 s", "1 · 1 s", "0 · 0 s", "2 · 3 s"]


def test_the_whole_page_is_made(inputs: ReportInputs) -> None:
    text = render_report(inputs)
    assert "What each way took" in text
    assert "old_harbour.json" in text, "the protocol is shown as it is written"
