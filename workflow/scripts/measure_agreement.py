"""Hold a generator's combined effects against the real ones, and their shifts against the floor."""

from parallax.job import job
from parallax.protocol.designs import DesignsSection
from parallax.protocol.question import PrimaryEstimate
from parallax.protocol.validation import Gates
from parallax.storage import read_table, write_table
from parallax.tables import AGREEMENT, COMBINED, COVARIANCE, FLOOR, OVERLAP
from parallax.validation.against_floor import read_against_floor
from parallax.validation.agreement import measure_agreement


def measure(input, output, params):
    real, synthetic = (read_table(path, COMBINED) for path in (input.real, input.synthetic))
    floor, primary = read_table(input.floor, FLOOR), PrimaryEstimate.of(params.primary)
    joint = {"size": params.size, "covariance": read_table(input.covariance, COVARIANCE)}
    agreement = measure_agreement(real, synthetic, floor=floor, primary=primary, gates=Gates.of(params.gates), **joint)
    read = read_against_floor(agreement, real_overlap=read_table(input.real_overlap, OVERLAP), designs=DesignsSection.of(params.designs))
    write_table(output[0], read, AGREEMENT, restricted=True)


with job(snakemake.log[0]):
    measure(snakemake.input, snakemake.output, snakemake.params)
