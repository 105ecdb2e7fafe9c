"""The words for what the tables hold: contrasts, designs, metrics."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from parallax.protocol.designs import (
    CoarsenDesign,
    CrudeDesign,
    Design,
    DoublyRobustDesign,
    EntropyDesign,
    MatchDesign,
    RegressionDesign,
    StandardisedDesign,
)
from parallax.reporting.numbers import format_days, format_estimate
from parallax.validation import metrics as validation_metrics


@dataclass(frozen=True, slots=True)
class ContrastWords:
    """A contrast in words; ``factor`` takes the estimate to ``unit`` and ``decimals`` are shown of it."""

    name: str
    short: str
    unit: str
    factor: float
    decimals: int
    null: float
    test: str = ""
    """What the p-value tests, where that is not whether the contrast is null."""


CONTRASTS: Final[Mapping[str, ContrastWords]] = {
    "hazard_ratio": ContrastWords("hazard ratio", "HR", "", 1.0, 2, 1.0),
    "risk_difference": ContrastWords("risk difference", "risk difference", "percentage points", 100.0, 1, 0.0),
    "risk_ratio": ContrastWords("risk ratio", "RR", "", 1.0, 2, 1.0),
    "odds_ratio": ContrastWords("odds ratio", "OR", "", 1.0, 2, 1.0),
    "rmst_difference": ContrastWords("difference in restricted mean survival time", "RMST difference", "days", 1.0, 2, 0.0),
    "rmst_ratio": ContrastWords("ratio of restricted mean survival times", "RMST ratio", "", 1.0, 3, 1.0),
    "mean_difference": ContrastWords("mean difference", "mean difference", "", 1.0, 2, 0.0),
    "rate_ratio": ContrastWords("rate ratio", "rate ratio", "", 1.0, 2, 1.0),
    "interval_hazard_ratio": ContrastWords("hazard ratio", "interval HR", "", 1.0, 2, 1.0),
    "hazard_ratio_trend": ContrastWords("late over early hazard ratio", "HR trend", "", 1.0, 2, 1.0, "p: test of proportional hazards"),
    "log_rank": ContrastWords("Peto's one-step hazard ratio", "log-rank", "", 1.0, 2, 1.0, "p: log-rank test"),
}

ESTIMANDS: Final[Mapping[str, str]] = {
    "ATE": "the average effect in all patients (ATE)",
    "ATT": "the average effect in the treated (ATT)",
    "ATC": "the average effect in the comparators (ATC)",
    "ATO": "the average effect in the patients who might have received either treatment (ATO)",
    "ATM": "the average effect in the patients whom 1:1 matching would pair (ATM)",
}

VERDICTS: Final[Mapping[str, tuple[str, str]]] = {
    "release": ("Release", "✓"),
    "do_not_release": ("Do not release", "✕"),
    "inconclusive": ("Inconclusive", "?"),
}

#: combining rules, and the study's own analysis (none), in words; one without words bears its name
RULES: Final[Mapping[str, str]] = {"none": "its own analysis", "partial": "valid rule", "naive": "naive", "stacked": "stacked"}

GATE_OUTCOMES: Final[Mapping[str, tuple[str, str]]] = {
    "passed": ("passed", "✓"),
    "failed": ("failed", "✕"),
    "not_evaluated": ("not evaluated", "?"),
    "not_informative": ("not informative", "–"),
}

#: the rows of ATTRIBUTION, in the order of the figure
MECHANISMS: Final[Mapping[str, str]] = {
    "covariates": "covariates",
    "treatment": "treatment given covariates",
    "outcome": "outcome given both",
    "censoring": "censoring given both",
    "together": "all four together",
    "remainder": "remainder",
}

STAGES: Final[Mapping[str, str]] = {
    "fit": "fitting it to the patients",
    "draw": "drawing its patients",
    "refit": "refitting it for the privacy attack",
    "shadow": "fitting a shadow model for the privacy attack",
}


@dataclass(frozen=True, slots=True)
class MetricWords:
    """A metric's label and a shorter one (``brief``), the clause of a verdict that rests on it, its decimals and its unit.

    The clause holds ``{value}``, ``{bound}``, ``{primary}``, ``{variable}`` or ``{label}``.

    ``yes_no`` marks a metric that is 1 for yes and 0 for no. What a metric means is said by :data:`parallax.validation.metrics.METRICS`.
    """

    label: str
    clause: str = "{label} is {value} ({bound} is allowed)"
    decimals: int = 3
    yes_no: bool = False
    brief: str = ""
    unit: str = ""


METRICS: Final[Mapping[str, MetricWords]] = {
    "shift_in_real_se": MetricWords(
        "Effect shift, in real SE",
        "the {primary} lies {value} real standard errors from the real one ({bound} is allowed)",
        2,
        brief="effect shift",
        unit=" SE",
    ),
    "floor_shift_in_real_se": MetricWords("Floor", decimals=2),
    "shift_beyond_floor_in_real_se": MetricWords(
        "Beyond the floor",
        "the {primary} lies {value} real standard errors further from the real one than sampling alone takes it ({bound} is allowed)",
        2,
        brief="shift beyond the floor",
        unit=" SE",
    ),
    "testable_here": MetricWords("Testable here", yes_no=True),
    "largest_weight": MetricWords("Largest weight", decimals=1),
    "ci_overlap": MetricWords("Interval overlap", decimals=2),
    "decision_agreement": MetricWords("Same decision", yes_no=True),
    "estimate_agreement": MetricWords("Inside the real interval", yes_no=True),
    "standardised_difference": MetricWords("Standardised difference", decimals=2),
    "shift_in_replicate_se": MetricWords("Shift in replicate SE (z_m)", decimals=2),
    "lack_of_fit": MetricWords("Lack of fit", decimals=2),
    "replicates_not_estimable": MetricWords(
        "Replicates without an estimate",
        "{value} of the replicates have no estimate ({bound} is allowed)",
        2,
        brief="no estimate",
    ),
    "same_side_of_null": MetricWords("Same side of the null", yes_no=True),
    "propensity_c_gap": MetricWords(
        "Propensity c gap",
        "the covariates do not predict treatment as they do in the real patients: the c-statistics differ by {value} ({bound} is allowed)",
        brief="c gap",
    ),
    "km_gap": MetricWords("Survival curve gap", "a survival curve is off by up to {value} ({variable}; {bound} is allowed)", brief="curve gap"),
    "outcome_gap": MetricWords(
        "Outcome distribution gap", "the outcome's distribution is off by up to {value} ({variable}; {bound} is allowed)", brief="outcome gap"
    ),
    "competing_gap": MetricWords("Competing event gap"),
    "person_time_gap": MetricWords("Person-time gap"),
    "outcome_half_split_band": MetricWords("Outcome gap of real halves"),
    "km_half_split_band": MetricWords("Survival gap of real halves"),
    "censoring_km_gap": MetricWords("Censoring curve gap"),
    "optimism": MetricWords("Optimism of survival"),
    "km_divergence": MetricWords("Divergence of survival"),
    "rmst_gap": MetricWords("Restricted mean survival gap, days", decimals=2),
    "short_sightedness": MetricWords("Short-sightedness"),
    "censoring_optimism": MetricWords("Optimism of censoring"),
    "censoring_km_divergence": MetricWords("Divergence of censoring"),
    "extreme_score_gap": MetricWords("Extreme scores"),
    "balance_profile_gap": MetricWords("Balance profile gap"),
    "treatment_coefficients_gap": MetricWords("Treatment model's coefficients", decimals=2),
    "outcome_coefficients_gap": MetricWords("Outcome model's coefficients", decimals=2),
    "pairwise_gap": MetricWords("Pairs of columns"),
    "pmse_ratio": MetricWords("pMSE ratio", decimals=1),
    "classifier_auc": MetricWords("Classifier two-sample AUC"),
    "marginal_ks": MetricWords("Numeric margins (KS)"),
    "marginal_tv": MetricWords("Categorical margins (TV)"),
    "missing_gap": MetricWords("Missing values"),
    "sdmetrics_quality": MetricWords("SDMetrics quality"),
    "series_number_ks": MetricWords("Number of values"),
    "series_interval_ks": MetricWords("Days between values"),
    "series_value_ks": MetricWords("Values over time"),
    "series_autocorrelation_gap": MetricWords("Autocorrelation"),
    "series_summary_miss": MetricWords("Summaries missed"),
    "series_copies": MetricWords("Series copied", decimals=4),
    "copies_of_train": MetricWords("Copies of patients seen", decimals=4),
    "copies_of_hold_out": MetricWords("Copies of patients not seen", decimals=4),
    "excess_copies": MetricWords(
        "Excess copies", "patients are copied: an excess that may reach {value} of those seen ({bound} is allowed)", 4, brief="copies"
    ),
    "excess_copied_covariates": MetricWords(
        "Excess copies of all covariates",
        "patients' covariates are copied: an excess that may reach {value} of those seen ({bound} is allowed)",
        4,
        brief="copied covariates",
    ),
    "excess_copied_outliers": MetricWords(
        "Excess copies among outliers",
        "outliers are copied: an excess that may reach {value} of them ({bound} is allowed)",
        4,
        brief="copied outliers",
    ),
    "excess_copied_rare": MetricWords(
        "Excess copies among the rarest",
        "the rarest patients are copied: an excess that may reach {value} of them ({bound} is allowed)",
        4,
        brief="copied rarest",
    ),
    "closest_to_train": MetricWords("Closest to patients seen"),
    "nndr_to_train": MetricWords("Nearest over second nearest patient seen (NNDR)"),
    "nndr_to_hold_out": MetricWords("Nearest over second nearest patient not seen (NNDR)"),
    "membership_auc": MetricWords(
        "Membership attack, AUC", "an attacker may tell whom the generator saw: AUC up to {value} ({bound} is allowed)", brief="attack AUC"
    ),
    "membership_tpr_at_1pct_fpr": MetricWords(
        "Membership attack, TPR at 1% FPR",
        "an attacker may single out patients whom the generator saw: true positives up to {value} at 1% false positives ({bound} is allowed)",
        brief="attack TPR",
    ),
    "membership_tpr_at_01pct_fpr": MetricWords("Membership attack, TPR at 0.1% FPR"),
    "nearest_auc": MetricWords(
        "Nearest-record attack, AUC",
        "an attacker may tell by the nearest record whom the generator saw: AUC up to {value} ({bound} is allowed)",
        brief="nearest AUC",
    ),
    "nearest_tpr_at_1pct_fpr": MetricWords(
        "Nearest-record attack, TPR at 1% FPR",
        "the nearest record may single out patients whom the generator saw: true positives up to {value} at 1% false positives ({bound} is allowed)",
        brief="nearest TPR",
    ),
    "outlier_auc": MetricWords(
        "Membership attack on outliers, AUC",
        "an attacker may tell which outliers the generator saw: AUC up to {value} ({bound} is allowed)",
        brief="outlier AUC",
    ),
    "rare_auc": MetricWords(
        "Membership attack on the rarest, AUC",
        "an attacker may tell which of the rarest patients the generator saw: AUC up to {value} ({bound} is allowed)",
        brief="rarest AUC",
    ),
    "shadow_auc": MetricWords(
        "Shadow-model attack, AUC",
        "an attacker with shadow models may tell whom the generator saw: AUC up to {value} ({bound} is allowed)",
        brief="shadow AUC",
    ),
    "shadow_tpr_at_1pct_fpr": MetricWords(
        "Shadow-model attack, TPR at 1% FPR",
        "shadow models may single out patients whom the generator saw: true positives up to {value} at 1% false positives ({bound} is allowed)",
        brief="shadow TPR",
    ),
    "shadow_tpr_at_01pct_fpr": MetricWords("Shadow-model attack, TPR at 0.1% FPR"),
    "shadow_outlier_auc": MetricWords(
        "Shadow-model attack on outliers, AUC",
        "an attacker with shadow models may tell which outliers the generator saw: AUC up to {value} ({bound} is allowed)",
        brief="shadow outlier AUC",
    ),
    "shadow_rare_auc": MetricWords(
        "Shadow-model attack on the rarest, AUC",
        "an attacker with shadow models may tell which of the rarest patients the generator saw: AUC up to {value} ({bound} is allowed)",
        brief="shadow rarest AUC",
    ),
    "membership_f1": MetricWords("Nearest-record attack, F1"),
    "naive_f1": MetricWords("F1 of naming everybody a member"),
    "relative_f1": MetricWords("Nearest-record attack, relative F1"),
    "singling_out_univariate": MetricWords(
        "Singling out by one column",
        "patients may be singled out by one column: risk up to {value} ({bound} is allowed)",
        brief="singling out, 1 column",
    ),
    "singling_out_multivariate": MetricWords(
        "Singling out by three columns",
        "patients may be singled out by three columns: risk up to {value} ({bound} is allowed)",
        brief="singling out, 3 columns",
    ),
    "linkability": MetricWords(
        "Linkability", "two data sets of the same patients may be linked: risk up to {value} ({bound} is allowed)", brief="linkability"
    ),
    "inference": MetricWords("Attribute inference", "a sensitive column may be inferred: risk up to {value} ({bound} is allowed)", brief="inference"),
    "inference_from_quasi_identifiers": MetricWords(
        "Attribute inference from quasi-identifiers",
        "a sensitive column may be inferred from the quasi-identifiers: risk up to {value} ({bound} is allowed)",
        brief="inference, quasi-identifiers",
    ),
    "excess_replicated_uniques": MetricWords("Unique quasi-identifiers replicated, beyond those of patients not seen"),
    "k_anonymity": MetricWords("k-anonymity of the release", decimals=0),
    "l_diversity": MetricWords("l-diversity of the release", decimals=0),
    "detection": MetricWords(
        "Flat copulas caught, lower bound",
        "the agreement gate would catch {value} of flat copulas or more ({bound} is asked for)",
        2,
        brief="flat copulas caught, lower bound",
    ),
}


#: the shift that the primary gate judges: as it is, or beyond the floor where the primary design matches
SHIFTS: Final = ("shift_in_real_se", "shift_beyond_floor_in_real_se")


def metric_words(metric: str) -> MetricWords:
    """The words for a metric, its name in plain letters where it has none."""
    return METRICS.get(metric, MetricWords(plain(metric).capitalize()))


def metric_meaning(metric: str) -> str:
    """What a metric says, as validation declares it."""
    declared = validation_metrics.METRICS.get(metric)
    return declared.meaning if declared else ""


def plain(name: str) -> str:
    """A protocol's name as words."""
    return name.replace("_", " ")


