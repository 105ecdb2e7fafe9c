"""Say which mechanism of a generator carries the shift of the primary estimate."""

from parallax.job import job
from parallax.protocol.sections import read_sections
from parallax.storage import read_table, write_table
from parallax.tables import ATTRIBUTION, ESTIMATES, cohort_schema


def attribute(input, output, params):
    from parallax.validation.attribution import attribute_shift

    study = read_sections(params.sections)
    covariates = study["cohort"].covariates
    schema = cohort_schema(covariates, study["outcomes"])
    attribution = attribute_shift(
        read_table(input.real_cohort, schema),
        read_table(input.cohort, schema),
        real_estimates=read_table(input.real, ESTIMATES),
        estimates=read_table(input.synthetic, ESTIMATES),
        primary=study["question"].primary,
        covariates=covariates,
        **{name: study[name] for name in ("designs", "propensity", "outcomes")},
        seeds=params.seeds,
    )
    write_table(output[0], attribution, ATTRIBUTION, restricted=True)


with job(snakemake.log[0]):
    attribute(snakemake.input, snakemake.output, snakemake.params)
