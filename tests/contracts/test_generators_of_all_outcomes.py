"""Every registered generator on outcomes of every type: forms are kept, and the survival-aware one carries their effects."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from parallax.capabilities import GENERATORS as CAPABILITIES
from parallax.errors import GenerationError
from parallax.protocol import Covariates, OutcomesSection
from parallax.synthesis.registry import GENERATORS, draw_replicates, fit_generator
from parallax.tables import cohort_schema
from simulated_cohorts import PRIVATE
from simulated_cohorts import SETTINGS as OTHER_SETTINGS

COVARIATES = Covariates(numeric=("age",), categorical=("sex",))
OUTCOMES = OutcomesSection.of(
    {
        "relapse": {
            "type": "survival", "days": "d", "event": "e", "competing": [2], "follow_up_days": 400, "horizons_days": [60, 180],
            "contrasts": ["risk_difference"],
        },
        "readmitted": {"type": "binary", "value": "b", "contrasts": ["odds_ratio"]},
        "score": {"type": "continuous", "value": "c", "contrasts": ["mean_difference"]},
        "visits": {"type": "count", "value": "v", "person_days": "p", "contrasts": ["rate_ratio"]},
    }
)  # fmt: skip
PATIENTS = 2000
SETTINGS = OTHER_SETTINGS | {
    "private_marginals": PRIVATE.of(
        {
            "method": "private_marginals",
            "epsilon": 200,
            "ranges": {
                "age": {"lower": 20, "upper": 100, "cuts": [50, 60, 70], "decimals": 1},
                "score_value": {"lower": -4, "upper": 16, "cuts": [4, 6, 8], "decimals": 2},
                "visits_value": {"lower": 0, "upper": 40, "cuts": [1, 4]},
                "visits_person_days": {"lower": 30, "upper": 300, "cuts": [120]},
            },
            "levels": {"sex": ["f", "m"]},
        }
    )
}


@pytest.fixture(scope="module")
def real() -> pd.DataFrame:
    rng = np.random.default_rng(6)
    age, treated = np.round(rng.normal(60, 10, PATIENTS), 1), rng.random(PATIENTS) < 0.5
    relapse = np.ceil(rng.exponential(200 * np.exp(-0.6 * treated)))
    death, end = np.ceil(rng.exponential(400, PATIENTS)), np.minimum(np.ceil(rng.exponential(600, PATIENTS)), 400)
    first = np.minimum(relapse, death)
    watched = np.round(rng.uniform(30, 300, PATIENTS))
    table = pd.DataFrame(
        {
            "replicate": np.int64(0), "patient_id": np.arange(PATIENTS).astype(str), "treated": treated, "age": age,
            "sex": rng.choice(["f", "m"], PATIENTS), "relapse_days": np.minimum(first, end),
            "relapse_event": np.where(first > end, 0, np.where(relapse <= death, 1, 2)),
            "readmitted_value": (rng.random(PATIENTS) < np.where(treated, 0.5, 0.25)).astype(float),
            "score_value": np.round(5 + 2 * treated + 0.1 * (age - 60) + rng.standard_t(5, PATIENTS), 2),
            "visits_value": rng.poisson(rng.gamma(2, 0.5, PATIENTS) * watched / 60 * np.where(treated, 1.5, 1.0)).astype(float),
            "visits_person_days": watched,
        }
    )  # fmt: skip
    return cohort_schema(COVARIATES, OUTCOMES).validate(table)


def drawn(method: str, real: pd.DataFrame, *, replicates: int = 2) -> pd.DataFrame:
    fitted = fit_generator(SETTINGS[method], real, covariates=COVARIATES, outcomes=OUTCOMES, seed=5)
    return draw_replicates(fitted, replicates=replicates, patients=PATIENTS, seeds=range(replicates))


@pytest.mark.parametrize("method", sorted(GENERATORS))
def test_forms_are_kept(method: str, real: pd.DataFrame) -> None:
    table = cohort_schema(COVARIATES, OUTCOMES).validate(drawn(method, real))
    assert list(table.columns) == list(real.columns)
    assert set(table["readmitted_value"]) <= {0.0, 1.0}
    assert (table["visits_value"] % 1 == 0).all()
    for column in ("visits_person_days", "score_value"):
        declared = SETTINGS[method].ranges[column] if CAPABILITIES[method].private else None
        assert table[column].between(*((declared.lower, declared.upper) if declared else (real[column].min(), real[column].max()))).all()
    if method != "tvae":
        assert set(table["relapse_event"]) == {0, 1, 2}
    if not CAPABILITIES[method].private:
        pd.testing.assert_frame_equal(table, drawn(method, real))


def test_sequential_carries_every_effect(real: pd.DataFrame) -> None:
    table = drawn("sequential", real, replicates=5)

    def effects(cohort: pd.DataFrame) -> list[float]:
        arms = [cohort[cohort["treated"] == arm] for arm in (True, False)]
        yes, score = ([arm[f"{name}_value"].mean() for arm in arms] for name in ("readmitted", "score"))
        rate = [arm["visits_value"].sum() / arm["visits_person_days"].sum() for arm in arms]
        early = [((arm["relapse_event"] == 1) & (arm["relapse_days"] <= 60)).mean() for arm in arms]
        return [yes[0] - yes[1], score[0] - score[1], np.log(rate[0] / rate[1]), early[0] - early[1]]

    assert effects(table) == pytest.approx(effects(real), abs=0.06)
    for name in ("score_value", "visits_value"):
        assert table[name].std() == pytest.approx(real[name].std(), rel=0.08)
    for kind in (1, 2):
        assert (table["relapse_event"] == kind).mean() == pytest.approx((real["relapse_event"] == kind).mean(), abs=0.02)


def test_nothing_to_learn_is_said(real: pd.DataFrame) -> None:
    with pytest.raises(GenerationError, match='outcome "score": found one value only'):
        fit_generator(SETTINGS["sequential"], real.assign(score_value=1.0), covariates=COVARIATES, outcomes=OUTCOMES, seed=1)
