"""Draw all replicates of one fitted generator, each as large as the protocol asks for."""

from parallax.job import contain, job
from parallax.protocol.cohort import CohortSection
from parallax.protocol.outcomes import OutcomesSection
from parallax.storage import read_json, read_model, read_table, write_table
from parallax.tables import GENERATION, cohort_schema, empty_table, failure_reason, generation_row


def draw(input, output, params):
    from parallax.synthesis.registry import draw_replicates

    schema = cohort_schema(CohortSection.of(params.cohort).covariates, OutcomesSection.of(params.outcomes))
    patients = max(round(params.patients * len(read_table(input.cohort, schema))), 1)
    cohort = draw_replicates(
        read_model(input.model, sha256=read_json(input.record)["sha256"]), replicates=len(params.seeds), patients=patients, seeds=params.seeds
    )
    write_table(output.cohort, cohort, schema, restricted=True)


def write_none(output, params):
    schema = cohort_schema(CohortSection.of(params.cohort).covariates, OutcomesSection.of(params.outcomes))
    write_table(output.cohort, empty_table(schema), schema, restricted=True)


with job(snakemake.log[0]):
    reason = contain(lambda: draw(snakemake.input, snakemake.output, snakemake.params))
    if reason is not None:
        reason = failure_reason(read_table(snakemake.input.generation, GENERATION)) or reason
        write_none(snakemake.output, snakemake.params)
    write_table(snakemake.output.generation, generation_row(snakemake.wildcards.generator, "draw", reason), GENERATION, restricted=True)
