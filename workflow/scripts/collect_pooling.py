"""Pass the pooled answers and their verdicts through disclosure, and write how the ways of pooling compare."""

from pathlib import Path

import pandas as pd

from parallax import tables
from parallax.disclosure.combined import suppressed_targets
from parallax.disclosure.pooled import disclose_comparison, disclose_pooled, disclose_ways
from parallax.job import job
from parallax.protocol.disclosure import DisclosureSection
from parallax.protocol.question import PrimaryEstimate
from parallax.reporting.results import collect_pooling
from parallax.storage import read_json, read_table, write_csv, write_frame, write_json
from parallax.vocabulary import REAL


def collect(input, output, params):
    disclosure, primary, suppressed = DisclosureSection.of(params.disclosure), PrimaryEstimate.of(params.primary), {}
    overlaps = {Path(path).parent.name: read_table(path, tables.POOLED_OVERLAP) for path in input.overlaps}
    for dataset in dict.fromkeys(Path(path).parent.name for path in input.pooled):
        pooled = [read_table(path, tables.POOLED) for path in map(Path, input.pooled) if path.parent.name == dataset]
        places = {site: [Path(params.exact) / site / name / "combined.parquet" for name in (REAL, dataset)] for site in params.sites}
        own = {site: [read_table(path, tables.COMBINED) for path in paths] for site, paths in places.items()}
        overlap = overlaps.get(dataset, tables.empty_table(tables.POOLED_OVERLAP))
        shown = disclose_pooled(pd.concat(pooled, ignore_index=True), disclosure, sites=own, overlap=overlap, primary=primary)
        suppressed[dataset] = suppressed_targets(shown)
        write_frame(Path(output.pooled) / f"{dataset}.parquet", shown)
    comparison = disclose_comparison(read_table(input.comparison, tables.POOLED_COMPARISON), disclosure, suppressed=suppressed)
    write_csv(output.pooling, collect_pooling(comparison))
    verdicts = read_json(input.verdicts)
    judged = disclose_ways(verdicts["pooled"], disclosure, primary=primary, suppressed=suppressed)
    write_json(output.verdict, verdicts | {"pooled": judged})


with job(snakemake.log[0]):
    collect(snakemake.input, snakemake.output, snakemake.params)
