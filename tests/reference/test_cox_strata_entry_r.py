"""Strata and left truncation against R's survival, run beside it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from parallax.statistics.cox import fit_cox

SCRIPT = """
suppressMessages(library(survival))
d <- read.csv("patients.csv")
found <- list()
for (ties in c("efron", "breslow")) for (part in c("entry", "strata", "both")) {
  response <- if (part == "strata") "Surv(time, event)" else "Surv(entry, time, event)"
  covariates <- if (part == "entry") "x1 + x2" else "x1 + x2 + strata(stratum)"
  formula <- as.formula(paste(response, "~", covariates))
  robust <- coxph(formula, d, weights = weight, ties = ties, robust = TRUE, id = id, control = coxph.control(eps = 1e-13, iter.max = 50))
  cluster <- coxph(formula, d, weights = weight, ties = ties, cluster = cluster, control = coxph.control(eps = 1e-13, iter.max = 50))
  found[[paste(ties, part)]] <- list(coefficients = unname(coef(robust)), naive = unname(robust$naive.var), robust = unname(robust$var),
    clustered = unname(cluster$var), likelihood = robust$loglik[2], influence = unname(residuals(robust, "dfbeta", weighted = TRUE)))
}
for (n in names(found)) for (k in names(found[[n]])) cat(n, k, format(as.vector(t(found[[n]][[k]])), digits = 17), "\\n", sep = ";")
"""

needs_r = pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed (Debian: r-cran-survival)")


def simulate(size: int = 160) -> pd.DataFrame:
    """Tied times in weeks, weights, three strata, late entries, some at a time of events."""
    rng = np.random.default_rng(12)
    x1, x2 = rng.integers(0, 2, size), rng.normal(size=size).round(3)
    time = np.ceil(rng.exponential(8 * np.exp(-0.5 * x1 + 0.3 * x2))) + 1
    entry = np.where(rng.random(size) < 0.5, np.minimum(rng.integers(0, 6, size), time - 1), 0)
    return pd.DataFrame(
        {
            "id": np.arange(size), "time": time, "entry": entry, "event": (rng.random(size) < 0.7).astype(int), "x1": x1, "x2": x2,
            "weight": rng.uniform(0.2, 3, size).round(3), "stratum": rng.integers(0, 3, size), "cluster": rng.integers(0, 40, size),
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def by_r(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, object]]:
    folder: Path = tmp_path_factory.mktemp("r")
    simulate().to_csv(folder / "patients.csv", index=False)
    done = subprocess.run(["Rscript", "-e", SCRIPT], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(done.stderr)
    found: dict[str, dict[str, object]] = {}
    for line in done.stdout.splitlines():
        name, key, *numbers = [part.strip() for part in line.split(";") if part.strip()]
        found.setdefault(name, {})[key] = np.array(numbers, dtype=np.float64)
    return found


@needs_r
@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("part", ["entry", "strata", "both"])
def test_equals_r(by_r: dict[str, dict[str, object]], part: str, ties: str) -> None:
    patients, expected = simulate(), by_r[f"{ties} {part}"]
    covariates = patients[["x1", "x2"]].to_numpy(dtype=float)
    fits = [
        fit_cox(
            patients["time"],
            patients["event"],
            covariates,
            weights=patients["weight"],
            clusters=clusters,
            ties=ties,  # type: ignore[arg-type]
            entry=None if part == "strata" else patients["entry"],
            strata=None if part == "entry" else patients["stratum"],
        )
        for clusters in (None, patients["cluster"].to_numpy())
    ]
    found = {
        "coefficients": fits[0].coefficients, "naive": fits[0].covariance_naive, "robust": fits[0].covariance_robust,
        "clustered": fits[1].covariance_robust, "likelihood": np.array([fits[0].log_likelihood]), "influence": fits[0].influence,
    }  # fmt: skip
    for name, value in found.items():
        np.testing.assert_allclose(value.ravel(), expected[name], rtol=1e-8, atol=1e-10, err_msg=name)
