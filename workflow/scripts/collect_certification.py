"""Write what simulated studies say of every site into one table for a reader."""

from parallax.job import job
from parallax.reporting.results import collect_certification
from parallax.storage import read_table, write_csv
from parallax.tables import CERTIFICATION


def collect(input, output, params):
    write_csv(output[0], collect_certification({site: read_table(path, CERTIFICATION) for site, path in zip(params.sites, input, strict=True)}))


with job(snakemake.log[0]):
    collect(snakemake.input, snakemake.output, snakemake.params)
