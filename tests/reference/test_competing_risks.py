"""Cumulative incidence by hand, against one minus Kaplan–Meier, by numerical derivative, and against R's survival run beside it."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

from parallax.errors import NotEstimable, StatisticsError
from parallax.statistics.competing_risks import cumulative_incidence, cumulative_incidence_difference
from parallax.statistics.survival import kaplan_meier, survival_difference

SCRIPT = """
suppressMessages(library(survival))
d <- read.csv("patients.csv")
d$kind <- factor(d$kind, 0:2, c("censored", "relapse", "death"))
fit <- survfit(Surv(time, kind) ~ 1, d, weights = weight, id = id, robust = TRUE)
cat(format(c(fit$time, fit$pstate[, 2], fit$std.err[, 2]), digits = 17), sep = "\\n")
"""


def simulate(size: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    return pd.DataFrame(
        {
            "id": np.arange(size),
            "time": np.ceil(rng.exponential(9, size)),
            "kind": rng.choice([0, 1, 2], size, p=[0.3, 0.4, 0.3]),
            "weight": rng.uniform(0.2, 3, size).round(3),
            "treated": rng.random(size) < 0.5,
        }
    )


def test_five_patients_by_hand() -> None:
    """Times 1 2 3 4 5, causes 1 2 0 1 2: F₁ = 1/5 at 1, then + S(3)·1/2 = 3/5·1/2 at 4."""
    curve = cumulative_incidence([1, 2, 3, 4, 5], [1, 2, 0, 1, 2], 1)
    assert curve.incidence == pytest.approx([0, 1 / 5, 1 / 5, 1 / 5, 1 / 2, 1 / 2])
    other = cumulative_incidence([1, 2, 3, 4, 5], [1, 2, 0, 1, 2], 2)
    assert other.incidence == pytest.approx([0, 0, 1 / 5, 1 / 5, 1 / 5, 1 / 2])
    assert curve.std_error[1] == pytest.approx(np.sqrt(1 / 5 * 4 / 5 / 5))


def test_one_cause_is_one_minus_kaplan_meier() -> None:
    patients = simulate()
    event = patients["kind"] > 0
    curve = cumulative_incidence(patients["time"], event, 1, weights=patients["weight"])
    survival = kaplan_meier(patients["time"], event, weights=patients["weight"])
    assert curve.incidence == pytest.approx(1 - survival.survival, abs=1e-12)
    assert curve.std_error == pytest.approx(survival.std_error, abs=1e-7)  # the square root of a difference of 1e-16
    ours = cumulative_incidence_difference(patients["time"], event, patients["treated"], 10, 1, weights=patients["weight"])
    risk = survival_difference(patients["time"], event, patients["treated"], 10, weights=patients["weight"])
    assert (ours.estimate, ours.std_error) == pytest.approx((risk.estimate, risk.std_error), abs=1e-12)


def test_causes_and_survival_add_to_one() -> None:
    patients = simulate()
    survival = kaplan_meier(patients["time"], patients["kind"] > 0, weights=patients["weight"])
    total = sum(cumulative_incidence(patients["time"], patients["kind"], cause, weights=patients["weight"]).incidence for cause in (1, 2))
    assert total + survival.survival == pytest.approx(1, abs=1e-12)


def test_influence_is_the_derivative_by_each_patients_weight() -> None:
    patients = simulate(40)
    weight = patients["weight"].to_numpy()

    def estimate(weights: np.ndarray) -> float:
        return cumulative_incidence_difference(patients["time"], patients["kind"], patients["treated"], 8, 1, weights=weights).estimate

    found = cumulative_incidence_difference(patients["time"], patients["kind"], patients["treated"], 8, 1, weights=weight).influence
    for i in range(40):
        step = np.zeros(40)
        step[i] = 1e-6
        assert found[i] == pytest.approx(weight[i] * (estimate(weight + step) - estimate(weight - step)) / 2e-6, abs=1e-7)


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed (Debian: r-cran-survival)")
def test_equals_r(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder, patients = tmp_path_factory.mktemp("r"), simulate()
    patients.to_csv(folder / "patients.csv", index=False)
    done = subprocess.run(["Rscript", "-e", SCRIPT], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    time, incidence, error = np.array(done.stdout.split(), dtype=float).reshape(3, -1)
    curve = cumulative_incidence(patients["time"], patients["kind"], 1, weights=patients["weight"])
    np.testing.assert_array_equal(curve.times[1:], time)
    np.testing.assert_allclose(curve.incidence[1:], incidence, rtol=1e-8)
    np.testing.assert_allclose(curve.std_error[1:], error, rtol=1e-8, atol=1e-12)


def test_bad_input_is_named() -> None:
    with pytest.raises(StatisticsError, match=r"event_type: 1 of 3 values are no whole number"):
        cumulative_incidence([1, 2, 3], [0, 1, 1.5], 1)
    with pytest.raises(StatisticsError, match=r"cause: found 0"):
        cumulative_incidence([1, 2, 3], [0, 1, 1], 0)
    with pytest.raises(NotEstimable, match="the treated arm is empty"):
        cumulative_incidence_difference([1, 2, 3], [1, 1, 2], [0, 0, 0], 2, 1)
    with pytest.raises(NotEstimable, match="no variation"):
        cumulative_incidence_difference([1, 2, 3, 4], [2, 2, 2, 2], [0, 0, 1, 1], 2, 1)
