"""Hold every way of pooling against the real patients pooled, and judge it."""

import math
from pathlib import Path

import pandas as pd

from parallax.job import job
from parallax.protocol.question import PrimaryEstimate
from parallax.protocol.validation import Gates
from parallax.storage import read_json, read_table, write_json, write_table
from parallax.tables import POOLED, POOLED_COMPARISON
from parallax.validation.pooled import compare_ways, judge_ways


def read_pooled(paths):
    parts = {}
    for path in map(Path, paths):
        parts.setdefault(path.parent.name, []).append(read_table(path, POOLED))
    return {dataset: pd.concat(tables, ignore_index=True) for dataset, tables in parts.items()}


def read_shifts(verdicts, sites):
    shifts = {}
    for site in sites:
        for name, entry in verdicts["sites"][site].items():
            values = [gate["value"] for gate in entry["gates"] if gate["metric"] == "shift_in_real_se"]
            shifts.setdefault(name, {})[site] = math.nan if not values or values[0] is None else values[0]
    return shifts


with job(snakemake.log[0]):
    verdicts, pooled = read_json(snakemake.input.verdicts), read_pooled(snakemake.input.pooled)
    comparison = compare_ways(pooled)
    gates, shifts = Gates.of(snakemake.params.gates), read_shifts(verdicts, snakemake.params.sites)
    found = judge_ways(comparison, pooled, primary=PrimaryEstimate.of(snakemake.params.primary), gates=gates, shifts=shifts)
    write_table(snakemake.output.comparison, comparison, POOLED_COMPARISON, restricted=True)
    write_json(snakemake.output.verdicts, verdicts | {"pooled": [each.plain() for each in found]}, restricted=True)
