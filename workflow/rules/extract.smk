# sources → patients


rule extract_patients:
    input:
        source_file,
    output:
        "<patients>/{site}/source/patients.parquet",
    params:
        source=lambda wildcards: PROTOCOL.data.sites[wildcards.site].plain(),
        folder=str(PROTOCOL_FILE.parent),
        code=code_digest("parallax.extraction.registry"),
    log:
        "<logs>/extract_patients/{site}.log",
    benchmark:
        "<benchmarks>/extract_patients/{site}.tsv"
    threads: 1
    resources:
        mem_mb=1500,
    conda:
        "../../envs/analysis.yaml"
    script:
        "../scripts/extract_patients.py"
