"""How far each generator moves the effects of six studies that it was not made on, beside the floor of resampled real patients.

    PYTHONPATH=workflow/lib python benchmarks/generator_studies.py [--generators sequential gaussian_copula] [--seeds 5] [--out FILE]

GBSG2, ACTG175 (lifelines), colon, prostate and node-positive Rotterdam (SurvSet), NHEFS (causaldata). Every generator with its default settings
draws m = 10 replicates of n patients from each pre-listed seed; nothing is tuned here. Shifts are in standard errors on the real patients;
a cell is the largest |mean over seeds| among {hazard ratio, risk difference, restricted mean difference} × two horizons of a design, and how many
seeds have every weighted shift (overlap, inverse probability) within one. The floor resamples the patients themselves.
"""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
from generator_shift import TARGET, shifts

from parallax.analysis.effects import analyse
from parallax.protocol import Covariates, DesignsSection, OutcomesSection
from parallax.protocol.generators import parse_generator
from parallax.seeds import derive_seed
from parallax.synthesis.registry import draw_replicates, fit_generator
from parallax.validation.combining import take_real
from parallax.validation.floor import resample_patients, shift_floor

SEEDS = (1, 2, 3, 4, 5)
REPLICATES = 10
DESIGNS = DesignsSection.of(
    {
        "overlap": {"method": "weight", "estimand": "ATO"},
        "iptw": {"method": "weight", "estimand": "ATE", "stabilised": True},
        "crude": {"method": "none"},
        "matched": {"method": "match", "ratio": 1, "caliper_sd": 0.2},
    }
)


def table(
    source: pd.DataFrame, treated: pd.Series, days: pd.Series, event: pd.Series, numeric: list[str], categorical: list[str]
) -> tuple[pd.DataFrame, Covariates]:
    """A cohort table of complete follow-up."""
    columns: dict[str, object] = {"replicate": np.int64(0), "patient_id": np.arange(len(source)).astype(str), "treated": treated.to_numpy(bool)}
    columns |= {name: source[name].to_numpy(float) for name in numeric}
    columns |= {name: source[name].astype("string").to_numpy() for name in categorical}
    columns |= {"death_days": days.to_numpy(float), "death_event": event.to_numpy(np.int64)}
    frame = pd.DataFrame(columns).astype({"patient_id": "string"} | dict.fromkeys(categorical, "string"))
    return frame[frame["death_days"] > 0].reset_index(drop=True), Covariates(numeric=tuple(numeric), categorical=tuple(categorical))


def gbsg2() -> tuple[pd.DataFrame, Covariates]:
    d = pd.read_csv(str(files("lifelines.datasets") / "gbsg2.csv"))
    return table(d, d["horTh"] == "yes", d["time"], d["cens"], ["age", "tsize", "pnodes", "progrec", "estrec"], ["menostat", "tgrade"])


def actg175() -> tuple[pd.DataFrame, Covariates]:
    d = pd.read_csv(str(files("lifelines.datasets") / "ACTG175.csv")).query("arms in (0, 1)")
    numeric = ["age", "wtkg", "karnof", "cd40", "cd80"]
    return table(d, d["arms"] == 1, d["days"], d["cens"], numeric, ["hemo", "homo", "drugs", "race", "gender", "symptom"])


def surv_set(name: str) -> pd.DataFrame:
    from SurvSet.data import SurvLoader

    loaded = SurvLoader().load_dataset(name)
    frame = loaded["df"] if isinstance(loaded, dict) else loaded[0]
    return frame.assign(**{column: frame[column].astype(object) for column in frame if column.startswith("fac_")})


def colon() -> tuple[pd.DataFrame, Covariates]:
    d = surv_set("colon").query("fac_rx != 'Lev'")
    categorical = ["fac_sex", "fac_differ", "fac_obstruct", "fac_perfor", "fac_adhere", "fac_node4"]
    return table(d, d["fac_rx"] == "Lev+5FU", d["time"], d["event"], ["num_age", "num_nodes"], categorical)


def prostate() -> tuple[pd.DataFrame, Covariates]:
    d = surv_set("prostate")
    d = d[d["fac_rx"].isin(["placebo", "0.2 mg estrogen", "1.0 mg estrogen", "5.0 mg estrogen"]) & (d["time"] > 0)]
    numeric = [column for column in d if column.startswith("num_") and column != "num_sdate"]
    categorical = ["fac_stage", "fac_pf", "fac_hx", "fac_ekg", "fac_bm"]
    return table(d, d["fac_rx"].isin(["1.0 mg estrogen", "5.0 mg estrogen"]), d["time"] * 30.4375, d["event"], numeric, categorical)


