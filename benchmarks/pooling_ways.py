"""What each way of pooling takes on a study that has run: jobs at a site, jobs where the answers meet, their CPU seconds, and what changes hands.

    PYTHONPATH=workflow/lib python benchmarks/pooling_ways.py [--study results/breast_two_sites] [--generator sequential]

Read from Snakemake's benchmark of every job; only the jobs that the way needs are counted, each once. CPU seconds (imports included), not
time by the clock, so that a busy machine changes little. Ways 3 and 4 are answered by one job, which is counted for both.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterable
from pathlib import Path

#: what a site does to have a cohort, an answer of its own, and synthetic patients with a verdict
COHORT = ("extract_patients/{site}", "select_cohort/{site}")
ANSWER = tuple(f"{rule}/{{site}}/real" for rule in ("apply_designs", "estimate_effects", "combine_replicates"))
SYNTHESIS = (
    "fit_generator/{site}/{generator}/*",
    "refit_generator/{site}/{generator}/*/*",
    *(f"{rule}/{{site}}/{{generator}}" for rule in ("draw_replicates", "apply_designs", "estimate_effects", "combine_replicates")),
    "measure_floor/{site}",
    *(f"{rule}/{{site}}/{{generator}}" for rule in ("measure_agreement", "measure_fidelity", "attribute_shift", "attack_generator")),
    "reach_verdict",
)

#: by way: the jobs of a site whose real patients stay, those of a site of which synthetic ones leave, those where the answers meet, and what leaves
WAYS = {
    "individual_real": (COHORT, COHORT, ("pool_patients/real",), "every patient's record, of every site"),
    "aggregates": ((*COHORT, *ANSWER), (*COHORT, *ANSWER), ("pool_aggregates/real",), "one file of estimates and counts from every site"),
    "individual_synthetic": (
        (*COHORT, *ANSWER, *SYNTHESIS),
        (*COHORT, *ANSWER, *SYNTHESIS),
        ("pool_patients/{generator}",),
        "released synthetic patients of every site",
    ),
    "individual_mixed": (
        COHORT,
        (*COHORT, *ANSWER, *SYNTHESIS),
        ("pool_patients/{generator}",),
        "released synthetic patients of the sites elsewhere",
    ),
}


def seconds(folder: Path, jobs: Iterable[str]) -> list[float]:
    """CPU seconds of every job that ran; a pattern without a job is left out."""
    found = []
    for job in jobs:
        for path in sorted(folder.glob(f"{job}.tsv")):
            with path.open(encoding="utf-8") as file:
                found += [float(row["cpu_time"]) for row in csv.DictReader(file, delimiter="\t")]
    return found


def measure(folder: Path, sites: list[str], here: str, generator: str) -> list[tuple[str, ...]]:
    """A row for every way of which the last job ran."""
    rows = []
    for way, (stays, leaves, meets, shared) in WAYS.items():
        of_site = {
            site: seconds(folder, dict.fromkeys(job.format(site=site, generator=generator) for job in (stays if site == here else leaves)))
            for site in sites
        }
        together = seconds(folder, (job.format(generator=generator) for job in meets))
        if not together:
            continue
        jobs = " + ".join(str(len(found)) for found in (*of_site.values(), together))
        cpu = " + ".join(f"{sum(found):.0f}" for found in (*of_site.values(), together))
        rows.append((way, jobs, cpu, f"{sum(map(sum, of_site.values())) + sum(together):.0f}", shared))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", type=Path, default=Path("results/breast_two_sites"))
    parser.add_argument("--generator", default="sequential")
    parser.add_argument("--here", default="germany", help="the site whose real patients stay in the mixed way")
    given = parser.parse_args()
    folder = given.study / "benchmarks"
    sites = sorted(path.stem for path in (folder / "select_cohort").glob("*.tsv"))
    print(f"| way | jobs: {', '.join(sites)}, together | CPU s | in all | what leaves a site |\n|---|---|---|---|---|")
    for row in measure(folder, sites, given.here, given.generator):
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
