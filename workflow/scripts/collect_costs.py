"""Add up what each way of pooling took, from the benchmarks of its jobs."""

from parallax.job import job
from parallax.protocol.protocol import Protocol
from parallax.sites.costs import list_jobs, measure_costs
from parallax.storage import read_benchmarks, write_csv


def collect(output, params):
    jobs = list_jobs(Protocol.of(params.protocol), fits=params.fits, simulations=params.simulations)
    measured = read_benchmarks(params.benchmarks, {name for needed in jobs.values() for name in needed})
    write_csv(output[0], measure_costs(measured, jobs))


with job(snakemake.log[0]):
    collect(snakemake.output, snakemake.params)