def rotterdam() -> tuple[pd.DataFrame, Covariates]:
    d = surv_set("rott2").query("num_nodes > 0")
    numeric = ["num_year", "num_age", "num_nodes", "num_progesterone", "num_estrogen"]
    days = np.ceil(d["time"] * 30.4375)
    return table(d, d["fac_hormon"] == "yes", days, d["event"], numeric, ["fac_meno", "fac_tsize", "fac_grade", "fac_chemo"])


def nhefs() -> tuple[pd.DataFrame, Covariates]:
    from causaldata import nhefs_complete

    d = nhefs_complete.load_pandas().data
    died = d["death"] == 1
    months = np.where(died, (d["yrdth"] - 83) * 12 + d["modth"], 120.0)
    numeric = ["age", "smokeintensity", "smokeyrs", "wt71"]
    categorical = ["sex", "race", "education", "exercise", "active"]
    return table(d, d["qsmk"].astype(int) == 1, pd.Series(months), died, numeric, categorical)


STUDIES: dict[str, tuple[Callable[[], tuple[pd.DataFrame, Covariates]], tuple[float, float]]] = {
    "GBSG2": (gbsg2, (730.0, 1826.0)),
    "ACTG175": (actg175, (365.0, 730.0)),
    "colon": (colon, (730.0, 1826.0)),
    "NHEFS": (nhefs, (60.0, 119.0)),
    "prostate": (prostate, (730.0, 1461.0)),
    "Rotterdam": (rotterdam, (1826.0, 2922.0)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generators", nargs="+", default=["sequential", "gaussian_copula"])
    parser.add_argument("--studies", nargs="+", default=list(STUDIES))
    parser.add_argument("--seeds", type=int, default=len(SEEDS))
    parser.add_argument("--out", type=Path, default=Path("generator_studies.csv"))
    asked = parser.parse_args()
    rows: list[pd.DataFrame] = []
    for study in asked.studies:
        read, horizons = STUDIES[study]
        cohort, covariates = read()
        contrasts = ["hazard_ratio", "risk_difference", "rmst_difference"]
        death = {"type": "survival", "days": "d", "event": "e", "follow_up_days": 100000, "horizons_days": list(horizons), "contrasts": contrasts}
        outcomes = OutcomesSection.of({"death": death})
        settings = {"covariates": covariates, "designs": DESIGNS, "outcomes": outcomes}
        real = analyse(cohort, **settings).estimates
        first = zlib.crc32(study.encode())
        resampled = resample_patients(cohort, [derive_seed(first, "floor", replicate) for replicate in range(REPLICATES * len(SEEDS))])
        floor = shift_floor(take_real(real), analyse(resampled, **settings).estimates, replicates=REPLICATES).dropna(subset="horizon_days")
        rows.append(floor[[*TARGET, "shift"]].assign(study=study, generator="floor", seed=0))
        for name in asked.generators:
            method = parse_generator({"method": name})
            for seed in SEEDS[: asked.seeds]:
                fitted = fit_generator(method, cohort, covariates=covariates, outcomes=outcomes, seed=derive_seed(seed, study, name, "fit"))
                seeds = [derive_seed(seed, study, name, replicate) for replicate in range(REPLICATES)]
                drawn = draw_replicates(fitted, replicates=REPLICATES, patients=len(cohort), seeds=seeds)
                moved = shifts(real, analyse(drawn, **settings).estimates, patients=len(cohort))
                rows.append(moved.assign(study=study, generator=name, seed=seed))
            pd.concat(rows).to_csv(asked.out, index=False)
        show(pd.concat(rows), study)


def show(found: pd.DataFrame, study: str) -> None:
    for name, of_generator in found[found["study"] == study].groupby("generator", sort=False):
        means = of_generator.groupby(TARGET)["shift"].mean().abs().groupby("design").max()
        weighted = of_generator[of_generator["design"].isin(("overlap", "iptw"))].groupby("seed")["shift"].apply(lambda v: v.abs().max() <= 1)
        cells = " | ".join(f"{means[design]:.2f}" for design in ("overlap", "iptw", "crude", "matched"))
        print(f"| {study} | {name} | {cells} | {weighted.sum()} of {len(weighted)} |", flush=True)


if __name__ == "__main__":
    main()
