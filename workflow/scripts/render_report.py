"""Render the study's report from its disclosed tables and its verdict."""

from pathlib import Path

from parallax.disclosure.site import OF_ALL, OF_GENERATOR, OF_MEASUREMENTS
from parallax.job import job
from parallax.protocol.protocol import Protocol
from parallax.provenance import describe_run
from parallax.reporting.inputs import ReportInputs, SiteTables
from parallax.reporting.report import render_report
from parallax.storage import read_csv, read_frame, read_json, write_text
from parallax.vocabulary import REAL

BY_DATASET = {"score_histograms": "score_histogram"} | {name: name for name in OF_ALL + OF_GENERATOR + OF_MEASUREMENTS if name != "score_histogram"}
BESIDE = ("certification", "pooling", "pooling_costs", "heterogeneity", "site_overlap", "external_control")


def read_site(folder, generators):
    def read_all(table):
        return {name: read_frame(folder / name / f"{table}.parquet") for name in (REAL, *generators) if (folder / name / f"{table}.parquet").exists()}

    single = {name: read_frame(folder / REAL / f"{name}.parquet") for name in ("attrition", "characteristics", "generation")}
    return SiteTables(**single, **{field: read_all(table) for field, table in BY_DATASET.items()})


def render(input, output, params):
    protocol = Protocol.of(params.protocol)
    sites = {site: read_site(Path(input.aggregates) / site, protocol.generators) for site in protocol.sites}
    run = describe_run(protocol, repository=Path(params.repository))
    pools = [Path(input.pooled) / f"{name}.parquet" for name in (REAL, *protocol.generators)] if protocol.pools else []
    pooled = {path.stem: read_frame(path) for path in pools if path.exists()}
    beside = {name: read_csv(path) for name in BESIDE if (path := input.get(name))}
    inputs = ReportInputs(protocol, sites, read_json(input.verdict), run, pooled=pooled, **beside)
    write_text(output[0], render_report(inputs))


with job(snakemake.log[0]):
    render(snakemake.input, snakemake.output, snakemake.params)
