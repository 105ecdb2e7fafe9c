"""Whether a one-step correction of a generator's regularisation helps, where the truth is known (decision 0056).

    python benchmarks/debiasing.py [--patients 1000] [--studies 100] [--refits 4] [--generators …] [--scenes …] [--out FILE]

Simulated studies of generator_truth.py through the certificate's engine. With q the mean of a study's m = 10 replicates, on the logarithm of the
hazard ratio:

    partial    q as it is, with the partial rule's interval
    debiased   q − β, β = Σ(q*ᵢ − qᵢ)/B: the generator is fitted anew to each of its own first B replicates, and q*ᵢ is the mean of the m replicates
               that this refit draws. What the generator does to its own patients is taken for what it did to the real ones (a parametric
               bootstrap of the bias). T = v·k/n + b/m + s²/B, s² the variance of the q*ᵢ − qᵢ. No real patient is asked a second time.
    one_step   q plus the mean influence of the real patients, under the law of the synthetic ones: a Newton step of the stacked estimating
               equations of score and weighted Cox regression, from the solution on the synthetic patients, with their derivative, on the real ones
    real       the study's own estimate

`follows` is the correlation of an estimate's error with the real one's, `caught` the share of studies in which it is more than one real standard
error from the real estimate; `gain` is what the mean square error falls by against `partial`, study by study. Every number with its Monte-Carlo
error.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from itertools import product
from math import sqrt
from pathlib import Path

import numpy as np
import pandas as pd
from generator_truth import COVARIATES, EFFECTS, chain_of, draw_population, model

from parallax.certification.studies import Chain, Synthesise, synthesise_by
from parallax.design.matrix import build_design_matrix
from parallax.seeds import derive_seed
from parallax.simulated import find_truth, simulate_cohort
from parallax.statistics.intervals import t_interval
from parallax.statistics.logistic import fit_logistic
from parallax.validation.combining import combine, take_real

HORIZON = 180.0


def equations(theta: np.ndarray, x: np.ndarray, treated: np.ndarray, days: np.ndarray, event: np.ndarray) -> np.ndarray:
    """The mean of the score's and the overlap-weighted Cox regression's estimating functions (Breslow ties), rows in increasing days."""
    score = 1 / (1 + np.exp(-x @ theta[:-1]))
    weight = np.where(treated, 1 - score, score)
    hazard = weight * np.exp(theta[-1] * treated)
    first = np.searchsorted(days, days, side="left")
    at_risk, of_treated = (np.cumsum(part[::-1])[::-1][first] for part in (hazard, hazard * treated))
    residual = weight * event * (treated - of_treated / at_risk)
    return np.append(x.T @ (treated - score), residual.sum()) / len(x)


def prepare(cohort: pd.DataFrame) -> tuple[np.ndarray, ...]:
    cohort = cohort.sort_values("death_days", kind="stable").reset_index(drop=True)
    matrix = build_design_matrix(cohort, COVARIATES)
    x = np.column_stack([np.ones(len(cohort)), matrix.values[:, matrix.modelled(np.ones(len(cohort), dtype=bool))]])
    days = cohort["death_days"].to_numpy(float)
    return x, cohort["treated"].to_numpy(float), days, ((cohort["death_event"] == 1) & (days <= HORIZON)).to_numpy(float)


def step(real: pd.DataFrame, drawn: pd.DataFrame, q: float) -> float:
    """One Newton step for the real patients from the synthetic solution, with the synthetic patients' derivative."""
    synthetic = prepare(drawn)
    x, treated = synthetic[:2]
    theta = np.append(fit_logistic(x, treated).coefficients, q)
    shifts = 1e-5 * np.eye(theta.size)
    slope = np.column_stack([(equations(theta + h, *synthetic) - equations(theta - h, *synthetic)) / 2e-5 for h in shifts])
    at_zero = equations(theta, *prepare(real)) - equations(theta, *synthetic)
    return float(q - np.linalg.solve(slope, at_zero)[-1])


