"""Jobs and their time, added up for every way of pooling: a site here, a site whose release joins, and where they meet."""

from __future__ import annotations

import copy
import re
from pathlib import Path

from parallax.protocol.protocol import Protocol
from parallax.sites.costs import list_jobs, measure_costs
from parallax.storage import read_benchmarks
from workflow.conftest import PROTOCOL

RULES = Path(__file__).parents[2] / "workflow/rules"
HEADING = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"
#: extraction, selection; designs, effects, combination
COHORT, ANSWER = 2, 3
#: a fit, a refit, draws, their answer, floor, agreement, fidelity, attribution, attack
SYNTHESIS = 1 + 1 + 1 + ANSWER + 1 + 4


def protocol(*, release: bool = False, **changed: object) -> Protocol:
    content = copy.deepcopy(PROTOCOL)
    content["synthesis"] = {"replicates": 3, "generators": {"sequential": {"method": "sequential"}, "tvae": {"method": "tvae"}}}
    clinic = content["data"]["sites"]["clinic"]
    content["data"]["sites"]["harbour"] = {"source": "release", "path": "received"} if release else clinic
    content["pooling"] = {"here": ["clinic"]} | ({} if release else {"individual_real": True})
    for name, section in changed.items():
        content[name] = content.get(name, {}) | section
    return Protocol.of(content)


def counted(found: Protocol, dataset: str = "sequential", **batches: int) -> dict[tuple[str, str], int]:
    return {(way, site): len(jobs) for (way, of, site), jobs in list_jobs(found, **batches).items() if of in ("real", dataset)}


def test_every_way_counts_the_jobs_that_it_needs() -> None:
    each = COHORT + ANSWER + SYNTHESIS
    assert counted(protocol()) == {
        ("individual_real", "clinic"): 2, ("individual_real", "harbour"): 2, ("individual_real", "pooled"): 1,
        ("aggregates", "clinic"): 5, ("aggregates", "harbour"): 5, ("aggregates", "pooled"): 1,
        ("individual_synthetic", "clinic"): each, ("individual_synthetic", "harbour"): each, ("individual_synthetic", "pooled"): 2,
        ("individual_mixed", "clinic"): 2, ("individual_mixed", "harbour"): each, ("individual_mixed", "pooled"): 2,
        ("aggregates_synthetic", "clinic"): each, ("aggregates_synthetic", "harbour"): each, ("aggregates_synthetic", "pooled"): 2,
    }  # fmt: skip


def test_jobs_that_only_some_studies_have() -> None:
    """In turn two refits; two shadow models; designs and a seal before any pool; two batches of the generator's and of both references' studies."""
    plain = counted(protocol())
    turn = counted(protocol(synthesis={"hold_out": 0.5, "hold_out_in_turn": True}))
    assert turn["individual_synthetic", "clinic"] == plain["individual_synthetic", "clinic"] + 1
    shadows = counted(protocol(privacy={"shadow_models": 40}))
    assert shadows["individual_synthetic", "clinic"] == plain["individual_synthetic", "clinic"] + 40
    blinded = counted(protocol(validation={"blinded": True}))
    assert {key: blinded[key] - plain[key] for key in plain if key[1] == "clinic"} == {
        ("individual_real", "clinic"): 2, ("aggregates", "clinic"): 1, ("individual_synthetic", "clinic"): 1,
        ("individual_mixed", "clinic"): 2, ("aggregates_synthetic", "clinic"): 1,
    }  # fmt: skip
    certification = {"repetitions": 20, "minimal_important_effect": 0.8, "generators": ["sequential"]}
    certified = counted(protocol(validation={"certification": certification}), simulations=2)
    assert certified["individual_synthetic", "clinic"] == plain["individual_synthetic", "clinic"] + 3 * 2 + 1
    batches = counted(protocol(synthesis={"fit": "bootstrap"}), fits=3)
    assert batches["individual_synthetic", "clinic"] == plain["individual_synthetic", "clinic"] + 2 + 2


def test_of_a_release_its_taking_is_counted_and_no_more() -> None:
    jobs = list_jobs(protocol(release=True))
    assert {way for way, _, _ in jobs} == {"individual_synthetic", "individual_mixed"}
    assert {found for (_, _, site), found in jobs.items() if site == "harbour"} == {("take_release/harbour",)}


def test_every_job_that_is_counted_is_measured_under_that_name() -> None:
    """The benchmark of the rule in the workflow, whatever it calls its wildcards."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in RULES.glob("*.smk"))
    names = [re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(name)) for name in re.findall(r'"<benchmarks>/([^"]+)\.tsv"', text)]
    asked = {"validation": {"blinded": True, "certification": {"repetitions": 20, "minimal_important_effect": 0.8}}, "privacy": {"shadow_models": 40}}
    jobs = {job for release in (True, False) for needed in list_jobs(protocol(release=release, **asked)).values() for job in needed}
    assert {job for job in jobs if not any(re.fullmatch(name, job) for name in names)} == set()


def test_times_are_added_up_and_each_job_counts_once_within_a_way() -> None:
    """Each job is taken to last one CPU second and two by the clock; that of another protocol is not counted."""
    jobs = list_jobs(protocol())
    found = measure_costs(
        dict.fromkeys([*(job for needed in jobs.values() for job in needed), "refit_generator/clinic/tvae/2/1-of-1"], (1.0, 2.0)), jobs
    )
    assert found["jobs"].tolist() == [len(needed) for needed in jobs.values()]
    assert (found["cpu_seconds"] == found["jobs"]).all()
    assert (found["seconds"] == 2 * found["jobs"]).all()


def test_the_times_of_jobs_are_read_from_snakemakes_files(tmp_path: Path) -> None:
    """What an earlier protocol, or another split of the fits, left behind is not read."""
    folder = tmp_path / "fit_generator/clinic/tvae"
    folder.mkdir(parents=True)
    for name in ("1-of-1", "1-of-5"):
        (folder / f"{name}.tsv").write_text(HEADING + "4.5\t0:00:04\t1\t1\t1\t1\t0\t0\t50\t3.25\n")
    (tmp_path / "reach_verdict.tsv").write_text(HEADING + "0.2\t0:00:00\t-\t-\t-\t-\t-\t-\t-\t-\n")
    asked = {"fit_generator/clinic/tvae/1-of-1", "reach_verdict", "pool_patients/real"}
    assert read_benchmarks(tmp_path, asked) == {"fit_generator/clinic/tvae/1-of-1": (3.25, 4.5), "reach_verdict": (0.0, 0.2)}
