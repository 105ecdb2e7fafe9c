"""Take all replicates of a release from elsewhere, and write down what a pool must know of them."""

from pathlib import Path

from parallax.job import job
from parallax.protocol.protocol import Protocol
from parallax.sites.released import read_released
from parallax.storage import write_json, write_table
from parallax.tables import cohort_schema


def take(output, params):
    protocol = Protocol.of(params.protocol)
    released = read_released(params.site, protocol, folder=Path(params.folder))
    write_table(output.cohort, released.cohort, cohort_schema(protocol.cohort.covariates, protocol.outcomes), restricted=True)
    write_json(output.record, {name: getattr(released, name) for name in ("generator", "patients", "signed")}, restricted=True)


with job(snakemake.log[0]):
    take(snakemake.output, snakemake.params)
