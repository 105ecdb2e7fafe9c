"""Write the released folder of a generator that passed at every site, signed where there is a key."""

from pathlib import Path

from parallax import __version__
from parallax.checksums import SUMS
from parallax.job import job
from parallax.protocol.protocol import Protocol
from parallax.release.contents import AGGREGATES, SiteRelease, build_release
from parallax.signing import SUFFIX, sign
from parallax.storage import read_frame, read_json, read_table_and_digest, remove_folder, write_folder
from parallax.tables import cohort_schema
from parallax.vocabulary import REAL


def read_site(cohort, aggregates, generator, schema):
    shown = {name: aggregates / generator / f"{name}.parquet" for name in AGGREGATES}
    patients, sha256 = read_table_and_digest(cohort, schema)
    return SiteRelease(
        cohort=patients,
        sha256=sha256,
        attrition=read_frame(aggregates / REAL / "attrition.parquet"),
        characteristics=read_frame(aggregates / REAL / "characteristics.parquet"),
        aggregates={name: read_frame(path) for name, path in shown.items() if path.exists()},
    )


def release(input, output, params, generator):
    folder = Path(output[0]).parent
    remove_folder(folder)  # a release that no longer holds, and what Snakemake made for this one
    protocol, aggregates = Protocol.of(params.protocol), Path(input.aggregates)
    schema = cohort_schema(protocol.cohort.covariates, protocol.outcomes)
    sites = {site: read_site(path, aggregates / site, generator, schema) for site, path in zip(protocol.sites, input.cohorts, strict=True)}
    files = build_release(protocol, generator, verdict=read_json(input.verdict), sites=sites, signed=params.key is not None, parallax=__version__)
    signature = {} if params.key is None else {SUMS + SUFFIX: sign(files[SUMS], key=params.key)}
    write_folder(folder, files | signature)


with job(snakemake.log[0]):
    release(snakemake.input, snakemake.output, snakemake.params, snakemake.wildcards.generator)
