"""How close each generator's patients come to those whom it saw: share closer to train than to hold-out, and exact copies on the same footing.

    PYTHONPATH=workflow/lib python benchmarks/generator_closeness.py [--studies rhc GBSG2] [--splits 5] [--out FILE]

Half of the patients are seen by the generator and half are not, by a split from each pre-listed seed; from a fit to the seen half m = 10
replicates are drawn. A share of 0.5 tells nothing of who was seen. The interval (95 %) is that of the mean over splits: the wider of the one
that the spread of splits gives (Student's t) and the one that their own intervals give, taken as independent. Copies: share of patients with a
synthetic record equal in every column, seen and unseen.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from generator_shift import STUDY, read_cohort
from generator_studies import STUDIES
from scipy.special import stdtrit

from parallax.protocol import Covariates, OutcomesSection
from parallax.protocol import Generator as GeneratorSettings
from parallax.protocol.generators import ArfGenerator, CartGenerator, parse_generator
from parallax.protocol.loading import read_protocol
from parallax.seeds import derive_seed
from parallax.synthesis.registry import draw_replicates, fit_generator
from parallax.validation.copies import find_copied
from parallax.validation.neighbours import RecordSpace
from parallax.validation.records import RecordColumns
from parallax.validation.similarity import measure_closeness

REPLICATES = 10
PLAIN: dict[str, dict[str, object]] = {
    "sequential": {"method": "sequential"},
    "sequential, calibrated": {"method": "sequential", "recipe": "calibrated"},
    "sequential, covariates by CART": {"method": "sequential", "covariates": {"method": "cart"}},
    "gaussian_copula": {"method": "gaussian_copula"},
    "independent": {"method": "independent"},
}
#: smaller leaves than a protocol may ask for show why
LEAVES: dict[str, GeneratorSettings] = {
    **{f"arf, leaf {leaf}": ArfGenerator.model_construct(method="arf", trees=30, minimum_leaf=leaf, rounds=10) for leaf in (5, 10, 20, 50)},
    **{f"cart, leaf {leaf}": CartGenerator.model_construct(method="cart", order=(), minimum_leaf=leaf) for leaf in (5, 20, 50, 100)},
}
SETTINGS = {name: parse_generator(settings) for name, settings in PLAIN.items()} | LEAVES


def read_study(name: str) -> tuple[pd.DataFrame, Covariates, OutcomesSection]:
    if name == "rhc":
        protocol = read_protocol(STUDY)
        return read_cohort(protocol), protocol.cohort.covariates, protocol.outcomes
    cohort, covariates = STUDIES[name][0]()
    survival = {
        "type": "survival",
        "days": "d",
        "event": "e",
        "follow_up_days": float(cohort["death_days"].max()),
        "horizons_days": STUDIES[name][1],
        "contrasts": ["hazard_ratio"],
    }
    return cohort, covariates, OutcomesSection.of({"death": survival})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", nargs="+", default=["rhc", "GBSG2"])
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("generator_closeness.csv"))
    asked = parser.parse_args()
    found = []
    for study in asked.studies:
        cohort, covariates, outcomes = read_study(study)
        columns = RecordColumns.of(covariates, outcomes)
        kinds = {"numeric": columns.numeric, "categorical": columns.categorical}
        for split in range(1, asked.splits + 1):
            order = np.random.default_rng(derive_seed(split, study, "split")).permutation(len(cohort))
            half = len(cohort) // 2
            seen, unseen = (cohort.iloc[rows].reset_index(drop=True) for rows in (order[:half], order[half : 2 * half]))
            for name, settings in SETTINGS.items():
                fitted = fit_generator(settings, seen, covariates=covariates, outcomes=outcomes, seed=derive_seed(split, name, "fit"))
                seeds = [derive_seed(split, name, "draw", replicate) for replicate in range(REPLICATES)]
                drawn = draw_replicates(fitted, replicates=REPLICATES, patients=half, seeds=seeds)
                space = RecordSpace.of([seen, unseen, drawn], **kinds)
                close = measure_closeness(space.place(seen), space.place(unseen), space.place(drawn))
                copies = [float(find_copied(part, drawn, **kinds).mean()) for part in (seen, unseen)]
                found.append((study, name, split, close.value, (close.upper - close.lower) / 2, *copies))
            pd.DataFrame(found, columns=["study", "generator", "split", "share", "half_width", "seen", "unseen"]).to_csv(asked.out, index=False)
    table = pd.DataFrame(found, columns=["study", "generator", "split", "share", "half_width", "seen", "unseen"])
    print("| generator |" + "".join(f" {study}: closer to seen (95 %) | copies seen / unseen |" for study in asked.studies))
    print("|---|" + "---|---|" * len(asked.studies))
    for name in SETTINGS:
        cells = []
        for study in asked.studies:
            rows = table[(table["study"] == study) & (table["generator"] == name)]
            splits = len(rows)
            spread = float(stdtrit(splits - 1, 0.975)) * rows["share"].std() / np.sqrt(splits) if splits > 1 else 0.0
            half_width = max(spread, rows["half_width"].mean() / np.sqrt(splits))
            share = rows["share"].mean()
            cells += [f"{share:.3f} ({share - half_width:.3f}–{share + half_width:.3f})", f"{rows['seen'].mean():.2%} / {rows['unseen'].mean():.2%}"]
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
