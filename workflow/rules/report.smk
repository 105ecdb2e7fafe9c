# exact tables → aggregates → what a reader opens


rule collect_results:
    input:
        every("<exact>/{site}/real/attrition.parquet"),
        every("<exact>/{site}/real/characteristics.parquet"),
        every("<exact>/{site}/real/concentration.parquet"),
        every("<exact>/{site}/{dataset}/balance.parquet"),
        every("<exact>/{site}/{dataset}/overlap.parquet"),
        every("<exact>/{site}/{dataset}/score_histogram.parquet"),
        every("<exact>/{site}/{dataset}/calibration.parquet"),
        every("<exact>/{site}/{dataset}/positivity.parquet"),
        every("<exact>/{site}/{dataset}/curves.parquet"),
        every("<exact>/{site}/{dataset}/hazard_course.parquet"),
        every("<exact>/{site}/{dataset}/combined.parquet"),
        every("<exact>/{site}/{dataset}/subgroups.parquet"),
        every("<exact>/{site}/{dataset}/interactions.parquet"),
        every("<exact>/{site}/{dataset}/robustness.parquet"),
        enriched("<exact>/{site}/{dataset}/enrichment.parquet"),
        measured(every("<exact>/{site}/real/measurement_counts.parquet")),
        measured(every("<exact>/{site}/{generator}/series_fidelity.parquet")),
        every("<exact>/{site}/{generator}/agreement.parquet"),
        every("<exact>/{site}/{generator}/fidelity.parquet"),
        every("<exact>/{site}/{generator}/coefficients.parquet"),
        every("<exact>/{site}/{generator}/privacy.parquet"),
        every("<exact>/{site}/{generator}/attribution.parquet"),
        every("<exact>/{site}/{generator}/fit.parquet"),
        every("<exact>/{site}/{generator}/draw.parquet"),
        every("<exact>/{site}/{generator}/refit.parquet"),
        pooled="<study>/pooled" if PROTOCOL.pools else [],
    output:
        aggregates=directory("<aggregates>"),
        estimates=report(
            "<study>/estimates.csv",
            caption="../report/estimates.rst",
            category="Results",
        ),
        subgroups="<study>/subgroups.csv",
        robustness="<study>/robustness.csv",
        enrichment="<study>/enrichment.csv",
        agreement=report(
            "<study>/agreement.csv",
            caption="../report/agreement.rst",
            category="Results",
        ),
        privacy=report(
            "<study>/privacy.csv", caption="../report/privacy.rst", category="Results"
        ),
    log:
        "<logs>/collect_results.log",
    benchmark:
        "<benchmarks>/collect_results.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=1500,
    params:
        protocol=PROTOCOL.plain(),
        exact=lambda wildcards, input: str(Path(input[0]).parents[2]),
        code=code_digest("parallax.disclosure.site", "parallax.reporting.results"),
    script:
        "../scripts/collect_results.py"


rule render_report:
    input:
        aggregates="<aggregates>",
        verdict="<study>/verdict.json",
        certification="<study>/certification.csv" if CERTIFIED else [],
        pooled="<study>/pooled" if PROTOCOL.pools else [],
        pooling="<study>/pooling.csv" if PROTOCOL.pools else [],
        pooling_costs="<study>/pooling_costs.csv" if PROTOCOL.pools else [],
        heterogeneity="<study>/heterogeneity.csv" if PROTOCOL.pools else [],
        site_overlap="<study>/site_overlap.csv" if PROTOCOL.pools else [],
        external_control=(
            "<study>/external_control.csv" if PROTOCOL.data.external_controls else []
        ),
    output:
        report("<study>/report.html", caption="../report/study.rst", category="Report"),
    log:
        "<logs>/render_report.log",
    benchmark:
        "<benchmarks>/render_report.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=1500,
    params:
        protocol=PROTOCOL.plain(),
        repository=str(REPOSITORY),
        code=code_digest("parallax.reporting.report", "parallax.provenance"),
    script:
        "../scripts/render_report.py"


rule write_manifest:
    input:
        sources=[
            *source_files(*PROTOCOL.sites),
            *measurement_files(*PROTOCOL.sites),
            *every("<patients>/{site}/source/patients.parquet"),
            *measured(every("<patients>/{site}/source/measurements.parquet")),
            *SITE_RESULTS,
        ],
        results=[
            "<study>/report.html",
            "<study>/verdict.json",
            "<study>/estimates.csv",
            "<study>/subgroups.csv",
            "<study>/robustness.csv",
            "<study>/enrichment.csv",
            "<study>/agreement.csv",
            "<study>/privacy.csv",
            *(["<study>/certification.csv"] if CERTIFIED else []),
            *(
                [
                    "<study>/pooling.csv",
                    "<study>/pooling_costs.csv",
                    "<study>/heterogeneity.csv",
                    "<study>/site_overlap.csv",
                ]
                if PROTOCOL.pools
                else []
            ),
            *(
                ["<study>/external_control.csv"]
                if PROTOCOL.data.external_controls
                else []
            ),
            *every("<exact>/{site}/{generator}/model.json"),
        ],
    output:
        "<study>/manifest.json",
    log:
        "<logs>/write_manifest.log",
    benchmark:
        "<benchmarks>/write_manifest.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=500,
    params:
        protocol=PROTOCOL.plain(),
        repository=str(REPOSITORY),
        study=lambda wildcards, output: str(Path(output[0]).parent),
        # no input: a changed protocol must not have the settings tried again
        tuning=lambda wildcards: tuning_record(),
        code=code_digest("parallax.provenance"),
    script:
        "../scripts/write_manifest.py"
