# cohort (real) → cohorts (synthetic)


rule fit_generator:
    input:
        cohort="<patients>/{site}/real/cohort.parquet",
    output:
        model="<patients>/{site}/{generator}/fits/{scatteritem}.pkl",
        record="<exact>/{site}/{generator}/fits/{scatteritem}.json",
        generation="<exact>/{site}/{generator}/fits/{scatteritem}.parquet",
    log:
        "<logs>/fit_generator/{site}/{generator}/{scatteritem}.log",
    benchmark:
        "<benchmarks>/fit_generator/{site}/{generator}/{scatteritem}.tsv"
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
        seed=seed_for("{site}", "{generator}", "fit"),
        refits=fit_seeds_for("{site}", "{generator}"),
        code=code_digest("parallax.synthesis.registry", "parallax.provenance"),
    script:
        "../scripts/fit_generator.py"


rule draw_replicates:
    input:
        cohort="<patients>/{site}/real/cohort.parquet",
        models=batches("<patients>/{site}/{generator}/fits/{scatteritem}.pkl"),
        records=batches("<exact>/{site}/{generator}/fits/{scatteritem}.json"),
        fits=batches("<exact>/{site}/{generator}/fits/{scatteritem}.parquet"),
    output:
        cohort="<patients>/{site}/{generator}/cohort.parquet",
        model="<exact>/{site}/{generator}/model.json",
        fit="<exact>/{site}/{generator}/fit.parquet",
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
        fit=PROTOCOL.synthesis.fit,
        patients=PROTOCOL.synthesis.patients,
        seeds=seeds_for("{site}", "{generator}", "draw"),
        code=code_digest("parallax.synthesis.registry"),
    script:
        "../scripts/draw_replicates.py"


# the procedure that privacy attacks: the generator refitted without the held-out patients, in every round without others
rule refit_generator:
    input:
        cohort="<patients>/{site}/real/cohort.parquet",
        split="<patients>/{site}/real/split.parquet",
    output:
        cohort="<patients>/{site}/{generator}/refits/{round}/{scatteritem}.parquet",
        generation="<exact>/{site}/{generator}/refits/{round}/{scatteritem}.parquet",
    log:
        "<logs>/refit_generator/{site}/{generator}/{round}/{scatteritem}.log",
    benchmark:
        "<benchmarks>/refit_generator/{site}/{generator}/{round}/{scatteritem}.tsv"
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
        seed=seed_for("{site}", "{generator}", refit_of),
        refits=fit_seeds_for("{site}", "{generator}", refit_of),
        seeds=seeds_for("{site}", "{generator}", refit_of),
        code=code_digest("parallax.synthesis.registry"),
    script:
        "../scripts/refit_generator.py"
