"""What generators cost: CPU seconds and memory of a fit and of a draw of as many patients, beside SDV called directly.

    PYTHONPATH=workflow/lib python benchmarks/generator_cost.py [--sizes 1000 10000 100000] [--generators …] [--epochs 10] [--budget 120] [--out FILE]

Every cell is a process of its own on one thread: a simulated cohort of 20 covariates without gaps and one survival outcome, a first fit and
draw on 200 patients (imports), then the fastest of three fits and draws (one above 1,000 patients) in CPU seconds, and by how much the
process's peak memory grew. A cell that spends its budget of CPU seconds, the first fit included, is ended and says so; larger sizes of it
are then not tried. Nothing is extrapolated: networks are trained for the stated number of epochs, and the figures are of these.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from parallax.protocol import Covariates, OutcomesSection
from parallax.protocol.generators import parse_generator
from parallax.synthesis.generator import Context
from parallax.synthesis.registry import GENERATORS

COVARIATES = Covariates(numeric=tuple(f"x{i}" for i in range(14)), categorical=tuple(f"z{i}" for i in range(6)))
OUTCOMES = OutcomesSection.of(
    {
        "death": {
            "type": "survival", "days": "d", "event": "e", "follow_up_days": 400, "horizons_days": [90, 180],
            "contrasts": ["hazard_ratio", "risk_difference"],
        }
    }
)  # fmt: skip
BY_SDV = ("gaussian_copula", "ctgan", "copula_gan", "tvae")
NETWORKS = ("ctgan", "copula_gan", "tvae")
COLUMNS = ("generator", "implementation", "patients", "epochs", "fit_cpu_s", "draw_cpu_s", "peak_mib", "reason")
WARM_UP = 200
Cost = dict[str, Any]


def simulate(patients: int) -> pd.DataFrame:
    """Correlated numbers, half of them whole; levels; confounded treatment; days to death or the end of the study."""
    rng = np.random.default_rng(patients)
    common = rng.standard_normal(patients)
    cohort: dict[str, Any] = {"treated": rng.random(patients) < 1 / (1 + np.exp(-0.5 * common))}
    for place, name in enumerate(COVARIATES.numeric):
        values = 50 + 10 * (0.5 * common + rng.standard_normal(patients))
        cohort[name] = np.round(values, 0 if place % 2 else 3)
    for place, name in enumerate(COVARIATES.categorical):
        cohort[name] = pd.array(rng.choice([f"level {level}" for level in range(place + 2)], patients), dtype="string")
    days = np.ceil(rng.exponential(300 * np.exp(-0.3 * common - 0.2 * cohort["treated"])))
    cohort |= {"death_days": np.minimum(days, 400.0), "death_event": (days <= 400).astype(np.int64)}
    return pd.DataFrame(cohort)


def parallax(settings: Any, cohort: pd.DataFrame) -> tuple[Callable[[], Any], Callable[[Any], object]]:
    from parallax.synthesis.registry import fit_generator

    def fit() -> Any:
        return fit_generator(settings, cohort, covariates=COVARIATES, outcomes=OUTCOMES, seed=1)

    return fit, lambda fitted: fitted.draw(len(cohort), rng=np.random.default_rng(2))


def sdv(settings: Any, cohort: pd.DataFrame) -> tuple[Callable[[], Any], Callable[[Any], object]]:
    """SDV on the table that the wrapper gives it, so that both fit the same columns."""
    from sdv.metadata import Metadata
    from sdv.single_table import CopulaGANSynthesizer, CTGANSynthesizer, GaussianCopulaSynthesizer, TVAESynthesizer

    from parallax.synthesis.encoding import encode
    from parallax.synthesis.records import RecordForm

    kinds = {"gaussian_copula": GaussianCopulaSynthesizer, "ctgan": CTGANSynthesizer, "copula_gan": CopulaGANSynthesizer, "tvae": TVAESynthesizer}
    table = encode(cohort, RecordForm.of(cohort, Context(COVARIATES, OUTCOMES)))
    columns = {name: {"sdtype": "numerical" if table[name].dtype == np.float64 else "categorical"} for name in table}
    metadata = Metadata.load_from_dict({"tables": {"patients": {"columns": columns}}})
    options = settings.model_dump(exclude={"method", "gpu", "distributions"}) | ({"enable_gpu": False} if settings.method in NETWORKS else {})

    def fit() -> Any:
        synthesizer = kinds[settings.method](metadata, **options)
        synthesizer.fit({"patients": table.copy()})
        return synthesizer

    return fit, lambda fitted: fitted.sample(len(cohort))


def measure(implementation: str, method: str, patients: int, epochs: int) -> Cost:
    make = {"parallax": parallax, "sdv": sdv}[implementation]
    settings = parse_generator({"method": method} | ({"epochs": epochs} if method in NETWORKS else {}))
    small = settings.model_copy(update={"epochs": 1, "batch_size": 100} if method in NETWORKS else {})
    fit, draw = make(small, simulate(WARM_UP))
    draw(fit())
    fit, draw = make(settings, simulate(patients))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    fits, draws = [], []
    for _ in range(3 if patients <= 1000 else 1):
        started = time.process_time()
        fitted = fit()
        between = time.process_time()
        draw(fitted)
        fits.append(between - started)
        draws.append(time.process_time() - between)
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return {"fit_cpu_s": round(min(fits), 3), "draw_cpu_s": round(min(draws), 3), "peak_mib": round(peak)}


def run_cell(implementation: str, method: str, patients: int, *, epochs: int, budget: int) -> Cost:
    """One cell in a process of its own that ends when its CPU seconds are spent."""
    cell = ["--cell", implementation, method, str(patients), "--epochs", str(epochs)]
    done = subprocess.run(
        [sys.executable, __file__, *cell],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (budget, budget)),
    )
    if done.returncode == 0:
        return json.loads(done.stdout.splitlines()[-1])
    if done.returncode < 0:
        return {"reason": f"over the budget of {budget} CPU s"}
    return {"reason": (done.stderr.strip().splitlines() or ["failed"])[-1]}


def cells(generators: list[str], sizes: list[int], *, epochs: int, budget: int) -> Iterator[Cost]:
    for method in generators:
        for implementation in ("parallax", "sdv") if method in BY_SDV else ("parallax",):
            stopped = ""
            for patients in sorted(sizes):
                known = {"generator": method, "implementation": implementation, "patients": patients, "epochs": epochs if method in NETWORKS else ""}
                cost = {"reason": stopped} if stopped else run_cell(implementation, method, patients, epochs=epochs, budget=budget)
                if cost.get("reason") and not stopped:
                    stopped = f"not tried: {cost['reason']} at {patients:,} patients"
                print(f"{method} by {implementation}, {patients:,} patients: {cost}", file=sys.stderr, flush=True)
                yield known | cost


def markdown(rows: list[Cost]) -> str:
    lines = [
        "| generator | patients | fit, CPU s | draw, CPU s | peak, MiB | SDV itself: fit | draw | peak | wrapper / SDV |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    direct = {(row["generator"], row["patients"]): row for row in rows if row["implementation"] == "sdv"}
    for row in rows:
        if row["implementation"] == "parallax":
            peer = direct.get((row["generator"], row["patients"]), {})
            both = "fit_cpu_s" in row and "fit_cpu_s" in peer
            ratio = f"{sum(row[part] for part in _SPENT) / sum(peer[part] for part in _SPENT):.2f}" if both else ""
            name = row["generator"] + (f" ({row['epochs']} epochs)" if row["epochs"] else "")
            lines.append(f"| {name} | {row['patients']:,} | {_shown(row)} | {_shown(peer) if peer else ' | | '} | {ratio} |")
    return "\n".join(lines)


_SPENT = ("fit_cpu_s", "draw_cpu_s")


def _shown(row: Cost) -> str:
    return f"{row['reason']} | | " if row.get("reason") else f"{row['fit_cpu_s']:.2f} | {row['draw_cpu_s']:.2f} | {row['peak_mib']}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--generators", nargs="+", default=sorted(GENERATORS), choices=sorted(GENERATORS))
    parser.add_argument("--epochs", type=int, default=10, help="of the networks")
    parser.add_argument("--budget", type=int, default=120, help="CPU seconds per cell")
    parser.add_argument("--out", type=Path, help="rows as CSV")
    parser.add_argument("--cell", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.cell:
        implementation, method, patients = given.cell
        print(json.dumps(measure(implementation, method, int(patients), given.epochs)))
        return
    rows = list(cells(given.generators, given.sizes, epochs=given.epochs, budget=given.budget))
    if given.out:
        with given.out.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
    print(markdown(rows))


if __name__ == "__main__":
    main()
