"""What attacks on patients held out in turn are worth beside those on one share: false alarms, missing answers, coverage, leaks found.

    PYTHONPATH=workflow/lib:tests python benchmarks/privacy_rounds.py [--runs 200] [--sizes 300 686 2000] [--copied 0 0.05 0.1] [--out FILE]

Simulated patients and a generator that knows the truth, so that it tells nothing but the copies planted in it: a share of those whom a refit saw,
each once. The truth of every bound then follows by reason: copied patients are recognised with certainty, the others as anybody. Every run has a
pre-listed seed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from parallax.cohort.split import split_patients
from parallax.protocol.privacy import PrivacySection
from parallax.protocol.validation import Gates
from parallax.validation.metrics import NOT_INFORMATIVE
from parallax.validation.privacy import measure_privacy
from planted_leaks import copy_patients
from validation_tables import COVARIATES, OUTCOMES, draw_cohort

REPLICATES = 2
ASKED = {
    "covariates": COVARIATES,
    "outcomes": OUTCOMES,
    "gates": Gates(),
    "privacy": PrivacySection(quasi_identifiers=("age", "sex"), widths={"age": 1.0}, sensitive=("death",)),
}
#: share held out, rounds
WAYS = {"a half": (0.5, 1), "both halves in turn": (0.5, 2), "five fifths in turn": (0.2, 5)}
TRUTHS = {
    "membership_auc": lambda share: (1 + share) / 2,
    "nearest_auc": lambda share: (1 + share) / 2,
    "membership_tpr_at_1pct_fpr": lambda share: share + (1 - share) / 100,
    "nearest_tpr_at_1pct_fpr": lambda share: share + (1 - share) / 100,
    "excess_copies": lambda share: share,
}


def attack(way: str, patients: int, copied: float, run: int) -> pd.DataFrame:
    rng = np.random.default_rng([patients, run])
    real = draw_cohort(patients, rng=rng)
    hold_out, rounds = WAYS[way]
    split = split_patients(real, hold_out=hold_out, rounds=rounds, rng=rng)
    synthetic = []
    for number in range(1, rounds + 1):
        train = real[(split.loc[split["round"] == number, "part"] == "train").to_numpy()].reset_index(drop=True)
        synthetic.append(copy_patients(copied)(draw_cohort(len(train), rng=rng, replicates=REPLICATES), train, rng))
    return measure_privacy(real, split, synthetic, rng=rng, **ASKED)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--sizes", type=int, nargs="+", default=[300, 686, 2000])
    parser.add_argument("--copied", type=float, nargs="+", default=[0.0, 0.05, 0.1])
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--out", type=Path, default=Path("privacy_rounds.csv"))
    asked = parser.parse_args()
    found: list[pd.DataFrame] = []
    for size in asked.sizes:
        for copied in asked.copied:
            for way in asked.ways:
                tables = [attack(way, size, copied, run).assign(run=run) for run in range(asked.runs)]
                found.append(pd.concat(tables).assign(patients=size, copied=copied, way=way))
                pd.concat(found).to_csv(asked.out, index=False)
    table = pd.concat(found)
    table["failed"] = table["passed"].eq(False).fillna(False).astype(bool)
    table["open"] = table["threshold"].notna() & table["passed"].isna() & ~table["reason"].fillna("").str.startswith(NOT_INFORMATIVE)
    print(
        "| patients | copied | way | runs with a failed gate | without an answer that is needed | metric | mean upper bound | bound holds the truth |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for (size, copied, way), rows in table.groupby(["patients", "copied", "way"], sort=False):
        per_run = rows.groupby("run")[["failed", "open"]].any()
        alarms, silent = per_run["failed"].mean(), (per_run["open"] & ~per_run["failed"]).mean()
        for metric, truth in TRUTHS.items():
            of_metric = rows[(rows["metric"] == metric) & rows["upper"].notna()]
            holds = (of_metric["upper"] >= truth(copied) - 1e-9).mean()
            told = f"{size:,} | {copied:.0%} | {way} | {alarms:.1%} | {silent:.1%} | {metric}"
            print(f"| {told} | {of_metric['upper'].mean():.3f} | {holds:.1%} |")


if __name__ == "__main__":
    main()
