"""The real analyses of the example studies against published results and R.

RHC: Connors et al. 1996 for the deaths by day 30; the effects were computed once with R's survival and survey packages (weighted coxph with
robust variance, Efron ties; weighted survfit) on the same 52 covariates. GBSG: the hazard ratio of hormone therapy, survival::coxph.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from parallax.analysis.designs import Designed, apply_designs
from parallax.analysis.effects import Estimated, estimate_effects
from parallax.cohort.selection import select_cohort
from parallax.extraction.registry import read_source
from parallax.protocol import DesignsSection
from parallax.protocol.loading import read_protocol

STUDIES = Path(__file__).parents[2] / "config/studies"


@cache
def analysed(study: str) -> tuple[Designed, Estimated]:
    protocol = read_protocol(STUDIES / f"{study}.yaml")
    source = protocol.data.sites[protocol.sites[0]]
    selection = select_cohort(read_source(source, folder=STUDIES), protocol.cohort, protocol.outcomes, source.patient_id)
    # the published intervals take the weights as known
    plain = {
        name: {**design, "variance": "score_as_known"} if design["method"] == "weight" else design
        for name, design in protocol.designs.plain().items()
    }
    settings = {"covariates": protocol.cohort.covariates, "designs": DesignsSection.of(plain), "propensity": protocol.propensity}
    gates = protocol.validation.gates
    designed = apply_designs(
        selection.cohort, **settings, imbalance=gates.imbalance, effective_patients=gates.effective_patients, seed=protocol.study.seed
    )
    made = {"weights": designed.weights, "overlap": designed.overlap, "scores": designed.propensity}
    return designed, estimate_effects(selection.cohort, **made, **settings, outcomes=protocol.outcomes, seed=1)


def effect(study: str, design: str, contrast: str, horizon_days: float | None) -> pd.Series:
    estimates = analysed(study)[1].estimates
    horizon = estimates["horizon_days"].isna() if horizon_days is None else estimates["horizon_days"] == horizon_days
    return estimates[(estimates["design"] == design) & (estimates["contrast"] == contrast) & horizon].iloc[0]


@pytest.mark.parametrize(
    ("design", "contrast", "horizon", "estimate", "tolerance"),
    [
        ("crude", "hazard_ratio", 30, 1.306, 0.001),
        ("overlap", "hazard_ratio", 30, 1.175, 0.01),
        ("iptw", "hazard_ratio", 30, 1.143, 0.01),
        ("att", "hazard_ratio", 30, 1.135, 0.01),
        ("overlap", "hazard_ratio", 180, 1.158, 0.01),
        ("iptw", "hazard_ratio", 180, 1.110, 0.01),
        ("crude", "risk_difference", 30, 0.0736, 0.002),
        ("overlap", "risk_difference", 30, 0.0444, 0.002),
        ("iptw", "risk_difference", 30, 0.0373, 0.002),
        ("att", "risk_difference", 30, 0.0386, 0.002),
        ("overlap", "risk_difference", 180, 0.0493, 0.002),
        ("crude", "rmst_difference", 30, -1.51, 0.01),
        ("iptw", "rmst_difference", 30, -0.74, 0.01),
        ("overlap", "rmst_difference", 30, -0.940, 0.01),
        ("overlap", "rmst_difference", 180, -8.18, 0.05),
    ],
)
def test_rhc_effects(design: str, contrast: str, horizon: float, estimate: float, tolerance: float) -> None:
    assert effect("rhc", design, contrast, horizon)["estimate"] == pytest.approx(estimate, abs=tolerance)


@pytest.mark.parametrize(
    ("design", "lower", "upper"), [("crude", 1.193, 1.429), ("overlap", 1.056, 1.308), ("iptw", 1.012, 1.292), ("att", 0.972, 1.324)]
)
def test_rhc_intervals_of_the_30_day_hazard_ratio(design: str, lower: float, upper: float) -> None:
    row = effect("rhc", design, "hazard_ratio", 30)
    assert (row["lower"], row["upper"]) == pytest.approx((lower, upper), abs=0.002)


def test_rhc_deaths_by_day_30() -> None:
    row = effect("rhc", "crude", "hazard_ratio", 30)
    assert (row["n_treated"], row["n_comparator"]) == (2184, 3551)
    assert (row["events_treated"], row["events_comparator"]) == (830, 1088)


def test_rhc_matched_effect_lies_in_the_wide_band() -> None:
    row = effect("rhc", "matched", "hazard_ratio", 30)
    assert 1.15 <= row["estimate"] <= 1.29
    assert row["n_treated"] == 1673


def test_rhc_balance() -> None:
    overlap = analysed("rhc")[0].overlap.set_index("design")
    assert overlap.loc["overlap", "max_abs_smd"] < 1e-6
    assert overlap.loc["crude", "max_abs_smd"] == pytest.approx(0.50, abs=0.005)
    assert 0.064 <= overlap.loc["iptw", "max_abs_smd"] <= 0.0695
    assert overlap.loc["att", "max_abs_smd"] == pytest.approx(0.120, abs=0.001)
    assert overlap.loc["overlap", "c_statistic"] == pytest.approx(0.81, abs=0.005)
    assert overlap.loc["iptw", "max_weight"] == pytest.approx(18.1, abs=0.05)
    sound = overlap["failure"].isna().to_dict()
    assert {name for name, passed in sound.items() if not passed} == {"crude", "att"}


def test_gbsg_unadjusted_hazard_ratio() -> None:
    row = effect("gbsg", "crude", "hazard_ratio", None)
    assert (row["estimate"], row["lower"], row["upper"]) == pytest.approx((0.695, 0.544, 0.888), abs=0.001)
