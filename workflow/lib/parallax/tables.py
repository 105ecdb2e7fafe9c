"""The schema of every table that crosses a rule boundary: long, typed, one row one fact.

A schema is strict: a missing, an additional or a mistyped column is a fault. Missing numbers are NaN, missing texts are None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
import pandera.pandas as pa

from parallax.protocol.cohort import Covariates
from parallax.protocol.outcomes import BinaryOutcome, ContinuousOutcome, CountOutcome, OutcomesSection, SurvivalOutcome
from parallax.vocabulary import ARMS, MECHANISMS, RULES, WAYS

_TEXT: Final = "string"


def _table(columns: Mapping[str, pa.Column]) -> pa.DataFrameSchema:
    return pa.DataFrameSchema(dict(columns), strict=True, ordered=True, coerce=True)


def _text(*, nullable: bool = False, allowed: tuple[str, ...] | None = None) -> pa.Column:
    return pa.Column(_TEXT, checks=pa.Check.isin(allowed) if allowed else None, nullable=nullable)


def _number(*, nullable: bool = True, minimum: float | None = None) -> pa.Column:
    return pa.Column("float64", checks=None if minimum is None else pa.Check.ge(minimum), nullable=nullable)


def _count(*, nullable: bool = False) -> pa.Column:
    return pa.Column("Int64" if nullable else "int64", checks=pa.Check.ge(0), nullable=nullable)


def _flag(*, nullable: bool = False) -> pa.Column:
    return pa.Column("boolean" if nullable else "bool", nullable=nullable)


def _replicate() -> pa.Column:
    return pa.Column("int64", checks=pa.Check.ge(0))


_STATUS: Final = {"status": _text(allowed=("ok", "not_estimable")), "reason": _text(nullable=True)}

_TARGET: Final = {
    "design": _text(),
    "outcome": _text(),
    "contrast": _text(),
    "horizon_days": _number(minimum=0),
}

_COUNTS: Final = {
    "n_treated": _number(minimum=0),
    "n_comparator": _number(minimum=0),
    "events_treated": _number(minimum=0),
    "events_comparator": _number(minimum=0),
}

_INTERVAL: Final = {
    "estimate": _number(),
    "std_error": _number(minimum=0),
    "lower": _number(),
    "upper": _number(),
    "p_value": _number(minimum=0),
}

_METRIC: Final = {
    "value": _number(),
    "lower": _number(),
    "upper": _number(),
    "threshold": _number(),
    "direction": _text(nullable=True, allowed=("at_most", "at_least", "absolute_at_most", "contains")),
    "passed": _flag(nullable=True),
    "reason": _text(nullable=True),
}


def level_text(value: object) -> str:
    """A level of a categorical column as the tables write it: ``true``/``false``, whole numbers without a fraction, else as it is."""
    if isinstance(value, (bool, np.bool_)):
        return str(value).lower()
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value)


def category_text(values: pd.Series) -> pd.Series:
    """A categorical column as text (``level_text`` of each value); missing stays missing."""
    levels = {value: level_text(value) for value in values.dropna().unique()}
    return values.astype("object").map(levels).astype("string")


def cohort_schema(covariates: Covariates, outcomes: OutcomesSection) -> pa.DataFrameSchema:
    """The cohort table for the protocol's covariates and outcomes.

    ``replicate, patient_id, treated``, the numeric covariates (float), the categorical ones (string; missing stays missing), then per survival
    outcome ``<outcome>_days`` (above zero) and ``<outcome>_event`` (0 censored, 1 event, 2 … competing events in the protocol's order), per
    other outcome ``<outcome>_value`` and, of counts, ``<outcome>_person_days`` (above zero). There is no origin column.
    """
    columns = {"replicate": _replicate(), "patient_id": _text(), "treated": _flag()}
    columns |= {name: _number() for name in covariates.numeric}
    columns |= {name: _text(nullable=True) for name in covariates.categorical}
    above_zero = pa.Column("float64", checks=pa.Check.gt(0))
    for name, outcome in outcomes.items():
        match outcome:
            case SurvivalOutcome():
                codes = tuple(range(len(outcome.codes)))
                columns |= {f"{name}_days": above_zero, f"{name}_event": pa.Column("int64", checks=pa.Check.isin(codes))}
            case BinaryOutcome():
                columns[f"{name}_value"] = pa.Column("float64", checks=pa.Check.isin((0.0, 1.0)))
            case ContinuousOutcome():
                columns[f"{name}_value"] = _number(nullable=False)
            case CountOutcome():
                columns[f"{name}_value"] = _number(nullable=False, minimum=0)
                columns |= {f"{name}_person_days": above_zero} if outcome.person_days is not None else {}
    return _table(columns)


def enriched_schema(covariates: Covariates, outcomes: OutcomesSection) -> pa.DataFrameSchema:
    """The cohorts of ``synthesis.enrichment``: cohort tables below each other, by the entry's name in ``enrichment``."""
    return _table({"enrichment": _text()} | cohort_schema(covariates, outcomes).columns)


#: who left the cohort and why, one row per step, written by the selection itself
ATTRITION: Final = _table(
    {
        "step": _count(),
        "criterion": _text(),
        "reason": _text(),
        "excluded": _count(),
        "remaining_treated": _count(),
        "remaining_comparator": _count(),
    }
)

#: Table 1: one row per numeric covariate, per level of a categorical one, and per covariate with missing values (kind ``missing``)
CHARACTERISTICS: Final = _table(
    {
        "covariate": _text(),
        "level": _text(nullable=True),
        "kind": _text(allowed=("numeric", "categorical", "missing")),
        "arm": _text(allowed=ARMS),
        "n": _count(),
        "count": _count(nullable=True),
        "mean": _number(),
        "standard_deviation": _number(),
        "smd": _number(),
    }
)

#: how far few patients carry a number's sum, never shown: ``carriers`` differ from the commonest value; ``top_two`` is the largest two patients'
#: share of the squared deviations from the mean, of a count outcome's of its sum
CONCENTRATION: Final = _table({"variable": _text(), "arm": _text(allowed=ARMS), "carriers": _count(), "top_two": _number(nullable=False, minimum=0)})


def empty_table(schema: pa.DataFrameSchema) -> pd.DataFrame:
    """The table without a row, for a dataset that could not be made."""
    return pd.DataFrame({name: pd.Series(dtype=str(column.dtype)) for name, column in schema.columns.items()})


#: a site's repeated measurements as its file holds them, by the protocol's names; a value may be missing
SOURCE_MEASUREMENTS: Final = _table({"patient_id": _text(), "name": _text(), "time_days": _number(nullable=False), "value": _number()})

#: the long table beside a cohort: values within each measurement's window before the index date, by patient, measurement and time
MEASUREMENTS: Final = _table(
    {
        "replicate": _replicate(),
        "patient_id": _text(),
        "name": _text(),
        "time_days": pa.Column("float64", checks=pa.Check.le(0)),
        "value": _number(nullable=False),
    }
)

#: what became of a file's ``rows``: values of patients in no cohort, then ``missing`` ones, then those ``outside`` the window, then those
#: ``repeated`` at one time of which the mean was kept; and how many of the cohort's patients have a value (``measured``) or none
MEASUREMENT_COUNTS: Final = _table(
    {
        "name": _text(),
        "unit": _text(),
        "rows": _count(),
        "of_nobody": _count(),
        "missing": _count(),
        "outside": _count(),
        "repeated": _count(),
        "kept": _count(),
        "measured": _count(),
        "unmeasured": _count(),
    }
)

#: by round which part of the real cohort a generator may see when privacy is attacked; every round has every patient once
SPLIT: Final = _table({"round": _count(), "patient_id": _text(), "part": _text(allowed=("train", "control", "reference"))})

#: of one shadow model: who was in its half, whom attacks hit first, and how near it draws (see ``parallax.validation.shadows``)
SHADOW: Final = _table(
    {
        "patient_id": _text(),
        "member": _flag(),
        "outlier": _flag(),
        "rare": _flag(),
        "nearest": _number(nullable=False),
        "typical": _number(nullable=False),
    }
)

#: how a generator fared, one row per stage
GENERATION: Final = _table(
    {
        "generator": _text(),
        "stage": _text(allowed=("fit", "draw", "refit", "shadow", "measurements")),
        "status": _text(allowed=("ok", "failed")),
        "reason": _text(nullable=True),
    }
)


def generation_row(generator: str, stage: str, reason: str | None) -> pd.DataFrame:
    """The ``generation`` table of one stage, which failed where there is a reason."""
    return pd.DataFrame({"generator": [generator], "stage": [stage], "status": ["ok" if reason is None else "failed"], "reason": [reason]})


def failure_reason(generation: pd.DataFrame) -> str | None:
    """Why the first failed stage of a ``generation`` table failed; None where none did."""
    failed = generation.loc[generation["status"] == "failed", "reason"]
    return None if failed.empty else str(failed.iloc[0])


def gather_stages(generator: str, parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The ``generation`` table of a generator's stages, each of which may have several parts; one failed where a part did."""
    stages = pd.concat(parts).groupby("stage", sort=False)
    return pd.concat([generation_row(generator, str(stage), failure_reason(rows)) for stage, rows in stages], ignore_index=True)


#: which subgroups of ``synthesis.enrichment`` a generator could draw
ENRICHMENT_DRAWS: Final = _table({"enrichment": _text(), "status": _text(allowed=("ok", "failed")), "reason": _text(nullable=True)})

#: ``score`` is a name of the protocol's section propensity; who is not ``comparable`` has covariates that occur in one arm only
PROPENSITY: Final = _table(
    {"replicate": _replicate(), "score": _text(), "patient_id": _text(), "propensity": _number(minimum=0), "comparable": _flag()}
)

#: patients in tenths of their score: mean score and share treated
CALIBRATION: Final = _table(
    {
        "replicate": _replicate(),
        "score": _text(),
        "bin": _count(),
        "predicted": _number(minimum=0),
        "observed": _number(minimum=0),
        "count": _count(),
    }
)

#: patients and treated per level of a categorical covariate and per fifth of a numeric one
POSITIVITY: Final = _table({"replicate": _replicate(), "covariate": _text(), "level": _text(), "n": _count(), "n_treated": _count()})

#: patients outside a design have weight 0; ``matched_set`` numbers the matched sets and is -1 elsewhere
WEIGHTS: Final = _table(
    {
        "replicate": _replicate(),
        "design": _text(),
        "patient_id": _text(),
        "weight": _number(nullable=False, minimum=0),
        "matched_set": pa.Column("int64", checks=pa.Check.ge(-1)),
    }
)

BALANCE: Final = _table(
    {
        "replicate": _replicate(),
        "design": _text(),
        "covariate": _text(),
        "level": _text(nullable=True),
        "smd": _number(),
        "variance_ratio": _number(),
        "ks": _number(),
    }
)

#: one row per replicate and design, also for a design that could not be applied; ``failure`` says why an applied design is not to be trusted
OVERLAP: Final = _table(
    {
        "replicate": _replicate(),
        "design": _text(),
        "effective_estimand": _text(),
        "n_treated": _count(),
        "n_comparator": _count(),
        "ess_treated": _number(minimum=0),
        "ess_comparator": _number(minimum=0),
        "c_statistic": _number(minimum=0),
        "equipoise": _number(minimum=0),
        "max_weight": _number(minimum=0),
        "top_share": _number(minimum=0),
        "max_abs_smd": _number(minimum=0),
        "tied_pairs": _count(nullable=True),
        "failure": _text(nullable=True),
    }
    | _STATUS
)

#: of pooled patients, by the way in which they were pooled
POOLED_OVERLAP: Final = _table({"way": _text(allowed=WAYS)} | OVERLAP.columns)

#: distribution of the propensity score by arm, for the overlap figure
SCORE_HISTOGRAM: Final = _table(
    {"replicate": _replicate(), "score": _text(), "arm": _text(allowed=ARMS), "bin_lower": _number(), "bin_upper": _number(), "count": _count()}
)

_ESTIMATES: Final = (
    {"replicate": _replicate()}
    | _TARGET
    | _INTERVAL
    | _COUNTS
    | {"effective_estimand": _text(), "variance_method": _text(), "df": _number()}
    | _STATUS
)

#: ``std_error`` is that of the logarithm for ratios; ``horizon_days`` is missing where all follow-up counts
ESTIMATES: Final = _table(_ESTIMATES)

#: what a way of pooling takes at a ``site``, or where the answers meet (``pooled``): jobs, their CPU seconds, and their seconds one after the other
POOLING_COSTS: Final = _table(
    {
        "way": _text(allowed=WAYS),
        "dataset": _text(),
        "site": _text(),
        "jobs": _count(),
        "cpu_seconds": _number(minimum=0),
        "seconds": _number(minimum=0),
    }
)

#: the same for the patients of one level of a subgroup, whose designs were made anew among them
SUBGROUP_ESTIMATES: Final = _table({"subgroup": _text(), "level": _text()} | _ESTIMATES)

#: the primary estimate under treatment permuted; missing where it could not be estimated
PERMUTATIONS: Final = _table({"permutation": _count(), "estimate": _number(), "std_error": _number(minimum=0), "p_value": _number(minimum=0)})

CURVES: Final = _table(
    {
        "replicate": _replicate(),
        "design": _text(),
        "outcome": _text(),
        "arm": _text(allowed=ARMS),
        "time_days": _number(nullable=False, minimum=0),
        "survival": _number(nullable=False, minimum=0),
        "lower": _number(),
        "upper": _number(),
        "at_risk": _number(nullable=False, minimum=0),
    }
)

_COMBINED: Final = (
    _TARGET
    | {"rule": _text(allowed=RULES)}
    | _INTERVAL
    | {"p_adjusted": _number(minimum=0), "df": _number(), "replicates": _count(), "not_estimable": _count()}
    | _COUNTS
    | {"effective_estimand": _text(), "variance_method": _text()}
    | _STATUS
)

#: estimates over all replicates of a dataset, one row per combining rule (``none`` for the real patients); ``p_adjusted`` (Holm) of the
#: hypotheses in the protocol's family; ``not_estimable`` of the ``replicates`` were left out or keep the row from an estimate
COMBINED: Final = _table(_COMBINED)

#: the sites' answers pooled, by the ``way``: ``sites`` whose patients are in it, who is ``left_out`` and why, and what of a site was ``shared``
POOLED: Final = _table({"way": _text(allowed=WAYS), "sites": _text(), "left_out": _text(nullable=True), "shared": _text()} | _COMBINED)

#: how the sites' effects differ: ``q`` (site × treatment), ``tau2`` and ``i2`` on the analysis scale; the effect at each ``site``, the ``prediction``
#: for one more, and the pooled effect with one ``left_out`` on that of the contrast
HETEROGENEITY: Final = _table(
    _TARGET
    | {
        "measure": _text(allowed=("site", "q", "tau2", "i2", "prediction", "left_out")),
        "site": _text(nullable=True),
        "value": _number(),
        "lower": _number(),
        "upper": _number(),
        "std_error": _number(minimum=0),
        "df": _number(),
        "p_value": _number(minimum=0),
        "reason": _text(nullable=True),
    }
)

#: how unlike the patients of two sites are: ``smd`` of a covariate or level; and of a score that tells the sites apart its ``membership_c``, and the
#: share of patients in ``common_support``
SITE_OVERLAP: Final = _table(
    {
        "site": _text(),
        "other": _text(),
        "measure": _text(allowed=("smd", "membership_c", "common_support")),
        "covariate": _text(nullable=True),
        "level": _text(nullable=True),
        "value": _number(),
        "reason": _text(nullable=True),
    }
)

#: a way of pooling against a ``benchmark``: its answer's ``shift`` in the benchmark's standard errors, the ratio of the intervals' widths, and how
#: many of the benchmark's patients would tell as much
POOLED_COMPARISON: Final = _table(
    {"way": _text(allowed=WAYS), "dataset": _text(), "benchmark": _text(allowed=WAYS)}
    | _TARGET
    | {
        "rule": _text(allowed=RULES),
        "shift": _number(),
        "width_ratio": _number(minimum=0),
        "effective_patients": _number(minimum=0),
        "reason": _text(nullable=True),
    }
)

#: the same for the patients of one level of a subgroup, whose designs were made anew among them
SUBGROUPS: Final = _table({"subgroup": _text(), "level": _text()} | _COMBINED)

#: the primary contrast under every design among the patients of an entry of ``synthesis.enrichment``; ``shift_in_real_se`` of a generator's answers
ENRICHMENT: Final = _table({"enrichment": _text()} | _COMBINED | {"shift_in_real_se": _number()})

#: whether an effect differs between the levels of a subgroup, on the scale of the contrast
INTERACTIONS: Final = _table(
    {"subgroup": _text()}
    | _TARGET
    | {"rule": _text(), "statistic": _number(), "df": _number(), "p_value": _number(minimum=0), "reason": _text(nullable=True)}
)

#: how far an estimate can be trusted: ``e_value`` (``lower``: of the bound nearest the null), ``systematic_error``, ``calibrated`` by negative
#: controls, and ``permuted_*`` under treatment permuted
ROBUSTNESS: Final = _table(
    _TARGET
    | {"measure": _text(), "value": _number(), "lower": _number(), "upper": _number(), "p_value": _number(minimum=0), "reason": _text(nullable=True)}
)

#: the logarithm of the hazard ratio as it changes over follow-up, smoothed
HAZARD_COURSE: Final = _table(
    {
        "replicate": _replicate(),
        "design": _text(),
        "outcome": _text(),
        "time_days": _number(nullable=False, minimum=0),
        "log_hazard_ratio": _number(),
        "lower": _number(),
        "upper": _number(),
    }
)

AGREEMENT: Final = _table(_TARGET | {"metric": _text()} | _METRIC)

#: how far resampled real patients move a target: ``shift`` in real standard errors, over ``estimable`` of ``replicates`` cohorts
FLOOR: Final = _table(_TARGET | {"shift": _number(), "lower": _number(), "upper": _number(), "estimable": _count(), "replicates": _count()})

#: how the real patients' estimates vary together: every pair of targets, on the analysis scale, over resamples of the patients
COVARIANCE: Final = _table(_TARGET | {f"other_{name}": column for name, column in _TARGET.items()} | {"covariance": _number(nullable=False)})

#: what each mechanism of a generator carries of a ``quantity`` (the primary estimate's shift in real standard errors, the score's c-statistic):
#: ``value`` by Shapley with its 95 % interval over the replicates, ``alone`` with no other mechanism synthetic; ``together``: all of them;
#: ``remainder``: what is left of the generator's own shift
ATTRIBUTION: Final = _table(
    {
        "quantity": _text(allowed=("shift_in_real_se", "propensity_c")),
        "mechanism": _text(allowed=(*MECHANISMS, "together", "remainder")),
        "value": _number(),
        "lower": _number(),
        "upper": _number(),
        "alone": _number(),
        "replicates": _count(),
        "reason": _text(nullable=True),
    }
)

#: a model of treatment and one of the outcome, on columns that the real patients standardise: ``gap`` and ``band`` (95 of 100 random halves of
#: the real patients) in real standard errors
COEFFICIENTS: Final = _table(
    {
        "model": _text(allowed=("treatment", "outcome")),
        "term": _text(),
        "real": _number(),
        "std_error": _number(minimum=0),
        "synthetic": _number(),
        "gap": _number(),
        "band": _number(minimum=0),
    }
)

#: ``variable`` names the arm or the covariate that a metric belongs to
FIDELITY: Final = _table({"metric": _text(), "variable": _text(nullable=True)} | _METRIC)

#: the same of the long table of repeated measurements; ``variable`` is a measurement, by arm where an arm is meant, or a summary's column
SERIES_FIDELITY: Final = FIDELITY

PRIVACY: Final = _table({"metric": _text()} | _METRIC)

#: one simulated study after the other: every combining rule's answer on the analysis scale beside the ``truth``; rule ``none`` of the generator
#: ``real`` is the study's own answer. Of the partial rule also the agreement gate: ``shift``, ``between`` (variance of the replicates' estimates in
#: variances of the real one), interval overlap and whether the gate ``passed``, missing with the reason where it could not judge
SIMULATED_STUDIES: Final = _table(
    {
        "generator": _text(),
        "effect": _text(allowed=("no_effect", "minimal_important", "stronger")),
        "repetition": _count(),
        "rule": _text(),
        "truth": _number(nullable=False),
        "estimate": _number(),
        "std_error": _number(minimum=0),
        "lower": _number(),
        "upper": _number(),
        "shift": _number(),
        "between": _number(minimum=0),
        "ci_overlap": _number(),
        "passed": _flag(nullable=True),
        "reason": _text(nullable=True),
    }
)

#: what the simulated studies say of a site's ``patients``: ``monte_carlo_error`` is the value's standard error, ``lower`` and ``upper`` its 95 %
#: interval over ``repetitions``
CERTIFICATION: Final = _table(
    {
        "generator": _text(),
        "effect": _text(),
        "rule": _text(),
        "metric": _text(),
        "value": _number(),
        "monte_carlo_error": _number(minimum=0),
        "lower": _number(),
        "upper": _number(),
        "repetitions": _count(),
        "patients": _count(),
        "replicates": _count(),
    }
)

#: ``survival`` of all causes, and where events compete the ``incidence`` of the event; else ``probability``, ``mean`` or ``rate``, without times
_TWIN_QUANTITIES: Final = ("survival", "incidence", "probability", "mean", "rate")

#: virtual twins: a patient's curves under either arm
TWIN_CURVES: Final = _table(
    {
        "patient_id": _text(),
        "outcome": _text(),
        "arm": _text(allowed=ARMS),
        "quantity": _text(allowed=_TWIN_QUANTITIES),
        "time_days": _number(minimum=0),
        "value": _number(nullable=False),
        "lower": _number(),
        "upper": _number(),
    }
)

#: their averages over patients, and the difference between the arms; ``at_risk`` and ``events`` of the real patients in the smaller arm
TWIN_AVERAGES: Final = _table(
    {
        "outcome": _text(),
        "arm": _text(allowed=(*ARMS, "difference")),
        "quantity": _text(allowed=_TWIN_QUANTITIES),
        "time_days": _number(minimum=0),
        "value": _number(nullable=False),
        "lower": _number(),
        "upper": _number(),
        "at_risk": _count(),
        "events": _count(),
        "refits": _count(),
    }
)

#: estimates on a twin cohort beside the truth of both potential outcomes; ``truth_error`` on the analysis scale
TWIN_TRUTHS: Final = _table(
    _TARGET
    | {
        "effective_estimand": _text(),
        "truth": _number(),
        "truth_error": _number(minimum=0),
        "estimate": _number(),
        "lower": _number(),
        "upper": _number(),
        "deviation": _number(),
        "covered": _flag(nullable=True),
        "reason": _text(nullable=True),
    }
)

#: a generator's candidate settings on simulated studies; ``effect`` is missing where all effects count. Shifts are in standard errors of the
#: analysis of the simulated patients; ``bias``, ``bias_error`` and ``truth_bias`` are of the primary estimate, ``rmse`` and ``worst`` of all
TUNING: Final = _table(
    {
        "setting": _text(),
        "effect": _number(),
        "repetitions": _count(),
        "bias": _number(),
        "bias_error": _number(minimum=0),
        "truth_bias": _number(),
        "rmse": _number(minimum=0),
        "rmse_error": _number(minimum=0),
        "worst": _number(minimum=0),
        "failed": _count(),
        "cpu_seconds": _number(minimum=0),
        "chosen": _flag(),
    }
)
