# weights → survival curves and effect estimates


rule estimate_effects:
    input:
        cohort="<patients>/{site}/{dataset}/cohort.parquet",
        propensity="<patients>/{site}/{dataset}/propensity.parquet",
        weights="<patients>/{site}/{dataset}/weights.parquet",
        overlap="<exact>/{site}/{dataset}/overlap.parquet",
    output:
        estimates="<exact>/{site}/{dataset}/estimates.parquet",
        curves="<exact>/{site}/{dataset}/curves.parquet",
    log:
        "<logs>/estimate_effects/{site}/{dataset}.log",
    benchmark:
        "<benchmarks>/estimate_effects/{site}/{dataset}.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=1500,
    params:
        cohort=section("cohort"),
        designs=section("designs"),
        propensity=section("propensity"),
        outcomes=section("outcomes"),
        seed=lambda wildcards: derive_seed(
            PROTOCOL.study.seed, wildcards.site, wildcards.dataset, "bootstrap"
        ),
        code=code_digest("parallax.analysis"),
    script:
        "../scripts/estimate_effects.py"
