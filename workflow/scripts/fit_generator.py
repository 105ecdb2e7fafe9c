"""Fit one generator to the real cohort; its crash is a row, not the end of the study."""

from parallax.job import contain, job
from parallax.protocol.cohort import CohortSection
from parallax.protocol.constraints import parse_constraints
from parallax.protocol.generators import parse_generator
from parallax.protocol.outcomes import OutcomesSection
from parallax.storage import read_table, write_model, write_table
from parallax.tables import GENERATION, cohort_schema, generation_row


def fit(input, output, params):
    from parallax.synthesis.registry import fit_generator

    covariates, outcomes = CohortSection.of(params.cohort).covariates, OutcomesSection.of(params.outcomes)
    cohort = read_table(input.cohort, cohort_schema(covariates, outcomes))
    settings, constraints = parse_generator(params.generator), parse_constraints(params.constraints)
    fitted = fit_generator(settings, cohort, covariates=covariates, outcomes=outcomes, seed=params.seed, constraints=constraints)
    write_model(output.model, fitted)


with job(snakemake.log[0]):
    reason = contain(lambda: fit(snakemake.input, snakemake.output, snakemake.params))
    if reason is not None:
        write_model(snakemake.output.model, None)
    write_table(snakemake.output.generation, generation_row(snakemake.wildcards.generator, "fit", reason), GENERATION, restricted=True)
