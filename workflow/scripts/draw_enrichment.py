"""Draw cohorts of rare subgroups from one fitted generator; what cannot be drawn is a row with the reason."""

import pandas as pd

from parallax.job import contain, job
from parallax.protocol.cohort import CohortSection
from parallax.protocol.enrichment import parse_enrichment
from parallax.protocol.outcomes import OutcomesSection
from parallax.storage import read_json, read_model, read_table, read_tables, write_table
from parallax.tables import ENRICHMENT_DRAWS, GENERATION, cohort_schema, empty_table, enriched_schema, failure_reason


def draw(input, output, params, covariates, outcomes):
    from parallax.synthesis.enrichment import draw_subgroups
    from parallax.synthesis.registry import Refitted

    fits = [read_model(path, sha256=read_json(record)["sha256"]) for path, record in zip(input.models, input.records, strict=True)]
    fitted = Refitted.join(fits) if params.fit == "bootstrap" else fits[0]
    real = read_table(input.cohort, cohort_schema(covariates, outcomes))
    drawn, draws = draw_subgroups(fitted, real, parse_enrichment(params.enrichment), seeds=params.seeds)
    write_table(output.cohort, drawn, enriched_schema(covariates, outcomes), restricted=True)
    write_table(output.draws, draws, ENRICHMENT_DRAWS, restricted=True)


with job(snakemake.log[0]):
    output, params = snakemake.output, snakemake.params
    study = CohortSection.of(params.cohort).covariates, OutcomesSection.of(params.outcomes)
    unfitted = failure_reason(read_tables(snakemake.input.fits, GENERATION))
    reason = unfitted or contain(lambda: draw(snakemake.input, output, params, *study))
    if reason is not None:
        names = [entry.name for entry in parse_enrichment(params.enrichment)]
        write_table(output.cohort, empty_table(enriched_schema(*study)), enriched_schema(*study), restricted=True)
        write_table(output.draws, pd.DataFrame({"enrichment": names, "status": "failed", "reason": reason}), ENRICHMENT_DRAWS, restricted=True)
