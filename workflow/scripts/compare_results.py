"""Set the study's answers beside those of the same study run elsewhere."""

from parallax.job import job
from parallax.protocol.question import PrimaryEstimate
from parallax.release.comparison import Results, compare_results, summarise_comparison
from parallax.storage import read_csv, read_json, read_text, write_csv
from parallax.validation.registration import find_protocol


def read_results(estimates, verdict, register):
    protocol = find_protocol(read_text(register), read_json(verdict)["protocol_digest"])
    return Results(protocol, read_csv(estimates))


def compare(input, output, params):
    this, other = read_results(*input.this, params.register), read_results(*input.other)
    comparison = compare_results(this, other)
    write_csv(output[0], comparison)
    print(summarise_comparison(comparison, PrimaryEstimate.of(params.primary), output[0]))


with job(snakemake.log[0]):
    compare(snakemake.input, snakemake.output, snakemake.params)
