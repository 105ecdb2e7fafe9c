"""Pass every table through disclosure and write what a reader opens."""

from pathlib import Path

from parallax import tables
from parallax.disclosure.site import OF_ALL, OF_GENERATOR, disclose_site, exact_tables
from parallax.job import job
from parallax.protocol.protocol import Protocol
from parallax.reporting import results
from parallax.storage import read_exact, read_frame, read_tables, write_csv, write_frame
from parallax.vocabulary import POOLED, REAL


def collect(input, output, params):
    protocol, shown = Protocol.of(params.protocol), {}
    pools = [Path(input.pooled) / f"{name}.parquet" for name in (REAL, *protocol.generators)] if protocol.pools else []
    pooled = {(POOLED, path.stem): read_frame(path) for path in pools if path.exists()}
    for site, folder in ((site, Path(params.exact) / site) for site in protocol.sites):
        shown |= {(site, *key): table for key, table in disclose_site(read_exact(folder, exact_tables(protocol)), protocol).items()}
        stages = [folder / name / f"{stage}.parquet" for name in protocol.generators for stage in ("fit", "draw", "refit")]
        shown[site, REAL, "generation"] = read_tables(stages, tables.GENERATION)
    for (site, dataset, name), table in shown.items():
        write_frame(Path(output.aggregates) / site / dataset / f"{name}.parquet", table)
    parts = {name: {key[:2]: table for key, table in shown.items() if key[2] == name} for name in OF_ALL + OF_GENERATOR}
    write_csv(output.estimates, results.collect_estimates(parts["combined"], parts["overlap"], pooled))
    write_csv(output.subgroups, results.collect_subgroups(parts["subgroups"], parts["interactions"]))
    write_csv(output.robustness, results.collect_robustness(parts["robustness"]))
    write_csv(output.enrichment, results.collect_enrichment(parts["enrichment"]))
    write_csv(output.agreement, results.collect_agreement(parts["agreement"]))
    write_csv(output.privacy, results.collect_privacy(parts["privacy"]))


with job(snakemake.log[0]):
    collect(snakemake.input, snakemake.output, snakemake.params)
