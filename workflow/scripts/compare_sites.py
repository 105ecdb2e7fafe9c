"""Compare the patients of every two sites: by what each shows of them, and by a score where patients may be pooled."""

from pathlib import Path

from parallax.disclosure.cohort import disclose_characteristics
from parallax.job import job
from parallax.protocol.protocol import Protocol
from parallax.sites.overlap import compare_sites
from parallax.sites.reading import read_site_results
from parallax.storage import read_table, write_table
from parallax.tables import CHARACTERISTICS, CONCENTRATION, SITE_OVERLAP, cohort_schema


def compare(input, output, params):
    protocol = Protocol.of(params.protocol)
    shown = {
        site: disclose_characteristics(read_table(path, CHARACTERISTICS), protocol.disclosure, concentration=read_table(other, CONCENTRATION))
        for site, path, other in zip(protocol.pooled_sites, input.characteristics, input.concentration, strict=True)
    }
    shown |= {site: results.table_1() for site, results in read_site_results(protocol, folder=Path(params.folder)).items()}
    schema = cohort_schema(protocol.cohort.covariates, protocol.outcomes)
    scored = protocol.pooled_sites if protocol.pooling.individual_real else ()
    cohorts = {site: read_table(path, schema) for site, path in zip(scored, input.cohorts, strict=True)}
    unknown = [site for site in protocol.joining_sites if site not in shown]
    write_table(output[0], compare_sites(shown, cohorts, protocol.cohort.covariates, unknown=unknown), SITE_OVERLAP, restricted=True)


with job(snakemake.log[0]):
    compare(snakemake.input, snakemake.output, snakemake.params)
