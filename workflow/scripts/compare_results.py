"""Set the study's answers beside those of the same study run elsewhere."""

from pathlib import Path

from parallax.errors import ReleaseError
from parallax.job import job
from parallax.protocol.question import PrimaryEstimate
from parallax.release.comparison import Results, compare_results, summarise_comparison
from parallax.storage import read_csv, read_json, read_text, write_csv


def read_results(estimates, verdict, register):
    try:
        return Results.of(read_text(register), read_json(verdict), read_csv(estimates))
    except (OSError, ValueError, TypeError, KeyError):
        names = ", ".join(Path(path).name for path in (estimates, verdict, register))
        raise ReleaseError(
            f"{Path(estimates).parent}\n    found    results that cannot be read\n    allowed  {names} as this version of Parallax writes them\n"
            "    to do    have the folder sent again, or run that study again"
        ) from None


def compare(input, output, params):
    this, other = read_results(*input.this, params.register), read_results(*input.other)
    comparison = compare_results(this, other)
    write_csv(output[0], comparison)
    print(summarise_comparison(comparison, PrimaryEstimate.of(params.primary), output[0]))


with job(snakemake.log[0]):
    compare(snakemake.input, snakemake.output, snakemake.params)
