# studies with a known effect through the whole chain → what the agreement gate is worth


scattergather:
    certification=CERTIFICATION_BATCHES,


rule certify_generator:
    input:
        cohort="<patients>/{site}/real/cohort.parquet",
    output:
        studies="<exact>/{site}/certification/{generator}/{scatteritem}.parquet",
    log:
        "<logs>/certify_generator/{site}/{generator}/{scatteritem}.log",
    benchmark:
        "<benchmarks>/certify_generator/{site}/{generator}/{scatteritem}.tsv"
    wildcard_constraints:
        generator="|".join(PROTOCOL.simulated_generators),
    conda:
        "../../envs/synthesis.yaml"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        sections=sections("question", "cohort", "designs", "propensity", "outcomes"),
        synthesis=lambda wildcards: synthesis_of(wildcards.site, wildcards.generator),
        gates={
            name: getattr(PROTOCOL.validation.gates, name)
            for name in ("shift_in_real_se", "replicates_not_estimable")
        },
        effects=EFFECTS,
        repetitions=lambda wildcards: [
            *range(REPETITIONS)[
                int(wildcards.scatteritem.split("-")[0]) - 1 :: CERTIFICATION_BATCHES
            ]
        ],
        seed=seed_for("{site}", CERTIFICATION),
        code=code_digest("parallax.certification.studies", "parallax.protocol.sections"),
    script:
        "../scripts/certify_generator.py"


rule certify_site:
    input:
        cohort="<patients>/{site}/real/cohort.parquet",
        studies=[
            batch
            for generator in PROTOCOL.simulated_generators
            for batch in gather.certification(
                f"<exact>/{{{{site}}}}/certification/{generator}/{{scatteritem}}.parquet"
            )
        ],
    output:
        table="<exact>/{site}/certification/rates.parquet",
        certificate="<exact>/{site}/certification/certificate.json",
    log:
        "<logs>/certify_site/{site}.log",
    benchmark:
        "<benchmarks>/certify_site/{site}.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        protocol=PROTOCOL.plain(),
        code=code_digest("parallax.certification.certificate"),
    script:
        "../scripts/certify_site.py"


rule collect_certification:
    input:
        every("<exact>/{site}/certification/rates.parquet"),
    output:
        report(
            "<study>/certification.csv",
            caption="../report/certification.rst",
            category="Results",
        ),
    log:
        "<logs>/collect_certification.log",
    benchmark:
        "<benchmarks>/collect_certification.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        sites=PROTOCOL.sites,
        code=code_digest("parallax.reporting.results"),
    script:
        "../scripts/collect_certification.py"
