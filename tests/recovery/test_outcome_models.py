"""Known truth: bias, coverage and type I error of outcome models, with one nuisance model wrong at a time.

Treatment and outcome both bend in the first covariate; a wrong model leaves the square out. Truths are averages over two million patients.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.special import expit

from parallax.outcomes.adjustment import adjust_means, adjust_risks
from parallax.outcomes.observed import Followed
from parallax.outcomes.patients import Weighted
from parallax.outcomes.registry import estimate
from parallax.statistics.logistic import fit_logistic
from parallax.statistics.stacked import logistic_weights
from parallax.statistics.weighting import propensity_weights, weight_gradient

HORIZON = 30.0
KINDS = ("binary", "continuous", "survival")


def draw(patients: int, rng: np.random.Generator, *, effect: float) -> dict[str, np.ndarray]:
    x = rng.normal(size=(patients, 2))
    bend = x[:, 0] ** 2 - 1
    treated = rng.random(patients) < expit(-0.2 + 0.5 * x[:, 1] + 0.6 * bend)
    risk = -0.5 + 0.5 * x[:, 1] + 0.6 * bend
    days = {a: rng.exponential(40 * np.exp(-0.6 * (risk + 0.5) - effect * a), patients) for a in (0, 1)}
    lost = rng.exponential(80 * np.exp(-0.3 * x[:, 1]), patients)
    happens = np.where(treated, days[1], days[0])
    return {
        "x": x, "bend": bend, "treated": treated, "time": np.ceil(np.minimum(happens, lost)), "event": np.ceil(happens) <= np.ceil(lost),
        "days0": days[0], "days1": days[1], "risk": risk,
        "binary": (rng.random(patients) < expit(risk + effect * treated)).astype(float), "continuous": rng.normal(risk + effect * treated, 1.0),
    }  # fmt: skip


@cache
def truth(kind: str, effect: float) -> float:
    d = draw(2_000_000, np.random.default_rng(99), effect=effect)
    if kind == "continuous":
        return effect
    if kind == "binary":
        return float(np.mean(expit(d["risk"] + effect) - expit(d["risk"])))
    return float(np.mean(np.ceil(d["days1"]) <= HORIZON) - np.mean(np.ceil(d["days0"]) <= HORIZON))


def once(kind: str, method: str, wrong: str, effect: float, rng: np.random.Generator) -> tuple[float, float]:
    d = draw(800, rng, effect=effect)
    full = np.column_stack([d["x"], d["bend"]])
    regressors = d["x"] if wrong == "outcome" else full
    columns = np.column_stack([np.ones(800), d["x"] if wrong == "propensity" else full])
    score = fit_logistic(columns, d["treated"].astype(float)).fitted
    named = (d["treated"], score, regressors / regressors.std(axis=0), rng.permutation(800) % 5)
    if kind == "survival":
        pair = adjust_risks(d["time"], d["event"], *named, HORIZON, method=method, estimand="ATE")
    else:
        pair = adjust_means(d[kind], *named, family=kind, method=method, estimand="ATE")
    found = pair.difference()
    return found.estimate, found.std_error


def repeat(kind: str, method: str, wrong: str, effect: float, repetitions: int) -> tuple[float, float, float]:
    """Bias in standard errors of its Monte-Carlo mean, coverage, and bias in standard errors of one estimate."""
    rng = np.random.default_rng([KINDS.index(kind), len(method), len(wrong)])
    found = np.array([once(kind, method, wrong, effect, rng) for _ in range(repetitions)])
    off = found[:, 0] - truth(kind, effect)
    covered = np.abs(off) <= 1.96 * found[:, 1]
    return off.mean() / (off.std() / np.sqrt(repetitions)), covered.mean(), off.mean() / found[:, 1].mean()


@pytest.mark.parametrize("method", ["g_computation", "aipw", "tmle"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_hundred_studies(kind: str, method: str) -> None:
    _, coverage, bias = repeat(kind, method, "nothing", 0.5, 100)
    assert abs(bias) < 0.4
    assert coverage >= 0.88


@pytest.mark.slow
@pytest.mark.parametrize("effect", [0.0, 0.5])
@pytest.mark.parametrize("wrong", ["nothing", "propensity", "outcome"])
@pytest.mark.parametrize("method", ["g_computation", "aipw", "tmle"])
@pytest.mark.parametrize("kind", KINDS)
def test_one_wrong_model_at_a_time(kind: str, method: str, wrong: str, effect: float) -> None:
    """Coverage of the truth under no effect is one less the type I error."""
    _, coverage, bias = repeat(kind, method, wrong, effect, 1000)
    if method == "g_computation" and wrong == "outcome":
        assert abs(bias) > 1  # what rests on one model falls with it
        return
    assert abs(bias) < 0.25
    # a wrong nuisance model leaves the estimate right, but not every part of its variance
    assert 0.93 <= coverage <= 0.985 if wrong == "nothing" else coverage >= 0.91


def weighted_study(rng: np.random.Generator, contrast: str, horizon: float | None) -> tuple[float, float]:
    """No effect, overlap weights, competing events: the logarithm or difference, which is zero, and its standard error."""
    d = draw(800, rng, effect=0.0)
    columns = np.column_stack([np.ones(800), d["x"], d["bend"]])
    score = fit_logistic(columns, d["treated"].astype(float)).fitted
    weight = propensity_weights(score, d["treated"], "ATO", stabilised=False)
    slope = weight_gradient(score, d["treated"], "ATO", stabilised=False)
    patients = Weighted(d["treated"], weight, estimated=logistic_weights(columns, d["treated"], score, slope))
    other = np.ceil(rng.exponential(60, 800))
    kind = np.where(other < d["time"], 2, d["event"].astype(np.int64))
    competing = contrast.endswith("competing")
    event = d["event"].astype(np.int64)
    time, kind = (np.minimum(other, d["time"]), kind) if competing else (d["time"], event)
    observed = Followed(time, kind, competing, (10.0, 30.0))
    name = contrast.removesuffix(" competing")
    effect = estimate(observed, patients, name, horizon)  # type: ignore[arg-type]
    return (effect.estimate if name.endswith("difference") else float(np.log(effect.estimate))), effect.std_error


@pytest.mark.slow
@pytest.mark.parametrize(
    ("contrast", "horizon"),
    [
        ("hazard_ratio", None), ("interval_hazard_ratio", 30.0), ("interval_hazard_ratio", None), ("hazard_ratio_trend", None), ("log_rank", None),
        ("risk_ratio", 30.0), ("rmst_ratio", 30.0), ("rmst_difference", 30.0), ("risk_difference competing", 30.0), ("risk_ratio competing", 30.0),
        ("hazard_ratio competing", None),
    ],
)  # fmt: skip
def test_type_one_error_under_overlap_weights(contrast: str, horizon: float | None) -> None:
    rng = np.random.default_rng(41)
    found = np.array([weighted_study(rng, contrast, horizon) for _ in range(1000)])
    rejected = np.mean(np.abs(found[:, 0]) > 1.96 * found[:, 1])
    assert 0.03 <= rejected <= 0.07
