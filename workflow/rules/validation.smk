# synthetic against real → agreement, fidelity, privacy → verdict


# what sampling alone does: cohorts resampled from the real patients, which exist in the job's memory only
rule measure_floor:
    input:
        cohort="<patients>/{site}/real/cohort.parquet",
        estimates="<exact>/{site}/real/estimates.parquet",
        overlap="<exact>/{site}/real/overlap.parquet",
    output:
        shifts="<exact>/{site}/floor/shifts.parquet",
        fidelity="<exact>/{site}/floor/fidelity.parquet",
        covariance="<exact>/{site}/real/covariance.parquet",
    log:
        "<logs>/measure_floor/{site}.log",
    benchmark:
        "<benchmarks>/measure_floor/{site}.tsv"
    conda:
        "../../envs/synthesis.yaml"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        sections=sections("question", "cohort", "designs", "propensity", "outcomes"),
        replicates=PROTOCOL.synthesis.replicates,
        seeds=seeds_for("{site}", FLOOR, number=PROTOCOL.synthesis.floor_cohorts),
        seed=seed_for("{site}", FLOOR, "designs"),
        code=code_digest("parallax.validation.floor", "parallax.protocol.sections"),
    script:
        "../scripts/measure_floor.py"


rule combine_replicates:
    input:
        unpack(answers_of),
    output:
        combined="<exact>/{site}/{dataset}/combined.parquet",
        subgroups="<exact>/{site}/{dataset}/subgroups.parquet",
        interactions="<exact>/{site}/{dataset}/interactions.parquet",
        robustness="<exact>/{site}/{dataset}/robustness.parquet",
    log:
        "<logs>/combine_replicates/{site}/{dataset}.log",
    benchmark:
        "<benchmarks>/combine_replicates/{site}/{dataset}.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        sections=sections(
            "question", "cohort", "designs", "propensity", "outcomes", "subgroups"
        ),
        not_estimable=PROTOCOL.validation.gates.replicates_not_estimable,
        code=code_digest(
            "parallax.validation.summary",
            "parallax.analysis.effects",
            "parallax.protocol.sections",
        ),
    script:
        "../scripts/combine_replicates.py"


rule measure_agreement:
    input:
        real="<exact>/{site}/real/combined.parquet",
        real_overlap="<exact>/{site}/real/overlap.parquet",
        synthetic="<exact>/{site}/{generator}/combined.parquet",
        floor="<exact>/{site}/floor/shifts.parquet",
        covariance="<exact>/{site}/real/covariance.parquet",
    output:
        "<exact>/{site}/{generator}/agreement.parquet",
    log:
        "<logs>/measure_agreement/{site}/{generator}.log",
    benchmark:
        "<benchmarks>/measure_agreement/{site}/{generator}.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        primary=section("question")["primary"],
        designs=section("designs"),
        gates=section("validation")["gates"],
        size=PROTOCOL.synthesis.patients,
        code=code_digest(
            "parallax.validation.agreement", "parallax.validation.against_floor"
        ),
    script:
        "../scripts/measure_agreement.py"


rule measure_fidelity:
    input:
        real_cohort="<patients>/{site}/real/cohort.parquet",
        cohort="<patients>/{site}/{generator}/cohort.parquet",
        real_overlap="<exact>/{site}/real/overlap.parquet",
        overlap="<exact>/{site}/{generator}/overlap.parquet",
        floor="<exact>/{site}/floor/fidelity.parquet",
    output:
        fidelity="<exact>/{site}/{generator}/fidelity.parquet",
        coefficients="<exact>/{site}/{generator}/coefficients.parquet",
    log:
        "<logs>/measure_fidelity/{site}/{generator}.log",
    benchmark:
        "<benchmarks>/measure_fidelity/{site}/{generator}.tsv"
    conda:
        "../../envs/synthesis.yaml"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        primary=section("question")["primary"],
        cohort=section("cohort"),
        outcomes=section("outcomes"),
        gates=section("validation")["gates"],
        seed=seed_for("{site}", "fidelity"),
        code=code_digest("parallax.validation.fidelity", "parallax.validation.floor"),
    script:
        "../scripts/measure_fidelity.py"


