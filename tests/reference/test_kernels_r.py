"""The kernels against R's survival and glm, to 1e-8.

``kernels.csv`` holds 60 simulated patients with tied times, weights and clusters; ``kernels.json`` what ``kernels.R`` computed from them
(R 4.2.2, survival 3.5-3). Where R is installed, the stored values are recomputed.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from parallax.statistics.cox import Ties, baseline_hazard, fit_cox
from parallax.statistics.logistic import fit_logistic
from parallax.statistics.survival import kaplan_meier, restricted_mean_difference, survival_difference

FOLDER = Path(__file__).parent
TIME, EVENT, TREATED, X, WEIGHT, CLUSTER = np.loadtxt(FOLDER / "kernels.csv", delimiter=",", skiprows=1, unpack=True)
COVARIATES = np.column_stack([TREATED, X])
SETS = CLUSTER.astype(int)
STORED: dict[str, list[float | None]] = json.loads((FOLDER / "kernels.json").read_text())


def r(name: str) -> np.ndarray:
    return np.array(STORED[name], dtype=float)


def exactly(name: str):
    return pytest.approx(r(name), rel=1e-8, abs=1e-12, nan_ok=True)


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed (Debian: r-base-core, r-cran-survival)")
def test_stored_values_are_those_of_r() -> None:
    run = subprocess.run(["Rscript", FOLDER / "kernels.R", FOLDER / "kernels.csv"], capture_output=True, text=True, check=False)
    if "there is no package called" in run.stderr:
        pytest.skip("R is installed without its package survival (Debian: r-cran-survival)")
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert found.keys() == STORED.keys()
    for name, values in found.items():
        assert np.array(values, dtype=float) == exactly(name), name


@pytest.mark.parametrize("weighted", ["unweighted", "weighted"])
@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_cox(ties: Ties, weighted: str) -> None:
    weights = WEIGHT if weighted == "weighted" else None
    fit = fit_cox(TIME, EVENT, COVARIATES, weights=weights, ties=ties)
    clustered = fit_cox(TIME, EVENT, COVARIATES, weights=weights, ties=ties, clusters=SETS)
    name = f"cox {ties} {weighted}"
    assert fit.coefficients == exactly(f"{name} coefficients")
    assert fit.covariance_naive.ravel() == exactly(f"{name} naive")
    assert fit.covariance_robust.ravel() == exactly(f"{name} robust")
    assert clustered.covariance_robust.ravel() == exactly(f"{name} clustered")
    assert [fit.log_likelihood] == exactly(f"{name} log-likelihood")


def test_baseline_hazard() -> None:
    fit = fit_cox(TIME, EVENT, COVARIATES, weights=WEIGHT, ties="breslow")
    times, increments = baseline_hazard(fit, TIME, EVENT, COVARIATES, weights=WEIGHT)
    assert times == exactly("baseline times")
    assert increments == exactly("baseline increments")


def test_ridge() -> None:
    fit = fit_cox(TIME, EVENT, COVARIATES, ridge=3.0)
    assert fit.coefficients == exactly("ridge coefficients")
    assert fit.covariance_naive.ravel() == exactly("ridge naive")


def test_logistic() -> None:
    fit = fit_logistic(np.column_stack([np.ones(60), X]), TREATED, weights=WEIGHT)
    assert fit.coefficients == exactly("logistic coefficients")
    assert fit.covariance.ravel() == exactly("logistic covariance")


@pytest.mark.parametrize("weighted", ["unweighted", "weighted"])
def test_curve(weighted: str) -> None:
    curve = kaplan_meier(TIME, EVENT, weights=WEIGHT if weighted == "weighted" else None)
    name = f"curve {weighted}"
    columns = {
        "time": curve.times,
        "surv": curve.survival,
        "std.err": curve.std_error,
        "lower": curve.lower,
        "upper": curve.upper,
        "n.risk": curve.at_risk,
        "n.event": curve.events,
    }
    for what, values in columns.items():
        expected = r(f"{name} {what}")
        # R leaves spread and band undefined where the curve is one or zero
        known = np.isfinite(expected)
        assert values[1:][known] == pytest.approx(expected[known], rel=1e-8, abs=1e-12), what
        assert np.isin(curve.survival[1:][~known], (0.0, 1.0)).all(), what


@pytest.mark.parametrize("weighted", ["unweighted", "weighted"])
@pytest.mark.parametrize("measure", ["survival", "rmst"])
def test_differences(measure: str, weighted: str) -> None:
    estimate = survival_difference if measure == "survival" else restricted_mean_difference
    weights = WEIGHT if weighted == "weighted" else None
    name = f"{measure} {weighted}"
    found = estimate(TIME, EVENT, TREATED, 8.0, weights=weights)
    sign = -1.0 if measure == "survival" else 1.0
    assert [sign * found.estimate] == exactly(f"{name} treated - comparator")
    assert [found.std_error] == exactly(f"{name} standard error")
    assert [found.clustered_std_error(SETS)] == exactly(f"{name} clustered")
