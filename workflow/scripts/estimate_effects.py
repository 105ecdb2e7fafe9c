"""Estimate every contrast under every design for every replicate of one dataset."""

from parallax.analysis import estimate_effects
from parallax.job import job
from parallax.protocol.cohort import CohortSection
from parallax.protocol.designs import DesignsSection
from parallax.protocol.outcomes import OutcomesSection
from parallax.storage import read_table, write_table
from parallax.tables import CURVES, ESTIMATES, OVERLAP, WEIGHTS, cohort_schema


def estimate(input, output, params):
    designs, outcomes = DesignsSection.of(params.designs), OutcomesSection.of(params.outcomes)
    cohort = read_table(input.cohort, cohort_schema(CohortSection.of(params.cohort).covariates, outcomes))
    weights, overlap = read_table(input.weights, WEIGHTS), read_table(input.overlap, OVERLAP)
    estimated = estimate_effects(cohort, weights, overlap, designs=designs, outcomes=outcomes)
    write_table(output.estimates, estimated.estimates, ESTIMATES, restricted=True)
    write_table(output.curves, estimated.curves, CURVES, restricted=True)


with job(snakemake.log[0]):
    estimate(snakemake.input, snakemake.output, snakemake.params)
