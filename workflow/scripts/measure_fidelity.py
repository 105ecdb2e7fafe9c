"""Hold a generator's patients against the real ones: score, survival curves, marginals."""

import numpy as np

from parallax.job import job
from parallax.protocol.cohort import CohortSection
from parallax.protocol.outcomes import OutcomesSection
from parallax.protocol.question import PrimaryEstimate
from parallax.protocol.validation import Gates
from parallax.storage import read_table, write_table
from parallax.tables import COEFFICIENTS, FIDELITY, OVERLAP, cohort_schema
from parallax.validation.fidelity import measure_fidelity, measure_structure
from parallax.validation.floor import label_floor


def measure(input, output, params):
    covariates, outcomes = CohortSection.of(params.cohort).covariates, OutcomesSection.of(params.outcomes)
    schema = cohort_schema(covariates, outcomes)
    real, synthetic = read_table(input.real_cohort, schema), read_table(input.cohort, schema)
    asked = {"primary": PrimaryEstimate.of(params.primary), "covariates": covariates, "outcomes": outcomes}
    rng, of_structure = np.random.default_rng(params.seed).spawn(2)
    structure = measure_structure(real, synthetic, **asked, rng=of_structure)
    fidelity = measure_fidelity(
        real,
        synthetic,
        **asked,
        real_overlap=read_table(input.real_overlap, OVERLAP),
        synthetic_overlap=read_table(input.overlap, OVERLAP),
        gates=Gates.of(params.gates),
        beside=(label_floor(read_table(input.floor, FIDELITY)), structure.fidelity),
        rng=rng,
    )
    write_table(output.fidelity, fidelity, FIDELITY, restricted=True)
    write_table(output.coefficients, structure.coefficients, COEFFICIENTS, restricted=True)


with job(snakemake.log[0]):
    measure(snakemake.input, snakemake.output, snakemake.params)
