# a site's own treated patients beside the AI-generated comparators of a release; asked for by its target, no part of all


rule join_external_control:
    input:
        patients="<patients>/{site}/source/patients.parquet",
        released=lambda wildcards: released_sums(wildcards.site),
    output:
        cohort="<patients>/{site}/external_control/cohort.parquet",
        record="<exact>/{site}/external_control/joined.json",
        concentration="<exact>/{site}/external_control/concentration.parquet",
    log:
        "<logs>/join_external_control/{site}.log",
    benchmark:
        "<benchmarks>/join_external_control/{site}.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        data=section("data"),
        folder=str(PROTOCOL_FILE.parent),
        cohort=section("cohort"),
        outcomes=section("outcomes"),
        code=code_digest(
            "parallax.external_control",
            "parallax.extraction.registry",
            "parallax.cohort.concentration",
        ),
    script:
        "../scripts/join_external_control.py"


rule show_external_control:
    input:
        estimates=controlled("<exact>/{site}/external_control/estimates.parquet"),
        overlaps=controlled("<exact>/{site}/external_control/overlap.parquet"),
        records=controlled("<exact>/{site}/external_control/joined.json"),
        concentrations=controlled(
            "<exact>/{site}/external_control/concentration.parquet"
        ),
    output:
        table="<study>/external_control.csv",
        figure="<study>/external_control.svg",
        page="<study>/external_control.html",
    log:
        "<logs>/show_external_control.log",
    benchmark:
        "<benchmarks>/show_external_control.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        protocol=PROTOCOL.plain(),
        code=code_digest(
            "parallax.validation.combining",
            "parallax.disclosure.combined",
            "parallax.reporting.external_control",
        ),
    script:
        "../scripts/show_external_control.py"
