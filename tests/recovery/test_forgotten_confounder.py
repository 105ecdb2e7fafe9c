"""A generator that forgets one confounder: is it caught, though its margins are perfect?

Treatment and the hazard of death depend on severity, each by a coefficient of 0.4 per standard deviation: without severity the log hazard
ratio lies about 0.4 · 0.4 = 0.16 from the truth, some two standard errors at 2,000 patients. The generator is the patients themselves with
severity shuffled.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forgetful import forget
from parallax.analysis.designs import apply_designs
from parallax.analysis.effects import estimate_effects
from parallax.cohort.selection import select_cohort
from parallax.extraction.registry import read_source
from parallax.protocol.cohort import Covariates
from parallax.protocol.designs import DesignsSection
from parallax.protocol.loading import read_protocol
from parallax.protocol.outcomes import OutcomesSection
from parallax.protocol.propensity import DEFAULT_PROPENSITY
from parallax.protocol.question import PrimaryEstimate
from parallax.protocol.validation import Gates
from parallax.tables import FLOOR, GENERATION, PRIVACY, empty_table
from parallax.validation.agreement import measure_agreement
from parallax.validation.attribution import attribute_shift, name_broken
from parallax.validation.combining import combine, take_real
from parallax.validation.fidelity import measure_fidelity, measure_structure
from parallax.validation.verdict import reach_verdict
from validation_tables import harmless_privacy

COVARIATES = Covariates(numeric=("age", "severity"), categorical=("sex",))
OUTCOMES = OutcomesSection.of(
    {"death": {"type": "survival", "days": "d", "event": "e", "follow_up_days": 400, "horizons_days": [180], "contrasts": ["hazard_ratio"]}}
)
PRIMARY = PrimaryEstimate(outcome="death", contrast="hazard_ratio", design="overlap", horizon_days=180)
DESIGNS = DesignsSection.of({"overlap": {"method": "weight", "estimand": "ATO"}})
GATES = Gates()
REPLICATES = 10


@dataclass(frozen=True, slots=True)
class Measured:
    """The real and the forgetful side's tables; ``shift`` in real standard errors."""

    synthetic: pd.DataFrame
    real_overlap: pd.DataFrame
    overlap: pd.DataFrame
    real_estimates: pd.DataFrame
    estimates: pd.DataFrame
    agreement: pd.DataFrame

    @property
    def shift(self) -> float:
        return float(self.agreement.loc[self.agreement["threshold"].notna() & (self.agreement["metric"] == "shift_in_real_se"), "value"].iloc[0])


def simulate(patients: int, rng: np.random.Generator) -> pd.DataFrame:
    age, severity = rng.normal(size=(2, patients))
    sex = rng.random(patients) < 0.5
    treated = rng.random(patients) < 1 / (1 + np.exp(-(0.4 * severity + 0.3 * age - 0.2 * sex)))
    days = rng.exponential(200 / np.exp(0.4 * severity + 0.3 * age - 0.3 * treated))
    censored = np.minimum(rng.uniform(60, 600, patients), 400)
    return pd.DataFrame(
        {
            "replicate": 0,
            "patient_id": pd.array([str(row) for row in range(patients)], dtype="string"),
            "treated": treated,
            "age": age,
            "severity": severity,
            "sex": pd.array(np.where(sex, "female", "male"), dtype="string"),
            "death_days": np.minimum(days, censored),
            "death_event": (days <= censored).astype(np.int64),
        }
    )


def run(cohort, synthetic, *, covariates, outcomes, designs, propensity, primary) -> Measured:  # type: ignore[no-untyped-def]
    study = {"covariates": covariates, "designs": designs, "propensity": propensity, "seed": 1}
    sides = []
    for side in (cohort, synthetic):
        designed = apply_designs(side, **study, imbalance=np.inf, effective_patients=0)
        made = {"weights": designed.weights, "overlap": designed.overlap, "scores": designed.propensity}
        sides.append((designed.overlap, estimate_effects(side, **made, **study, outcomes=outcomes).estimates))
    combined = combine(sides[1][1], patients=len(cohort), synthetic=len(cohort))
    agreement = measure_agreement(take_real(sides[0][1]), combined, floor=empty_table(FLOOR), primary=primary, gates=GATES)
    return Measured(synthetic, sides[0][0], sides[1][0], sides[0][1], sides[1][1], agreement)


