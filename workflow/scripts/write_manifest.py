"""Write down what went in, what came out, and what made it."""

from pathlib import Path

from parallax.job import job
from parallax.protocol.protocol import Protocol
from parallax.provenance import build_manifest
from parallax.storage import write_json


def write(input, output, params):
    protocol = Protocol.of(params.protocol)
    places = {"repository": Path(params.repository), "base": Path(params.study)}
    write_json(output[0], build_manifest(protocol, **places, inputs=input.sources, outputs=input.results, tuning=params.tuning))


with job(snakemake.log[0]):
    write(snakemake.input, snakemake.output, snakemake.params)
