"""Draw all replicates of one generator, each as large as the protocol asks for, from its fit or from the fits of all batches."""

from parallax.checksums import digest_file
from parallax.job import contain, job
from parallax.protocol.cohort import CohortSection
from parallax.protocol.outcomes import OutcomesSection
from parallax.storage import read_json, read_model, read_table, read_tables, write_json, write_table
from parallax.tables import GENERATION, cohort_schema, empty_table, failure_reason, generation_row


def draw(input, output, params, schema, records):
    from parallax.synthesis.registry import Refitted, draw_replicates

    fits = [read_model(path, sha256=record["sha256"]) for path, record in zip(input.models, records, strict=True)]
    fitted = Refitted.join(fits) if params.fit == "bootstrap" else fits[0]
    patients = max(round(params.patients * len(read_table(input.cohort, schema))), 1)
    cohort = draw_replicates(fitted, replicates=len(params.seeds), patients=patients, seeds=params.seeds)
    write_table(output.cohort, cohort, schema, restricted=True)


def gather(input, output, generator):
    records = [read_json(path) for path in input.records]
    reason = failure_reason(read_tables(input.fits, GENERATION))
    write_table(output.fit, generation_row(generator, "fit", reason), GENERATION, restricted=True)
    return records, reason


with job(snakemake.log[0]):
    params, generator = snakemake.params, snakemake.wildcards.generator
    schema = cohort_schema(CohortSection.of(params.cohort).covariates, OutcomesSection.of(params.outcomes))
    records, unfitted = gather(snakemake.input, snakemake.output, generator)
    reason = unfitted or contain(lambda: draw(snakemake.input, snakemake.output, params, schema, records))
    if reason is not None:
        write_table(snakemake.output.cohort, empty_table(schema), schema, restricted=True)
    write_json(snakemake.output.model, {"fits": records, "patients_sha256": digest_file(snakemake.output.cohort)}, restricted=True)
    write_table(snakemake.output.generation, generation_row(generator, "draw", reason), GENERATION, restricted=True)
