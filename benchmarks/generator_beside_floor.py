"""What `generator_shift.py` leaves out on right heart catheterisation: crude and matched effects, the score's c-statistic and the survival curves.

    PYTHONPATH=workflow/lib python benchmarks/generator_beside_floor.py [--seeds 20] [--out FILE]

The same pre-listed seeds, m = 10, for `sequential` by both recipes and for the floor, the patients themselves resampled. A shift is in standard
errors on the real patients; "worst" is the largest of {hazard ratio, risk difference, restricted mean difference} × {30, 180 days}. The c gap is
synthetic minus real, a curve gap the largest distance of the replicates' mean curve from the real one until the primary horizon, by arm.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from generator_shift import SEEDS, STUDY, read_cohort, shifts

from parallax.analysis.designs import apply_designs
from parallax.analysis.effects import estimate_effects
from parallax.protocol import DesignsSection, OutcomesSection, Protocol
from parallax.protocol.generators import parse_generator
from parallax.protocol.loading import read_protocol
from parallax.seeds import derive_seed
from parallax.synthesis.registry import draw_replicates, fit_generator
from parallax.validation.floor import resample_patients
from parallax.validation.survival_fidelity import FollowUp, measure_km_gap

RECIPES = {"sequential": {"method": "sequential"}, "sequential, calibrated": {"method": "sequential", "recipe": "calibrated"}}
CONTRASTS = ("hazard_ratio", "risk_difference", "rmst_difference")
ARMS = {"treated": True, "comparator": False}
GAPS = ["c", *(f"curve, {arm}" for arm in ARMS)]


def analyse_crude_and_matched(cohort: pd.DataFrame, protocol: Protocol) -> tuple[pd.DataFrame, float]:
    """Estimates of both designs, and the score's mean c-statistic."""
    designs = DesignsSection.of({name: protocol.designs.plain()[name] for name in ("crude", "matched")})
    outcomes = OutcomesSection({name: section.model_copy(update={"contrasts": CONTRASTS}) for name, section in protocol.outcomes.items()})
    study = {"covariates": protocol.cohort.covariates, "designs": designs, "seed": 1}
    made = apply_designs(cohort, **study, imbalance=np.inf, effective_patients=0)
    tables = {"weights": made.weights, "overlap": made.overlap, "scores": made.propensity}
    found = estimate_effects(cohort, **tables, **study, outcomes=outcomes).estimates
    return found, float(made.overlap.loc[made.overlap["design"] == "matched", "c_statistic"].mean())


def follow(patients: pd.DataFrame, treated: bool) -> FollowUp:
    arm = patients[patients["treated"] == treated]
    return FollowUp(arm["death_days"].to_numpy(float), arm["death_event"].to_numpy(int))


def measure(cohort: pd.DataFrame, drawn: pd.DataFrame, protocol: Protocol, real: tuple[pd.DataFrame, float]) -> pd.DataFrame:
    found, c = analyse_crude_and_matched(drawn, protocol)
    moved = shifts(real[0], found, patients=len(cohort)).rename(columns={"shift": "value"}).assign(metric="shift")
    replicates = [replicate for _, replicate in drawn.groupby("replicate", sort=True)]
    horizon = protocol.question.primary.horizon_days
    gaps = {"c": c - real[1]}
    for arm, treated in ARMS.items():
        curves = [follow(replicate, treated) for replicate in replicates]
        gaps[f"curve, {arm}"] = measure_km_gap(follow(cohort, treated), curves, horizon_days=horizon)
    return pd.concat([moved, pd.DataFrame({"metric": list(gaps), "value": list(gaps.values())})], ignore_index=True)


def show(found: pd.DataFrame) -> str:
    lines = ["| | crude: worst of 6 | within ±1 | matched: worst of 6 | beyond the floor's mean | within ±1 | " + " | ".join(GAPS) + " |"]
    lines.append("|---|" + "---|" * (5 + len(GAPS)))
    target = ["design", "contrast", "horizon_days"]
    of_shift = found[found["metric"] == "shift"]
    floor = of_shift[of_shift["source"] == "floor"].groupby(target)["value"].mean()
    for source, rows in found.groupby("source", sort=False):
        moved = rows[rows["metric"] == "shift"].set_index(["seed", *target])["value"]
        beyond = moved - floor.reindex(moved.index.droplevel("seed")).to_numpy()
        cells = []
        for design, values in (("crude", (moved,)), ("matched", (moved, beyond))):
            worst = [value.xs(design, level="design").abs().groupby("seed").max() for value in values]
            cells += [f"{each.mean():.2f} ({each.max():.2f})" for each in worst]
            cells.append(f"{int((worst[-1] <= 1).sum())} of {len(worst[-1])}")
        for gap in GAPS:
            values = rows.loc[rows["metric"] == gap, "value"]
            cells.append(f"{values.mean():+.3f} ({values.abs().max():.3f})")
        lines.append(f"| {source} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=len(SEEDS), help="how many of the listed seeds")
    parser.add_argument("--out", type=Path, default=Path("generator_beside_floor.csv"))
    asked = parser.parse_args()
    protocol = read_protocol(STUDY)
    cohort = read_cohort(protocol)
    real = analyse_crude_and_matched(cohort, protocol)
    study = {"covariates": protocol.cohort.covariates, "outcomes": protocol.outcomes}
    rows: list[pd.DataFrame] = []
    for source in ("floor", *RECIPES):
        for seed in SEEDS[: asked.seeds]:
            seeds = [derive_seed(seed, "sequential", "draw", replicate) for replicate in range(protocol.synthesis.replicates)]
            if source == "floor":
                drawn = resample_patients(cohort, seeds)
            else:
                fitted = fit_generator(parse_generator(RECIPES[source]), cohort, seed=derive_seed(seed, "sequential", "fit"), **study)
                drawn = draw_replicates(fitted, replicates=len(seeds), patients=len(cohort), seeds=seeds)
            rows.append(measure(cohort, drawn, protocol, real).assign(source=source, seed=seed))
            pd.concat(rows).to_csv(asked.out, index=False)
    print(show(pd.concat(rows)))


if __name__ == "__main__":
    main()
