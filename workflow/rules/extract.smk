# sources → patients


rule extract_patients:
    input:
        lambda wildcards: source_files(wildcards.site),
    output:
        "<patients>/{site}/source/patients.parquet",
    log:
        "<logs>/extract_patients/{site}.log",
    benchmark:
        "<benchmarks>/extract_patients/{site}.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=1500,
    params:
        source=lambda wildcards: PROTOCOL.data.sites[wildcards.site].plain(),
        folder=str(PROTOCOL_FILE.parent),
        version=lambda wildcards: source_version(PROTOCOL.data.sites[wildcards.site]),
        code=code_digest("parallax.extraction.registry"),
    script:
        "../scripts/extract_patients.py"
