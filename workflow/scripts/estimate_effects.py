"""Estimate every contrast under every design, in subgroups and under permuted treatment, for every replicate of one dataset."""

from parallax import tables
from parallax.analysis.asked import estimate_subgroups, permute_treatment
from parallax.analysis.effects import estimate_effects
from parallax.job import job
from parallax.protocol.sections import read_sections
from parallax.storage import read_table, write_table


def estimate(input, output, params):
    study = read_sections(params.sections)
    outcomes, covariates = study["outcomes"], study["cohort"].covariates
    cohort = read_table(input.cohort, tables.cohort_schema(covariates, outcomes))
    settings = {name: study[name] for name in ("designs", "propensity", "outcomes")} | {"covariates": covariates, "seed": params.seed}
    made = {
        "weights": read_table(input.weights, tables.WEIGHTS),
        "overlap": read_table(input.overlap, tables.OVERLAP),
        "scores": read_table(input.propensity, tables.PROPENSITY),
    }
    primary, permutations = study["question"].primary, study["robustness"].permutations
    estimated = estimate_effects(cohort, **made, **settings)
    found = {
        "estimates": estimated.estimates,
        "curves": estimated.curves,
        "hazard_course": estimated.hazard_course,
        "subgroup_estimates": estimate_subgroups(cohort, subgroups=study["subgroups"], primary=primary, **settings),
        "permutations": permute_treatment(cohort, permutations=permutations, primary=primary, **settings),
    }
    for name, table in found.items():
        write_table(getattr(output, name), table, getattr(tables, name.upper()), restricted=True)


with job(snakemake.log[0]):
    estimate(snakemake.input, snakemake.output, snakemake.params)
