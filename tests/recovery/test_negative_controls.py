"""A known systematic error, on real and on synthetic patients.

Severity is in no covariate. It is more frequent among the treated and multiplies the risk of every outcome by a factor of its own, so that each risk
ratio is off by Bross's factor (Bross 1966; Schlesselman 1978): {1 + (g − 1) p₁}/{1 + (g − 1) p₀}, g the factor, p₁ and p₀ the shares of severe
patients among treated and comparators. Treatment acts on the primary outcome alone.
"""

from __future__ import annotations

from math import log

import numpy as np
import pandas as pd
import pytest

from parallax.analysis.effects import analyse
from parallax.protocol.cohort import Covariates
from parallax.protocol.designs import DesignsSection
from parallax.protocol.generators import parse_generator
from parallax.protocol.outcomes import OutcomesSection
from parallax.protocol.question import Hypothesis
from parallax.statistics.empirical_calibration import bound_null, compare_nulls, fit_null
from parallax.synthesis.registry import draw_replicates, fit_generator
from parallax.tables import PERMUTATIONS, empty_table
from parallax.validation.combining import combine, take_real
from parallax.validation.robustness import assess_robustness

PATIENTS, REPLICATES, EFFECT = 6000, 5, 1.4
SEVERE = {"treated": 0.6, "comparator": 0.3}
#: how severity multiplies the risk of the primary outcome and of each control
FACTORS = {"primary": 2.5, "a": 1.6, "b": 2.0, "c": 2.4, "d": 2.8, "e": 3.2, "f": 2.2}
BINARY = {"type": "binary", "contrasts": ["risk_ratio"]}
OUTCOMES = OutcomesSection.of({name: BINARY | {"value": name, "negative_control": name != "primary"} for name in FACTORS})
COVARIATES = Covariates(numeric=("age",), categorical=("sex",))
PRIMARY = Hypothesis(outcome="primary", contrast="risk_ratio", design="overlap", horizon_days=None)
STUDY = {"covariates": COVARIATES, "outcomes": OUTCOMES}
DESIGNS = DesignsSection.of({"overlap": {"method": "weight", "estimand": "ATO"}})


def bias(factor: float) -> float:
    return log((1 + (factor - 1) * SEVERE["treated"]) / (1 + (factor - 1) * SEVERE["comparator"]))


def simulate(seed: int) -> pd.DataFrame:
    rng = np.random.default_rng([50, seed])
    treated = rng.random(PATIENTS) < 0.5
    severe = rng.random(PATIENTS) < np.where(treated, SEVERE["treated"], SEVERE["comparator"])
    risks = {name: 0.1 * np.where(severe, factor, 1.0) * np.where(treated & (name == "primary"), EFFECT, 1.0) for name, factor in FACTORS.items()}
    return pd.DataFrame(
        {
            "replicate": np.int64(0),
            "patient_id": pd.array(np.arange(PATIENTS).astype(str), dtype="string"),
            "treated": treated,
            "age": rng.normal(60, 10, PATIENTS).round(1),
            "sex": pd.array(np.where(rng.random(PATIENTS) < 0.5, "f", "m"), dtype="string"),
        }
        | {f"{name}_value": (rng.random(PATIENTS) < risk).astype(float) for name, risk in risks.items()}
    )


def measure(cohort: pd.DataFrame, method: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The robustness of the real and of the synthetic answer, by measure."""
    fitted = fit_generator(parse_generator({"method": method}), cohort, seed=1, **STUDY)
    drawn = draw_replicates(fitted, replicates=REPLICATES, patients=len(cohort), seeds=list(range(REPLICATES)))
    real = take_real(analyse(cohort, designs=DESIGNS, seed=1, **STUDY).estimates)
    made = combine(analyse(drawn, designs=DESIGNS, seed=1, **STUDY).estimates, patients=len(cohort), synthetic=len(cohort))
    asked = {"primary": PRIMARY, "outcomes": OUTCOMES}
    nothing = empty_table(PERMUTATIONS)
    return tuple(
        table.set_index("measure") for table in (assess_robustness(real, nothing, **asked), assess_robustness(made, nothing, real=real, **asked))
    )


def holds(row: pd.Series, truth: float) -> bool:
    return bool(row["lower"] <= truth <= row["upper"])


def test_the_error_is_found_on_both_sides_and_calibrated_away() -> None:
    controls = np.array([bias(factor) for name, factor in FACTORS.items() if name != "primary"])
    for table in measure(simulate(1), "sequential"):
        assert holds(table.loc["systematic_error_mean"], controls.mean())
        assert holds(table.loc["systematic_error_sd"], controls.std(ddof=1))
        assert holds(table.loc["calibrated"], EFFECT)
        assert table.loc["systematic_error_mean", "lower"] > 0
    assert holds(table.loc["added_error_mean"], 0.0)
    assert abs(table.loc["calibrated_shift", "value"]) < 1


def test_a_generator_without_associations_carries_no_error_and_no_effect() -> None:
    real, synthetic = measure(simulate(2), "independent")
    assert holds(synthetic.loc["systematic_error_mean"], 0.0)
    assert synthetic.loc["added_error_mean", "upper"] < 0
    # both are gone together: calibrated, what is left is the effect that it forgot
    assert holds(synthetic.loc["calibrated"], 1.0)
    assert holds(real.loc["calibrated"], EFFECT)


@pytest.mark.slow
def test_the_intervals_cover() -> None:
    """Systematic errors N(0.2, 0.1²) of eight controls with unequal standard errors; a generator that adds 0.1 and noise."""
    rng, repetitions, k = np.random.default_rng(52), 1000, 8
    held = []
    for _ in range(repetitions):
        s = rng.uniform(0.05, 0.2, k)
        error = rng.normal(0.2, 0.1, k)
        y = error + s * rng.standard_normal(k)
        synthetic = y + 0.1 + 0.5 * s * rng.standard_normal(k)
        bounds = bound_null(fit_null(y, s), y, s)
        added = compare_nulls(synthetic, s, y, s)
        pairs = ((bounds.mean, 0.2), (bounds.sd, 0.1), ((added.lower, added.upper), 0.1))
        held.append([lower <= truth <= upper for (lower, upper), truth in pairs])
    # 95 % of a thousand has a Monte-Carlo error of 0.7 points
    assert np.mean(held, axis=0) == pytest.approx([0.95, 0.95, 0.95], abs=0.021)
