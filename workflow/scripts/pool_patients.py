"""Answer the study on the patients of all sites: the real ones, or a generator's, alone and beside real ones."""

import pandas as pd

from parallax import tables
from parallax.job import job
from parallax.pooling import pool_settings
from parallax.protocol.sections import read_sections
from parallax.storage import read_json, read_table, write_table
from parallax.validation.ways import ELSEWHERE, Released, answer, pool_generator, pool_real
from parallax.vocabulary import REAL


def pool(input, params):
    study = read_sections(params.sections)
    schema = tables.cohort_schema(study["cohort"].covariates, study["outcomes"])
    real = {site: read_table(path, schema) for site, path in zip(params.sites, input.real, strict=True)}
    if params.dataset == REAL:
        return study, [pool_real(real, left_out=dict.fromkeys(params.joining, ELSEWHERE))]
    synthetic = {site: read_table(path, schema) for site, path in zip(params.sites, input.synthetic, strict=True)}
    releases = zip(params.joining, input.get("released", []), input.get("records", []), strict=True)
    elsewhere = {site: Released(read_table(path, schema), **read_json(record)) for site, path, record in releases}
    judged = read_json(input.verdicts)["sites"]
    verdicts = {site: judged[site][params.dataset]["verdict"] for site in params.sites}
    how = {"generator": params.dataset, "verdicts": verdicts, "here": study["pooling"].here}
    return study, pool_generator(real, synthetic, **how, elsewhere=elsewhere)


with job(snakemake.log[0]):
    study, pools = pool(snakemake.input, snakemake.params)
    settings = pool_settings(study["pooling"], covariates=study["cohort"].covariates, designs=study["designs"], propensity=study["propensity"])
    targets = read_table(snakemake.input.targets, tables.COMBINED)
    asked = {"outcomes": study["outcomes"], "gates": study["validation"].gates, "fit": snakemake.params.fit, "seed": snakemake.params.seed}
    found = [answer(each, settings, targets=targets, **asked) for each in pools]
    for name, part in (("individual", 0), ("overlap", 1)):
        table = pd.concat([tables_of[part] for tables_of in found], ignore_index=True)
        write_table(snakemake.output[name], table, getattr(tables, "POOLED_OVERLAP" if part else "POOLED"), restricted=True)
