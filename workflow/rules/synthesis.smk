# cohort (real) → cohorts (synthetic)


rule fit_generator:
    input:
        cohort="<patients>/{site}/real/cohort.parquet",
    output:
        model="<patients>/{site}/{generator}/model.pkl",
        record="<exact>/{site}/{generator}/model.json",
        generation="<exact>/{site}/{generator}/fit.parquet",
    log:
        "<logs>/fit_generator/{site}/{generator}.log",
    benchmark:
        "<benchmarks>/fit_generator/{site}/{generator}.tsv"
    conda:
        "../../envs/synthesis.yaml"
    threads: 1
    resources:
        mem_mb=3000,
    params:
        generator=lambda wildcards: PROTOCOL.synthesis.generators[
            wildcards.generator
        ].plain(),
        constraints=PROTOCOL.synthesis.plain()["constraints"],
        cohort=section("cohort"),
        outcomes=section("outcomes"),
        fit=PROTOCOL.synthesis.fit,
        seed=lambda wildcards: derive_seed(
            PROTOCOL.study.seed, wildcards.site, wildcards.generator, "fit"
        ),
        refits=lambda wildcards: [
            derive_seed(
                PROTOCOL.study.seed,
                wildcards.site,
                wildcards.generator,
                "fit",
                replicate,
            )
            for replicate in range(PROTOCOL.synthesis.replicates)
        ],
        code=code_digest("parallax.synthesis.registry", "parallax.provenance"),
    script:
        "../scripts/fit_generator.py"


rule draw_replicates:
    input:
        cohort="<patients>/{site}/real/cohort.parquet",
        model="<patients>/{site}/{generator}/model.pkl",
        record="<exact>/{site}/{generator}/model.json",
        generation="<exact>/{site}/{generator}/fit.parquet",
    output:
        cohort="<patients>/{site}/{generator}/cohort.parquet",
        generation="<exact>/{site}/{generator}/draw.parquet",
    log:
        "<logs>/draw_replicates/{site}/{generator}.log",
    benchmark:
        "<benchmarks>/draw_replicates/{site}/{generator}.tsv"
    conda:
        "../../envs/synthesis.yaml"
    threads: 1
    resources:
        mem_mb=3000,
    params:
        cohort=section("cohort"),
        outcomes=section("outcomes"),
        patients=PROTOCOL.synthesis.patients,
        seeds=lambda wildcards: [
            derive_seed(
                PROTOCOL.study.seed,
                wildcards.site,
                wildcards.generator,
                "draw",
                replicate,
            )
            for replicate in range(PROTOCOL.synthesis.replicates)
        ],
        code=code_digest("parallax.synthesis.registry"),
    script:
        "../scripts/draw_replicates.py"


# the procedure that privacy attacks: the generator refitted without the held-out patients
rule refit_generator:
    input:
        cohort="<patients>/{site}/real/cohort.parquet",
        split="<patients>/{site}/real/split.parquet",
    output:
        cohort="<patients>/{site}/{generator}/refit_cohort.parquet",
        generation="<exact>/{site}/{generator}/refit.parquet",
    log:
        "<logs>/refit_generator/{site}/{generator}.log",
    benchmark:
        "<benchmarks>/refit_generator/{site}/{generator}.tsv"
    conda:
        "../../envs/synthesis.yaml"
    threads: 1
    resources:
        mem_mb=3000,
    params:
        generator=lambda wildcards: PROTOCOL.synthesis.generators[
            wildcards.generator
        ].plain(),
        constraints=PROTOCOL.synthesis.plain()["constraints"],
        cohort=section("cohort"),
        outcomes=section("outcomes"),
        fit=PROTOCOL.synthesis.fit,
        patients=PROTOCOL.synthesis.patients,
        seed=lambda wildcards: derive_seed(
            PROTOCOL.study.seed, wildcards.site, wildcards.generator, "refit"
        ),
        refits=lambda wildcards: [
            derive_seed(
                PROTOCOL.study.seed,
                wildcards.site,
                wildcards.generator,
                "refit",
                "fit",
                replicate,
            )
            for replicate in range(PROTOCOL.synthesis.replicates)
        ],
        seeds=lambda wildcards: [
            derive_seed(
                PROTOCOL.study.seed,
                wildcards.site,
                wildcards.generator,
                "refit",
                replicate,
            )
            for replicate in range(PROTOCOL.synthesis.replicates)
        ],
        code=code_digest("parallax.synthesis.registry"),
    script:
        "../scripts/refit_generator.py"
