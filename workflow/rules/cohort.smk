# patients → cohort (real)


rule select_cohort:
    input:
        patients="<patients>/{site}/source/patients.parquet",
        measurements=measured("<patients>/{site}/source/measurements.parquet"),
    output:
        cohort="<patients>/{site}/real/cohort.parquet",
        split="<patients>/{site}/real/split.parquet",
        attrition="<exact>/{site}/real/attrition.parquet",
        characteristics="<exact>/{site}/real/characteristics.parquet",
        concentration="<exact>/{site}/real/concentration.parquet",
    log:
        "<logs>/select_cohort/{site}.log",
    benchmark:
        "<benchmarks>/select_cohort/{site}.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=1500,
    params:
        source=lambda wildcards: PROTOCOL.data.sites[wildcards.site].plain(),
        folder=str(PROTOCOL_FILE.parent),
        cohort=section("cohort"),
        outcomes=section("outcomes"),
        hold_out=PROTOCOL.synthesis.hold_out,
        rounds=PROTOCOL.synthesis.refits,
        seed=seed_for("{site}", "split"),
        code=code_digest(
            "parallax.cohort.selection",
            "parallax.cohort.characteristics",
            "parallax.cohort.concentration",
            "parallax.cohort.measurements",
            "parallax.cohort.split",
            "parallax.extraction.registry",
        ),
    script:
        "../scripts/select_cohort.py"
