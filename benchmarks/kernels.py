"""The kernels beside their peers: CPU seconds, memory and the value that each implementation finds.

    make bench        (or PYTHONPATH=workflow/lib python benchmarks/kernels.py [--largest 100000] [--out FILE])

Every measurement is a process of its own on one core, the implementations of a kernel in alternation: data, a first call on 200 patients (imports,
compilation), then the fastest of three calls (one above 10,000 patients) in CPU seconds, and by how much the process's peak memory grew.
A peer is skipped above the size at which it would take minutes; R is measured inside R, where it is installed with the package.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

Data = dict[str, Any]
SIZES = (1_000, 10_000, 100_000, 1_000_000)
RESAMPLES = 200


def simulate(n: int) -> Data:
    rng = np.random.default_rng(n)
    x = rng.normal(size=(n, 50))
    treated = rng.random(n) < 1 / (1 + np.exp(0.4 - x[:, :20] @ np.linspace(0.3, 0.0, 20)))
    time_ = rng.exponential(np.exp(-0.3 * treated + 0.2 * x[:, 0]))
    censored = rng.exponential(2.0, n)
    return {
        "design": np.column_stack([np.ones(n), x[:, :20]]), "covariates": np.column_stack([treated, x[:, :20]]).astype(np.float64),
        "x": x, "treated": treated, "time": np.minimum(time_, censored), "event": time_ <= censored, "weight": rng.uniform(0.5, 2.0, n),
        "score": x[:, :20] @ np.linspace(0.3, 0.0, 20) + rng.normal(0, 0.1, n),
    }  # fmt: skip


def logistic_parallax(data: Data) -> float:
    from parallax.statistics.logistic import fit_logistic

    return float(fit_logistic(data["design"], data["treated"]).coefficients[1])


def logistic_sklearn(data: Data) -> float:
    from sklearn.linear_model import LogisticRegression

    return float(LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10).fit(data["x"][:, :20], data["treated"]).coef_[0, 0])


def logistic_statsmodels(data: Data) -> float:
    import statsmodels.api as sm

    return float(sm.GLM(data["treated"].astype(float), data["design"], family=sm.families.Binomial()).fit(tol=1e-12).params[1])


def cox_parallax(data: Data, count: int) -> float:
    from parallax.statistics.cox import fit_cox

    fit = fit_cox(data["time"], data["event"], data["covariates"][:, :count], weights=data["weight"])
    return float(np.sqrt(fit.covariance_robust[0, 0]))


def cox_lifelines(data: Data, count: int) -> float:
    from lifelines import CoxPHFitter

    frame = pd.DataFrame(data["covariates"][:, :count]).assign(time=data["time"], event=data["event"], weight=data["weight"]).rename(columns=str)
    return float(CoxPHFitter().fit(frame, "time", "event", weights_col="weight", robust=True).standard_errors_.iloc[0])


def curves_parallax(data: Data) -> float:
    from parallax.statistics.survival import restricted_mean_difference

    return restricted_mean_difference(data["time"], data["event"], data["treated"], 1.0, weights=data["weight"]).estimate


def curves_lifelines(data: Data) -> float:
    from lifelines import KaplanMeierFitter
    from lifelines.utils import restricted_mean_survival_time

    arms = [
        restricted_mean_survival_time(KaplanMeierFitter().fit(data["time"][arm], data["event"][arm], weights=data["weight"][arm]), t=1.0)
        for arm in (data["treated"], ~data["treated"])
    ]
    return float(arms[0] - arms[1])


def smd_parallax(data: Data) -> float:
    from parallax.statistics.balance import standardised_differences

    return float(standardised_differences(data["x"], data["treated"], data["weight"])[0])


def smd_statsmodels(data: Data) -> float:
    from statsmodels.stats.weightstats import DescrStatsW

    arms = (data["treated"], ~data["treated"])
    means = [DescrStatsW(data["x"][arm], weights=data["weight"][arm]).mean for arm in arms]
    spread = np.sqrt(sum(DescrStatsW(data["x"][arm], ddof=1).var for arm in arms) / 2)
    return float(((means[0] - means[1]) / spread)[0])


def matching_parallax(data: Data) -> float:
    from parallax.statistics.matching import match_nearest

    caliper = 0.2 * float(np.std(data["score"], ddof=1))
    return float(len(match_nearest(data["score"], data["treated"], caliper=caliper).focal))


def bootstrap_parallax(data: Data) -> float:
    from parallax.statistics.bootstrap import bootstrap_std_error, resample_weighting
    from parallax.statistics.cox import fit_cox

    drawn = resample_weighting(data["design"], data["treated"], "ATE", stabilised=True, resamples=RESAMPLES, rng=np.random.default_rng(1))
    arm = data["treated"].astype(np.float64)[:, None]
    return bootstrap_std_error(lambda weight: float(fit_cox(data["time"], data["event"], arm, weights=weight).coefficients[0]), drawn)


def bootstrap_lifelines(data: Data) -> float:
    from lifelines import CoxPHFitter
    from sklearn.linear_model import LogisticRegression

    rng, found, n = np.random.default_rng(1), [], len(data["x"])
    for _ in range(RESAMPLES):
        rows = rng.integers(n, size=n)
        x, arm = data["x"][rows, :20], data["treated"][rows]
        score = LogisticRegression(C=np.inf, solver="newton-cholesky").fit(x, arm).predict_proba(x)[:, 1]
        weight = np.where(arm, arm.mean() / score, (1 - arm.mean()) / (1 - score))
        frame = pd.DataFrame({"arm": arm * 1.0, "time": data["time"][rows], "event": data["event"][rows], "weight": weight})
        found.append(float(CoxPHFitter().fit(frame, "time", "event", weights_col="weight", robust=True).params_.iloc[0]))
    return float(np.std(found, ddof=1))


#: kernel → implementation → (call, largest size)
PYTHON: dict[str, dict[str, tuple[Callable[[Data], float], int]]] = {
    "logistic, 20 columns": {
        "parallax": (logistic_parallax, 1_000_000), "scikit-learn": (logistic_sklearn, 1_000_000), "statsmodels": (logistic_statsmodels, 1_000_000),
    },
    "Cox, 1 covariate": {"parallax": (lambda d: cox_parallax(d, 1), 1_000_000), "lifelines": (lambda d: cox_lifelines(d, 1), 10_000)},
    "Cox, 21 covariates": {"parallax": (lambda d: cox_parallax(d, 21), 1_000_000), "lifelines": (lambda d: cox_lifelines(d, 21), 10_000)},
    "Kaplan–Meier and RMST": {"parallax": (curves_parallax, 1_000_000), "lifelines": (curves_lifelines, 100_000)},
    "SMD, 50 columns": {"parallax": (smd_parallax, 1_000_000), "statsmodels": (smd_statsmodels, 1_000_000)},
    "matching 1:1, caliper": {"parallax": (matching_parallax, 1_000_000)},
    "bootstrap, 200 resamples": {"parallax": (bootstrap_parallax, 100_000), "lifelines": (bootstrap_lifelines, 1_000)},
}  # fmt: skip

#: kernel → (R package, oldest version, expression of the value, largest size); d is the data frame with x1 … x50
R: dict[str, tuple[str, str, str, int]] = {
    "logistic, 20 columns": ("stats", "3", "coef(glm(treated ~ ., binomial, d[c('treated', paste0('x', 1:20))]))[[2]]", 100_000),
    "Cox, 1 covariate": ("survival", "3", "sqrt(coxph(Surv(time, event) ~ treated, d, weights = weight, robust = TRUE)$var[1, 1])", 10_000),
    "Cox, 21 covariates": (
        "survival", "3",
        "sqrt(coxph(Surv(time, event) ~ ., d[c('time', 'event', 'treated', paste0('x', 1:20))], weights = d$weight, robust = TRUE)$var[1, 1])",
        10_000,
    ),
    "Kaplan–Meier and RMST": (
        "survival", "3", "-diff(summary(survfit(Surv(time, event) ~ I(!treated), d, weights = weight), rmean = 1)$table[, 'rmean'])[[1]]", 100_000,
    ),
    "matching 1:1, caliper": (
        "MatchIt", "4.5.4",
        "sum(matchit(treated ~ score, d, distance = d$score, caliper = 0.2)$weights[d$treated] > 0)", 1_000_000,
    ),
    "bootstrap, 200 resamples": (
        "survival", "3",
        "sd(replicate(200, { b <- d[sample(nrow(d), replace = TRUE), ]; e <- fitted(glm(treated ~ ., binomial, b[c('treated', paste0('x', 1:20))]));"
        " p <- mean(b$treated); w <- ifelse(b$treated, p / e, (1 - p) / (1 - e)); coef(coxph(Surv(time, event) ~ treated, b, weights = w)) }))",
        10_000,
    ),
}  # fmt: skip


def measure_python(kernel: str, implementation: str, n: int) -> dict[str, float]:
    call = PYTHON[kernel][implementation][0]
    call(simulate(200))
    data = simulate(n)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    taken = []
    for _ in range(3 if n <= 10_000 else 1):
        started = time.process_time()
        value = call(data)
        taken.append(time.process_time() - started)
    return {"cpu_seconds": min(taken), "peak_mb": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, "value": value}


def measure_r(kernel: str, n: int) -> dict[str, float] | None:
    package, oldest, expression, _ = R[kernel]
    with tempfile.TemporaryDirectory() as folder:
        data = simulate(n)
        frame = pd.DataFrame(data["x"], columns=[f"x{i + 1}" for i in range(50)])
        frame.assign(
            treated=data["treated"].astype(int), time=data["time"], event=data["event"].astype(int), weight=data["weight"], score=data["score"]
        ).to_csv(Path(folder) / "d.csv", index=False)
        script = (
            f"if (!requireNamespace('{package}', quietly = TRUE) || packageVersion('{package}') < '{oldest}') quit(status = 3);"
            f"suppressMessages(library({package})); d <- read.csv('d.csv'); d$treated <- d$treated == 1; d$event <- d$event == 1;"
            "invisible(gc(reset = TRUE));"
            f"used <- system.time(value <- suppressWarnings({expression})); g <- gc();"
            "cat(sum(used[c(1, 2)]), sum(g[, 6]) - sum(g[, 2]), value)"
        )
        done = subprocess.run(["Rscript", "-e", script], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode == 3:
        return None
    if done.returncode:
        raise SystemExit(done.stderr)
    seconds, memory, value = map(float, done.stdout.split())
    return {"cpu_seconds": seconds, "peak_mb": memory, "value": value}


def measure_all(largest: int) -> pd.DataFrame:
    rows = []
    for kernel, implementations in PYTHON.items():
        for n in (size for size in SIZES if size <= largest):
            for name, (_, limit) in implementations.items():
                if n <= limit:
                    command = [sys.executable, __file__, "--one", kernel, name, str(n)]
                    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
                    rows.append({"kernel": kernel, "n": n, "implementation": name, **json.loads(done.stdout.splitlines()[-1])})
            if kernel in R and n <= R[kernel][3] and shutil.which("Rscript") and (found := measure_r(kernel, n)):
                rows.append({"kernel": kernel, "n": n, "implementation": f"R {R[kernel][0]}", **found})
    return pd.DataFrame(rows)


def show(results: pd.DataFrame) -> str:
    lines = ["| kernel | implementation | " + " | ".join(f"{n:,}" for n in SIZES) + " | ratio to parallax |", "|---|---|" + "---|" * (len(SIZES) + 1)]
    for kernel, rows in results.groupby("kernel", sort=False):
        ours = rows[rows["implementation"] == "parallax"].set_index("n")["cpu_seconds"]
        for name, own in rows.groupby("implementation", sort=False):
            seconds = own.set_index("n")["cpu_seconds"]
            cells = [f"{seconds[n]:.4f}" if n in seconds else "–" for n in SIZES]
            ratio = "1" if name == "parallax" else f"{seconds.iloc[-1] / ours[seconds.index[-1]]:.1f} at {seconds.index[-1]:,}"
            lines.append(f"| {kernel} | {name} | " + " | ".join(cells) + f" | {ratio} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--largest", type=int, default=SIZES[-1], help="largest number of patients")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("results.csv"))
    parser.add_argument("--one", nargs=3, metavar=("KERNEL", "IMPLEMENTATION", "N"), help="a single measurement, as JSON")
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(measure_python(asked.one[0], asked.one[1], int(asked.one[2]))))
        return
    results = measure_all(asked.largest)
    results.to_csv(asked.out, index=False, float_format="%.6g")
    print(show(results))


if __name__ == "__main__":
    main()
