"""Read one site's patients from their source."""

from pathlib import Path

from parallax.extraction.registry import read_source
from parallax.job import job
from parallax.protocol.data import DataSection
from parallax.storage import write_frame


def extract(output, params):
    source = DataSection.of({"sites": {"site": params.source}}).sites["site"]
    write_frame(output[0], read_source(source, folder=Path(params.folder)), restricted=True)


with job(snakemake.log[0]):
    extract(snakemake.output, snakemake.params)
