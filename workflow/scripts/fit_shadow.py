"""Fit one generator to a random half of the patients and measure how near to each patient it draws: a shadow model."""

import numpy as np

from parallax.cohort.split import halve_patients
from parallax.job import contain, job
from parallax.protocol.cohort import CohortSection
from parallax.protocol.constraints import parse_constraints
from parallax.protocol.generators import parse_generator
from parallax.protocol.outcomes import OutcomesSection
from parallax.storage import read_table, write_table
from parallax.tables import GENERATION, SHADOW, cohort_schema, empty_table, generation_row
from parallax.validation.records import RecordColumns
from parallax.validation.shadows import measure_nearness


def shadow(input, output, params, number):
    from parallax.synthesis.registry import repeat_procedure

    covariates, outcomes = CohortSection.of(params.cohort).covariates, OutcomesSection.of(params.outcomes)
    study = {"covariates": covariates, "outcomes": outcomes, "constraints": parse_constraints(params.constraints)}
    real, settings = read_table(input.cohort, cohort_schema(covariates, outcomes)), parse_generator(params.generator)
    member = halve_patients(real, rng=np.random.default_rng(params.halves)) ^ bool(number % 2)
    seen = real[member].reset_index(drop=True)
    procedure = {"fit": params.fit, "seed": params.seed, "refits": params.refits}
    drawn = repeat_procedure(settings, seen, share=params.patients, seeds=params.seeds, **procedure, **study)
    columns, rng = RecordColumns.of(covariates, outcomes), np.random.default_rng(params.targets)
    write_table(output.nearness, measure_nearness(real, member, drawn, columns=columns, rng=rng), SHADOW, restricted=True)


with job(snakemake.log[0]):
    number = int(snakemake.wildcards.shadow)
    reason = contain(lambda: shadow(snakemake.input, snakemake.output, snakemake.params, number))
    if reason is not None:
        write_table(snakemake.output.nearness, empty_table(SHADOW), SHADOW, restricted=True)
    write_table(snakemake.output.generation, generation_row(snakemake.wildcards.generator, "shadow", reason), GENERATION, restricted=True)
