"""Combine a generator's replicates and hold their effects against the real ones."""

from parallax.analysis import analyse
from parallax.job import job
from parallax.protocol.cohort import CohortSection
from parallax.protocol.designs import DesignsSection
from parallax.protocol.outcomes import OutcomesSection
from parallax.protocol.propensity import PropensitySection
from parallax.protocol.question import PrimaryEstimate
from parallax.protocol.validation import Gates
from parallax.storage import read_table, write_table
from parallax.tables import AGREEMENT, COMBINED, ESTIMATES, GENERATION, cohort_schema, failure_reason
from parallax.validation.agreement import measure_agreement
from parallax.validation.combining import combine, leave_out, take_real


def combine_replicates(input, params, real):
    failed = failure_reason(read_table(input.generation, GENERATION))
    if failed is not None:
        return leave_out(real, failed)
    covariates, outcomes = CohortSection.of(params.cohort).covariates, OutcomesSection.of(params.outcomes)
    cohorts = [read_table(path, cohort_schema(covariates, outcomes)) for path in (input.real_cohort, input.cohort)]
    replicates = cohorts[1]["replicate"].nunique()
    stack = cohorts[1].assign(patient_id=cohorts[1]["replicate"].astype(str) + "/" + cohorts[1]["patient_id"], replicate=0)
    designs, propensity = DesignsSection.of(params.designs), PropensitySection.of(params.propensity)
    stacked = analyse(stack, covariates=covariates, designs=designs, propensity=propensity, outcomes=outcomes)
    synthetic = len(cohorts[1]) // replicates
    return combine(read_table(input.synthetic, ESTIMATES), stacked=stacked.estimates, patients=len(cohorts[0]), synthetic=synthetic)


def measure(input, output, params):
    real = take_real(read_table(input.real, ESTIMATES))
    combined = combine_replicates(input, params, real)
    agreement = measure_agreement(real, combined, primary=PrimaryEstimate.of(params.primary), gates=Gates.of(params.gates))
    write_table(output.combined, combined, COMBINED, restricted=True)
    write_table(output.agreement, agreement, AGREEMENT, restricted=True)


with job(snakemake.log[0]):
    measure(snakemake.input, snakemake.output, snakemake.params)
