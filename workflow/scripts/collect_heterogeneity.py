"""Write what a reader opens of the differences between sites; there is no count in it."""

from parallax.job import job
from parallax.reporting.results import collect_heterogeneity
from parallax.storage import read_table, write_csv
from parallax.tables import HETEROGENEITY, SITE_OVERLAP


def collect(input, output, params):
    tables = {dataset: read_table(path, HETEROGENEITY) for dataset, path in zip(params.datasets, input.heterogeneity, strict=True)}
    write_csv(output.heterogeneity, collect_heterogeneity(tables))
    write_csv(output.overlap, read_table(input.overlap, SITE_OVERLAP))


with job(snakemake.log[0]):
    collect(snakemake.input, snakemake.output, snakemake.params)
