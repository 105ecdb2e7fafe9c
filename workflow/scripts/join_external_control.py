"""Put a site's real treated patients beside the AI-generated comparators of a release."""

from pathlib import Path

from parallax.cohort.concentration import measure_concentration
from parallax.external_control import assemble_external_control
from parallax.extraction.registry import normalise
from parallax.extraction.release import read_replicates, site_of
from parallax.job import job
from parallax.protocol.cohort import CohortSection
from parallax.protocol.data import DataSection
from parallax.protocol.outcomes import OutcomesSection
from parallax.storage import read_frame, write_json, write_table
from parallax.tables import CONCENTRATION, cohort_schema


def join(input, output, params, site):
    data, cohort, outcomes = DataSection.of(params.data), CohortSection.of(params.cohort), OutcomesSection.of(params.outcomes)
    control = data.external_controls[site]
    released, record = read_replicates(control, folder=Path(params.folder))
    made = assemble_external_control(
        read_frame(input.patients),
        normalise(released),
        cohort,
        outcomes,
        patient_id=data.sites[site].patient_id,
        learned_from=record.learned_from[site_of(control, record, Path(control.path))].comparator,
        applied=record.criteria_applied,
    )
    write_table(output.cohort, made.cohort, cohort_schema(cohort.covariates, outcomes), restricted=True)
    # of the treated alone: in all replicates the same, and the only ones who lived
    concentration = measure_concentration(made.cohort[made.cohort["replicate"] == 0], cohort.covariates, outcomes).query("arm == 'treated'")
    write_table(output.concentration, concentration, CONCENTRATION, restricted=True)
    write_json(output.record, made.plain(), restricted=True)


with job(snakemake.log[0]):
    join(snakemake.input, snakemake.output, snakemake.params, snakemake.wildcards.site)