def answer(cohort: pd.DataFrame, chain: Chain, synthesise: Synthesise, refits: int, seed: int) -> dict[str, tuple[float, float, float]]:
    """Estimate, standard error and degrees of freedom by estimator."""

    def seed_of(*purpose: str | int) -> int:
        return derive_seed(seed, *purpose)

    real = take_real(chain.estimate(cohort, seed=seed)).iloc[0]
    drawn = synthesise(cohort, seed_of)
    made = chain.estimate(drawn, seed=seed)
    combined = combine(made, patients=len(cohort), synthetic=len(cohort)).iloc[0]
    q, each = float(np.log(combined["estimate"])), np.log(made["estimate"].to_numpy())
    added = []
    for number in range(refits):
        own = drawn[drawn["replicate"] == number].assign(replicate=0).reset_index(drop=True)
        again = synthesise(own, lambda *purpose, number=number: derive_seed(seed, "again", number, *purpose))
        added.append(np.log(chain.estimate(again, seed=seed)["estimate"]).mean() - each[number])
    error = sqrt(combined["std_error"] ** 2 + np.var(added, ddof=1) / refits)
    return {
        "real": (float(np.log(real["estimate"])), real["std_error"], np.inf),
        "partial": (q, combined["std_error"], combined["df"]),
        "debiased": (q - float(np.mean(added)), error, combined["df"]),
        "one_step": (step(cohort, drawn, q), combined["std_error"], combined["df"]),
    }


def measure(name: str, scene: str, *, studies: int, patients: int, refits: int) -> Iterator[pd.DataFrame]:
    """The rows of one study after the other."""
    treatment, _, hazard = scene.partition("/")
    population, columns = draw_population()
    chain, synthesis = chain_of(name)
    synthesise = synthesise_by(synthesis.generators[name], synthesis, chain)
    plasmodes = {effect: model(columns, treatment, hazard, size) for effect, size in EFFECTS.items()}
    truths = {effect: find_truth(plasmode, chain.primary, chain.study["designs"]["overlap"]) for effect, plasmode in plasmodes.items()}
    for number, (effect, truth) in product(range(studies), truths.items()):
        seed = derive_seed(1, "debiasing", scene, effect, number)
        rng = np.random.default_rng(seed)
        cohort = simulate_cohort(plasmodes[effect], population, covariates=COVARIATES, name="death", patients=patients, rng=rng)
        found = answer(cohort, chain, synthesise, refits, seed)
        labels = {"generator": name, "scene": scene, "effect": effect, "number": number}
        rows = []
        for estimator, (estimate, error, df) in found.items():
            lower, upper = t_interval(estimate, error, df)
            numbers = {"error": estimate - truth, "lower": lower - truth, "upper": upper - truth}
            rows.append(labels | {"estimator": estimator, "shift": (estimate - found["real"][0]) / found["real"][1]} | numbers)
        yield pd.DataFrame(rows)


def summarise(found: pd.DataFrame) -> pd.DataFrame:
    keys = ["generator", "scene", "effect"]
    rows = []
    for labels, group in found.groupby(keys, sort=False):
        real, uncorrected = (group.loc[group["estimator"] == name, "error"].to_numpy() for name in ("real", "partial"))
        for estimator, part in group.groupby("estimator", sort=False):
            error, size = part["error"].to_numpy(), len(part)
            root = sqrt((error**2).mean())
            shares = {
                "coverage": ((part["lower"] <= 0) & (part["upper"] >= 0)).mean(),
                "caught": (part["shift"].abs() > 1).mean(),
            }
            rows.append(
                dict(zip(keys, labels, strict=True))
                | {"estimator": estimator, "studies": size, "bias": error.mean(), "bias_error": error.std(ddof=1) / sqrt(size)}
                | {"rmse": root, "rmse_error": (error**2).std(ddof=1) / (2 * root * sqrt(size))}
                | {f"{name}{end}": value for name, p in shares.items() for end, value in (("", p), ("_error", sqrt(p * (1 - p) / size)))}
                | {"width": (part["upper"] - part["lower"]).mean(), "width_error": (part["upper"] - part["lower"]).std() / sqrt(size)}
                | {"gain": (uncorrected**2 - error**2).mean(), "gain_error": (uncorrected**2 - error**2).std(ddof=1) / sqrt(size)}
                | {"follows": np.corrcoef(error, real)[0, 1]}
            )
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=1000)
    parser.add_argument("--studies", type=int, default=100)
    parser.add_argument("--refits", type=int, default=4)
    parser.add_argument("--generators", nargs="+", default=["sequential", "gaussian_copula"])
    parser.add_argument("--scenes", nargs="+", default=["linear/proportional", "bent/fading"])
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    sizes = {"studies": chosen.studies, "patients": chosen.patients, "refits": chosen.refits}
    parts = []
    for name, scene in product(chosen.generators, chosen.scenes):
        for rows in measure(name, scene, **sizes):
            parts.append(rows)
            if chosen.out:  # whoever stops early keeps what was done
                pd.concat(parts, ignore_index=True).to_csv(chosen.out, index=False, float_format="%.6g")
        print(name, scene, f"{time.process_time():.0f} CPU seconds so far", flush=True)
    print(summarise(pd.concat(parts, ignore_index=True)).to_string(index=False, float_format=lambda value: f"{value:.3f}"))


if __name__ == "__main__":
    main()
