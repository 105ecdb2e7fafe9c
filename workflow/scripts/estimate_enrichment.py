"""Estimate the primary contrast among one dataset's patients of every rare subgroup, and combine a generator's replicates."""

from parallax import tables
from parallax.job import job
from parallax.protocol.enrichment import parse_enrichment
from parallax.protocol.sections import read_sections
from parallax.storage import read_table, write_table
from parallax.validation.enrichment import Asked, summarise_enriched, summarise_real_subgroups


def estimate(input, params):
    study = read_sections(params.sections)
    covariates, outcomes = study["cohort"].covariates, study["outcomes"]
    asked = Asked(study["question"].primary, covariates, study["designs"], study["propensity"], outcomes, params.seed)
    entries = parse_enrichment(params.enrichment)
    real_cohort = read_table(input.real_cohort, tables.cohort_schema(covariates, outcomes))
    if "draws" not in input.keys():  # noqa: SIM118 -- Snakemake's lists of files have names, but no test of membership
        return summarise_real_subgroups(real_cohort, entries, asked)
    return summarise_enriched(
        read_table(input.cohort, tables.enriched_schema(covariates, outcomes)),
        read_table(input.draws, tables.ENRICHMENT_DRAWS),
        entries,
        asked,
        real=read_table(input.real, tables.ENRICHMENT),
        real_cohort=real_cohort,
        fit=params.fit,
        not_estimable=params.not_estimable,
    )


with job(snakemake.log[0]):
    write_table(snakemake.output[0], estimate(snakemake.input, snakemake.params), tables.ENRICHMENT, restricted=True)
