"""What each way of pooling takes: the jobs at every site and those where the answers meet, with the time that they took."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import pandas as pd

from parallax.protocol.protocol import Protocol
from parallax.tables import POOLING_COSTS
from parallax.vocabulary import POOLED, REAL

#: what makes a dataset's answer of its cohort; the effects of a blinded study wait for the real design
ANSWER: Final = ("apply_designs", "estimate_effects", "combine_replicates")
#: what a verdict rests on, beside the generator's fits, refits and shadow models, and the site's floor and certificate
JUDGED: Final = ("measure_agreement", "measure_fidelity", "attribute_shift", "attack_generator")
#: where the sites' patients or answers meet; one job judges the generators of all sites, and one answers both ways of patients
JOINT: Final[Mapping[str, tuple[str, ...]]] = {
    "individual_real": ("pool_patients/real",),
    "aggregates": ("pool_aggregates/real",),
    "individual_synthetic": ("reach_verdict", "pool_patients/{dataset}"),
    "individual_mixed": ("reach_verdict", "pool_patients/{dataset}"),
    "aggregates_synthetic": ("reach_verdict", "pool_aggregates/{dataset}"),
}

#: way, dataset and site, ``POOLED`` where the sites' answers meet
Place = tuple[str, str, str]


def list_jobs(protocol: Protocol, *, fits: int = 1, simulations: int = 1) -> dict[Place, tuple[str, ...]]:
    """The jobs without which a way has no answer, by rule and wildcards ("fit_generator/clinic/tvae/1-of-1"), for every way that is pooled.

    ``fits`` and ``simulations`` are the batches of a generator's fits and of its simulated studies. Each job stands once within a way, and in every
    way that it serves. Of a generator's verdict its own jobs are counted and those that judge all of a site's (floor, certificate, references).
    """
    places = {}
    for way, dataset in _ways(protocol):
        joining = protocol.joining_sites if way in ("individual_synthetic", "individual_mixed") else ()
        for site in protocol.pooled_sites:
            real = way == "individual_real" or (way == "individual_mixed" and site in protocol.pooling.here)
            jobs = [*_cohort(site, protocol), *(_unsealing(site, protocol) if real else _answer(site, protocol))]
            synthetic = not real and way != "aggregates"
            places[way, dataset, site] = tuple(dict.fromkeys([*jobs, *(_synthesis(site, dataset, protocol, fits, simulations) if synthetic else ())]))
        places |= {(way, dataset, site): (f"take_release/{site}",) for site in joining}
        places[way, dataset, POOLED] = tuple(job.format(dataset=dataset) for job in JOINT[way])
    return places


def measure_costs(measured: Mapping[str, tuple[float, float]], jobs: Mapping[Place, tuple[str, ...]]) -> pd.DataFrame:
    """POOLING_COSTS: of every way, dataset and site (:func:`list_jobs`) the jobs that were measured, and their time.

    ``measured`` has CPU seconds and seconds by the clock by job. What another institution did for its release or its results is not known here.
    """
    rows = []
    for (way, dataset, site), needed in jobs.items():
        found = [measured[job] for job in needed if job in measured]
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


def _cohort(site: str, protocol: Protocol) -> Iterator[str]:
    yield f"extract_patients/{site}"
    if protocol.cohort.measurements:
        yield f"extract_measurements/{site}"
    yield f"select_cohort/{site}"


def _unsealing(site: str, protocol: Protocol) -> Iterator[str]:
    if protocol.validation.blinded:
        yield f"apply_designs/{site}/{REAL}"
        yield f"unseal_effects/{site}"


def _answer(site: str, protocol: Protocol) -> Iterator[str]:
    yield from _unsealing(site, protocol)
    yield from (f"{rule}/{site}/{REAL}" for rule in ANSWER)


def _synthesis(site: str, dataset: str, protocol: Protocol, fits: int, simulations: int) -> Iterator[str]:
    batches = [f"{number}-of-{fits}" for number in range(1, fits + 1)]
    yield from (f"fit_generator/{site}/{dataset}/{batch}" for batch in batches)
    yield from (f"refit_generator/{site}/{dataset}/{number}/{batch}" for number in range(1, protocol.synthesis.refits + 1) for batch in batches)
    yield from (f"fit_shadow/{site}/{dataset}/{number}" for number in range(protocol.privacy.shadow_models))
    yield from (f"{rule}/{site}/{dataset}" for rule in ("draw_replicates", *ANSWER, *JUDGED))
    yield f"measure_floor/{site}"
    if protocol.validation.certification.repetitions > 0:
        for generator in protocol.simulated_generators:
            if generator in (dataset, protocol.flat_copula) or generator not in protocol.generators:
                yield from (f"certify_generator/{site}/{generator}/{number}-of-{simulations}" for number in range(1, simulations + 1))
        yield f"certify_site/{site}"
