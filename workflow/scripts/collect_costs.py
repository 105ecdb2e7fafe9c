"""Add up what each way of pooling took, from the benchmarks of the jobs."""

from parallax.job import job
from parallax.protocol.protocol import Protocol
from parallax.sites.costs import measure_costs
from parallax.storage import read_benchmarks, write_csv


def collect(output, params):
    write_csv(output[0], measure_costs(read_benchmarks(params.benchmarks), Protocol.of(params.protocol)))


with job(snakemake.log[0]):
    collect(snakemake.output, snakemake.params)
