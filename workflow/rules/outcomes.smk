# weights → survival curves and effect estimates


rule estimate_effects:
    input:
        cohort="<patients>/{site}/{dataset}/cohort.parquet",
        weights="<patients>/{site}/{dataset}/weights.parquet",
        overlap="<exact>/{site}/{dataset}/overlap.parquet",
    output:
        estimates="<exact>/{site}/{dataset}/estimates.parquet",
        curves="<exact>/{site}/{dataset}/curves.parquet",
    params:
        cohort=section("cohort"),
        designs=section("designs"),
        outcomes=section("outcomes"),
        code=code_digest("parallax.analysis"),
    log:
        "<logs>/estimate_effects/{site}/{dataset}.log",
    benchmark:
        "<benchmarks>/estimate_effects/{site}/{dataset}.tsv"
    threads: 1
    resources:
        mem_mb=1500,
    conda:
        "../../envs/analysis.yaml"
    script:
        "../scripts/estimate_effects.py"
