# what a fitted generator is good for beside the study; asked for by target rules, no part of all


rule trace_twins:
    input:
        cohort="<patients>/{site}/real/cohort.parquet",
        model=f"<patients>/{{site}}/{{generator}}/fits/1-of-{FIT_BATCHES}.pkl",
        record=f"<exact>/{{site}}/{{generator}}/fits/1-of-{FIT_BATCHES}.json",
        unsealed=SEAL,
    output:
        curves="<patients>/{site}/{generator}/twin_curves.parquet",
        cohort="<patients>/{site}/{generator}/twin_cohort.parquet",
        outcomes="<patients>/{site}/{generator}/twin_outcomes.parquet",
        averages="<exact>/{site}/{generator}/twin_averages.parquet",
        truths="<exact>/{site}/{generator}/twin_truths.parquet",
    log:
        "<logs>/trace_twins/{site}/{generator}.log",
    benchmark:
        "<benchmarks>/trace_twins/{site}/{generator}.tsv"
    conda:
        "../../envs/synthesis.yaml"
    threads: 1
    resources:
        mem_mb=4000,
    params:
        sections=sections("cohort", "designs", "propensity", "outcomes"),
        generator=lambda wildcards: PROTOCOL.synthesis.settings_at(
            wildcards.site, wildcards.generator
        ).plain(),
        twins=whole_number("twins", default=10000, least=100),
        refits=whole_number("refits", default=50, least=2),
        seed=seed_for("{site}", "{generator}", "twins"),
        code=code_digest("parallax.synthesis.twins", "parallax.validation.twins"),
    script:
        "../scripts/trace_twins.py"


rule show_twins:
    input:
        averages=of_twins("<exact>/{site}/{generator}/twin_averages.parquet"),
        truths=of_twins("<exact>/{site}/{generator}/twin_truths.parquet"),
    output:
        curves="<study>/twin_curves.csv",
        truths="<study>/twins.csv",
        figure="<study>/twins.svg",
    log:
        "<logs>/show_twins.log",
    benchmark:
        "<benchmarks>/show_twins.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        primary=section("question")["primary"],
        disclosure=section("disclosure"),
        code=code_digest(
            "parallax.disclosure.twins",
            "parallax.reporting.figures.twins",
            "parallax.reporting.uses",
            "parallax.storage",
        ),
    script:
        "../scripts/show_twins.py"


rule tune_generator:
    input:
        cohorts=expand("<patients>/{site}/real/cohort.parquet", site=PROTOCOL.sites),
    output:
        table="<study>/tuning.csv",
        record="<study>/tuning.json",
    log:
        "<logs>/tune_generator.log",
    benchmark:
        "<benchmarks>/tune_generator.tsv"
    conda:
        "../../envs/synthesis.yaml"
    threads: 1
    resources:
        mem_mb=3000,
    params:
        protocol=PROTOCOL.plain(),
        generator=CHOSEN,
        seed=seed_for(CHOSEN, "tune"),
        code=code_digest("parallax.tuning"),
    script:
        "../scripts/tune_generator.py"
