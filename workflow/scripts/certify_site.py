"""Sum a site's simulated studies up: error rates of every rule, false alarms and detection of the agreement gate."""

import pandas as pd

from parallax.certification.certificate import certify, record
from parallax.job import job
from parallax.protocol.protocol import Protocol
from parallax.storage import read_frame, read_table, write_json, write_table
from parallax.tables import CERTIFICATION, SIMULATED_STUDIES


def summarise(input, output, params):
    protocol = Protocol.of(params.protocol)
    studies = pd.concat([read_table(path, SIMULATED_STUDIES) for path in input.studies], ignore_index=True)
    table, needed = certify(studies, protocol, patients=len(read_frame(input.cohort)))
    write_table(output.table, table, CERTIFICATION, restricted=True)
    write_json(output.certificate, record(table, needed, protocol), restricted=True)


with job(snakemake.log[0]):
    summarise(snakemake.input, snakemake.output, snakemake.params)
