"""Virtual twins of one generator: both arms' curves of the real patients, and a twin cohort with the truth beside the study's answers."""

import numpy as np

from parallax.job import job
from parallax.protocol.generators import parse_generator
from parallax.protocol.sections import read_sections
from parallax.storage import read_json, read_model, read_table, write_frame, write_table
from parallax.synthesis.twins import average_twins, draw_twins, tabulate_twins, trace_bands
from parallax.tables import TWIN_AVERAGES, TWIN_CURVES, TWIN_TRUTHS, cohort_schema
from parallax.validation.twins import compare_with_truth


def trace(input, output, params):
    study = read_sections(params.sections)
    covariates, outcomes = study.pop("cohort").covariates, study.pop("outcomes")
    schema = cohort_schema(covariates, outcomes)
    cohort, fitted = read_table(input.cohort, schema), read_model(input.model, sha256=read_json(input.record)["sha256"])
    twins = draw_twins(fitted, params.twins, rng=np.random.default_rng(params.seed))
    learnt = {"settings": parse_generator(params.generator), "cohort": cohort, "refits": params.refits, "seed": params.seed}
    bands = trace_bands(fitted, cohort, averaged=twins.cohort, covariates=covariates, outcomes=outcomes, **learnt)
    truths = compare_with_truth(twins.cohort, twins.potential, covariates=covariates, outcomes=outcomes, seed=params.seed, **study)
    write_table(output.cohort, twins.cohort, schema, restricted=True)
    write_frame(output.outcomes, twins.potential, restricted=True)
    write_table(output.truths, truths, TWIN_TRUTHS, restricted=True)
    write_table(output.averages, average_twins(bands, cohort, outcomes), TWIN_AVERAGES, restricted=True)
    write_table(output.curves, tabulate_twins(bands, cohort["patient_id"]), TWIN_CURVES, restricted=True)


with job(snakemake.log[0]):
    trace(snakemake.input, snakemake.output, snakemake.params)
