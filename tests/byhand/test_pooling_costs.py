"""Jobs and their time, added up for every way of pooling: a site here, a site whose release joins, and where they meet."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import pytest

from parallax.protocol.protocol import Protocol
from parallax.sites.costs import ANSWER, COHORT, JOINT, RELEASE, SYNTHESIS, measure_costs
from parallax.storage import read_benchmarks
from workflow.conftest import PROTOCOL

RULES = Path(__file__).parents[2] / "workflow/rules"
HEADING = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


def protocol(*, release: bool) -> Protocol:
    content = copy.deepcopy(PROTOCOL)
    content["synthesis"] = {"replicates": 3, "generators": {"sequential": {"method": "sequential"}}}
    clinic = content["data"]["sites"]["clinic"]
    content["data"]["sites"]["harbour"] = {"source": "release", "path": "received"} if release else clinic
    content["pooling"] = {"here": ["clinic"]} | ({} if release else {"individual_real": True})
    return Protocol.of(content)


def jobs(site: str) -> list[str]:
    """Every job of a site by its benchmark, one of another generator among them, and some that no way needs."""
    patterns = (*COHORT, *ANSWER, *SYNTHESIS)
    named = [pattern.format(site=site, dataset="sequential").replace("/*/*", "/0/1-of-1").replace("*", "1-of-1") for pattern in patterns]
    return [*named, f"fit_generator/{site}/tvae/1-of-1", f"estimate_enrichment/{site}/real"]


def test_every_way_counts_the_jobs_that_it_needs() -> None:
    """Each job is taken to last one CPU second and two by the clock."""
    joint = ("reach_verdict", "pool_patients/real", "pool_patients/sequential", "pool_aggregates/real", "pool_aggregates/sequential")
    measured = dict.fromkeys([*jobs("clinic"), *jobs("harbour"), *joint, "collect_pooling"], (1.0, 2.0))
    found = measure_costs(measured, protocol(release=False))
    counted = {(row.way, row.site): row.jobs for row in found.itertuples()}
    each = len(COHORT) + len(ANSWER) + len(SYNTHESIS)
    assert counted == {
        ("individual_real", "clinic"): 2, ("individual_real", "harbour"): 2, ("individual_real", "pooled"): 1,
        ("aggregates", "clinic"): 5, ("aggregates", "harbour"): 5, ("aggregates", "pooled"): 1,
        ("individual_synthetic", "clinic"): each, ("individual_synthetic", "harbour"): each, ("individual_synthetic", "pooled"): 2,
        ("individual_mixed", "clinic"): 2, ("individual_mixed", "harbour"): each, ("individual_mixed", "pooled"): 2,
        ("aggregates_synthetic", "clinic"): each, ("aggregates_synthetic", "harbour"): each, ("aggregates_synthetic", "pooled"): 2,
    }  # fmt: skip
    assert (found["cpu_seconds"] == found["jobs"]).all()
    assert (found["seconds"] == 2 * found["jobs"]).all()


def test_of_a_release_its_taking_is_counted_and_no_more() -> None:
    measured = dict.fromkeys([*jobs("clinic"), *jobs("harbour"), "take_release/harbour", "pool_patients/sequential", "reach_verdict"], (1.0, 2.0))
    found = measure_costs(measured, protocol(release=True))
    assert set(found["way"]) == {"individual_synthetic", "individual_mixed"}
    assert found.loc[found["site"] == "harbour", "jobs"].tolist() == [1, 1]


@pytest.mark.parametrize("pattern", sorted({*COHORT, *ANSWER, *SYNTHESIS, *RELEASE, *(job for joint in JOINT.values() for job in joint)}))
def test_every_job_that_is_counted_is_measured_under_that_name(pattern: str) -> None:
    """The benchmark of the rule in the workflow, whatever it calls its wildcards."""
    rule, *parts = pattern.split("/")
    text = "\n".join(path.read_text(encoding="utf-8") for path in RULES.glob("*.smk"))
    (name,) = set(re.findall(rf'"<benchmarks>/({rule}(?:/[^"]+)?)\.tsv"', text))
    assert len(name.split("/")) == 1 + len(parts)


def test_the_times_of_jobs_are_read_from_snakemakes_files(tmp_path: Path) -> None:
    (tmp_path / "fit_generator/clinic/tvae").mkdir(parents=True)
    (tmp_path / "fit_generator/clinic/tvae/1-of-1.tsv").write_text(HEADING + "4.5\t0:00:04\t1\t1\t1\t1\t0\t0\t50\t3.25\n")
    (tmp_path / "reach_verdict.tsv").write_text(HEADING + "0.2\t0:00:00\t-\t-\t-\t-\t-\t-\t-\t-\n")
    assert read_benchmarks(tmp_path) == {"fit_generator/clinic/tvae/1-of-1": (3.25, 4.5), "reach_verdict": (0.0, 0.2)}
