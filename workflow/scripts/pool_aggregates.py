"""Pool what the sites of this study and those elsewhere say of one dataset, from their estimates alone."""

from pathlib import Path

from parallax.disclosure.combined import disclose_combined
from parallax.errors import ProtocolError
from parallax.job import job
from parallax.protocol.protocol import Protocol
from parallax.sites.aggregates import pool_aggregates
from parallax.sites.heterogeneity import measure_heterogeneity
from parallax.sites.reading import find_copies, read_site_results
from parallax.storage import read_json, read_table, write_table
from parallax.tables import COMBINED, HETEROGENEITY, POOLED
from parallax.validation.combining import select_answers
from parallax.vocabulary import REAL


def pool(input, output, params):
    protocol, dataset = Protocol.of(params.protocol), params.dataset
    elsewhere = read_site_results(protocol, folder=Path(params.folder))
    tables = {site: select_answers(read_table(path, COMBINED)) for site, path in zip(protocol.pooled_sites, input.combined, strict=True)}
    answers = {site: disclose_combined(table, protocol.disclosure) for site, table in tables.items()}
    answers |= {site: results.combined(dataset) for site, results in elsewhere.items()}
    excluded = {}
    if dataset == REAL and (copies := find_copies(answers)):
        raise ProtocolError(copies, source="the sites' answers")
    if dataset != REAL:
        judged = read_json(input.verdict)["sites"]
        verdicts = {site: judged[site][dataset]["verdict"] for site in tables}
        verdicts |= {site: results.verdicts.get(dataset, "not known") for site, results in elsewhere.items()}
        excluded = {site: f"verdict {found.replace('_', ' ')}" for site, found in verdicts.items() if found != "release"}
    unsigned = tuple(site for site in elsewhere if protocol.pooling.site_results[site].public_key is None)
    way = "aggregates" if dataset == REAL else "aggregates_synthetic"
    write_table(output.aggregates, pool_aggregates(answers, way=way, excluded=excluded, unverified=unsigned), POOLED, restricted=True)
    write_table(output.heterogeneity, measure_heterogeneity(answers, excluded=excluded), HETEROGENEITY, restricted=True)


with job(snakemake.log[0]):
    pool(snakemake.input, snakemake.output, snakemake.params)
