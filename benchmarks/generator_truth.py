"""Bias of generators where the truth is known: simulated studies through the certificate's engine.

    python benchmarks/generator_truth.py [--patients 1000] [--studies sequential=400 gaussian_copula=100 …] [--cores 2] [--out FILE]

A study takes its covariates from 20,000 patients (two normal, a skewed, a count and three yes-or-no covariates, joined by a Gaussian copula) with
replacement and draws treatment, death and loss to follow-up:

    treatment   linear: logit linear in the covariates; bent: their squares and the products of neighbours as well
    hazard      proportional: one Weibull hazard, one effect; fading: the effect of treatment and of the covariates halves after day 60 and again
                after day 180
    effect      a log hazard ratio of 0 or log 0.7 given the covariates (of the first 60 days where it fades)

The primary estimate is the 180-day overlap-weighted hazard ratio; its truth is integrated over the population (parallax.simulation.truth), loss to
follow-up included. The class of `sequential` holds linear treatment with either hazard, for its models change at the horizons 60 and 180; of bent
treatment it knows the squares and not the products. Each generator gets the same studies and draws m = 10 replicates.

`bias` is the mean of the partial rule's log hazard ratio less the truth, `real` that of the studies' own estimate, `beyond` their difference, which
is what the generator adds: paired, its Monte-Carlo error is smaller.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from math import log, sqrt
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri
from scipy.stats import gamma, poisson

from parallax.certification.studies import Chain, KnownEffect, run_studies, synthesise_by
from parallax.protocol import Covariates, DesignsSection, OutcomesSection
from parallax.protocol.cohort import CohortSection
from parallax.protocol.propensity import DEFAULT_PROPENSITY
from parallax.protocol.question import QuestionSection
from parallax.protocol.synthesis import SynthesisSection
from parallax.protocol.validation import Gates
from parallax.simulated import find_truth
from parallax.simulation.models import Hazard, SurvivalModel, TreatmentModel, regression_terms
from parallax.simulation.plasmode import Plasmode

GENERATORS = {
    "sequential": {"method": "sequential"},
    "gaussian_copula": {"method": "gaussian_copula"},
    "cart": {"method": "cart"},
    "independent": {"method": "independent"},
    "tvae": {"method": "tvae", "epochs": 100},
}
STUDIES = {"sequential": 400, "gaussian_copula": 100, "cart": 100, "independent": 100, "tvae": 5}
NUMERIC = ("age", "albumin", "creatinine", "visits")
BINARY = ("female", "heart", "lung")
COVARIATES = Covariates(numeric=NUMERIC, categorical=BINARY)
POPULATION = 20_000
EDGES = (0.0, 60.0, 180.0)
EFFECTS = {"no_effect": 0.0, "minimal_important": log(0.7)}
OUTCOME = {"type": "survival", "days": "d", "event": "e", "follow_up_days": 365, "horizons_days": [60, 180], "contrasts": ["hazard_ratio"]}


def draw_population() -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(20260101)
    correlation = 0.3 + 0.7 * np.eye(len(NUMERIC) + len(BINARY))
    latent = rng.multivariate_normal(np.zeros(len(correlation)), correlation, size=POPULATION)
    uniform = ndtr(latent)
    numbers = {
        "age": np.round(60 + 12 * latent[:, 0], 1),
        "albumin": np.round(3.5 + 0.5 * latent[:, 1], 2),
        "creatinine": np.round(gamma.ppf(uniform[:, 2], 3, scale=0.4), 2) + 0.1,
        "visits": poisson.ppf(uniform[:, 3], 2.5),
    }
    cut = {name: latent[:, len(NUMERIC) + j] > ndtri(1 - share) for j, (name, share) in enumerate(zip(BINARY, (0.45, 0.3, 0.2), strict=True))}
    levels = {name: pd.array(np.where(values, "yes", "no"), dtype="string") for name, values in cut.items()}
    return pd.DataFrame(numbers | levels), np.column_stack([*numbers.values(), *cut.values()]).astype(float)


def model(columns: np.ndarray, treatment: str, hazard: str, effect: float) -> Plasmode:
    squares, products = list(range(len(NUMERIC))), [(0, 1), (1, 2), (2, 3), (0, 4)]
    terms = regression_terms(columns, squares=squares, products=products, limit=3.0)
    bent = np.concatenate([[0.25, -0.2, 0.15, 0.1], [0.3, -0.25, 0.2, 0.3]]) if treatment == "bent" else np.zeros(8)
    straight = np.array([0.4, -0.35, 0.3, 0.2, 0.2, 0.3, -0.2])
    risk = np.concatenate([[0.4, -0.3, 0.3, 0.2, -0.2, 0.3, 0.2], np.zeros(8)])
    fade = np.array([1.0, 0.5, 0.25]) if hazard == "fading" else np.ones(3)
    event = Hazard.of([0.0035] * 3, np.outer(fade, risk), edges=EDGES, effects=effect * fade, shape=0.95)
    dropout = Hazard.of([0.0012], 0.3 * risk)
    return Plasmode(terms, TreatmentModel(-0.3, np.concatenate([straight, bent])), SurvivalModel(event, 365.0, dropout))


def chain_of(name: str) -> tuple[Chain, SynthesisSection]:
    primary = {"outcome": "death", "contrast": "hazard_ratio", "design": "overlap", "horizon_days": 180}
    question = {"population": "simulated", "treatment": "a", "comparator": "b", "estimand": "ATO", "primary": primary}
    synthesis = SynthesisSection.of({"replicates": 10, "generators": {name: GENERATORS[name]}})
    chain = Chain.of(
        question=QuestionSection.of(question),
        cohort=CohortSection.of({"arms": {"column": "arm", "treated": "a", "comparator": "b"}, "covariates": COVARIATES.model_dump()}),
        synthesis=synthesis,
        designs=DesignsSection.of({"overlap": {"method": "weight", "estimand": "ATO"}}),
        propensity=DEFAULT_PROPENSITY,
        outcomes=OutcomesSection.of({"death": OUTCOME}),
        gates=Gates(),
    )
    return chain, synthesis


def measure(job: tuple[str, str, str, int, int]) -> pd.DataFrame:
    name, treatment, hazard, studies, patients = job
    population, columns = draw_population()
    chain, synthesis = chain_of(name)
    design = chain.study["designs"]["overlap"]
    plasmodes = {effect: model(columns, treatment, hazard, value) for effect, value in EFFECTS.items()}
    effects = [KnownEffect(effect, plasmode, find_truth(plasmode, chain.primary, design)) for effect, plasmode in plasmodes.items()]
    synthesise = synthesise_by(synthesis.generators[name], synthesis, chain)
    found = run_studies(population, chain, effects, synthesise, generator=name, repetitions=range(studies), seed=1, patients=patients)
    return found.assign(treatment=treatment, hazard=hazard)


def summarise(found: pd.DataFrame) -> pd.DataFrame:
    keys = ["generator", "treatment", "hazard", "effect"]
    rows = []
    for labels, group in found[found["rule"] == "partial"].groupby(keys, sort=False):
        own = found[(found["rule"] == "none") & np.logical_and.reduce([found[key] == label for key, label in zip(keys[1:], labels[1:], strict=True)])]
        pairs = group.merge(own.drop_duplicates("repetition"), on="repetition", suffixes=("", "_real")).dropna(subset=["estimate", "estimate_real"])
        parts = {
            "bias": pairs["estimate"] - pairs["truth"],
            "real": pairs["estimate_real"] - pairs["truth"],
            "beyond": pairs["estimate"] - pairs["estimate_real"],
        }
        row = dict(zip(keys, labels, strict=True)) | {"truth": pairs["truth"].iloc[0], "studies": len(group), "estimable": len(pairs)}
        for part, values in parts.items():
            row |= {part: values.mean(), f"{part}_error": values.std() / sqrt(len(values))}
        covered = (pairs["lower"] <= pairs["truth"]) & (pairs["truth"] <= pairs["upper"])
        rows.append(row | {"coverage": covered.mean(), "passed": group["passed"].fillna(False).mean()})
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=1000)
    parser.add_argument("--studies", nargs="+", default=[f"{name}={count}" for name, count in STUDIES.items()])
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    counts = {name: int(count) for name, _, count in (entry.partition("=") for entry in chosen.studies)}
    jobs = [
        (name, *scene, count, chosen.patients) for name, count in counts.items() for scene in product(("linear", "bent"), ("proportional", "fading"))
    ]
    with ProcessPoolExecutor(chosen.cores) as pool:
        table = summarise(pd.concat(pool.map(measure, jobs), ignore_index=True))
    print(table.to_string(index=False, float_format=lambda value: f"{value:.3f}"))
    if chosen.out:
        table.to_csv(chosen.out, index=False, float_format="%.5g")


if __name__ == "__main__":
    main()
