"""Fit one generator without the held-out patients and draw from it: the procedure that privacy attacks."""

from parallax.job import contain, job
from parallax.protocol.cohort import CohortSection
from parallax.protocol.constraints import parse_constraints
from parallax.protocol.generators import parse_generator
from parallax.protocol.outcomes import OutcomesSection
from parallax.storage import read_table, write_table
from parallax.tables import GENERATION, SPLIT, cohort_schema, empty_table, generation_row


def refit(input, output, params, schema, number):
    from parallax.synthesis.registry import repeat_procedure

    covariates, outcomes = CohortSection.of(params.cohort).covariates, OutcomesSection.of(params.outcomes)
    study = {"covariates": covariates, "outcomes": outcomes, "constraints": parse_constraints(params.constraints)}
    cohort, split = read_table(input.cohort, schema), read_table(input.split, SPLIT)
    seen = split.loc[(split["round"] == number) & (split["part"] == "train"), "patient_id"]
    train = cohort[cohort["patient_id"].isin(seen)].reset_index(drop=True)
    settings, procedure = parse_generator(params.generator), {"fit": params.fit, "seed": params.seed, "refits": params.refits}
    drawn = repeat_procedure(settings, train, share=params.patients, seeds=params.seeds, **procedure, **study)
    write_table(output.cohort, drawn, schema, restricted=True)


with job(snakemake.log[0]):
    schema = cohort_schema(CohortSection.of(snakemake.params.cohort).covariates, OutcomesSection.of(snakemake.params.outcomes))
    reason = contain(lambda: refit(snakemake.input, snakemake.output, snakemake.params, schema, int(snakemake.wildcards.round)))
    if reason is not None:
        write_table(snakemake.output.cohort, empty_table(schema), schema, restricted=True)
    write_table(snakemake.output.generation, generation_row(snakemake.wildcards.generator, "refit", reason), GENERATION, restricted=True)
