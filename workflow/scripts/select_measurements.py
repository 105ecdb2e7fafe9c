"""Keep the repeated measurements of the cohort, and count what is left out."""

from parallax.cohort.measurements import keep_measurements
from parallax.job import job
from parallax.protocol.cohort import CohortSection
from parallax.protocol.outcomes import OutcomesSection
from parallax.storage import read_table, write_table
from parallax.tables import MEASUREMENT_COUNTS, MEASUREMENTS, SOURCE_MEASUREMENTS, cohort_schema


def select(input, output, params):
    cohort = CohortSection.of(params.cohort)
    patients = read_table(input.cohort, cohort_schema(cohort.covariates, OutcomesSection.of(params.outcomes)))
    kept, counts = keep_measurements(read_table(input.measurements, SOURCE_MEASUREMENTS), patients, cohort)
    write_table(output.measurements, kept, MEASUREMENTS, restricted=True)
    write_table(output.counts, counts, MEASUREMENT_COUNTS, restricted=True)


with job(snakemake.log[0]):
    select(snakemake.input, snakemake.output, snakemake.params)
