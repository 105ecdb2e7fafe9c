# One study, on real and on synthetic patients, from extraction to verdict.
from pathlib import Path


configfile: Path(workflow.basedir) / "config/config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/extract.smk"
include: "workflow/rules/cohort.smk"
include: "workflow/rules/synthesis.smk"
include: "workflow/rules/shadows.smk"
include: "workflow/rules/measurements.smk"
include: "workflow/rules/design.smk"
include: "workflow/rules/blinding.smk"
include: "workflow/rules/outcomes.smk"
include: "workflow/rules/enrichment.smk"
include: "workflow/rules/certification.smk"
include: "workflow/rules/validation.smk"


if PROTOCOL.pools:

    include: "workflow/rules/pooling.smk"


include: "workflow/rules/report.smk"
include: "workflow/rules/uses.smk"
include: "workflow/rules/meta.smk"
include: "workflow/rules/release.smk"
include: "workflow/rules/external_control.smk"


rule all:
    default_target: True
    input:
        "<study>/report.html",
        "<study>/manifest.json",


# studies with a known effect through the whole chain: snakemake certify
rule certify:
    input:
        "<study>/certification.csv",


# patients under either arm: snakemake twins --config generator=NAME twins=NUMBER refits=NUMBER
rule twins:
    input:
        "<study>/twins.csv",


# a generator's settings on simulated studies: snakemake tune --config generator=NAME
rule tune:
    input:
        "<study>/tuning.csv",


# what each site tells other institutions: snakemake site_results --config signing_key=FILE
rule site_results:
    input:
        expand("<study>/site_results/{site}.json", site=PROTOCOL.pooled_sites),


# patients that passed, in a folder that may leave: snakemake release --config generator=NAME signing_key=FILE
rule release:
    input:
        f"<study>/release/{CHOSEN}/SHA256SUMS",


# this study beside the same one run elsewhere: snakemake compare --config with=RESULTS_FOLDER
rule compare:
    input:
        "<study>/comparison.csv",


# real treated patients beside the AI-generated comparators of a release: snakemake external_control
rule external_control:
    input:
        "<study>/external_control.csv",


onstart:
    restrict_folders()
    register()
    state_costs()


onsuccess:
    print_verdicts()
