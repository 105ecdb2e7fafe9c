"""A simulated cohort with everything that a generator must reproduce, from a truth that is written down here."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import expit

from parallax.protocol import Covariates, OutcomesSection
from parallax.protocol.generators import (
    ArfGenerator,
    CartGenerator,
    CopulaGanGenerator,
    CtganGenerator,
    GaussianCopulaGenerator,
    IndependentGenerator,
    PrivateMarginalsGenerator,
    SequentialGenerator,
    TvaeGenerator,
)
from parallax.synthesis.generator import Context

#: for every simulated study of the contracts; an epsilon at which the noise is small
PRIVATE = PrivateMarginalsGenerator.of(
    {
        "method": "private_marginals",
        "epsilon": 200,
        "ranges": {
            "age": {"lower": 10, "upper": 110, "cuts": [50, 60, 70], "decimals": 3},
            "visits": {"lower": 0, "upper": 15, "cuts": [1, 2, 3, 5]},
            "albumin": {"lower": 1, "upper": 5, "cuts": [2, 3, 4], "decimals": 1},
            "lactate": {"lower": 0, "upper": 20, "cuts": [1, 2, 4], "decimals": None},
            "pain_value": {"lower": 0, "upper": 20, "cuts": [6, 8], "decimals": 1},
            "falls_value": {"lower": 0, "upper": 60, "cuts": [3]},
            "falls_person_days": {"lower": 1, "upper": 365, "cuts": [180]},
            "visitors_value": {"lower": 0, "upper": 6, "cuts": [2]},
            "diagnosed": {"lower": 0, "upper": 100, "cuts": [45, 55]},
            "diastolic": {"lower": 30, "upper": 150, "cuts": [70, 85]},
            "mean": {"lower": 30, "upper": 200, "cuts": [80, 100]},
            "systolic": {"lower": 80, "upper": 300, "cuts": [140, 160]},
        },
        "levels": {
            "sex": ["female", "male"],
            "disease": ["heart", "lung", "liver", "rare"],
            "smoker": ["yes", "no"],
            "region": ["north", "south"],
            "hospital": [f"{region} {number}" for region in ("north", "south") for number in (1, 2, 3)],
        },
        "missing": ["lactate", "smoker", "diagnosed", "diastolic", "mean", "hospital"],
    }
)
#: a setting for every registered generator; networks are trained for two epochs
SETTINGS = {
    "sequential": SequentialGenerator(method="sequential"),
    "gaussian_copula": GaussianCopulaGenerator(method="gaussian_copula"),
    "tvae": TvaeGenerator(method="tvae", epochs=2, batch_size=50),
    "ctgan": CtganGenerator(method="ctgan", epochs=2, batch_size=50),
    "copula_gan": CopulaGanGenerator(method="copula_gan", epochs=2, batch_size=50),
    "arf": ArfGenerator(method="arf"),
    "cart": CartGenerator(method="cart"),
    "independent": IndependentGenerator(method="independent"),
    "private_marginals": PRIVATE,
}
#: a network of two epochs has learnt no margin yet
LEARNS_MARGINS = ("sequential", "gaussian_copula", "arf", "cart", "independent", "private_marginals")

END = 400.0
COVARIATES = Covariates(numeric=("age", "visits", "albumin", "lactate"), categorical=("sex", "disease", "smoker"))
OUTCOMES = OutcomesSection.of(
    {
        "death": {
            "type": "survival",
            "days": "days",
            "event": "event",
            "follow_up_days": END,
            "horizons_days": [30, 180],
            "contrasts": ["hazard_ratio", "risk_difference", "rmst_difference"],
        }
    }
)
CONTEXT = Context(COVARIATES, OUTCOMES)
DISEASES = ("heart", "lung", "liver", "rare")

#: an outcome of every type: relapse competes with death (2) and with transplantation (3), which only the treated receive
EVERY_OUTCOME = OutcomesSection.of(
    {
        "death": OUTCOMES["death"].model_dump(),
        "relapse": OUTCOMES["death"].model_dump() | {"days": "relapse_time", "event": "relapse_code", "event_code": 1, "competing": [7, 4]},
        "response": {"type": "binary", "value": "responded", "contrasts": ["odds_ratio"]},
        "pain": {"type": "continuous", "value": "pain_score", "contrasts": ["mean_difference"]},
        "falls": {"type": "count", "value": "n_falls", "person_days": "falls_time", "contrasts": ["rate_ratio"]},
        "visitors": {"type": "count", "value": "n_visitors", "contrasts": ["rate_ratio"]},
    }
)
#: per patient, given age: log cause-specific hazard ratio, log odds ratio, mean difference, log rate ratio
EFFECTS = {"relapse": 0.5, "response": 0.7, "pain": 1.0, "falls": 0.4}


def simulate_cohort(patients: int, *, seed: int, effect: float = 0.4) -> pd.DataFrame:
    """Numbers with and without decimals, a scale of few values, gaps that depend on sex, four diseases, confounded treatment, days of
    follow-up that end for everybody on day 400.

    The log hazard ratio of treatment is ``effect`` until day 180 and 0 afterwards; age and disease confound.
    """
    rng = np.random.default_rng([20, seed])
    frailty = rng.standard_normal(patients)
    age = 60 + 12 * (0.6 * frailty + 0.8 * rng.standard_normal(patients))
    female = rng.random(patients) < 0.45
    disease = np.array(DISEASES)[(rng.random((patients, 1)) > np.cumsum([0.5, 0.3, 0.17])).sum(axis=1)]
    disease[frailty > 1.2] = "liver"
    treated = rng.random(patients) < expit(-0.3 + 0.05 * (age - 60) - 0.8 * (disease == "heart"))
    risk = 0.04 * (age - 60) - 0.5 * (disease == "heart")
    credit = rng.standard_exponential(patients) / np.exp(risk)
    early = 0.0025 * np.exp(effect * treated)
    days = np.where(credit < 180 * early, credit / early, 180 + (credit - 180 * early) / 0.0015)
    lost = rng.exponential(900, patients)
    followed = np.ceil(np.minimum(np.minimum(days, lost), END))
    lactate = np.where(rng.random(patients) < np.where(female, 0.5, 0.2), np.nan, rng.gamma(2.0, 1.0 + 0.3 * treated, patients))
    return pd.DataFrame(
        {
            "replicate": np.int64(0),
            "patient_id": pd.array([f"p{i}" for i in range(patients)], dtype="string"),
            "treated": treated,
            "age": np.round(age, 3),
            "visits": rng.poisson(np.exp(0.3 * frailty + 1)).astype(float),
            "albumin": np.clip(np.round(2 * (3.2 - 0.4 * frailty + 0.5 * rng.standard_normal(patients))) / 2, 1, 5),
            "lactate": lactate,
            "sex": pd.array(np.where(female, "female", "male"), dtype="string"),
            "disease": pd.array(disease, dtype="string"),
            "smoker": pd.array(np.where(rng.random(patients) < 0.1, None, np.where(rng.random(patients) < 0.3, "yes", "no")), dtype="string"),
            "death_days": followed,
            "death_event": ((days <= lost) & (days <= END)).astype(np.int64),
        }
    )


def simulate_every_outcome(patients: int, *, seed: int) -> pd.DataFrame:
    """The cohort with ``EVERY_OUTCOME``: ``EFFECTS`` of treatment, age a risk of all, skewed pain in tenths, over-dispersed falls in a time
    that is shorter at a higher age and ends for everybody on day 365."""
    cohort = simulate_cohort(patients, seed=seed)
    rng = np.random.default_rng([21, seed])
    treated, risk = cohort["treated"].to_numpy(), 0.03 * (cohort["age"].to_numpy() - 60)
    hazards = [
        0.002 * np.exp(EFFECTS["relapse"] * treated + risk),
        0.001 * np.exp(-0.3 * treated + risk),
        np.where(treated, 0.0004, 1e-12),
        np.full(patients, 0.0008),
    ]
    times = np.column_stack([rng.standard_exponential(patients) / hazard for hazard in hazards] + [np.full(patients, END)])
    person_days = np.minimum(np.ceil(600 * rng.standard_exponential(patients) / np.exp(risk)), 365.0)
    rate = 0.008 * np.exp(EFFECTS["falls"] * treated + 0.7 * risk) * rng.gamma(2.0, 0.5, patients)
    return cohort.assign(
        relapse_days=np.ceil(times.min(axis=1)),
        relapse_event=np.array([1, 2, 3, 0, 0])[times.argmin(axis=1)],
        response_value=(rng.random(patients) < expit(-0.4 + EFFECTS["response"] * treated + risk)).astype(np.float64),
        pain_value=np.round(5 + EFFECTS["pain"] * treated + 1.5 * risk + rng.gamma(2.0, 0.8, patients), 1),
        falls_value=rng.poisson(rate * person_days).astype(np.float64),
        falls_person_days=person_days,
        visitors_value=rng.poisson(1.0 + treated, patients).astype(np.float64),
    )
