"""Resample the real patients and put them through the study's analysis; only the results are written."""

from parallax.job import job
from parallax.protocol.sections import read_sections
from parallax.storage import read_table, write_table
from parallax.tables import ESTIMATES, FIDELITY, OVERLAP, cohort_schema
from parallax.validation.floor import measure_floor


def measure(input, output, params):
    study = read_sections(params.sections)
    covariates, outcomes = study["cohort"].covariates, study["outcomes"]
    floor = measure_floor(
        read_table(input.cohort, cohort_schema(covariates, outcomes)),
        real_overlap=read_table(input.overlap, OVERLAP),
        covariates=covariates,
        designs=study["designs"],
        propensity=study["propensity"],
        outcomes=outcomes,
        primary=study["question"].primary,
        seeds=params.seeds,
        seed=params.seed,
    )
    write_table(output.estimates, floor.estimates, ESTIMATES, restricted=True)
    write_table(output.fidelity, floor.fidelity, FIDELITY, restricted=True)


with job(snakemake.log[0]):
    measure(snakemake.input, snakemake.output, snakemake.params)