def name_site(site: str) -> str:
    """A site as the headings name it."""
    return plain(site).capitalize()


def name_sites(text: str, sites: Iterable[str]) -> str:
    """A text in which sites stand by their names in the protocol, with the names of the headings."""
    names = "|".join(sorted(map(re.escape, sites), key=len, reverse=True))
    return re.sub(rf"(?<![\w-])(?:{names})(?![\w-])", lambda found: name_site(found[0]), text) if names else text


def describe_variable(variable: str | None, arm_labels: Mapping[str, str]) -> str:
    """What a metric was measured on: a covariate by its name, ``death/treated`` as the arm (and the outcome)."""
    if not variable:
        return ""
    outcome, _, arm = variable.rpartition("/")
    if arm not in arm_labels:
        return variable
    return f"{plain(outcome)}, {arm_labels[arm]}" if outcome else arm_labels[arm]


def describe_horizon(horizon_days: float | None, contrast: str = "hazard_ratio") -> str:
    """``by day 30`` or ``over all follow-up``; nothing for an outcome without follow-up."""
    if horizon_days is not None and not math.isnan(horizon_days):
        return f"{'in the interval that ends on' if contrast == 'interval_hazard_ratio' else 'by'} day {format_days(horizon_days)}"
    return {
        "hazard_ratio": "over all follow-up",
        "log_rank": "over all follow-up",
        "hazard_ratio_trend": "over all follow-up",
        "interval_hazard_ratio": "after the last horizon",
    }.get(contrast, "")


