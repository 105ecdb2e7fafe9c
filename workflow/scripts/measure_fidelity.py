"""Hold a generator's patients against the real ones: score, survival curves, marginals."""

import numpy as np

from parallax.job import job
from parallax.protocol.cohort import CohortSection
from parallax.protocol.outcomes import OutcomesSection
from parallax.protocol.question import PrimaryEstimate
from parallax.protocol.validation import Gates
from parallax.storage import read_table, write_table
from parallax.tables import FIDELITY, OVERLAP, cohort_schema
from parallax.validation.fidelity import measure_fidelity
from parallax.validation.floor import label_floor


def measure(input, output, params):
    covariates, outcomes = CohortSection.of(params.cohort).covariates, OutcomesSection.of(params.outcomes)
    schema = cohort_schema(covariates, outcomes)
    fidelity = measure_fidelity(
        read_table(input.real_cohort, schema),
        read_table(input.cohort, schema),
        real_overlap=read_table(input.real_overlap, OVERLAP),
        synthetic_overlap=read_table(input.overlap, OVERLAP),
        primary=PrimaryEstimate.of(params.primary),
        covariates=covariates,
        outcomes=outcomes,
        gates=Gates.of(params.gates),
        floor=label_floor(read_table(input.floor, FIDELITY)),
        rng=np.random.default_rng(params.seed),
    )
    write_table(output[0], fidelity, FIDELITY, restricted=True)


with job(snakemake.log[0]):
    measure(snakemake.input, snakemake.output, snakemake.params)
