"""Fidelity: do the synthetic patients look, get treated and fare like the real ones?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from parallax.errors import NotEstimable
from parallax.protocol.cohort import Covariates
from parallax.protocol.outcomes import OutcomesSection, SurvivalOutcome, ValueOutcome
from parallax.protocol.question import PrimaryEstimate
from parallax.protocol.validation import Gates
from parallax.tables import COEFFICIENTS, FIDELITY, empty_table
from parallax.validation.distribution import measure_classifier_auc, measure_pairwise_gap, measure_pmse_ratio, standardise_records
from parallax.validation.marginals import measure_half_split_ks, measure_ks, measure_sdmetrics_quality, measure_total_variation
from parallax.validation.metrics import METRICS, STRUCTURE, halves_of, metric_row
from parallax.validation.records import RecordColumns
from parallax.validation.structure import StructureMeter, compare_structures, split_structures, tabulate_coefficients
from parallax.validation.survival_fidelity import (
    FollowUp,
    measure_curve_differences,
    measure_half_split_band,
    measure_km_gap,
    split_curve_differences,
)
from parallax.vocabulary import ARMS


def measure_fidelity(
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    *,
    real_overlap: pd.DataFrame,
    synthetic_overlap: pd.DataFrame,
    primary: PrimaryEstimate,
    covariates: Covariates,
    outcomes: OutcomesSection,
    gates: Gates,
    rng: np.random.Generator,
    beside: Sequence[pd.DataFrame] = (),
) -> pd.DataFrame:
    """The FIDELITY table of a generator.

    ``real`` and ``synthetic`` are cohort tables, the overlaps OVERLAP tables. Gates: ``propensity_c_gap`` (mean over replicates of the
    primary design's c-statistic, minus the real one) and the gap of either arm of the primary outcome: ``km_gap`` of curves, ``outcome_gap``
    of the distributions of an outcome that is one value per patient. It passes up to the protocol's threshold ``km_gap`` or up to the real
    patients' half-split band, whichever is larger. Everything else is reported: other outcomes', censoring's, competing events' and
    person-time's gaps; for each covariate and the arm the distance of the marginals, all replicates together; the SDMetrics quality of
    replicate 0. ``variable`` is the covariate, or ``outcome/arm``. ``rng`` draws the splits and the classifier's
    folds. ``beside`` holds FIDELITY rows that stand among these: the floor's, and those of the structure (:func:`measure_structure`).
    Distribution fidelity (pairs of columns, pMSE ratio, classifier two-sample test, SDMetrics) is of replicate 0, and secondary.
    """
    overlaps = {"real_overlap": real_overlap, "synthetic_overlap": synthetic_overlap}
    rows = [
        *measure_gaps(real, synthetic, **overlaps, primary=primary, outcomes=outcomes, gates=gates, rng=rng),
        *(row for rows in beside for row in rows.to_dict("records")),
        *_marginal_gaps(real, synthetic, covariates),
        _quality(real, synthetic, covariates, outcomes),
        *_joint_distribution(real, synthetic, covariates, rng),
    ]
    return FIDELITY.validate(pd.DataFrame(rows, columns=list(FIDELITY.columns)))


def measure_gaps(
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    *,
    real_overlap: pd.DataFrame,
    synthetic_overlap: pd.DataFrame,
    primary: PrimaryEstimate,
    outcomes: OutcomesSection,
    gates: Gates | None,
    rng: np.random.Generator,
) -> list[dict[str, object]]:
    """The rows of the score's and the outcomes' gaps alone (see :func:`measure_fidelity`); without ``gates`` nothing is judged."""
    return [
        _propensity_gap(real_overlap, synthetic_overlap, primary.design, gates),
        *_outcome_gaps(real, synthetic, primary.outcome, outcomes, gates, rng),
    ]


def _propensity_gap(real: pd.DataFrame, synthetic: pd.DataFrame, design: str, gates: Gates | None) -> dict[str, object]:
    threshold = math.nan if gates is None else METRICS["propensity_c_gap"].threshold(gates)
    found = [overlap.loc[overlap["design"] == design, "c_statistic"].to_numpy(dtype=float) for overlap in (real, synthetic)]
    failed = int(np.isnan(found[1]).sum())
    reason = (
        "no propensity score on the real patients"
        if len(found[0]) == 0 or np.isnan(found[0]).any()
        else "no synthetic patients"
        if len(found[1]) == 0
        else f"no propensity score on {failed} of {len(found[1])} replicates"
        if failed
        else None
    )
    value = math.nan if reason else float(found[1].mean() - found[0].mean())
    return {"variable": None} | metric_row("propensity_c_gap", value, threshold=threshold, reason=reason)


def _outcome_gaps(
    real: pd.DataFrame, synthetic: pd.DataFrame, primary: str, outcomes: OutcomesSection, gates: Gates | None, rng: np.random.Generator
) -> Iterator[dict[str, object]]:
    for outcome, section in outcomes.items():
        allowed = gates.km_gap if gates is not None and outcome == primary else math.nan
        for arm in ARMS:
            patients = real[real["treated"] == (arm == "treated")]
            drawn = [replicate[replicate["treated"] == (arm == "treated")] for _, replicate in synthetic.groupby("replicate", sort=True)]
            lacking = _find_lacking(patients, drawn, arm)
            if isinstance(section, SurvivalOutcome):
                rows = _curve_gaps(patients, drawn, outcome, section, allowed, lacking, rng)
            else:
                rows = _value_gaps(patients, drawn, outcome, section, allowed, lacking, rng)
            for row in rows:
                yield {"variable": f"{outcome}/{arm}"} | row


def _find_lacking(patients: pd.DataFrame, drawn: Sequence[pd.DataFrame], arm: str) -> str | None:
    """Why an arm's gaps cannot be measured; None where they can."""
    if not drawn:
        return "no synthetic patients"
    empty = sum(len(replicate) == 0 for replicate in drawn)
    if len(patients) < 2:
        return f"fewer than two real patients in the {arm} arm"
    return f"{empty} of {len(drawn)} replicates without patients in the {arm} arm" if empty else None


def _curve_gaps(
    patients: pd.DataFrame,
    drawn: Sequence[pd.DataFrame],
    outcome: str,
    section: SurvivalOutcome,
    allowed: float,
    lacking: str | None,
    rng: np.random.Generator,
) -> Iterator[dict[str, object]]:
    reported = ["censoring_km_gap", *(["competing_gap"] if section.competing else [])]
    if lacking:
        yield metric_row("km_gap", math.nan, threshold=allowed, reason=lacking)
        yield from (metric_row(name, math.nan, reason=lacking) for name in reported)
        return
    horizon = max(section.horizons_days)
    real, synthetic = _follow(patients, outcome), [_follow(replicate, outcome) for replicate in drawn]
    band = measure_half_split_band(real, horizon_days=horizon, rng=rng)
    yield _judge_gap("km_gap", measure_km_gap(real, synthetic, horizon_days=horizon), band, allowed)
    yield metric_row("km_half_split_band", band)
    yield metric_row("censoring_km_gap", measure_km_gap(real.censoring(), [arm.censoring() for arm in synthetic], horizon_days=horizon))
    yield from _curve_differences(real, synthetic, horizon, rng, "")
    yield from _curve_differences(real.censoring(), [arm.censoring() for arm in synthetic], horizon, rng, "censoring_")
    if section.competing:
        codes = range(2, 2 + len(section.competing))
        gaps = [measure_km_gap(real.competing(code), [arm.competing(code) for arm in synthetic], horizon_days=horizon) for code in codes]
        yield metric_row("competing_gap", max(gaps), reason=f"the largest of {len(gaps)} competing events" if len(gaps) > 1 else None)


def _curve_differences(
    real: FollowUp, synthetic: Sequence[FollowUp], horizon: float, rng: np.random.Generator, prefix: str
) -> Iterator[dict[str, object]]:
    """How the curves differ, each with what random halves of the real patients differ by; last follow-up is the same for censoring."""
    bands = split_curve_differences(real, horizon_days=horizon, rng=rng)
    for name, value in measure_curve_differences(real, synthetic, horizon_days=horizon).items():
        if f"{prefix}{name}" in METRICS:
            yield metric_row(f"{prefix}{name}", value)
            yield metric_row(halves_of(f"{prefix}{name}"), bands[name])


@dataclass(frozen=True, slots=True)
class StructureTables:
    """``fidelity`` (FIDELITY rows of the structure's metrics with their bands) and ``coefficients`` (COEFFICIENTS, empty where unknown)."""

    fidelity: pd.DataFrame
    coefficients: pd.DataFrame


def measure_structure(
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    *,
    primary: PrimaryEstimate,
    covariates: Covariates,
    outcomes: OutcomesSection,
    rng: np.random.Generator,
) -> StructureTables:
    """How treatment and the primary outcome depend on the covariates, mean over replicates against real (:mod:`parallax.validation.structure`).

    Where a model has no estimate on the real patients or on a replicate, the values are missing with the reason.
    """
    meter = StructureMeter.of(real, covariates=covariates, outcomes=outcomes, primary=primary)
    try:
        whole = meter.measure(real)
        drawn = [meter.measure(replicate.reset_index(drop=True)) for _, replicate in synthetic.groupby("replicate", sort=True)]
        if not drawn:
            raise NotEstimable("no synthetic patients")
        halves = split_structures(real, meter, rng=rng)
    except NotEstimable as error:
        rows = [{"variable": None} | metric_row(name, math.nan, reason=str(error)) for name in STRUCTURE]
        return StructureTables(FIDELITY.validate(pd.DataFrame(rows, columns=list(FIDELITY.columns))), empty_table(COEFFICIENTS))
    rows = []
    for name, value in compare_structures(whole, drawn).items():
        rows.append({"variable": None} | metric_row(name, value))
        band = halves.metrics.get(name, math.nan)
        rows.append({"variable": None} | metric_row(halves_of(name), band, reason="no split could be measured" if math.isnan(band) else None))
    coefficients = tabulate_coefficients(meter, whole, drawn, halves)
    return StructureTables(FIDELITY.validate(pd.DataFrame(rows, columns=list(FIDELITY.columns))), coefficients)


def _joint_distribution(real: pd.DataFrame, synthetic: pd.DataFrame, covariates: Covariates, rng: np.random.Generator) -> Iterator[dict[str, object]]:
    found = dict.fromkeys(("pairwise_gap", "pmse_ratio", "classifier_auc"), math.nan)
    if len(synthetic):
        sides = standardise_records(real, synthetic[synthetic["replicate"] == synthetic["replicate"].min()], covariates)
        found = {
            "pairwise_gap": measure_pairwise_gap(*sides),
            "pmse_ratio": measure_pmse_ratio(*sides),
            "classifier_auc": measure_classifier_auc(*sides, rng=rng),
        }
    for name, value in found.items():
        reason = "of replicate 0" if not math.isnan(value) else "too few patients or columns" if len(synthetic) else "no synthetic patients"
        yield {"variable": None} | metric_row(name, value, reason=reason)


def _value_gaps(
    patients: pd.DataFrame,
    drawn: Sequence[pd.DataFrame],
    outcome: str,
    section: ValueOutcome,
    allowed: float,
    lacking: str | None,
    rng: np.random.Generator,
) -> Iterator[dict[str, object]]:
    if lacking:
        yield metric_row("outcome_gap", math.nan, threshold=allowed, reason=lacking)
        if "person_days" in section.columns:
            yield metric_row("person_time_gap", math.nan, reason=lacking)
        return
    together = pd.concat(drawn)
    real, synthetic = ({part: table[f"{outcome}_{part}"].to_numpy(dtype=np.float64) for part in section.columns} for table in (patients, together))
    band = measure_half_split_ks(real["value"], rng=rng)
    yield _judge_gap("outcome_gap", measure_ks(real["value"], synthetic["value"]), band, allowed)
    yield metric_row("outcome_half_split_band", band)
    if "person_days" in section.columns:
        yield metric_row("person_time_gap", measure_ks(real["person_days"], synthetic["person_days"]))


def _judge_gap(name: str, gap: float, band: float, allowed: float) -> dict[str, object]:
    """A gap held against the threshold, or the band where it is wider; a threshold of NaN: reported only."""
    wider = f"random halves of the real patients differ by up to {band:.3f}, which is allowed" if band > allowed else None
    return metric_row(name, gap, threshold=math.nan if math.isnan(allowed) else max(allowed, band), reason=wider)


def _follow(patients: pd.DataFrame, outcome: str) -> FollowUp:
    return FollowUp(patients[f"{outcome}_days"].to_numpy(dtype=np.float64), patients[f"{outcome}_event"].to_numpy(dtype=np.int64))


def _marginal_gaps(real: pd.DataFrame, synthetic: pd.DataFrame, covariates: Covariates) -> Iterator[dict[str, object]]:
    if len(synthetic) == 0:
        return
    for name in ("treated", *covariates.categorical):
        yield {"variable": name} | metric_row("marginal_tv", measure_total_variation(real[name], synthetic[name]))
    for name in covariates.numeric:
        values = [frame[name].to_numpy(dtype=np.float64) for frame in (real, synthetic)]
        distance = measure_ks(values[0], values[1])
        yield {"variable": name} | metric_row("marginal_ks", distance, reason="no observed values" if math.isnan(distance) else None)
        missing = [float(np.isnan(column).mean()) for column in values]
        if any(missing):
            yield {"variable": name} | metric_row("missing_gap", abs(missing[1] - missing[0]))


def _quality(real: pd.DataFrame, synthetic: pd.DataFrame, covariates: Covariates, outcomes: OutcomesSection) -> dict[str, object]:
    if len(synthetic) == 0:
        return {"variable": None} | metric_row("sdmetrics_quality", math.nan, reason="no synthetic patients")
    columns = RecordColumns.of(covariates, outcomes)
    first = synthetic[synthetic["replicate"] == synthetic["replicate"].min()]
    score = measure_sdmetrics_quality(real, first, numeric=columns.numeric, categorical=columns.categorical)
    return {"variable": None} | metric_row("sdmetrics_quality", score, reason="SDMetrics gave no score" if math.isnan(score) else "of replicate 0")
