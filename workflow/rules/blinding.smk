# in a blinded study every effect waits for the primary design


rule unseal_effects:
    input:
        overlap="<exact>/{site}/real/overlap.parquet",
    output:
        "<exact>/{site}/real/unsealed.json",
    log:
        "<logs>/unseal_effects/{site}.log",
    benchmark:
        "<benchmarks>/unseal_effects/{site}.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=500,
    params:
        design=PROTOCOL.question.primary.design,
        code=code_digest("parallax.validation.blinding"),
    script:
        "../scripts/unseal_effects.py"
