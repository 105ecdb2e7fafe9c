"""What each way of pooling takes: the jobs at every site and those where the answers meet, with the time that they took."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Final

import pandas as pd

from parallax.protocol.protocol import Protocol
from parallax.tables import POOLING_COSTS
from parallax.vocabulary import POOLED, REAL

#: jobs by rule and wildcards: of a site's patients, of its own answer, and of synthetic patients with a verdict
COHORT: Final = ("extract_patients/{site}", "select_cohort/{site}")
ANSWER: Final = tuple(f"{rule}/{{site}}/real" for rule in ("apply_designs", "estimate_effects", "combine_replicates"))
SYNTHESIS: Final = (
    "fit_generator/{site}/{dataset}/*",
    "refit_generator/{site}/{dataset}/*/*",
    *(f"{rule}/{{site}}/{{dataset}}" for rule in ("draw_replicates", "apply_designs", "estimate_effects", "combine_replicates")),
    "measure_floor/{site}",
    *(f"{rule}/{{site}}/{{dataset}}" for rule in ("measure_agreement", "measure_fidelity", "attribute_shift", "attack_generator")),
)
#: what becomes of a release that joins
RELEASE: Final = ("take_release/{site}",)
#: where the sites' patients or answers meet; one job judges the generators of all sites, and one answers both ways of patients
JOINT: Final[Mapping[str, tuple[str, ...]]] = {
    "individual_real": ("pool_patients/real",),
    "aggregates": ("pool_aggregates/real",),
    "individual_synthetic": ("reach_verdict", "pool_patients/{dataset}"),
    "individual_mixed": ("reach_verdict", "pool_patients/{dataset}"),
    "aggregates_synthetic": ("reach_verdict", "pool_aggregates/{dataset}"),
}


def measure_costs(measured: Mapping[str, tuple[float, float]], protocol: Protocol) -> pd.DataFrame:
    """POOLING_COSTS: of every way and dataset that this protocol pools, the jobs at each site and where the answers meet (``POOLED``).

    ``measured`` has CPU seconds and seconds by the clock by job. Counted are the jobs without which the way has no answer, each once within a way;
    a job that serves two ways is counted for both. What another institution did for its release or its results is not known here.
    """
    rows = []
    for way, dataset in _ways(protocol):
        sites = [*protocol.pooled_sites, *(protocol.joining_sites if way in ("individual_synthetic", "individual_mixed") else ())]
        for site in (*sites, POOLED):
            patterns = [job.format(site=site, dataset=dataset) for job in _jobs(way, site, protocol)]
            found = [times for job, times in measured.items() if any(fnmatchcase(job, pattern) for pattern in patterns)]
            cpu, clock = (sum(times[part] for times in found) for part in (0, 1))
            rows.append({"way": way, "dataset": dataset, "site": site, "jobs": len(found), "cpu_seconds": cpu, "seconds": clock})
    return POOLING_COSTS.validate(pd.DataFrame(rows, columns=list(POOLING_COSTS.columns)))


def _ways(protocol: Protocol) -> Iterator[tuple[str, str]]:
    datasets = protocol.pooled_datasets
    if REAL in datasets:
        yield "individual_real", REAL
    if protocol.pools_aggregates:
        yield "aggregates", REAL
    for generator in protocol.generators:
        if generator in datasets:
            yield "individual_synthetic", generator
            if protocol.pooling.here:
                yield "individual_mixed", generator
        if protocol.pools_aggregates:
            yield "aggregates_synthetic", generator


def _jobs(way: str, site: str, protocol: Protocol) -> tuple[str, ...]:
    if site == POOLED:
        return JOINT[way]
    if site in protocol.joining_sites:
        return RELEASE
    if way == "individual_real" or (way == "individual_mixed" and site in protocol.pooling.here):
        return COHORT
    return COHORT + ANSWER if way == "aggregates" else COHORT + ANSWER + SYNTHESIS
