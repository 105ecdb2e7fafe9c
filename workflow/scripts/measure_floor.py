"""Run cohorts resampled from the real patients through the study; what is kept is how far they move its answers, never the patients."""

from parallax.job import job
from parallax.protocol.sections import read_sections
from parallax.storage import read_table, write_table
from parallax.tables import COVARIANCE, ESTIMATES, FIDELITY, FLOOR, OVERLAP, cohort_schema


def measure(input, output, params):
    from parallax.validation.floor import RESAMPLES, bootstrap_covariance, measure_floor

    study = read_sections(params.sections)
    covariates = study["cohort"].covariates
    cohort = read_table(input.cohort, cohort_schema(covariates, study["outcomes"]))
    settings = {name: study[name] for name in ("designs", "propensity", "outcomes")}
    settings |= {"primary": study["question"].primary, "covariates": covariates, "seed": params.seed}
    floor = measure_floor(
        cohort,
        real_estimates=read_table(input.estimates, ESTIMATES),
        real_overlap=read_table(input.overlap, OVERLAP),
        replicates=params.replicates,
        seeds=params.seeds,
        **settings,
    )
    covariance = bootstrap_covariance(cohort, resamples=RESAMPLES, **settings)
    write_table(output.covariance, covariance, COVARIANCE, restricted=True)
    write_table(output.shifts, floor.shifts, FLOOR, restricted=True)
    write_table(output.fidelity, floor.fidelity, FIDELITY, restricted=True)


with job(snakemake.log[0]):
    measure(snakemake.input, snakemake.output, snakemake.params)
