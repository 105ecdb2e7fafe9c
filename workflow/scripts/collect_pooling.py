"""Pass the pooled answers through disclosure, and write how the ways of pooling compare."""

from pathlib import Path

import pandas as pd

from parallax import tables
from parallax.disclosure.combined import suppressed_targets
from parallax.disclosure.pooled import disclose_comparison, disclose_pooled
from parallax.job import job
from parallax.protocol.disclosure import DisclosureSection
from parallax.protocol.question import PrimaryEstimate
from parallax.reporting.results import collect_pooling
from parallax.storage import read_table, write_csv, write_frame
from parallax.vocabulary import REAL


def collect(input, output, params):
    disclosure, exact, suppressed = DisclosureSection.of(params.disclosure), Path(params.exact), {}
    overlaps = {Path(path).parent.name: read_table(path, tables.POOLED_OVERLAP) for path in input.overlaps}
    for dataset in dict.fromkeys(Path(path).parent.name for path in input.pooled):
        paths = [path for path in map(Path, input.pooled) if path.parent.name == dataset]
        own = {site: [read_table(exact / site / name / "combined.parquet", tables.COMBINED) for name in (REAL, dataset)] for site in params.sites}
        shown = disclose_pooled(
            pd.concat([read_table(path, tables.POOLED) for path in paths], ignore_index=True),
            disclosure,
            sites=own,
            overlap=overlaps.get(dataset, tables.empty_table(tables.POOLED_OVERLAP)),
            primary=PrimaryEstimate.of(params.primary),
        )
        suppressed[dataset] = suppressed_targets(shown)
        write_frame(Path(output.pooled) / f"{dataset}.parquet", shown)
    comparison = disclose_comparison(read_table(input.comparison, tables.POOLED_COMPARISON), disclosure, suppressed=suppressed)
    write_csv(output.pooling, collect_pooling(comparison))


with job(snakemake.log[0]):
    collect(snakemake.input, snakemake.output, snakemake.params)
