"""Designs of one dataset, blind to where its patients come from: scores, weights, balance and overlap of every replicate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandera.pandas import DataFrameSchema

from parallax.capabilities import DESIGNS
from parallax.design.diagnostics import (
    SCORE_STATISTICS,
    count_scores,
    count_strata,
    judge_design,
    measure_balance,
    measure_calibration,
    measure_sample,
)
from parallax.design.matrix import build_design_matrix
from parallax.design.propensity import PropensityScore, fit_scores
from parallax.design.registry import COMPARISONS, Arms
from parallax.errors import NotEstimable
from parallax.protocol.cohort import Covariates
from parallax.protocol.designs import (
    Design,
    DesignsSection,
    ScoredDesign,
)
from parallax.protocol.propensity import DEFAULT_PROPENSITY, EnsembleScore, PropensitySection
from parallax.tables import (
    BALANCE,
    CALIBRATION,
    OVERLAP,
    POSITIVITY,
    PROPENSITY,
    SCORE_HISTOGRAM,
    WEIGHTS,
)


@dataclass(frozen=True, slots=True)
class Designed:
    """The tables of a dataset's designs, each by its name in ``parallax.tables``."""

    propensity: pd.DataFrame
    weights: pd.DataFrame
    balance: pd.DataFrame
    overlap: pd.DataFrame
    score_histogram: pd.DataFrame
    calibration: pd.DataFrame
    positivity: pd.DataFrame


def apply_designs(
    cohort: pd.DataFrame,
    *,
    covariates: Covariates,
    designs: DesignsSection,
    propensity: PropensitySection = DEFAULT_PROPENSITY,
    imbalance: float,
    effective_patients: float,
    seed: int,
) -> Designed:
    """Every design on every replicate; a design that cannot be applied is a row of ``overlap`` with the reason.

    A design fails where an absolute standardised mean difference exceeds ``imbalance`` or an arm's effective sample size is below
    ``effective_patients``. Replicate i draws (folds, random order) from (seed, i) alone.
    """
    scores, weights, balances, overlaps, histograms, calibrations, strata = [], [], [], [], [], [], []
    for replicate, patients in each_replicate(cohort):
        treated = patients["treated"].to_numpy(dtype=bool)
        matrix = build_design_matrix(patients, covariates)
        of_scores, of_designs = np.random.default_rng([seed, replicate]).spawn(2)
        fitted = fit_scores(matrix, treated, propensity, rng=of_scores)
        strata.append(count_strata(matrix, treated).assign(replicate=replicate))
        for name, score in fitted.items():
            if isinstance(score, PropensityScore):
                rows = {"replicate": replicate, "score": name, "patient_id": patients["patient_id"]}
                scores.append(pd.DataFrame(rows | {"propensity": score.score, "comparable": score.comparable}))
                histograms.append(count_scores(score.score, treated).assign(replicate=replicate, score=name))
                calibrations.append(measure_calibration(score.score, treated).assign(replicate=replicate, score=name))
        for (name, design), rng in zip(designs.items(), of_designs.spawn(len(designs.names)), strict=True):
            score = fitted[propensity.named(score_name(design))]
            described = {"replicate": replicate, "design": name} | _describe_score(score, treated)
            try:
                comparison = COMPARISONS[design.method](design, Arms(treated, matrix, patients, score), rng)
                balance = measure_balance(matrix, treated, comparison.weight)
            except NotEstimable as error:
                unapplied = {"effective_estimand": "none", "n_treated": 0, "n_comparator": 0}
                overlaps.append(described | unapplied | {"status": "not_estimable", "reason": str(error)})
                continue
            sample, largest = measure_sample(treated, comparison.weight), float(balance["smd"].abs().max())
            allowed = imbalance if DESIGNS[design.method].balances else np.inf
            failure = judge_design(sample, largest, imbalance=allowed, effective_patients=effective_patients)
            balances.append(balance.assign(replicate=replicate, design=name))
            rows = {"replicate": replicate, "design": name, "patient_id": patients["patient_id"]}
            weights.append(pd.DataFrame(rows | {"weight": comparison.weight, "matched_set": comparison.matched_set}))
            overlaps.append(
                described
                | sample
                | {
                    "effective_estimand": comparison.effective_estimand,
                    "max_abs_smd": largest,
                    "tied_pairs": comparison.tied_pairs,
                    "failure": failure,
                    "status": "ok",
                    "reason": None,
                }
            )
    return Designed(
        stack(scores, PROPENSITY),
        stack(weights, WEIGHTS),
        stack(balances, BALANCE),
        pd.DataFrame(overlaps, columns=list(OVERLAP.columns)),
        stack(histograms, SCORE_HISTOGRAM),
        stack(calibrations, CALIBRATION),
        stack(strata, POSITIVITY),
    )


def designs_asked(designs: DesignsSection, contrast: str) -> DesignsSection:
    """The designs that the protocol asks for a contrast."""
    return DesignsSection({name: design for name, design in designs.items() if design.contrasts is None or contrast in design.contrasts})


def design_alone(name: str, designs: DesignsSection, propensity: PropensitySection) -> dict[str, Any]:
    """One design by itself: ``designs`` and ``propensity`` of an analysis that makes it with the scores that it needs, and no other."""
    return {"designs": DesignsSection({name: designs[name]}), "propensity": scores_of(designs[name], propensity)}


def balancing(designs: DesignsSection) -> DesignsSection:
    """The designs that weight or match."""
    return DesignsSection({name: design for name, design in designs.items() if DESIGNS[design.method].balances})


def scores_of(design: Design, propensity: PropensitySection) -> PropensitySection:
    """The scores that a design needs, its own first."""
    if not isinstance(design, ScoredDesign):
        return DEFAULT_PROPENSITY
    own = propensity.named(design.score)
    model = propensity[own]
    return PropensitySection({name: propensity[name] for name in (own, *(model.members if isinstance(model, EnsembleScore) else ()))})


def score_name(design: Design) -> str | None:
    """The score that a design names, if it rests on one."""
    return design.score if isinstance(design, ScoredDesign) else None


def _describe_score(score: PropensityScore | str, treated: NDArray[np.bool_]) -> dict[str, object]:
    if isinstance(score, str):
        return dict.fromkeys(SCORE_STATISTICS, np.nan)
    return {name: measure(score.score, treated) for name, measure in SCORE_STATISTICS.items()}


def each_replicate(cohort: pd.DataFrame) -> Iterator[tuple[int, pd.DataFrame]]:
    """The patients of every replicate, in their order, with its number."""
    for replicate, patients in cohort.groupby("replicate", sort=True):
        yield int(str(replicate)), patients.reset_index(drop=True)


def stack(parts: list[pd.DataFrame], schema: DataFrameSchema) -> pd.DataFrame:
    """Parts of a table one below the other, with its columns also where there is none."""
    columns = list(schema.columns)
    parts = [part for part in parts if len(part)]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