def describe_design(design: Design) -> str:
    """A design in a few words."""
    if isinstance(design, CrudeDesign):
        return "the arms as they are"
    if isinstance(design, MatchDesign):
        how = {"nearest": "", "optimal": " (optimal)", "mahalanobis": " and the covariates' Mahalanobis distance"}[design.algorithm]
        return f"1:{design.ratio} matched on the propensity score{how}{', with replacement' if design.replacement else ''}"
    if isinstance(design, CoarsenDesign):
        return "coarsened exact matching"
    if isinstance(design, EntropyDesign):
        return f"entropy balancing, {design.estimand}"
    if isinstance(design, RegressionDesign):
        return "regression of the outcome on treatment and covariates"
    if isinstance(design, StandardisedDesign):
        return f"g-computation, {design.estimand}"
    if isinstance(design, DoublyRobustDesign):
        words = {"aipw": "augmented inverse probability weighting", "tmle": "targeted maximum likelihood"}
        return f"doubly robust: {words[design.method]}, {design.estimand}"
    trimmed = f", trimmed ({design.trim.rule})" if design.trim else ""
    truncated = f", truncated at {100 * design.truncate:g}%" if design.truncate else ""
    return f"weighted by the propensity score, {design.estimand}{trimmed}{truncated}"


def describe_missing(row: Mapping[Any, Any]) -> str:
    """Why a row has no estimate: not estimable, or not shown by disclosure control."""
    return f"{'not shown' if row['status'] == 'suppressed' else 'not estimable'}: {row['reason']}"


