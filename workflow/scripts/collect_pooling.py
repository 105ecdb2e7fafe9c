"""Pass the pooled answers and their verdicts through disclosure, and write how the ways of pooling compare."""

from pathlib import Path

import pandas as pd

from parallax import tables
from parallax.disclosure.combined import suppressed_targets
from parallax.disclosure.pooled import SiteAnswers, disclose_comparison, disclose_pooled, disclose_ways
from parallax.disclosure.site import TELLING, disclose_site
from parallax.job import job
from parallax.protocol.protocol import Protocol
from parallax.reporting.results import collect_pooling
from parallax.storage import read_exact, read_json, read_table, write_csv, write_frame, write_json
from parallax.vocabulary import REAL


def read_answers(folder, dataset, protocol):
    key = (dataset, "combined")
    found = {}
    for site in protocol.pooled_sites:
        exact = read_exact(Path(folder) / site, (*TELLING, key))
        found[site] = SiteAnswers(exact[key], disclose_site(exact, protocol)[key])
    return found


def collect(input, output, params):
    protocol, suppressed = Protocol.of(params.protocol), {}
    disclosure, primary, here = protocol.disclosure, protocol.question.primary, protocol.pooling.here
    real = read_answers(params.exact, REAL, protocol)
    overlaps = {Path(path).parent.name: read_table(path, tables.POOLED_OVERLAP) for path in input.overlaps}
    for dataset in dict.fromkeys(Path(path).parent.name for path in input.pooled):
        pooled = pd.concat([read_table(path, tables.POOLED) for path in map(Path, input.pooled) if path.parent.name == dataset])
        drawn = {} if dataset == REAL else read_answers(params.exact, dataset, protocol)
        shown = disclose_pooled(pooled, disclosure, real=real, synthetic=drawn, here=here, overlap=overlaps.get(dataset), primary=primary)
        suppressed[dataset] = suppressed_targets(shown)
        write_frame(Path(output.pooled) / f"{dataset}.parquet", shown)
    comparison = disclose_comparison(read_table(input.comparison, tables.POOLED_COMPARISON), disclosure, suppressed=suppressed)
    write_csv(output.pooling, collect_pooling(comparison))
    judged = read_json(input.verdicts)
    write_json(output.verdict, judged | {"pooled": disclose_ways(judged["pooled"], disclosure, primary=primary, suppressed=suppressed)})


with job(snakemake.log[0]):
    collect(snakemake.input, snakemake.output, snakemake.params)
