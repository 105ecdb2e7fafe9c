# weights → survival curves and effect estimates


rule estimate_effects:
    input:
        cohort="<patients>/{site}/{dataset}/cohort.parquet",
        propensity="<patients>/{site}/{dataset}/propensity.parquet",
        weights="<patients>/{site}/{dataset}/weights.parquet",
        overlap="<exact>/{site}/{dataset}/overlap.parquet",
        unsealed=SEAL,
    output:
        estimates="<exact>/{site}/{dataset}/estimates.parquet",
        curves="<exact>/{site}/{dataset}/curves.parquet",
        hazard_course="<exact>/{site}/{dataset}/hazard_course.parquet",
        subgroup_estimates="<exact>/{site}/{dataset}/subgroup_estimates.parquet",
        permutations="<exact>/{site}/{dataset}/permutations.parquet",
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
        sections=sections(
            "cohort",
            "designs",
            "propensity",
            "outcomes",
            "subgroups",
            "robustness",
            "question",
        ),
        seed=seed_for("{site}", "{dataset}", "bootstrap"),
        code=code_digest(
            "parallax.analysis.effects",
            "parallax.analysis.asked",
            "parallax.protocol.sections",
        ),
    script:
        "../scripts/estimate_effects.py"