# which mechanism of a generator carries its shift: mixtures of real and synthetic mechanisms exist in the job's memory only
rule attribute_shift:
    input:
        real_cohort="<patients>/{site}/real/cohort.parquet",
        cohort="<patients>/{site}/{generator}/cohort.parquet",
        real="<exact>/{site}/real/estimates.parquet",
        synthetic="<exact>/{site}/{generator}/estimates.parquet",
    output:
        "<exact>/{site}/{generator}/attribution.parquet",
    log:
        "<logs>/attribute_shift/{site}/{generator}.log",
    benchmark:
        "<benchmarks>/attribute_shift/{site}/{generator}.tsv"
    conda:
        "../../envs/synthesis.yaml"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        sections=sections("question", "cohort", "designs", "propensity", "outcomes"),
        seeds=seeds_for("{site}", "attribution"),
        code=code_digest(
            "parallax.validation.attribution", "parallax.protocol.sections"
        ),
    script:
        "../scripts/attribute_shift.py"


rule attack_generator:
    input:
        real_cohort="<patients>/{site}/real/cohort.parquet",
        split="<patients>/{site}/real/split.parquet",
        cohorts=rounds(
            "<patients>/{site}/{generator}/refits/{round}/{scatteritem}.parquet"
        ),
        shadows=shadows("<patients>/{site}/{generator}/shadows/{shadow}.parquet"),
        refits=[
            *rounds("<exact>/{site}/{generator}/refits/{round}/{scatteritem}.parquet"),
            *shadows("<exact>/{site}/{generator}/shadows/{shadow}.parquet"),
        ],
    output:
        privacy="<exact>/{site}/{generator}/privacy.parquet",
        generation="<exact>/{site}/{generator}/refit.parquet",
    log:
        "<logs>/attack_generator/{site}/{generator}.log",
    benchmark:
        "<benchmarks>/attack_generator/{site}/{generator}.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        cohort=section("cohort"),
        outcomes=section("outcomes"),
        gates=section("validation")["gates"],
        privacy=section("privacy"),
        rounds=PROTOCOL.synthesis.refits,
        seed=seed_for("{site}", "{generator}", "attack"),
        code=code_digest("parallax.validation.privacy"),
    script:
        "../scripts/attack_generator.py"


rule reach_verdict:
    input:
        agreement=every("<exact>/{site}/{generator}/agreement.parquet"),
        fidelity=every("<exact>/{site}/{generator}/fidelity.parquet"),
        privacy=every("<exact>/{site}/{generator}/privacy.parquet"),
        fit=every("<exact>/{site}/{generator}/fit.parquet"),
        draw=every("<exact>/{site}/{generator}/draw.parquet"),
        drawn=every("<exact>/{site}/{generator}/model.json"),
        refit=every("<exact>/{site}/{generator}/refit.parquet"),
        attribution=every("<exact>/{site}/{generator}/attribution.parquet"),
        real=[
            *every("<exact>/{site}/real/characteristics.parquet"),
            *every("<exact>/{site}/real/concentration.parquet"),
            *every("<exact>/{site}/real/combined.parquet"),
        ],
        certificates=(
            every("<exact>/{site}/certification/certificate.json") if CERTIFIED else []
        ),
    output:
        (
            SITE_VERDICTS
            if PROTOCOL.pools
            else report(
                SITE_VERDICTS, caption="../report/verdict.rst", category="Results"
            )
        ),
    log:
        "<logs>/reach_verdict.log",
    benchmark:
        "<benchmarks>/reach_verdict.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        protocol=PROTOCOL.plain(),
        exact=lambda wildcards, input: str(Path(input.agreement[0]).parents[2]),
        register=str(REGISTER),
        code=code_digest(
            "parallax.validation.verdict",
            "parallax.validation.registration",
            "parallax.disclosure.site",
        ),
    script:
        "../scripts/reach_verdict.py"
