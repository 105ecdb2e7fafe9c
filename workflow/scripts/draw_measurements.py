"""Draw the series of a generator's patients, from a model of the real ones; its crash is a row, not the end of the study."""

from parallax.job import contain, job
from parallax.protocol.cohort import CohortSection
from parallax.protocol.outcomes import OutcomesSection
from parallax.storage import read_table, write_table
from parallax.tables import GENERATION, MEASUREMENTS, cohort_schema, empty_table, failure_reason, generation_row


def draw(input, output, params):
    from parallax.synthesis.measurements import FittedMeasurements, draw_measurements

    cohort = CohortSection.of(params.cohort)
    schema = cohort_schema(cohort.covariates, OutcomesSection.of(params.outcomes))
    fitted = FittedMeasurements.fit(read_table(input.real, MEASUREMENTS), read_table(input.real_cohort, schema), cohort)
    drawn = draw_measurements(fitted, read_table(input.cohort, schema), seeds=params.seeds)
    write_table(output.measurements, drawn, MEASUREMENTS, restricted=True)


with job(snakemake.log[0]):
    output = snakemake.output
    undrawn = failure_reason(read_table(snakemake.input.generation, GENERATION))
    reason = undrawn or contain(lambda: draw(snakemake.input, output, snakemake.params))
    if reason is not None:
        write_table(output.measurements, empty_table(MEASUREMENTS), MEASUREMENTS, restricted=True)
    write_table(output.generation, generation_row(snakemake.wildcards.generator, "measurements", reason), GENERATION, restricted=True)
