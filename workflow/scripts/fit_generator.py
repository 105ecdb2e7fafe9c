"""Fit one generator to the real cohort; its crash is a row, not the end of the study."""

from parallax.job import contain, job
from parallax.protocol.cohort import CohortSection
from parallax.protocol.constraints import parse_constraints
from parallax.protocol.generators import parse_generator
from parallax.protocol.outcomes import OutcomesSection
from parallax.provenance import describe_model
from parallax.storage import read_table, write_json, write_model, write_table
from parallax.tables import GENERATION, cohort_schema, generation_row


def fit(input, output, params):
    from parallax.synthesis.registry import describe_privacy, fit_procedure

    covariates, outcomes = CohortSection.of(params.cohort).covariates, OutcomesSection.of(params.outcomes)
    cohort = read_table(input.cohort, cohort_schema(covariates, outcomes))
    study = {"covariates": covariates, "outcomes": outcomes, "constraints": parse_constraints(params.constraints)}
    settings = parse_generator(params.generator)
    model = fit_procedure(settings, cohort, fit=params.fit, seed=params.seed, refits=params.refits, **study)
    found = {"privacy": describe_privacy(settings, model), "redrawn": model.redrawn if params.fit == "bootstrap" else None}
    record(output, params, write_model(output.model, model), cohort, **found)


def record(output, params, sha256, cohort=(), **found):
    seeds = params.refits if params.fit == "bootstrap" else params.seed
    made = {"fit": params.fit, "seeds": seeds, "patients": len(cohort), "columns": list(cohort)}
    write_json(output.record, describe_model(params.generator, **made, **found, sha256=sha256), restricted=True)


with job(snakemake.log[0]):
    reason = contain(lambda: fit(snakemake.input, snakemake.output, snakemake.params))
    if reason is not None:
        record(snakemake.output, snakemake.params, write_model(snakemake.output.model, None))
    write_table(snakemake.output.generation, generation_row(snakemake.wildcards.generator, "fit", reason), GENERATION, restricted=True)
