"""Apply every design to every replicate of one dataset."""

from parallax import tables
from parallax.analysis.designs import apply_designs
from parallax.job import job
from parallax.protocol.cohort import CohortSection
from parallax.protocol.designs import DesignsSection
from parallax.protocol.outcomes import OutcomesSection
from parallax.protocol.propensity import PropensitySection
from parallax.storage import read_table, write_table


def apply(input, output, params):
    covariates = CohortSection.of(params.cohort).covariates
    designed = apply_designs(
        read_table(input.cohort, tables.cohort_schema(covariates, OutcomesSection.of(params.outcomes))),
        covariates=covariates,
        designs=DesignsSection.of(params.designs),
        propensity=PropensitySection.of(params.propensity),
        imbalance=params.imbalance,
        effective_patients=params.effective_patients,
        seed=params.seed,
    )
    for name in ("propensity", "weights", "balance", "overlap", "score_histogram", "calibration", "positivity"):
        write_table(output[name], getattr(designed, name), getattr(tables, name.upper()), restricted=True)


with job(snakemake.log[0]):
    apply(snakemake.input, snakemake.output, snakemake.params)
