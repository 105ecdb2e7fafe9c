"""Let the effects of a site be computed, once its primary design has passed."""

from parallax.job import job
from parallax.storage import read_table, write_json
from parallax.tables import OVERLAP
from parallax.validation.blinding import check_seal


def unseal(input, output, params):
    check_seal(read_table(input.overlap, OVERLAP), design=params.design)
    write_json(output[0], {"design": params.design}, restricted=True)


with job(snakemake.log[0]):
    unseal(snakemake.input, snakemake.output, snakemake.params)