def forget_severity(patients: int, seed: int) -> tuple[pd.DataFrame, Measured]:
    cohort = simulate(patients, np.random.default_rng(seed))
    synthetic = forget(cohort, "severity", seeds=range(1000 * seed, 1000 * seed + REPLICATES))
    study = {"covariates": COVARIATES, "outcomes": OUTCOMES, "designs": DESIGNS, "propensity": DEFAULT_PROPENSITY, "primary": PRIMARY}
    return cohort, run(cohort, synthetic, **study)


def test_it_is_not_released_though_its_margins_are_perfect() -> None:
    cohort, found = forget_severity(2000, 20261124)
    asked = {"primary": PRIMARY, "covariates": COVARIATES, "outcomes": OUTCOMES}
    overlaps = {"real_overlap": found.real_overlap, "synthetic_overlap": found.overlap}
    fidelity = measure_fidelity(cohort, found.synthetic, **overlaps, **asked, gates=GATES, rng=np.random.default_rng(1))
    margins = fidelity[fidelity["metric"].isin(["marginal_ks", "marginal_tv"])]
    assert margins["value"].max() < 0.03
    assert fidelity.loc[fidelity["metric"] == "km_gap", "passed"].all()
    structure = measure_structure(cohort, found.synthetic, **asked, rng=np.random.default_rng(2))
    severity = structure.coefficients[structure.coefficients["term"] == "severity"].set_index("model")
    assert (severity["synthetic"].abs() < 0.05).all()
    assert (severity["gap"].abs() > severity["band"]).all()
    attribution = attribute_shift(
        cohort,
        found.synthetic,
        real_estimates=found.real_estimates,
        estimates=found.estimates,
        **asked,
        designs=DESIGNS,
        propensity=DEFAULT_PROPENSITY,
        seeds=range(REPLICATES),
    )
    # the effect among patients alike but for severity is what the outcome given treatment and covariates now says
    assert name_broken(attribution) == "outcome"
    assert name_broken(attribution, "propensity_c") == "treatment"
    record = reach_verdict(
        "forgetful",
        agreement=found.agreement,
        fidelity=fidelity,
        privacy=pd.DataFrame(harmless_privacy(GATES), columns=list(PRIVACY.columns)),
        generation=empty_table(GENERATION),
        gates=GATES,
        certified=False,
        attribution=attribution,
    )
    assert record.verdict == "do_not_release"
    judged = {gate.metric: gate for gate in record.gates}
    assert (judged["shift_in_real_se"].outcome, judged["shift_in_real_se"].mechanism) == ("failed", "outcome")


@pytest.mark.slow
def test_how_often_it_is_caught() -> None:
    """Over 60 studies: the mean shift is two standard errors or more, and the shift gate alone catches nine of ten."""
    shifts = np.array([forget_severity(2000, seed)[1].shift for seed in range(60)])
    assert shifts.mean() > 2.0 - 3 * shifts.std() / np.sqrt(60)
    assert (np.abs(shifts) > GATES.shift_in_real_se).mean() > 0.9 - 3 * np.sqrt(0.9 * 0.1 / 60)


@pytest.mark.slow
@pytest.mark.parametrize("confounder", ["num_surv2md1", "num_meanbp1", "num_pafi1"])
def test_right_heart_catheterisation_shows_it_in_the_coefficients(confounder: str) -> None:
    """A covariate of RHC that treatment clearly follows moves the effect by less than one standard error: the gate passes, the coefficients tell."""
    protocol = read_protocol(Path(__file__).parents[2] / "config/studies/rhc.yaml")
    (source,) = protocol.data.sites.values()
    patients = read_source(source, folder=Path())
    cohort = select_cohort(patients, cohort=protocol.cohort, outcomes=protocol.outcomes, patient_id=source.patient_id).cohort
    synthetic = forget(cohort, confounder, seeds=range(10))
    asked = {"covariates": protocol.cohort.covariates, "outcomes": protocol.outcomes, "primary": protocol.question.primary}
    designs = DesignsSection({protocol.question.primary.design: protocol.designs[protocol.question.primary.design]})
    found = run(cohort, synthetic, **asked, designs=designs, propensity=protocol.propensity)
    assert abs(found.shift) < 1.0
    coefficients = measure_structure(cohort, synthetic, **asked, rng=np.random.default_rng(3)).coefficients
    forgotten = coefficients[(coefficients["term"] == confounder) & (coefficients["model"] == "treatment")].iloc[0]
    others = coefficients[(coefficients["term"] != confounder) & (coefficients["model"] == "treatment")]
    assert abs(forgotten["synthetic"]) < 2 * forgotten["std_error"]
    assert abs(forgotten["gap"]) > others["gap"].abs().max()
