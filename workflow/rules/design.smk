# cohort → propensity score, weights, balance; from here on a cohort is just a dataset


rule apply_designs:
    input:
        cohort="<patients>/{site}/{dataset}/cohort.parquet",
    output:
        propensity="<patients>/{site}/{dataset}/propensity.parquet",
        weights="<patients>/{site}/{dataset}/weights.parquet",
        balance="<exact>/{site}/{dataset}/balance.parquet",
        overlap="<exact>/{site}/{dataset}/overlap.parquet",
        score_histogram="<exact>/{site}/{dataset}/score_histogram.parquet",
        calibration="<exact>/{site}/{dataset}/calibration.parquet",
        positivity="<exact>/{site}/{dataset}/positivity.parquet",
    log:
        "<logs>/apply_designs/{site}/{dataset}.log",
    benchmark:
        "<benchmarks>/apply_designs/{site}/{dataset}.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=1500,
    params:
        cohort=section("cohort"),
        designs=section("designs"),
        outcomes=section("outcomes"),
        propensity=section("propensity"),
        imbalance=PROTOCOL.validation.gates.imbalance,
        effective_patients=PROTOCOL.validation.gates.effective_patients,
        seed=seed_for("{site}", "{dataset}", "designs"),
        code=code_digest("parallax.analysis.designs"),
    script:
        "../scripts/apply_designs.py"
