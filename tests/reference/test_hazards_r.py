"""Log-rank test, proportional-hazards test and restricted means against R's survival, run beside it, and survRM2's published example."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

from parallax.statistics.log_rank import compare_hazards
from parallax.statistics.proportional_hazards import measure_trend
from parallax.statistics.survival import restricted_means

SCRIPT = """
suppressMessages(library(survival))
d <- read.csv("patients.csv")
fit <- coxph(Surv(time, event) ~ arm, d)
cat(format(c(
  survdiff(Surv(time, event) ~ arm, d)$chisq,
  cox.zph(fit)$table[1, 1],
  cox.zph(coxph(Surv(time, event) ~ arm, d, weights = weight))$table[1, 1],
  sum(cox.zph(fit)$y), cox.zph(fit)$y[c(1, 40)]
), digits = 15), sep = "\\n")
p <- pbc[1:312, ]
write.csv(data.frame(time = p$time / 365.25, event = as.integer(p$status == 2), arm = as.integer(p$trt == 1)), "pbc.csv", row.names = FALSE)
"""


@pytest.fixture(scope="module")
def patients() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    arm = rng.random(250) < 0.5
    happens, lost = np.ceil(rng.weibull(np.where(arm, 1.6, 0.9)) * 20), np.ceil(rng.uniform(1, 60, 250))
    weight = rng.uniform(0.3, 3, 250).round(3)
    return pd.DataFrame({"time": np.minimum(happens, lost), "event": (happens <= lost).astype(int), "arm": arm.astype(int), "weight": weight})


@pytest.fixture(scope="module")
def by_r(patients: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> tuple[np.ndarray, pd.DataFrame]:
    if shutil.which("Rscript") is None:
        pytest.skip("R is not installed")
    folder = tmp_path_factory.mktemp("r")
    patients.to_csv(folder / "patients.csv", index=False)
    run = subprocess.run(["Rscript", "-e", SCRIPT], cwd=folder, capture_output=True, text=True, check=False)
    if run.returncode:
        pytest.skip("R lacks the package survival")
    return np.array(run.stdout.split(), dtype=float), pd.read_csv(folder / "pbc.csv")


def test_log_rank_and_proportional_hazards(patients: pd.DataFrame, by_r: tuple[np.ndarray, pd.DataFrame]) -> None:
    columns = [patients[name].to_numpy() for name in ("time", "event", "arm")]
    plain, weighted = measure_trend(*columns), measure_trend(*columns, weights=patients["weight"])
    found = [compare_hazards(*columns).statistic, plain.statistic, weighted.statistic, plain.residuals.sum(), *plain.residuals[[0, 39]]]
    np.testing.assert_allclose(found, by_r[0], rtol=1e-8)


def test_survrm2_published_example(by_r: tuple[np.ndarray, pd.DataFrame]) -> None:
    """The vignette of survRM2 (Uno et al.): pbc's first 312 patients, D-penicillamine against placebo, τ = 10 years."""
    pbc = by_r[1]
    pair = restricted_means(pbc["time"], pbc["event"], pbc["arm"], 10.0)
    assert (pair.treated, pair.comparator) == pytest.approx((7.146, 7.283), abs=5e-4)
    difference, ratio = pair.difference(), pair.log_ratio()
    assert (difference.estimate, difference.std_error) == pytest.approx((-0.137, (0.665 + 0.939) / 2 / 1.96), abs=2e-3)
    assert np.exp([ratio.estimate, ratio.estimate - 1.96 * ratio.std_error, ratio.estimate + 1.96 * ratio.std_error]) == pytest.approx(
        [0.981, 0.878, 1.096], abs=1e-3
    )
