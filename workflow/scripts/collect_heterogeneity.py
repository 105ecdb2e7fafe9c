"""Pass the differences between sites through disclosure, and write what a reader opens of them."""

from parallax.disclosure.pooled import disclose_heterogeneity, disclose_site_overlap
from parallax.job import job
from parallax.reporting.results import collect_heterogeneity
from parallax.storage import read_table, write_csv
from parallax.tables import HETEROGENEITY, SITE_OVERLAP


def collect(input, output, params):
    exact = zip(params.datasets, input.heterogeneity, strict=True)
    tables = {dataset: disclose_heterogeneity(read_table(path, HETEROGENEITY)) for dataset, path in exact}
    write_csv(output.heterogeneity, collect_heterogeneity(tables))
    write_csv(output.overlap, disclose_site_overlap(read_table(input.overlap, SITE_OVERLAP)))


with job(snakemake.log[0]):
    collect(snakemake.input, snakemake.output, snakemake.params)
