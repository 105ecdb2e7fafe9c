"""How far each generator moves the effects of right heart catheterisation: 20 pre-listed seeds, every generator of the protocol.

    PYTHONPATH=workflow/lib python benchmarks/generator_shift.py [--generators sequential gaussian_copula] [--seeds 20] [--out FILE]

For every seed each generator is fitted and draws m = 10 replicates of n patients; the shift is (synthetic − real)/standard error on the real
patients, on the log scale for hazard ratios, with the partial rule's estimate. "Worst of 12" is the largest of {hazard ratio, risk
difference, restricted mean difference} × {30, 180 days} × {overlap, inverse probability}. "As known" is the same in standard errors that take the
score as known, 11 to 19 % larger here. A CSV row per seed and target is written as it is found;
the table of docs/VALIDATION.md is printed at the end. Nothing was chosen after these seeds were looked at (docs/decisions/0010).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd

from parallax.analysis.effects import analyse
from parallax.cohort.selection import select_cohort
from parallax.extraction.registry import read_source
from parallax.protocol import DesignsSection, Protocol
from parallax.protocol.loading import read_protocol
from parallax.seeds import derive_seed
from parallax.synthesis.registry import draw_replicates, fit_generator
from parallax.validation.combining import combine, take_real

SEEDS = tuple(range(1, 21))
STUDY = Path(__file__).parents[1] / "config" / "studies" / "rhc.yaml"
TARGET = ["design", "contrast", "horizon_days"]


def read_cohort(protocol: Protocol) -> pd.DataFrame:
    (source,) = protocol.data.sites.values()
    return select_cohort(read_source(source, folder=STUDY.parent), protocol.cohort, protocol.outcomes, source.patient_id).cohort


def estimate(cohort: pd.DataFrame, protocol: Protocol, *, variance: str = "stacked") -> pd.DataFrame:
    designs = DesignsSection.of({name: protocol.designs.plain()[name] | {"variance": variance} for name in ("overlap", "iptw")})
    covariates = protocol.cohort.covariates
    return analyse(cohort, covariates=covariates, designs=designs, outcomes=protocol.outcomes).estimates


def shifts(real: pd.DataFrame, drawn: pd.DataFrame, *, patients: int) -> pd.DataFrame:
    combined = combine(drawn, patients=patients, synthetic=patients).query("rule == 'partial'")
    both = take_real(real).merge(combined, on=TARGET, suffixes=("", "_drawn")).dropna(subset="horizon_days")
    ratio = both["contrast"] == "hazard_ratio"
    moved = np.where(ratio, np.log(both["estimate_drawn"] / both["estimate"]), both["estimate_drawn"] - both["estimate"])
    return both[TARGET].assign(shift=moved / both["std_error"])


def summarise(found: pd.DataFrame) -> pd.DataFrame:
    found = found[found["contrast"].isin(("hazard_ratio", "risk_difference", "rmst_difference"))]
    wide, known = (found.pivot_table(index=["generator", "seed"], columns=TARGET, values=unit) for unit in ("shift", "shift_as_known"))
    table = pd.DataFrame(
        {
            "hazard ratio": wide["overlap", "hazard_ratio", 30.0],
            "restricted mean": wide["overlap", "rmst_difference", 30.0],
            "worst of 12": wide.abs().max(axis=1, skipna=False),
            "as known": known.abs().max(axis=1, skipna=False),
        }
    )
    return table.reset_index()


def show(table: pd.DataFrame) -> str:
    names = list(dict.fromkeys(table["generator"]))
    lines = ["| seed |" + "".join(f" {name}: hazard ratio | restricted mean | worst of 12 | as known |" for name in names)]
    lines.append("|---|" + "---|" * (4 * len(names)))
    for seed, rows in table.groupby("seed"):
        cells = []
        for name in names:
            row = rows[rows["generator"] == name]
            cells += [f"{row[column].iloc[0]:.2f}" if len(row) else "–" for column in table.columns[2:]]
        lines.append(f"| {seed} | " + " | ".join(cells) + " |")
    for label, of in (("mean", lambda v: f"{v.mean():.2f}"), ("standard deviation", lambda v: f"{v.std():.2f}"), ("within ±1", within)):
        cells = [of(table.loc[table["generator"] == name, column]) for name in names for column in table.columns[2:]]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    both = table.assign(passes=table[["hazard ratio", "restricted mean"]].abs().le(1).all(axis=1)).groupby("generator", sort=False)["passes"]
    lines.append("")
    lines.append("Both primary shifts within ±1: " + ", ".join(f"{name} {passes.sum()} of {len(passes)}" for name, passes in both) + ".")
    return "\n".join(lines)


def within(values: pd.Series) -> str:
    return f"{int(values.abs().le(1).sum())} of {len(values)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generators", nargs="+")
    parser.add_argument("--seeds", type=int, default=len(SEEDS), help="how many of the listed seeds")
    parser.add_argument("--out", type=Path, default=Path("generator_shift.csv"))
    asked = parser.parse_args()
    protocol = read_protocol(STUDY)
    cohort = read_cohort(protocol)
    real, known = estimate(cohort, protocol), estimate(cohort, protocol, variance="score_as_known")
    rows: list[pd.DataFrame] = []
    for name in asked.generators or protocol.generators:
        for seed in SEEDS[: asked.seeds]:
            started = time.process_time()
            settings = protocol.synthesis.generators[name]
            fitted = fit_generator(
                settings, cohort, covariates=protocol.cohort.covariates, outcomes=protocol.outcomes, seed=derive_seed(seed, name, "fit")
            )
            seeds = [derive_seed(seed, name, "draw", replicate) for replicate in range(protocol.synthesis.replicates)]
            drawn = draw_replicates(fitted, replicates=len(seeds), patients=len(cohort), seeds=seeds)
            took = time.process_time() - started
            found = estimate(drawn, protocol, variance="score_as_known")  # of the drawn patients the estimates alone count
            moved, as_known = (shifts(unit, found, patients=len(cohort)) for unit in (real, known))
            rows.append(moved.assign(shift_as_known=as_known["shift"], generator=name, seed=seed, cpu_seconds=took))
            pd.concat(rows).to_csv(asked.out, index=False)
    print(show(summarise(pd.concat(rows))))


if __name__ == "__main__":
    main()
