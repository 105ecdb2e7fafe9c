"""Run a batch of simulated studies through one generator and the agreement gate; what is kept is every study's answer, never its patients."""

from parallax.job import job
from parallax.protocol.sections import read_sections
from parallax.protocol.validation import Certification, Gates
from parallax.storage import read_table, write_table
from parallax.tables import SIMULATED_STUDIES, cohort_schema


def certify(input, output, params, wildcards):
    from parallax.certification.studies import Chain, model_effects, run_studies, synthesise_by, synthesise_correctly

    study = read_sections(params.sections | {"synthesis": params.synthesis})
    chain = Chain.of(**study, gates=Gates.of(params.gates))
    cohort = read_table(input.cohort, cohort_schema(study["cohort"].covariates, study["outcomes"]))
    name, settings = wildcards.generator, study["synthesis"].generators
    synthesise = synthesise_by(settings[name], study["synthesis"], chain) if name in settings else synthesise_correctly(chain)
    effects = model_effects(cohort, chain, Certification.of(params.effects))
    found = run_studies(cohort, chain, effects, synthesise, generator=name, repetitions=params.repetitions, seed=params.seed)
    write_table(output.studies, found, SIMULATED_STUDIES, restricted=True)


with job(snakemake.log[0]):
    certify(snakemake.input, snakemake.output, snakemake.params, snakemake.wildcards)
