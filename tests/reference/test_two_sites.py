"""The example of two sites against R's survival 3.5-3: coxph, survdiff and cox.zph with strata(site), Efron ties.

R read the two cohorts that the protocol selects, their days rounded to whole ones (R merges times that differ in the last digits, Parallax does
not), one below the other with the column site: ``coxph(Surv(days, died) ~ treated + covariates + strata(site))``, the same without covariates
for ``cox.zph(…, transform = "km")``, ``survdiff(Surv(days, died) ~ treated + strata(site))``.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from parallax.analysis.designs import apply_designs
from parallax.analysis.effects import analyse
from parallax.cohort.selection import select_cohort
from parallax.extraction.registry import read_source
from parallax.pooling import PooledSettings, pool_cohorts, pool_settings
from parallax.protocol import DesignsSection, Protocol
from parallax.protocol.loading import read_protocol
from parallax.statistics.log_rank import compare_hazards
from parallax.statistics.proportional_hazards import measure_trend
from parallax.vocabulary import SITE

STUDIES = Path(__file__).parents[2] / "config/studies"


@cache
def study() -> Protocol:
    return read_protocol(STUDIES / "breast_two_sites.yaml")


@cache
def cohorts() -> dict[str, pd.DataFrame]:
    found = {}
    for site, source in study().data.sites.items():
        patients = read_source(source, folder=STUDIES)
        selected = select_cohort(patients, study().cohort, study().outcomes, source.patient_id).cohort
        found[site] = selected.assign(death_days=selected["death_days"].round().clip(lower=1.0))
    return found


def settings(score: str = "by_site") -> PooledSettings:
    pooling = study().pooling.model_copy(update={"score": score})
    return pool_settings(pooling, covariates=study().cohort.covariates, designs=study().designs, propensity=study().propensity)


def regression(cohort: pd.DataFrame, used: PooledSettings | None = None) -> pd.Series:
    how = {"covariates": study().cohort.covariates, "propensity": study().propensity} if used is None else {"covariates": used.covariates}
    found = analyse(cohort, **how, designs=DesignsSection({"regression": study().designs["regression"]}), outcomes=study().outcomes).estimates
    return found[found["horizon_days"].isna()].iloc[0]


def test_the_cohorts_are_those_of_the_published_tables() -> None:
    sizes = {site: (len(cohort), int(cohort["treated"].sum()), int(cohort["death_event"].sum())) for site, cohort in cohorts().items()}
    assert sizes == {"rotterdam": (1546, 339, 877), "germany": (686, 246, 171)}


@pytest.mark.parametrize(
    ("site", "log_ratio", "std_error"),
    [("rotterdam", -0.317888605687923598, 0.091344595408335796), ("germany", -0.3748598143638790, 0.1701342680321298)],
)
def test_the_adjusted_hazard_ratio_of_a_site(site: str, log_ratio: float, std_error: float) -> None:
    found = regression(cohorts()[site])
    assert np.log(found["estimate"]) == pytest.approx(log_ratio, abs=1e-8)
    assert found["std_error"] == pytest.approx(std_error, abs=1e-8)


def test_the_adjusted_hazard_ratio_of_both_sites_stratified_by_site() -> None:
    found = regression(pool_cohorts(cohorts()), settings())
    assert np.log(found["estimate"]) == pytest.approx(-3.27721247232506e-01, abs=1e-8)
    assert found["std_error"] == pytest.approx(8.01648125162582e-02, abs=1e-8)
    assert [round(found[name], 3) for name in ("estimate", "lower", "upper")] == [0.721, 0.616, 0.843]


def test_the_stratified_log_rank_test_and_the_trend() -> None:
    pooled = pool_cohorts(cohorts())
    data = (pooled["death_days"], pooled["death_event"], pooled["treated"])
    strata = pooled[SITE].factorize()[0]
    found = compare_hazards(*data, strata=strata)
    assert (found.observed, found.expected) == (215, pytest.approx(235.708506536377, abs=1e-8))
    assert 1 / found.variance == pytest.approx(175.141195493424, abs=1e-8)
    assert found.statistic == pytest.approx(2.44855153442911, abs=1e-8)
    assert measure_trend(*data, strata=strata).statistic == pytest.approx(2.09631169851281, abs=1e-8)


def test_a_score_by_site_is_each_sites_own_score() -> None:
    """Two routes: one regression with the products of the site, and a regression at each site."""
    how = {"designs": DesignsSection({"overlap": study().designs["overlap"]}), "imbalance": 0.1, "effective_patients": 30, "seed": 1}
    used = settings()
    together = apply_designs(pool_cohorts(cohorts()), covariates=used.covariates, propensity=used.propensity, **how)
    apart = [apply_designs(cohort, covariates=study().cohort.covariates, propensity=study().propensity, **how) for cohort in cohorts().values()]
    own = np.concatenate([designed.propensity["propensity"] for designed in apart])
    np.testing.assert_allclose(together.propensity["propensity"], own, atol=1e-8)


def test_a_common_score_has_the_site_as_one_factor_more() -> None:
    how = {"designs": DesignsSection({"overlap": study().designs["overlap"]}), "imbalance": 0.1, "effective_patients": 30, "seed": 1}
    used = settings("common")
    designed = apply_designs(pool_cohorts(cohorts()), covariates=used.covariates, propensity=used.propensity, **how)
    treated = pool_cohorts(cohorts())["treated"].to_numpy()
    at = pool_cohorts(cohorts())[SITE].to_numpy() == "germany"
    score = designed.propensity["propensity"].to_numpy()
    # the score equations of the maximum likelihood: as many treated as expected at each site
    assert score[at].sum() == pytest.approx(treated[at].sum(), abs=1e-6)
    assert score[~at].sum() == pytest.approx(treated[~at].sum(), abs=1e-6)


def test_what_rotterdam_alone_knows_breaks_positivity() -> None:
    """With the year of surgery and chemotherapy in the score a weight of everybody's effect passes 100, and the design is not to be trusted."""
    source = study().data.sites["rotterdam"]
    more = study().cohort.covariates.model_copy(
        update={
            "numeric": (*study().cohort.covariates.numeric, "num_year"),
            "categorical": (*study().cohort.covariates.categorical, "fac_chemo"),
        }
    )
    section = study().cohort.model_copy(update={"covariates": more})
    cohort = select_cohort(read_source(source, folder=STUDIES), section, study().outcomes, source.patient_id).cohort
    gates = study().validation.gates
    designed = apply_designs(
        cohort, covariates=more, designs=study().designs, imbalance=gates.imbalance, effective_patients=gates.effective_patients, seed=1
    )
    overlap = designed.overlap.set_index("design")
    assert overlap.loc["iptw", "max_weight"] > 100
    assert overlap.loc["iptw", "ess_treated"] < 10
    assert "not balanced" in overlap.loc["iptw", "failure"]
    assert "the treated arm weighs like fewer than 30 patients" in overlap.loc["iptw", "failure"]
    assert overlap.loc["overlap", "ess_treated"] > 200
    assert overlap.loc["overlap", "failure"] is None or pd.isna(overlap.loc["overlap", "failure"])


def test_no_node_negative_woman_of_rotterdam_was_treated() -> None:
    patients = read_source(study().data.sites["rotterdam"], folder=STUDIES)
    negative = patients[patients["nodes"] == 0]
    assert (len(negative), int((negative["hormone"] == "yes").sum())) == (1436, 0)
