"""Combine the replicates of one dataset: effects, subgroups, robustness."""

from parallax import tables
from parallax.analysis.designs import balancing
from parallax.analysis.effects import analyse
from parallax.job import job
from parallax.protocol.sections import read_sections
from parallax.storage import read_json, read_table, write_table
from parallax.validation.combining import take_real
from parallax.validation.rules import made_by
from parallax.validation.summary import Answers, summarise_failure, summarise_generator, summarise_real


def summarise(input, params):
    study = read_sections(params.sections)
    asked = {name: study[name] for name in ("question", "outcomes")}
    answers = Answers(*(read_table(input[name], getattr(tables, name.upper())) for name in ("estimates", "subgroup_estimates", "permutations")))
    if "generation" not in input.keys():  # noqa: SIM118 -- Snakemake's lists of files have names, but no test of membership
        return summarise_real(answers, **asked)
    real_answers = take_real(read_table(input.real, tables.ESTIMATES))
    failed = tables.failure_reason(read_table(input.generation, tables.GENERATION))
    if failed is not None:
        return summarise_failure(real_answers, failed)
    schema = tables.cohort_schema(study["cohort"].covariates, study["outcomes"])
    real, synthetic = (read_table(path, schema) for path in (input.real_cohort, input.cohort))
    stack = synthetic.assign(patient_id=synthetic["replicate"].astype(str) + "/" + synthetic["patient_id"], replicate=0)
    settings = {"covariates": study["cohort"].covariates, "propensity": study["propensity"], "outcomes": study["outcomes"]}
    stacked = analyse(stack, designs=balancing(study["designs"]), **settings).estimates
    made = {"fit": made_by(read_json(input.model)), "not_estimable": params.not_estimable, "subgroups": study["subgroups"]}
    return summarise_generator(answers, stacked=stacked, real_answers=real_answers, real=real, synthetic=synthetic, **made, **asked)


with job(snakemake.log[0]):
    summary = summarise(snakemake.input, snakemake.params)
    for name in ("combined", "subgroups", "interactions", "robustness"):
        write_table(snakemake.output[name], getattr(summary, name), getattr(tables, name.upper()), restricted=True)
