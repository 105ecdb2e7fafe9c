# what a site tells the others, and what the sites' answers say together


# estimates, counts and balance of a site, for another institution: snakemake site_results --config signing_key=FILE
rule write_site_results:
    input:
        characteristics="<exact>/{site}/real/characteristics.parquet",
        concentration="<exact>/{site}/real/concentration.parquet",
        cohort="<patients>/{site}/real/cohort.parquet",
        tables=of_datasets("<exact>/{{site}}/{dataset}/{table}.parquet"),
        verdict=SITE_VERDICTS,
    output:
        results="<study>/site_results/{site}.json",
        signature="<study>/site_results/{site}.json.sig" if SIGNING_KEY else [],
    log:
        "<logs>/write_site_results/{site}.log",
    benchmark:
        "<benchmarks>/write_site_results/{site}.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        protocol=PROTOCOL.plain(),
        site=lambda wildcards: wildcards.site,
        exact=lambda wildcards, input: str(Path(input.characteristics).parents[1]),
        key=SIGNING_KEY,
        repository=str(REPOSITORY),
        code=code_digest(
            "parallax.sites.site_results",
            "parallax.disclosure.site",
            "parallax.disclosure.follow_up",
            "parallax.provenance",
            "parallax.signing",
        ),
    script:
        "../scripts/write_site_results.py"


rule pool_aggregates:
    input:
        combined=expand(
            "<exact>/{site}/{{dataset}}/combined.parquet", site=PROTOCOL.pooled_sites
        ),
        telling=[
            expand(
                f"<exact>/{{site}}/real/{table}.parquet", site=PROTOCOL.pooled_sites
            )
            for table in ("characteristics", "concentration", "combined")
        ],
        verdict=SITE_VERDICTS,
        elsewhere=SITE_RESULTS,
    output:
        aggregates="<exact>/pooled/{dataset}/aggregates.parquet",
        heterogeneity="<exact>/pooled/{dataset}/heterogeneity.parquet",
    log:
        "<logs>/pool_aggregates/{dataset}.log",
    benchmark:
        "<benchmarks>/pool_aggregates/{dataset}.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        protocol=PROTOCOL.plain(),
        folder=str(PROTOCOL_FILE.parent),
        dataset=lambda wildcards: wildcards.dataset,
        code=code_digest(
            "parallax.sites.aggregates",
            "parallax.sites.heterogeneity",
            "parallax.sites.reading",
            "parallax.disclosure.site",
        ),
    script:
        "../scripts/pool_aggregates.py"


rule compare_sites:
    input:
        characteristics=expand(
            "<exact>/{site}/real/characteristics.parquet", site=PROTOCOL.pooled_sites
        ),
        concentration=expand(
            "<exact>/{site}/real/concentration.parquet", site=PROTOCOL.pooled_sites
        ),
        # whose patients may be pooled, those may be told apart by a score
        cohorts=(
            expand("<patients>/{site}/real/cohort.parquet", site=PROTOCOL.pooled_sites)
            if PROTOCOL.pooling.individual_real
            else []
        ),
        elsewhere=SITE_RESULTS,
    output:
        "<exact>/pooled/real/site_overlap.parquet",
    log:
        "<logs>/compare_sites.log",
    benchmark:
        "<benchmarks>/compare_sites.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        protocol=PROTOCOL.plain(),
        folder=str(PROTOCOL_FILE.parent),
        code=code_digest(
            "parallax.sites.overlap",
            "parallax.sites.reading",
            "parallax.disclosure.cohort",
        ),
    script:
        "../scripts/compare_sites.py"


rule collect_heterogeneity:
    input:
        heterogeneity=expand(
            "<exact>/pooled/{dataset}/heterogeneity.parquet",
            dataset=(REAL, *PROTOCOL.generators),
        ),
        overlap="<exact>/pooled/real/site_overlap.parquet",
    output:
        heterogeneity="<study>/heterogeneity.csv",
        overlap="<study>/site_overlap.csv",
    log:
        "<logs>/collect_heterogeneity.log",
    benchmark:
        "<benchmarks>/collect_heterogeneity.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=500,
    params:
        datasets=[REAL, *PROTOCOL.generators],
        code=code_digest("parallax.disclosure.pooled", "parallax.reporting.results"),
    script:
        "../scripts/collect_heterogeneity.py"
