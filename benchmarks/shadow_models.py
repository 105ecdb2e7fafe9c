"""What the attack by shadow models finds on RHC, as the generator is and with leaks planted in it, by the number of models; and what it costs.

    PYTHONPATH=workflow/lib:tests python benchmarks/shadow_models.py [--models 16] [--replicates 10] [--out FILE]

``sequential`` is fitted to complementary random halves of the patients; each fit draws ten replicates of its half's size. A leak is planted in what
every model drew, of the patients that it saw. All seeds are listed beforehand; 4 and 8 models are the first of 16.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from generator_shift import STUDY, read_cohort

from parallax.cohort.split import halve_patients
from parallax.protocol.generators import parse_generator
from parallax.protocol.loading import read_protocol
from parallax.seeds import derive_seed
from parallax.synthesis.registry import draw_replicates, fit_generator
from parallax.validation.records import RecordColumns
from parallax.validation.shadow_attack import attack_by_shadows
from parallax.validation.shadows import measure_nearness
from planted_leaks import Plant, copy_everybody, copy_outliers, copy_patients


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=16)
    parser.add_argument("--replicates", type=int, default=10)
    parser.add_argument("--out", type=Path, default=Path("shadow_models.csv"))
    asked = parser.parse_args()
    protocol = read_protocol(STUDY)
    study = {"covariates": protocol.cohort.covariates, "outcomes": protocol.outcomes}
    columns, real = RecordColumns.of(**study), read_cohort(protocol)
    leaks: dict[str, Plant] = {
        "nothing planted": lambda drawn, _train, _rng: drawn,
        **{f"copies of {share:.0%} of the patients": copy_patients(share) for share in (0.01, 0.05, 0.1)},
        "copies of the outlying tenth": copy_outliers(columns),
        "every replicate is the patients": copy_everybody,
    }
    tables: dict[str, list[pd.DataFrame]] = {name: [] for name in leaks}
    spent = []
    for number in range(asked.models):
        begun = time.process_time()
        member = halve_patients(real, rng=np.random.default_rng(derive_seed(1, "halves", number // 2))) ^ bool(number % 2)
        seen = real[member].reset_index(drop=True)
        fitted = fit_generator(parse_generator({"method": "sequential"}), seen, seed=derive_seed(1, "shadow", number), **study)
        seeds = [derive_seed(1, "shadow", number, replicate) for replicate in range(asked.replicates)]
        drawn = draw_replicates(fitted, replicates=asked.replicates, patients=len(seen), seeds=seeds)
        for name, plant in leaks.items():
            planted = plant(drawn, seen, np.random.default_rng(derive_seed(number, name)))
            rng = np.random.default_rng(derive_seed(1, "targets"))
            tables[name].append(measure_nearness(real, member, planted, columns=columns, rng=rng))
            if len(tables[name]) > len(spent):
                spent.append(time.process_time() - begun)
    counts = [number for number in (4, 8, 16, 32, 64) if number <= asked.models]
    begun = time.process_time()
    found = [
        pd.DataFrame(attack_by_shadows(parts[:number], protocol.validation.gates)).assign(leak=name, models=number)
        for name, parts in tables.items()
        for number in counts
    ]
    attacked = time.process_time() - begun
    table = pd.concat(found)
    table.to_csv(asked.out, index=False)
    print(f"CPU seconds: {np.mean(spent):.1f} a model (fit, draw, nearness), {attacked / len(found):.2f} an attack")
    with pd.option_context("display.width", 200, "display.max_rows", None):
        print(table[["leak", "models", "metric", "value", "lower", "upper", "threshold", "passed"]].round(4).to_string(index=False))


if __name__ == "__main__":
    main()
