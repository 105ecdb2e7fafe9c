"""Attack the patients of a generator's refits, each of which did not see the held-out ones."""

import numpy as np
import pandas as pd

from parallax.job import job
from parallax.protocol.cohort import CohortSection
from parallax.protocol.outcomes import OutcomesSection
from parallax.protocol.privacy import PrivacySection
from parallax.protocol.validation import Gates
from parallax.storage import read_table, write_table
from parallax.tables import GENERATION, PRIVACY, SHADOW, SPLIT, cohort_schema, gather_stages
from parallax.validation.privacy import measure_privacy


def attack(input, output, params):
    covariates, outcomes = CohortSection.of(params.cohort).covariates, OutcomesSection.of(params.outcomes)
    schema = cohort_schema(covariates, outcomes)
    cohorts = [read_table(path, schema) for path in input.cohorts]
    privacy = measure_privacy(
        read_table(input.real_cohort, schema),
        read_table(input.split, SPLIT),
        [pd.concat(cohorts[number :: params.rounds], ignore_index=True) for number in range(params.rounds)],
        covariates=covariates,
        outcomes=outcomes,
        gates=Gates.of(params.gates),
        privacy=PrivacySection.of(params.privacy),
        rng=np.random.default_rng(params.seed),
        shadows=[read_table(path, SHADOW) for path in input.shadows],
    )
    write_table(output.privacy, privacy, PRIVACY, restricted=True)


def gather(input, output, generator):
    write_table(output.generation, gather_stages(generator, [read_table(path, GENERATION) for path in input.refits]), GENERATION, restricted=True)


with job(snakemake.log[0]):
    gather(snakemake.input, snakemake.output, snakemake.wildcards.generator)
    attack(snakemake.input, snakemake.output, snakemake.params)
