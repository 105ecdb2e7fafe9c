# patients that passed → a folder that may leave; a study on one beside the study on real patients


rule write_release:
    input:
        verdict="<study>/verdict.json",
        aggregates="<aggregates>",
        cohorts=expand(
            "<patients>/{site}/{{generator}}/cohort.parquet", site=PROTOCOL.sites
        ),
    output:
        # the last of the folder's files; a directory as output would get a file of Snakemake's own
        "<study>/release/{generator}/SHA256SUMS",
    log:
        "<logs>/write_release/{generator}.log",
    benchmark:
        "<benchmarks>/write_release/{generator}.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        protocol=PROTOCOL.plain(),
        key=SIGNING_KEY,
        code=code_digest(
            "parallax.release.contents", "parallax.signing", "parallax.storage"
        ),
    script:
        "../scripts/write_release.py"


rule compare_results:
    input:
        this=[
            "<study>/estimates.csv",
            "<study>/verdict.json",
        ],
        other=compared_with(),
    output:
        "<study>/comparison.csv",
    log:
        "<logs>/compare_results.log",
    benchmark:
        "<benchmarks>/compare_results.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        register=str(REGISTER),
        primary=section("question")["primary"],
        code=code_digest("parallax.release.comparison"),
    script:
        "../scripts/compare_results.py"
