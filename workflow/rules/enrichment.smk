# rare subgroups → cohorts of their own, and the effect in them; no part of the replicates of the whole cohort


rule draw_enrichment:
    input:
        cohort="<patients>/{site}/real/cohort.parquet",
        models=batches("<patients>/{site}/{generator}/fits/{scatteritem}.pkl"),
        records=batches("<exact>/{site}/{generator}/fits/{scatteritem}.json"),
        fits=batches("<exact>/{site}/{generator}/fits/{scatteritem}.parquet"),
    output:
        cohort="<patients>/{site}/{generator}/enriched.parquet",
        draws="<exact>/{site}/{generator}/enrichment_draws.parquet",
    log:
        "<logs>/draw_enrichment/{site}/{generator}.log",
    benchmark:
        "<benchmarks>/draw_enrichment/{site}/{generator}.tsv"
    conda:
        "../../envs/synthesis.yaml"
    threads: 1
    resources:
        mem_mb=3000,
    params:
        cohort=section("cohort"),
        outcomes=section("outcomes"),
        enrichment=PROTOCOL.synthesis.plain()["enrichment"],
        fit=PROTOCOL.synthesis.fit,
        seeds=lambda wildcards: {
            entry.name: seeds_for("{site}", "{generator}", "enrich", entry.name)(
                wildcards
            )
            for entry in PROTOCOL.synthesis.enrichment
        },
        code=code_digest("parallax.synthesis.enrichment"),
    script:
        "../scripts/draw_enrichment.py"


rule estimate_enrichment:
    input:
        unpack(enriched_of),
        real_cohort="<patients>/{site}/real/cohort.parquet",
        unsealed=SEAL,
    output:
        "<exact>/{site}/{dataset}/enrichment.parquet",
    log:
        "<logs>/estimate_enrichment/{site}/{dataset}.log",
    benchmark:
        "<benchmarks>/estimate_enrichment/{site}/{dataset}.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=1500,
    params:
        sections=sections("question", "cohort", "designs", "propensity", "outcomes"),
        enrichment=PROTOCOL.synthesis.plain()["enrichment"],
        fit=PROTOCOL.synthesis.fit,
        not_estimable=PROTOCOL.validation.gates.replicates_not_estimable,
        seed=seed_for("{site}", "{dataset}", "enrichment"),
        code=code_digest("parallax.validation.enrichment", "parallax.protocol.sections"),
    script:
        "../scripts/estimate_enrichment.py"
