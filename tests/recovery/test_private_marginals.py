"""What a private fit does to a known effect: bias, spread between fits, and coverage of an interval that cannot see the noise.

Five covariates, two of them correlated by 0.5, confound; the log hazard ratio of treatment given them is −0.3.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from parallax.analysis.asked import estimate_primary
from parallax.protocol.cohort import Covariates
from parallax.protocol.designs import DesignsSection
from parallax.protocol.generators import PrivateMarginalsGenerator
from parallax.protocol.outcomes import OutcomesSection
from parallax.protocol.propensity import DEFAULT_PROPENSITY
from parallax.protocol.question import PrimaryEstimate
from parallax.synthesis.registry import draw_replicates, fit_generator
from parallax.validation.combining import combine

COVARIATES = Covariates(numeric=("age", "severity", "marker"), categorical=("sex", "smoker"))
OUTCOMES = OutcomesSection.of(
    {"death": {"type": "survival", "days": "d", "event": "e", "follow_up_days": 400, "horizons_days": [180], "contrasts": ["hazard_ratio"]}}
)
PRIMARY = PrimaryEstimate(outcome="death", contrast="hazard_ratio", design="overlap", horizon_days=180)
DESIGNS = DesignsSection.of({"overlap": {"method": "weight", "estimand": "ATO"}})
CUTS = {"lower": -4, "upper": 4, "cuts": [-1, -0.3, 0.3, 1], "decimals": None}
REPLICATES = 5


def settings(epsilon: float, *, pairs: tuple[tuple[str, str], ...] = (("age", "severity"),)) -> PrivateMarginalsGenerator:
    return PrivateMarginalsGenerator.of(
        {
            "method": "private_marginals",
            "epsilon": epsilon,
            "ranges": dict.fromkeys(COVARIATES.numeric, CUTS),
            "levels": {"sex": ["female", "male"], "smoker": ["no", "yes"]},
            "pairs": pairs,
            "cuts_days": {"death": [30, 60, 90, 120]},
            "whole_days": False,
        }
    )


def simulate(patients: int, rng: np.random.Generator) -> pd.DataFrame:
    age, other, marker = rng.normal(size=(3, patients))
    severity = 0.5 * age + np.sqrt(0.75) * other
    sex, smoker = rng.random((2, patients)) < np.array([[0.5], [0.3]])
    treated = rng.random(patients) < 1 / (1 + np.exp(-(0.4 * severity + 0.3 * age - 0.3 * marker - 0.2 * sex)))
    days = rng.exponential(200 / np.exp(0.4 * severity + 0.3 * age + 0.2 * smoker - 0.3 * treated))
    censored = np.minimum(rng.uniform(60, 600, patients), 400)
    return pd.DataFrame(
        {
            "replicate": 0,
            "patient_id": pd.array([str(row) for row in range(patients)], dtype="string"),
            "treated": treated,
            "age": age,
            "severity": severity,
            "marker": marker,
            "sex": pd.array(np.where(sex, "female", "male"), dtype="string"),
            "smoker": pd.array(np.where(smoker, "yes", "no"), dtype="string"),
            "death_days": np.minimum(days, censored),
            "death_event": (days <= censored).astype(np.int64),
        }
    )


def estimate(cohort: pd.DataFrame) -> pd.DataFrame:
    study = {"covariates": COVARIATES, "designs": DESIGNS, "propensity": DEFAULT_PROPENSITY, "outcomes": OUTCOMES}
    return estimate_primary(cohort, primary=PRIMARY, seed=1, **study)


def measure(epsilon: float, study: int, *, patients: int, **changed: object) -> dict[str, float]:
    """Of one simulated study the real log hazard ratio and its standard error, and the combined one (rule partial) with its interval."""
    real = simulate(patients, np.random.default_rng([3, study]))
    fitted = fit_generator(settings(epsilon, **changed), real, covariates=COVARIATES, outcomes=OUTCOMES, seed=0)
    drawn = draw_replicates(fitted, replicates=REPLICATES, patients=patients, seeds=range(1, REPLICATES + 1))
    found, combined = estimate(real).iloc[0], combine(estimate(drawn), patients=patients, synthetic=patients)
    partial = combined[combined["rule"] == "partial"].iloc[0]
    answer = {name: float(np.log(partial[name])) for name in ("estimate", "lower", "upper")}
    return {"epsilon": epsilon, "real": float(np.log(found["estimate"])), "std_error": float(found["std_error"])} | answer


@pytest.mark.slow
def test_the_noise_of_a_fit_moves_the_effect_and_no_interval_sees_it() -> None:
    """Ten studies of 2,000: at epsilon 1 the shift (in real standard errors) scatters more than twice as much as with next to no noise, and
    the intervals are no wider."""
    noisy, quiet = (pd.DataFrame([measure(epsilon, study, patients=2000) for study in range(10)]) for epsilon in (1.0, 100.0))
    scatter, width = ([f(found) for found in (noisy, quiet)] for f in (_scatter, _width))
    assert scatter[0] > 2 * scatter[1]
    assert width[0] < 1.3 * width[1]


def _scatter(found: pd.DataFrame) -> float:
    return float(((found["estimate"] - found["real"]) / found["std_error"]).std())


def _width(found: pd.DataFrame) -> float:
    return float((found["upper"] - found["lower"]).mean())
