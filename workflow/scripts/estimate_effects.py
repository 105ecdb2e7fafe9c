"""Estimate every contrast under every design for every replicate of one dataset."""

from parallax.analysis import estimate_effects
from parallax.job import job
from parallax.protocol.cohort import CohortSection
from parallax.protocol.designs import DesignsSection
from parallax.protocol.outcomes import OutcomesSection
from parallax.protocol.propensity import PropensitySection
from parallax.storage import read_table, write_table
from parallax.tables import CURVES, ESTIMATES, OVERLAP, PROPENSITY, WEIGHTS, cohort_schema


def estimate(input, output, params):
    covariates, outcomes = CohortSection.of(params.cohort).covariates, OutcomesSection.of(params.outcomes)
    estimated = estimate_effects(
        read_table(input.cohort, cohort_schema(covariates, outcomes)),
        weights=read_table(input.weights, WEIGHTS),
        overlap=read_table(input.overlap, OVERLAP),
        scores=read_table(input.propensity, PROPENSITY),
        covariates=covariates,
        designs=DesignsSection.of(params.designs),
        propensity=PropensitySection.of(params.propensity),
        outcomes=outcomes,
        seed=params.seed,
    )
    write_table(output.estimates, estimated.estimates, ESTIMATES, restricted=True)
    write_table(output.curves, estimated.curves, CURVES, restricted=True)


with job(snakemake.log[0]):
    estimate(snakemake.input, snakemake.output, snakemake.params)
