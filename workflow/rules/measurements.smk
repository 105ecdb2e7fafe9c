# repeated measurements: a long table beside every cohort; no job of a study without them


rule extract_measurements:
    input:
        lambda wildcards: measurement_files(wildcards.site),
    output:
        "<patients>/{site}/source/measurements.parquet",
    log:
        "<logs>/extract_measurements/{site}.log",
    benchmark:
        "<benchmarks>/extract_measurements/{site}.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=3000,
    params:
        source=lambda wildcards: PROTOCOL.data.sites[wildcards.site].plain(),
        cohort=section("cohort"),
        disclosure=section("disclosure"),
        folder=str(PROTOCOL_FILE.parent),
        code=code_digest("parallax.extraction.measurements"),
    script:
        "../scripts/extract_measurements.py"


rule select_measurements:
    input:
        measurements="<patients>/{site}/source/measurements.parquet",
        cohort="<patients>/{site}/real/cohort.parquet",
    output:
        measurements="<patients>/{site}/real/measurements.parquet",
        counts="<exact>/{site}/real/measurement_counts.parquet",
    log:
        "<logs>/select_measurements/{site}.log",
    benchmark:
        "<benchmarks>/select_measurements/{site}.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        cohort=section("cohort"),
        outcomes=section("outcomes"),
        code=code_digest("parallax.cohort.measurements"),
    script:
        "../scripts/select_measurements.py"


rule draw_measurements:
    input:
        real_cohort="<patients>/{site}/real/cohort.parquet",
        real="<patients>/{site}/real/measurements.parquet",
        cohort="<patients>/{site}/{generator}/cohort.parquet",
        generation="<exact>/{site}/{generator}/draw.parquet",
    output:
        measurements="<patients>/{site}/{generator}/measurements.parquet",
        generation="<exact>/{site}/{generator}/measurement_draw.parquet",
    log:
        "<logs>/draw_measurements/{site}/{generator}.log",
    benchmark:
        "<benchmarks>/draw_measurements/{site}/{generator}.tsv"
    conda:
        "../../envs/synthesis.yaml"
    threads: 1
    resources:
        mem_mb=3000,
    params:
        cohort=section("cohort"),
        outcomes=section("outcomes"),
        seeds=seeds_for("{site}", "{generator}", "measurements"),
        code=code_digest("parallax.synthesis.measurements"),
    script:
        "../scripts/draw_measurements.py"


rule measure_series:
    input:
        real_cohort="<patients>/{site}/real/cohort.parquet",
        real="<patients>/{site}/real/measurements.parquet",
        cohort="<patients>/{site}/{generator}/cohort.parquet",
        measurements="<patients>/{site}/{generator}/measurements.parquet",
        generation="<exact>/{site}/{generator}/measurement_draw.parquet",
    output:
        "<exact>/{site}/{generator}/series_fidelity.parquet",
    log:
        "<logs>/measure_series/{site}/{generator}.log",
    benchmark:
        "<benchmarks>/measure_series/{site}/{generator}.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        cohort=section("cohort"),
        outcomes=section("outcomes"),
        seed=seed_for("{site}", "series_fidelity"),
        code=code_digest("parallax.validation.series_fidelity"),
    script:
        "../scripts/measure_series.py"
