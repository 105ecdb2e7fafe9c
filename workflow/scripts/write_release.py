"""Write the released folder of a generator that passed at every site, signed where there is a key."""

from pathlib import Path

from parallax import __version__
from parallax.checksums import SUMS
from parallax.errors import ReleaseError
from parallax.job import job
from parallax.protocol.protocol import Protocol
from parallax.release.contents import AGGREGATES, SiteRelease, build_release
from parallax.signing import SUFFIX, sign
from parallax.storage import read_frame, read_json, read_table_and_digest, remove_folder, write_folder
from parallax.tables import cohort_schema
from parallax.vocabulary import REAL


def read_site(cohort, aggregates, generator, protocol):
    shown = {name: aggregates / generator / f"{name}.parquet" for name in AGGREGATES}
    of_generator = {name: read_frame(path) for name, path in shown.items() if path.exists()}
    of_real = {name: read_frame(aggregates / REAL / f"{name}.parquet") for name in ("attrition", "characteristics")}
    patients, sha256 = read_table_and_digest(cohort, cohort_schema(protocol.cohort.covariates, protocol.outcomes))
    return SiteRelease(cohort=patients, sha256=sha256, aggregates=of_generator, **of_real)


def release(input, output, params, generator):
    folder = Path(output[0]).parent
    protocol, aggregates = Protocol.of(params.protocol), Path(input.aggregates)
    sites = {site: read_site(path, aggregates / site, generator, protocol) for site, path in zip(protocol.sites, input.cohorts, strict=True)}
    asked = {"verdict": read_json(input.verdict), "sites": sites, "signed": params.key is not None, "parallax": __version__}
    try:
        files = build_release(protocol, generator, **asked)
    except ReleaseError:
        remove_folder(folder)  # a release that no longer holds, and what Snakemake made for this one
        raise
    signature = {} if params.key is None else {SUMS + SUFFIX: sign(files[SUMS], key=params.key)}
    write_folder(folder, files | signature)


with job(snakemake.log[0]):
    release(snakemake.input, snakemake.output, snakemake.params, snakemake.wildcards.generator)
