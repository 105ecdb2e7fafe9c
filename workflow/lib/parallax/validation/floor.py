"""The floor: what sampling alone does to the study's answers, measured on cohorts resampled from the real patients themselves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from scipy.stats import t as student

from parallax.analysis.designs import apply_designs
from parallax.analysis.effects import analyse, estimate_effects
from parallax.protocol.cohort import Covariates
from parallax.protocol.designs import DesignsSection, MatchDesign, WeightDesign
from parallax.protocol.outcomes import OutcomesSection
from parallax.protocol.propensity import PropensitySection
from parallax.protocol.question import PrimaryEstimate
from parallax.seeds import derive_seed
from parallax.tables import COVARIANCE, FIDELITY, FLOOR, empty_table
from parallax.validation.combining import TARGET, take_real, target_of, to_analysis_scale
from parallax.validation.fidelity import measure_gaps
from parallax.validation.metrics import FLOORED, floor_of
from parallax.vocabulary import DIAGNOSTIC_CONTRASTS

#: resamples of the patients for the joint covariance of a design's estimates
RESAMPLES: Final = 60


@dataclass(frozen=True, slots=True)
class Floor:
    """The tables FLOOR (shifts by target) and FIDELITY (gaps of score and curves, ungated) of resampled cohorts."""

    shifts: pd.DataFrame
    fidelity: pd.DataFrame


def resample_patients(cohort: pd.DataFrame, seeds: Sequence[int]) -> pd.DataFrame:
    """A cohort table of one replicate per seed, n of the n patients each, drawn with replacement; a patient drawn twice is two patients."""
    parts = []
    for replicate, seed in enumerate(seeds):
        drawn = cohort.iloc[np.random.default_rng(seed).integers(len(cohort), size=len(cohort))].reset_index(drop=True)
        drawn["replicate"] = np.int64(replicate)
        drawn["patient_id"] = pd.array(np.arange(1, len(cohort) + 1).astype(str), dtype="string")
        parts.append(drawn)
    return pd.concat(parts, ignore_index=True)


def measure_floor(
    cohort: pd.DataFrame,
    *,
    real_estimates: pd.DataFrame,
    real_overlap: pd.DataFrame,
    primary: PrimaryEstimate,
    covariates: Covariates,
    designs: DesignsSection,
    propensity: PropensitySection,
    outcomes: OutcomesSection,
    replicates: int,
    seeds: Sequence[int],
    seed: int,
) -> Floor:
    """Resample, design, estimate, and compare with the real study; the resampled patients exist in memory only.

    A perfect generator, the patients' own distribution, would be as far from the real answer as these cohorts (:func:`shift_floor`): what the
    floor misses no generator can be tested on. There is a cohort for every one of ``seeds``; the gaps, which depend on how many cohorts they are
    of, are those of the first ``replicates`` (m), as many as a generator has. Only point estimates are read, so that no variance is
    bootstrapped. ``seed`` is the analysis's own (folds, random orders).
    """
    drawn = resample_patients(cohort, seeds)
    study = {"covariates": covariates, "designs": for_estimates_only(designs), "propensity": propensity}
    designed = apply_designs(drawn, **study, imbalance=np.inf, effective_patients=0, seed=seed)  # type: ignore[arg-type]
    made = {"weights": designed.weights, "overlap": designed.overlap, "scores": designed.propensity}
    estimates = estimate_effects(drawn, **made, **study, outcomes=outcomes, seed=seed).estimates  # type: ignore[arg-type]
    rng = np.random.default_rng(seed)
    as_many, overlap = (table[table["replicate"] < replicates] for table in (drawn, designed.overlap))
    gaps = measure_gaps(
        cohort, as_many, real_overlap=real_overlap, synthetic_overlap=overlap, primary=primary, outcomes=outcomes, gates=None, rng=rng
    )
    fidelity = pd.DataFrame(gaps, columns=list(FIDELITY.columns))
    shifts = shift_floor(take_real(real_estimates), estimates, replicates=replicates)
    return Floor(shifts, FIDELITY.validate(fidelity[fidelity["metric"].isin(FLOORED)]))


def bootstrap_covariance(
    cohort: pd.DataFrame,
    *,
    primary: PrimaryEstimate,
    covariates: Covariates,
    designs: DesignsSection,
    propensity: PropensitySection,
    outcomes: OutcomesSection,
    resamples: int,
    seed: int,
) -> pd.DataFrame:
    """The COVARIANCE table of the primary design's estimates of the primary outcome, over ``resamples`` bootstrap resamples of the patients.

    The score is fitted anew in every resample. Contrasts that answer no question of their own are left out, and so is a target that a
    resample cannot estimate. The table is empty where fewer than two targets are left, or the design is matched: a bootstrap of matching
    says nothing (Abadie & Imbens 2008).
    """
    design = designs[primary.design]
    outcome = outcomes[primary.outcome]
    contrasts = tuple(contrast for contrast in outcome.contrasts if contrast not in DIAGNOSTIC_CONTRASTS)
    asked = OutcomesSection({primary.outcome: outcome.model_copy(update={"contrasts": contrasts})})
    study = {"covariates": covariates, "designs": for_estimates_only(DesignsSection({primary.design: design})), "propensity": propensity}
    if isinstance(design, MatchDesign):
        return empty_table(COVARIANCE)
    columns: dict[tuple[object, ...], list[float]] = {}
    for resample in range(resamples):
        drawn = resample_patients(cohort, [derive_seed(seed, "covariance", resample)])
        found = analyse(drawn, **study, outcomes=asked, seed=seed).estimates  # type: ignore[arg-type]
        for row in found.to_dict("records"):
            value = float(to_analysis_scale(row["estimate"], row["contrast"])) if row["status"] == "ok" else math.nan
            columns.setdefault(target_of(row), []).append(value)
    kept = {target: values for target, values in columns.items() if np.isfinite(values).all()}
    if len(kept) < 2:
        return empty_table(COVARIANCE)
    matrix = np.cov(np.array(list(kept.values())))
    others = [f"other_{name}" for name in TARGET]
    rows = [
        dict(zip([*TARGET, *others, "covariance"], (*first, *second, matrix[i, j]), strict=True))
        for i, first in enumerate(kept)
        for j, second in enumerate(kept)
    ]
    return COVARIANCE.validate(pd.DataFrame(rows, columns=list(COVARIANCE.columns)))


def for_estimates_only(designs: DesignsSection) -> DesignsSection:
    """The same designs with the variance that costs least: the same estimates."""
    cheapest = {"match": "clustered", "weight": "score_as_known"}
    return DesignsSection(
        {
            name: design.model_copy(update={"variance": cheapest[design.method]}) if isinstance(design, MatchDesign | WeightDesign) else design
            for name, design in designs.items()
        }
    )


def shift_floor(real: pd.DataFrame, estimates: pd.DataFrame, *, replicates: int) -> pd.DataFrame:
    """The FLOOR table: a row for every target of ``real`` (COMBINED) from the resampled cohorts' ``estimates`` (ESTIMATES).

    Formula
        With Q, V real and q₁ … q_c of the c cohorts, on the analysis scale: d = (Σqᵢ/c − Q)/√V, and with s their standard deviation in √V
        the band d ± t(0.975; c − 1)·s·√(1/m + 1/c): where the shift of a generator lies in 95 of 100 draws if its m ``replicates`` scatter as
        the cohorts do; 1/c counts the floor's own error in. Where cohorts have no estimate, as large a share of the replicates is taken to
        have none.
    Assumption
        The qᵢ are independent and roughly normal given the real patients.
    Degenerate cases
        A cohort without an estimate is left out and counted. No shift without a real standard error or with fewer than two estimates.
    """
    rows = []
    for row in real.to_dict("records"):
        same = [estimates[name].isna() if pd.isna(row[name]) else estimates[name].eq(row[name]) for name in TARGET]
        of_target = estimates[np.logical_and.reduce(same)]
        usable = of_target[of_target["status"] == "ok"]
        values = to_analysis_scale(usable["estimate"].to_numpy(dtype=float), str(row["contrast"]))
        shift = lower = upper = math.nan
        if row["status"] == "ok" and row["std_error"] > 0 and values.size > 1:
            (centre,) = to_analysis_scale(np.array([row["estimate"]], dtype=float), str(row["contrast"]))
            moved = (values - centre) / row["std_error"]
            answering = replicates * values.size / len(of_target)
            half = student.ppf(0.975, values.size - 1) * moved.std(ddof=1) * math.sqrt(1 / answering + 1 / values.size)
            shift, lower, upper = float(moved.mean()), float(moved.mean() - half), float(moved.mean() + half)
        rows.append(
            {name: row[name] for name in TARGET}
            | {"shift": shift, "lower": lower, "upper": upper, "estimable": len(usable), "replicates": len(of_target)}
        )
    return FLOOR.validate(pd.DataFrame(rows, columns=list(FLOOR.columns)))


def label_floor(fidelity: pd.DataFrame) -> pd.DataFrame:
    """The floor's gaps as rows beside a generator's, under the metrics' floor names."""
    return fidelity.assign(metric=fidelity["metric"].map(floor_of))
