"""Hold a generator's combined effects against the real ones, and their shifts against the floor's."""

from parallax.job import job
from parallax.protocol.designs import DesignsSection
from parallax.protocol.question import PrimaryEstimate
from parallax.protocol.validation import Gates
from parallax.storage import read_table, write_table
from parallax.tables import AGREEMENT, COMBINED, ESTIMATES, OVERLAP
from parallax.validation.against_floor import measure_floor_shifts, read_against_floor
from parallax.validation.agreement import measure_agreement


def measure(input, output, params):
    real, synthetic = (read_table(path, COMBINED) for path in (input.real, input.synthetic))
    asked = {"primary": PrimaryEstimate.of(params.primary), "gates": Gates.of(params.gates)}
    agreement = read_against_floor(
        measure_agreement(real, synthetic, **asked),
        measure_floor_shifts(real, read_table(input.floor, ESTIMATES)),
        real_overlap=read_table(input.real_overlap, OVERLAP),
        designs=DesignsSection.of(params.designs),
        **asked,
    )
    write_table(output[0], agreement, AGREEMENT, restricted=True)


with job(snakemake.log[0]):
    measure(snakemake.input, snakemake.output, snakemake.params)
