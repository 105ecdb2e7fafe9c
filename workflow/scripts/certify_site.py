"""Sum a site's simulated studies up: error rates of every rule, false alarms and detection of the agreement gate."""

from parallax.certification.certificate import certify, record
from parallax.job import job
from parallax.protocol.protocol import Protocol
from parallax.storage import read_frame, read_tables, write_json, write_table
from parallax.tables import CERTIFICATION, SIMULATED_STUDIES


def summarise(input, output, params):
    protocol = Protocol.of(params.protocol)
    studies = read_tables(input.studies, SIMULATED_STUDIES)
    table, needed = certify(studies, protocol, patients=len(read_frame(input.cohort)))
    write_table(output.table, table, CERTIFICATION, restricted=True)
    write_json(output.certificate, record(table, needed, protocol), restricted=True)


with job(snakemake.log[0]):
    summarise(snakemake.input, snakemake.output, snakemake.params)
