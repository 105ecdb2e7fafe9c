"""Try a generator's settings on simulated studies, and record what was tried within which budget."""

from parallax.job import job
from parallax.protocol.protocol import Protocol
from parallax.provenance import find_version
from parallax.reporting.uses import summarise_tuning
from parallax.storage import read_table, write_csv, write_json
from parallax.tables import cohort_schema
from parallax.tuning import OWN, tune


def run(input, output, params):
    protocol = Protocol.of(params.protocol)
    covariates, outcomes = protocol.cohort.covariates, protocol.outcomes
    cohorts = {site: read_table(path, cohort_schema(covariates, outcomes)) for site, path in zip(protocol.sites, input.cohorts, strict=True)}
    study = {"covariates": covariates, "designs": protocol.designs, "propensity": protocol.propensity, "outcomes": outcomes}
    tuned = tune(cohorts, params.generator, protocol.synthesis, primary=protocol.question.primary, **study, seed=params.seed)
    write_csv(output.table, tuned.table)
    record = {
        "generator": params.generator,
        "budget": protocol.synthesis.tuning.plain(),
        "used": {"repetitions": tuned.repetitions, "cpu_seconds": round(tuned.cpu_seconds, 1)},
        "rule": "smallest root mean square shift; within one Monte-Carlo error of the paired difference, the protocol's own setting",
        "chosen": tuned.chosen,
        "keeps_the_protocols_own": tuned.chosen == OWN,
        "settings": tuned.settings.plain(),
        "at_sites": {site: settings.plain() for site, settings in tuned.at_sites.items()},
        "fit": protocol.synthesis.fit,
        "seed": params.seed,
        "protocol_digest": protocol.digest,
        "tried": tuned.table[tuned.table["effect"].isna()][["setting", "rmse", "rmse_error", "failed"]].to_dict("records"),
        "versions": {name: find_version(name) for name in ("numpy", "scipy", "pandas")},
    }
    write_json(output.record, record)
    used = {"repetitions": tuned.repetitions, "cpu_seconds": tuned.cpu_seconds}
    print(summarise_tuning(tuned.table, generator=params.generator, place=output.table, **used))


with job(snakemake.log[0]):
    run(snakemake.input, snakemake.output, snakemake.params)
