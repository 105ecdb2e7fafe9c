"""Pool what the sites of this study and those elsewhere say of one dataset, from their estimates alone."""

from pathlib import Path

from parallax import tables
from parallax.disclosure.site import TELLING, disclose_site
from parallax.errors import ProtocolError
from parallax.job import job
from parallax.protocol.protocol import Protocol
from parallax.sites.aggregates import list_excluded, pool_aggregates, withhold
from parallax.sites.heterogeneity import measure_heterogeneity
from parallax.sites.reading import find_copies, read_site_results
from parallax.storage import read_exact, read_json, write_table
from parallax.validation.combining import select_answers
from parallax.vocabulary import REAL


def read_site(folder, key, protocol):
    exact = read_exact(folder, (*TELLING, key))
    return exact[key], disclose_site(exact, protocol)[key]


def pool(input, output, params):
    protocol, dataset = Protocol.of(params.protocol), params.dataset
    elsewhere = read_site_results(protocol, folder=Path(params.folder))
    folders = zip(protocol.pooled_sites, (Path(path).parents[1] for path in input.combined), strict=True)
    found = {site: read_site(folder, (dataset, "combined"), protocol) for site, folder in folders}
    told = {site: results.combined(dataset) for site, results in elsewhere.items()}
    if dataset == REAL and (copies := find_copies({site: shown for site, (_, shown) in found.items()} | told)):
        raise ProtocolError(copies, source="the sites' answers")
    answers = {site: select_answers(withhold(*tables_of)) for site, tables_of in found.items()} | told
    judged = {site: entries for site, entries in read_json(input.verdict)["sites"].items() if site in found}
    asked = {"excluded": list_excluded(dataset, judged, {site: each.verdicts for site, each in elsewhere.items()}, released=protocol.joining_sites)}
    named = {"way": "aggregates" if dataset == REAL else "aggregates_synthetic", "unverified": protocol.pooling.unverified}
    write_table(output.aggregates, pool_aggregates(answers, **named, **asked), tables.POOLED, restricted=True)
    write_table(output.heterogeneity, measure_heterogeneity(answers, **asked), tables.HETEROGENEITY, restricted=True)


with job(snakemake.log[0]):
    pool(snakemake.input, snakemake.output, snakemake.params)
