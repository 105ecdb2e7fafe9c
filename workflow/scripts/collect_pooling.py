"""Pass the pooled answers and their verdicts through disclosure, and write how the ways of pooling compare."""

from pathlib import Path

from parallax import tables
from parallax.disclosure.combined import suppressed_targets
from parallax.disclosure.pooled import SiteAnswers, disclose_comparison, disclose_pooled, disclose_ways
from parallax.disclosure.site import TELLING
from parallax.job import job
from parallax.protocol.protocol import Protocol
from parallax.reporting.results import collect_pooling
from parallax.storage import read_exact, read_json, read_table, read_tables, write_csv, write_frame, write_json
from parallax.vocabulary import REAL


def read_answers(folder, dataset, protocol):
    exact = {site: read_exact(Path(folder) / site, (*TELLING, (dataset, "combined"))) for site in protocol.pooled_sites}
    return {site: SiteAnswers.of(exact[site], dataset, protocol) for site in exact}


def collect(input, output, params):
    protocol, suppressed = Protocol.of(params.protocol), {}
    disclosure, primary = protocol.disclosure, protocol.question.primary
    real = read_answers(params.exact, REAL, protocol)
    overlaps = {Path(path).parent.name: read_table(path, tables.POOLED_OVERLAP) for path in input.overlaps}
    for dataset in dict.fromkeys(Path(path).parent.name for path in input.pooled):
        pooled = read_tables([path for path in input.pooled if Path(path).parent.name == dataset], tables.POOLED)
        answers = {"real": real, "synthetic": real if dataset == REAL else read_answers(params.exact, dataset, protocol)}
        shown = disclose_pooled(pooled, disclosure, **answers, here=protocol.pooling.here, overlap=overlaps.get(dataset), primary=primary)
        suppressed[dataset] = suppressed_targets(shown)
        write_frame(Path(output.pooled) / f"{dataset}.parquet", shown)
    comparison = read_table(input.comparison, tables.POOLED_COMPARISON)
    write_csv(output.pooling, collect_pooling(disclose_comparison(comparison, disclosure, suppressed=suppressed)))
    judged = read_json(input.verdicts)
    write_json(output.verdict, judged | {"pooled": disclose_ways(judged["pooled"], disclosure, primary=primary, suppressed=suppressed)})


with job(snakemake.log[0]):
    collect(snakemake.input, snakemake.output, snakemake.params)
