"""Attack the patients of a generator that did not see the held-out ones."""

import numpy as np

from parallax.job import job
from parallax.protocol.cohort import CohortSection
from parallax.protocol.outcomes import OutcomesSection
from parallax.protocol.validation import Gates
from parallax.storage import read_table, write_table
from parallax.tables import PRIVACY, SPLIT, cohort_schema
from parallax.validation.privacy import measure_privacy


def attack(input, output, params):
    covariates, outcomes = CohortSection.of(params.cohort).covariates, OutcomesSection.of(params.outcomes)
    schema = cohort_schema(covariates, outcomes)
    privacy = measure_privacy(
        read_table(input.real_cohort, schema),
        read_table(input.split, SPLIT),
        read_table(input.cohort, schema),
        covariates=covariates,
        outcomes=outcomes,
        gates=Gates.of(params.gates),
        rng=np.random.default_rng(params.seed),
    )
    write_table(output[0], privacy, PRIVACY, restricted=True)


with job(snakemake.log[0]):
    attack(snakemake.input, snakemake.output, snakemake.params)
