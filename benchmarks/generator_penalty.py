"""Which penalties the survival-aware generator should have, found on simulated studies: no real treatment or outcome is used.

    python benchmarks/generator_penalty.py [--patients 700 2500 5000] [--studies 12] [--out FILE]

A simulated study takes covariate rows of right heart catheterisation with replacement and draws its own truth. With z the covariates on the
generator's standardised columns (cut at ±4) and f(z) a sum of ten squares and twenty products with normal coefficients, scaled like every term:

    logit P(treated)   z'γ and f(z), standard deviation 1.15 in all, none of it known to the generator's family
    hazard             piecewise constant up to day 30, to 180 and beyond; log relative hazards of standard deviation 0.9, 0.6 and 0.4 that share
                       γ (confounding), fade, and contain another f(z); a treatment effect that varies with z and fades
    censoring          a few at once, most around day 215, some late, depending on z

None of the generator's models holds in it. Each setting is fitted to the same studies and draws m = 10 replicates from the same seeds; the table
shows the mean over studies of the largest |shift in standard errors| among the 30-day overlap hazard ratio and restricted mean difference, and
among {hazard ratio, risk difference, restricted mean difference} × {30, 180 days} × {overlap, inverse probability}, and their root mean square.
The rule (docs/decisions/0040): the setting with the smallest mean root mean square; where the present one is within a Monte-Carlo standard error
of the paired difference, the present one.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from generator_shift import STUDY, estimate, read_cohort, shifts
from numpy.typing import NDArray
from scipy.special import expit

from parallax.protocol import SequentialGenerator
from parallax.protocol.loading import read_protocol
from parallax.synthesis.generator import Context
from parallax.synthesis.predictors import Predictors
from parallax.synthesis.registry import draw_replicates, fit_generator

#: (treatment, outcome)
PENALTIES = ((1, 30), (1, 10), (1, 100), (10, 30), (10, 10))
EDGES = (0.0, 30.0, 180.0, 1943.0)
HAZARDS = (0.4 / 30, 0.25 / 150, 0.5 / 1800)


def simulate(rows: pd.DataFrame, columns: NDArray[np.float64], patients: int, rng: np.random.Generator) -> pd.DataFrame:
    chosen = rng.integers(len(rows), size=patients)
    z = columns[chosen]
    width = z.shape[1]

    def scaled(values: NDArray[np.float64], deviation: float) -> NDArray[np.float64]:
        return deviation * (values - values.mean()) / values.std()

    def bent() -> NDArray[np.float64]:
        squared, left, right = rng.integers(width, size=10), rng.integers(width, size=20), rng.integers(width, size=20)
        return np.column_stack([z[:, squared] ** 2 - 1, z[:, left] * z[:, right]]) @ rng.standard_normal(30)

    confounding = rng.standard_normal(width)
    treated = rng.random(patients) < expit(-0.6 + scaled(scaled(z @ confounding, 1.0) + scaled(bent(), 0.5), 1.15))

    def risk(deviation: float, share: float) -> NDArray[np.float64]:
        return scaled(z @ (share * confounding + rng.standard_normal(width)), deviation) + scaled(bent(), 0.35 * deviation)

    early = scaled(risk(1.0, 0.5), 0.9)
    relative = (early, scaled(0.5 * early + risk(0.6, 0.2), 0.6), scaled(0.3 * early + risk(0.5, 0.1), 0.4))
    effects = rng.normal(0.15, 0.1, size=3) * (1.0, 0.5, 0.2)
    modification = scaled(z @ rng.standard_normal(width), 0.15)
    credit, dies = rng.standard_exponential(patients), np.full(patients, np.inf)
    for start, end, base, log_relative, effect in zip(EDGES, EDGES[1:], HAZARDS, relative, effects, strict=False):
        hazard = base * np.exp(log_relative - 0.3 + treated * (effect + modification))
        now = np.isinf(dies) & (credit < hazard * (end - start))
        dies[now] = start + credit[now] / hazard[now]
        credit -= hazard * (end - start)
    usual = np.where(rng.random(patients) < 0.8, rng.normal(215, 25, patients).clip(170), rng.uniform(240, EDGES[-1], patients))
    lost = np.where(rng.random(patients) < 0.06, rng.uniform(2, 180, patients), usual) + scaled(z @ rng.standard_normal(width), 5.0).clip(-20, 20)
    return (
        rows.iloc[chosen]
        .assign(
            patient_id=np.arange(patients).astype(str),
            treated=treated,
            death_days=np.ceil(np.minimum(dies, lost.clip(1))),
            death_event=(dies <= lost.clip(1)).astype(np.int64),
        )
        .reset_index(drop=True)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, nargs="+", default=[700, 2500, 5000])
    parser.add_argument("--studies", type=int, default=12)
    parser.add_argument("--out", type=Path, default=Path("generator_penalty.csv"))
    asked = parser.parse_args()
    protocol = read_protocol(STUDY)
    rows = read_cohort(protocol)
    context = Context(protocol.cohort.covariates, protocol.outcomes)
    columns = np.clip(Predictors.fit(rows, context, squares=False).standardise(rows), -4, 4)
    found = []
    for patients in asked.patients:
        for study in range(asked.studies):
            simulated = simulate(rows, columns, patients, np.random.default_rng([77, patients, study]))
            real = estimate(simulated, protocol)
            for treatment, outcome in PENALTIES:
                settings = SequentialGenerator(method="sequential", ridge_treatment=treatment, ridge_outcome=outcome)
                fitted = fit_generator(settings, simulated, covariates=protocol.cohort.covariates, outcomes=protocol.outcomes, seed=0)
                drawn = draw_replicates(fitted, replicates=10, patients=patients, seeds=[1000 * study + i for i in range(10)])
                moved = shifts(real, estimate(drawn, protocol), patients=patients)
                primary = moved.query("design == 'overlap' and horizon_days == 30 and contrast != 'risk_difference'")
                twelve = moved[moved["contrast"].isin(("hazard_ratio", "risk_difference", "rmst_difference"))]
                root = float(np.sqrt((twelve["shift"] ** 2).mean()))
                found.append((patients, study, treatment, outcome, primary["shift"].abs().max(), twelve["shift"].abs().max(skipna=False), root))
        table = pd.DataFrame(found, columns=["patients", "study", "treatment", "outcome", "primary", "worst of 12", "root mean square"])
        table.to_csv(asked.out, index=False)
    means = table.pivot_table(index=["treatment", "outcome"], columns="patients", values=["primary", "worst of 12", "root mean square"], sort=False)
    print(means.round(2).to_string())
    print(
        table.groupby(["treatment", "outcome"], sort=False)[["primary", "worst of 12", "root mean square"]].agg(["mean", "sem"]).round(3).to_string()
    )


if __name__ == "__main__":
    main()
