"""Select the cohort, describe its arms, and split it for the attacks on privacy."""

from pathlib import Path

import numpy as np

from parallax.cohort.characteristics import describe_arms
from parallax.cohort.concentration import measure_concentration
from parallax.cohort.measurements import add_summaries
from parallax.cohort.selection import select_cohort
from parallax.cohort.split import split_patients
from parallax.extraction.registry import applied_criteria
from parallax.job import job
from parallax.protocol.cohort import CohortSection
from parallax.protocol.data import DataSection
from parallax.protocol.outcomes import OutcomesSection
from parallax.storage import read_frame, read_table, write_table
from parallax.tables import ATTRITION, CHARACTERISTICS, CONCENTRATION, SOURCE_MEASUREMENTS, SPLIT, cohort_schema


def select(input, output, params):
    cohort, outcomes = CohortSection.of(params.cohort), OutcomesSection.of(params.outcomes)
    source, patients = DataSection.of({"sites": {"site": params.source}}).sites["site"], read_frame(input.patients)
    if input.get("measurements"):
        patients = add_summaries(patients, read_table(input.measurements, SOURCE_MEASUREMENTS), cohort, patient_id=source.patient_id)
    applied = applied_criteria(source, folder=Path(params.folder))
    selection = select_cohort(patients, cohort=cohort, outcomes=outcomes, patient_id=source.patient_id, applied=applied)
    split = split_patients(selection.cohort, hold_out=params.hold_out, rounds=params.rounds, rng=np.random.default_rng(params.seed))
    write_table(output.cohort, selection.cohort, cohort_schema(cohort.covariates, outcomes), restricted=True)
    write_table(output.split, split, SPLIT, restricted=True)
    write_table(output.attrition, selection.attrition, ATTRITION, restricted=True)
    write_table(output.characteristics, describe_arms(selection.cohort, cohort.covariates), CHARACTERISTICS, restricted=True)
    concentration = measure_concentration(selection.cohort, cohort.covariates, outcomes)
    write_table(output.concentration, concentration, CONCENTRATION, restricted=True)


with job(snakemake.log[0]):
    select(snakemake.input, snakemake.output, snakemake.params)
