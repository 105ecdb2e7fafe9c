# the generator refitted to random halves of the real patients → how near to each patient it draws


# model and draws exist in the job's memory only; shadow models 2p and 2p + 1 share the halves of pair p, which every generator has
rule fit_shadow:
    input:
        cohort="<patients>/{site}/real/cohort.parquet",
    output:
        nearness="<patients>/{site}/{generator}/shadows/{shadow}.parquet",
        generation="<exact>/{site}/{generator}/shadows/{shadow}.parquet",
    log:
        "<logs>/fit_shadow/{site}/{generator}/{shadow}.log",
    benchmark:
        "<benchmarks>/fit_shadow/{site}/{generator}/{shadow}.tsv"
    conda:
        "../../envs/synthesis.yaml"
    threads: 1
    resources:
        mem_mb=3000,
    params:
        generator=lambda wildcards: PROTOCOL.synthesis.settings_at(
            wildcards.site, wildcards.generator
        ).plain(),
        constraints=PROTOCOL.synthesis.plain()["constraints"],
        cohort=section("cohort"),
        outcomes=section("outcomes"),
        fit=PROTOCOL.synthesis.fit,
        patients=PROTOCOL.synthesis.patients,
        halves=lambda wildcards: derive_seed(
            PROTOCOL.study.seed, wildcards.site, "halves", int(wildcards.shadow) // 2
        ),
        targets=lambda wildcards: derive_seed(
            PROTOCOL.study.seed, wildcards.site, "targets"
        ),
        seed=lambda wildcards: derive_seed(
            PROTOCOL.study.seed,
            wildcards.site,
            wildcards.generator,
            "shadow",
            int(wildcards.shadow),
        ),
        refits=lambda wildcards: {
            replicate: derive_seed(
                PROTOCOL.study.seed,
                wildcards.site,
                wildcards.generator,
                "shadow",
                int(wildcards.shadow),
                "fit",
                replicate,
            )
            for replicate in range(PROTOCOL.synthesis.replicates)
        },
        seeds=lambda wildcards: [
            derive_seed(
                PROTOCOL.study.seed,
                wildcards.site,
                wildcards.generator,
                "shadow",
                int(wildcards.shadow),
                replicate,
            )
            for replicate in range(PROTOCOL.synthesis.replicates)
        ],
        code=code_digest(
            "parallax.synthesis.registry",
            "parallax.cohort.split",
            "parallax.validation.shadows",
        ),
    script:
        "../scripts/fit_shadow.py"
