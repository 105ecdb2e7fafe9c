"""What the privacy gates catch on RHC, and how often they fail a generator that tells nothing.

    PYTHONPATH=workflow/lib:tests python benchmarks/privacy_power.py [--runs 20] [--harmless 20] [--size 5735] [--only LEAK …] [--out FILE]

Leaks: one refit of ``sequential`` to the train part of the default study, ten replicates; in each run a leak is planted in them from a pre-listed
seed. Harmless: the fitted model is taken for the truth; patients of a study of ``--size`` and ten replicates are drawn from it alike, so that the
generator is correct by construction and saw nobody.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from generator_shift import STUDY, read_cohort

from parallax.cohort.split import split_patients
from parallax.protocol.generators import parse_generator
from parallax.protocol.loading import read_protocol
from parallax.protocol.protocol import Protocol
from parallax.seeds import derive_seed
from parallax.synthesis.registry import draw_replicates, fit_generator
from parallax.validation.privacy import measure_privacy
from parallax.validation.records import RecordColumns
from planted_leaks import Plant, copy_covariates, copy_everybody, copy_outliers, copy_patients

REPLICATES = 10


def attack(protocol: Protocol, real: pd.DataFrame, split: pd.DataFrame, synthetic: pd.DataFrame, seed: int) -> pd.DataFrame:
    return measure_privacy(
        real,
        split,
        [synthetic],
        covariates=protocol.cohort.covariates,
        outcomes=protocol.outcomes,
        gates=protocol.validation.gates,
        privacy=protocol.privacy,
        rng=np.random.default_rng(seed),
    )


def split_of(real: pd.DataFrame, seed: int) -> pd.DataFrame:
    return split_patients(real, hold_out=0.2, rng=np.random.default_rng(seed))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--harmless", type=int, default=20)
    parser.add_argument("--size", type=int, default=5735)
    parser.add_argument("--only", nargs="*", default=[""])
    parser.add_argument("--out", type=Path, default=Path("privacy_power.csv"))
    asked = parser.parse_args()
    protocol = read_protocol(STUDY)
    covariates, outcomes = protocol.cohort.covariates, protocol.outcomes
    real = read_cohort(protocol)
    split = split_of(real, derive_seed(1, "split"))
    train = real[(split["part"] == "train").to_numpy()].reset_index(drop=True)
    study = {"covariates": covariates, "outcomes": outcomes}
    fitted = fit_generator(parse_generator({"method": "sequential"}), train, seed=derive_seed(1, "fit"), **study)

    def draw(replicates: int, patients: int, *purpose: object) -> pd.DataFrame:
        seeds = [derive_seed(1, *purpose, replicate) for replicate in range(replicates)]
        return draw_replicates(fitted, replicates=replicates, patients=patients, seeds=seeds)

    leaks: dict[str, Plant] = {
        "nothing planted": lambda synthetic, _train, _rng: synthetic,
        **{f"copies of {share:.1%} of the patients": copy_patients(share) for share in (0.005, 0.01, 0.05, 1.0)},
        "every replicate is the patients": copy_everybody,
        "copies of the outlying tenth": copy_outliers(RecordColumns.of(covariates, outcomes)),
        **{f"covariates of {share:.0%} copied, outcomes redrawn": copy_covariates(covariates, share) for share in (0.01, 1.0)},
    }
    found: list[pd.DataFrame] = []

    def keep(leak: str, run: int, table: pd.DataFrame) -> None:
        found.append(table.assign(leak=leak, run=run, size=asked.size if leak == "harmless" else len(real)))
        pd.concat(found).to_csv(asked.out, index=False)

    if asked.runs:
        synthetic = draw(REPLICATES, len(train), "draw")
        for name, plant in leaks.items():
            if any(part in name for part in asked.only):
                for run in range(asked.runs if name != "nothing planted" else 1):
                    seed = derive_seed(run, name)
                    keep(name, run, attack(protocol, real, split, plant(synthetic, train, np.random.default_rng(seed)), seed))
    for run in range(asked.harmless):
        people = draw(1, asked.size, "people", run)
        parts = split_of(people, derive_seed(run, "harmless"))
        drawn = draw(REPLICATES, int((parts["part"] == "train").sum()), "harmless", run)
        keep("harmless", run, attack(protocol, people, parts, drawn, derive_seed(run, "attack")))
    table = pd.concat(found)
    table["failed"] = table["passed"].eq(False).fillna(False).astype(bool)
    print("| leak | runs | caught | by |\n|---|---|---|---|")
    for (leak, size), rows in table.groupby(["leak", "size"], sort=False):
        runs = rows["run"].nunique()
        caught = int(rows.groupby("run")["failed"].any().sum())
        by = rows[rows["failed"]].groupby("metric", sort=False)["run"].nunique().sort_values(ascending=False)
        print(f"| {leak}, {size} | {runs} | {caught / runs:.0%} | {', '.join(f'{name} {count / runs:.0%}' for name, count in by.items()) or '–'} |")


if __name__ == "__main__":
    main()