def describe_failure(failure: str) -> str:
    """Why a design is not to be trusted, in two or three words."""
    return "not balanced" if failure.startswith("not balanced") else "few effective patients"


def name_contrast(outcome: str, contrast: str, *, competing: Collection[str] = ()) -> str:
    """A contrast's name: hazards are cause-specific, and risks cumulative incidences, where the outcome is one of the ``competing``."""
    name = CONTRASTS[contrast].name
    if outcome not in competing:
        return name
    return f"{name} (cumulative incidence)" if name.startswith("risk") else name.replace("hazard ratio", "cause-specific hazard ratio")


def describe_effect(outcome: str, contrast: str, horizon_days: float | None, *, competing: Collection[str] = ()) -> str:
    """``hazard ratio of death by day 30``; ``competing`` names the outcomes that have competing events."""
    name, test = name_contrast(outcome, contrast, competing=competing), CONTRASTS[contrast].test
    return " ".join(part for part in (f"{name} of {plain(outcome)}", describe_horizon(horizon_days, contrast), f"({test})" if test else "") if part)


def estimate_words(contrast: str, estimate: float, lower: float, upper: float, *, decimals: int | None = None) -> str:
    """An estimate with its interval in the contrast's unit, by default with as many decimals as :func:`estimate_decimals` says."""
    factor = CONTRASTS[contrast].factor
    if decimals is None:
        decimals = estimate_decimals(contrast, (estimate, lower, upper))
    return format_estimate(factor * estimate, factor * lower, factor * upper, decimals=decimals)


def estimate_decimals(contrast: str, numbers: Iterable[float]) -> int:
    """The contrast's decimals, at most one where a number reaches ten units."""
    words = CONTRASTS[contrast]
    return min(words.decimals, 1) if any(abs(words.factor * number) >= 10 for number in numbers) else words.decimals


def describe_bound(threshold: float, direction: str | None) -> str:
    """``at most 1`` or ``at least 0.7``."""
    return f"at least {threshold:.3g}" if direction == "at_least" else f"at most {threshold:.3g}"
