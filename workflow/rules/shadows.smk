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
        halves=seed_for("{site}", "halves", pair_of),
        targets=seed_for("{site}", "targets"),
        seed=seed_for("{site}", "{generator}", "shadow", "{shadow}"),
        refits=fit_seeds_for("{site}", "{generator}", "shadow", "{shadow}"),
        seeds=seeds_for("{site}", "{generator}", "shadow", "{shadow}"),
        code=code_digest(
            "parallax.synthesis.registry",
            "parallax.cohort.split",
            "parallax.validation.shadows",
        ),
    script:
        "../scripts/fit_shadow.py"
