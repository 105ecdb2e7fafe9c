# the answers of several sites → one: their patients pooled, and every way of pooling held against the real ones


# all replicates of a release from elsewhere, as they were drawn there
rule take_release:
    input:
        lambda wildcards: source_files(wildcards.site),
    output:
        cohort="<patients>/{site}/released/cohort.parquet",
        record="<exact>/{site}/released/record.json",
    log:
        "<logs>/take_release/{site}.log",
    benchmark:
        "<benchmarks>/take_release/{site}.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=1500,
    params:
        protocol=PROTOCOL.plain(),
        folder=str(PROTOCOL_FILE.parent),
        site=lambda wildcards: wildcards.site,
        code=code_digest("parallax.sites.released"),
    script:
        "../scripts/take_release.py"


# pooled cohorts exist in the job's memory only
rule pool_patients:
    input:
        unpack(pooled_of),
        real=expand("<patients>/{site}/real/cohort.parquet", site=PROTOCOL.pooled_sites),
        targets=f"<exact>/{PROTOCOL.sites[0]}/real/combined.parquet",
        unsealed=expand(SEAL, site=PROTOCOL.pooled_sites) if SEAL else [],
    output:
        individual="<exact>/pooled/{dataset}/individual.parquet",
        overlap="<exact>/pooled/{dataset}/overlap.parquet",
    log:
        "<logs>/pool_patients/{dataset}.log",
    benchmark:
        "<benchmarks>/pool_patients/{dataset}.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        sections=sections(
            "cohort", "designs", "propensity", "outcomes", "validation", "pooling"
        ),
        sites=PROTOCOL.pooled_sites,
        joining=PROTOCOL.joining_sites,
        dataset=lambda wildcards: wildcards.dataset,
        fit=PROTOCOL.synthesis.fit,
        seed=seed_for(POOLED, "{dataset}", "designs"),
        code=code_digest("parallax.validation.ways", "parallax.protocol.sections"),
    script:
        "../scripts/pool_patients.py"


rule compare_ways:
    input:
        verdicts="<exact>/verdicts.json",
        pooled=POOLED_TABLES,
    output:
        comparison="<exact>/pooled/comparison.parquet",
        verdicts="<exact>/pooled/verdicts.json",
    log:
        "<logs>/compare_ways.log",
    benchmark:
        "<benchmarks>/compare_ways.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=500,
    params:
        primary=section("question")["primary"],
        gates=section("validation")["gates"],
        sites=PROTOCOL.pooled_sites,
        code=code_digest("parallax.validation.pooled"),
    script:
        "../scripts/compare_ways.py"


rule collect_pooling:
    input:
        every("<exact>/{site}/{dataset}/combined.parquet"),
        telling=[
            expand(
                f"<exact>/{{site}}/real/{table}.parquet", site=PROTOCOL.pooled_sites
            )
            for table in ("characteristics", "concentration")
        ],
        overlaps=expand(
            "<exact>/pooled/{dataset}/overlap.parquet",
            dataset=PROTOCOL.pooled_datasets,
        ),
        pooled=POOLED_TABLES,
        comparison="<exact>/pooled/comparison.parquet",
        verdicts="<exact>/pooled/verdicts.json",
    output:
        pooled=directory("<study>/pooled"),
        verdict=report(
            "<study>/verdict.json", caption="../report/verdict.rst", category="Results"
        ),
        pooling=report(
            "<study>/pooling.csv", caption="../report/pooling.rst", category="Results"
        ),
    log:
        "<logs>/collect_pooling.log",
    benchmark:
        "<benchmarks>/collect_pooling.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=500,
    params:
        protocol=PROTOCOL.plain(),
        exact=lambda wildcards, input: str(Path(input[0]).parents[2]),
        code=code_digest(
            "parallax.disclosure.pooled",
            "parallax.disclosure.site",
            "parallax.reporting.results",
        ),
    script:
        "../scripts/collect_pooling.py"


# after the last job of every way, so that all of them have been measured
rule collect_costs:
    input:
        POOLED_TABLES,
    output:
        report(
            "<study>/pooling_costs.csv",
            caption="../report/pooling_costs.rst",
            category="Results",
        ),
    log:
        "<logs>/collect_costs.log",
    benchmark:
        "<benchmarks>/collect_costs.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=500,
    params:
        protocol=PROTOCOL.plain(),
        benchmarks=str(STUDY / "benchmarks"),
        fits=FIT_BATCHES,
        simulations=CERTIFICATION_BATCHES,
        code=code_digest("parallax.sites.costs", "parallax.storage"),
    script:
        "../scripts/collect_costs.py"
