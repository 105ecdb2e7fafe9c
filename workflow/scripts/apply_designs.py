"""Apply every design to every replicate of one dataset."""

from parallax.analysis import apply_designs
from parallax.job import job
from parallax.protocol.cohort import CohortSection
from parallax.protocol.designs import DesignsSection
from parallax.protocol.outcomes import OutcomesSection
from parallax.storage import read_table, write_table
from parallax.tables import BALANCE, OVERLAP, PROPENSITY, SCORE_HISTOGRAM, WEIGHTS, cohort_schema


def apply(input, output, params):
    covariates = CohortSection.of(params.cohort).covariates
    cohort = read_table(input.cohort, cohort_schema(covariates, OutcomesSection.of(params.outcomes)))
    designed = apply_designs(cohort, covariates=covariates, designs=DesignsSection.of(params.designs), imbalance=params.imbalance)
    write_table(output.propensity, designed.propensity, PROPENSITY, restricted=True)
    write_table(output.weights, designed.weights, WEIGHTS, restricted=True)
    write_table(output.balance, designed.balance, BALANCE, restricted=True)
    write_table(output.overlap, designed.overlap, OVERLAP, restricted=True)
    write_table(output.score_histogram, designed.score_histogram, SCORE_HISTOGRAM, restricted=True)


with job(snakemake.log[0]):
    apply(snakemake.input, snakemake.output, snakemake.params)
