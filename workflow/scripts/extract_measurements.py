"""Read one site's repeated measurements from the file beside its patients."""

from pathlib import Path

from parallax.extraction.measurements import read_measurements
from parallax.job import job
from parallax.protocol.cohort import CohortSection
from parallax.protocol.data import DataSection
from parallax.protocol.disclosure import DisclosureSection
from parallax.storage import write_table
from parallax.tables import SOURCE_MEASUREMENTS


def extract(output, params):
    source = DataSection.of({"sites": {"site": params.source}}).sites["site"]
    asked, minimum = CohortSection.of(params.cohort).measurements, DisclosureSection.of(params.disclosure).minimum_count
    rows = read_measurements(source, asked, folder=Path(params.folder), minimum_count=minimum)
    write_table(output[0], rows, SOURCE_MEASUREMENTS, restricted=True)


with job(snakemake.log[0]):
    extract(snakemake.output, snakemake.params)
