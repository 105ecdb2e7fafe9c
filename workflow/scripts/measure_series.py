"""Hold a generator's long table against the real one, and against the summaries in its own cohort."""

import numpy as np

from parallax.job import job
from parallax.protocol.cohort import CohortSection
from parallax.protocol.outcomes import OutcomesSection
from parallax.storage import read_table, write_table
from parallax.tables import GENERATION, MEASUREMENTS, SERIES_FIDELITY, cohort_schema, failure_reason
from parallax.validation.series_fidelity import measure_series


def measure(input, output, params):
    cohort = CohortSection.of(params.cohort)
    schema = cohort_schema(cohort.covariates, OutcomesSection.of(params.outcomes))
    real = read_table(input.real_cohort, schema), read_table(input.real, MEASUREMENTS)
    synthetic = read_table(input.cohort, schema), read_table(input.measurements, MEASUREMENTS)
    failure = failure_reason(read_table(input.generation, GENERATION))
    found = measure_series(real, synthetic, cohort, rng=np.random.default_rng(params.seed), failure=failure)
    write_table(output[0], found, SERIES_FIDELITY, restricted=True)


with job(snakemake.log[0]):
    measure(snakemake.input, snakemake.output, snakemake.params)
