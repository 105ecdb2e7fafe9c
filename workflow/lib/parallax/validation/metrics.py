"""The metrics of validation: each with its direction, its range and, where it decides, its gate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

import pandas as pd

from parallax.errors import StatisticsError
from parallax.protocol.validation import Gates
from parallax.vocabulary import Direction

#: how the reason of a metric begins that tells nothing, neither harm nor its absence
NOT_INFORMATIVE: Final = "not informative: "

_ROUNDING: Final = 1e-9
_SHARE: Final = (0.0, 1.0)
_DIFFERENCE: Final = (-1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Metric:
    """What a number of validation means.

    ``table`` holds it; ``direction`` says where good lies, ``bounds`` is the metric's range; ``gate`` names the threshold among the protocol's
    gates (None: reported only); ``judged`` tells which number is held against it; ``meaning`` is the metric in a reader's words.
    """

    name: str
    table: Literal["agreement", "fidelity", "privacy"]
    direction: Direction
    bounds: tuple[float, float]
    meaning: str
    gate: str | None = None
    judged: Literal["value", "upper"] = "value"

    def threshold(self, gates: Gates) -> float:
        """The protocol's threshold; NaN for a metric that is reported only."""
        return math.nan if self.gate is None else float(getattr(gates, self.gate))

    def passes(self, number: float, threshold: float) -> bool:
        """Whether a number lies on the good side of a threshold, the threshold itself included."""
        if self.direction == "at_least":
            return number >= threshold
        return (abs(number) if self.direction == "absolute_at_most" else number) <= threshold


def _attack(name: str, meaning: str, gate: str, bounds: tuple[float, float] = _SHARE) -> Metric:
    """An attack, judged by its upper bound."""
    return Metric(name, "privacy", "at_most", bounds, meaning, gate, "upper")


_ALL: Final = (
    Metric(
        "shift_in_real_se",
        "agreement",
        "absolute_at_most",
        (-math.inf, math.inf),
        "shift of the primary estimate in standard errors of the real one",
        "shift_in_real_se",
    ),
    Metric(
        "shift_beyond_floor_in_real_se",
        "agreement",
        "absolute_at_most",
        (-math.inf, math.inf),
        "shift of the primary estimate beyond the floor's in standard errors of the real one",
        "shift_in_real_se",
    ),
    Metric(
        "shift_in_replicate_se",
        "agreement",
        "absolute_at_most",
        (-math.inf, math.inf),
        "shift in standard errors of a mean of as many replicates (z_m), a description",
    ),
    Metric(
        "lack_of_fit",
        "agreement",
        "at_most",
        (0.0, math.inf),
        "joint distance of the primary design's estimates per independent direction, in variances of a mean of as many replicates; a description",
    ),
    Metric(
        "replicates_not_estimable",
        "agreement",
        "at_most",
        (0.0, 1.0),
        "share of replicates without a primary estimate",
        "replicates_not_estimable",
    ),
    Metric("testable_here", "agreement", "at_least", _SHARE, "the floor keeps within the primary gate: a shift can be judged here"),
    Metric("largest_weight", "agreement", "at_most", (0.0, math.inf), "largest weight of a real patient under a design that weights everybody"),
    Metric("ci_overlap", "agreement", "at_least", (-math.inf, 1.0), "overlap of the real and the synthetic confidence interval"),
    Metric("decision_agreement", "agreement", "at_least", _SHARE, "same decision: below the null, not significant, above the null"),
    Metric("estimate_agreement", "agreement", "at_least", _SHARE, "synthetic estimate inside the real confidence interval"),
    Metric("standardised_difference", "agreement", "at_most", (0.0, math.inf), "distance of the estimates in standard errors of their difference"),
    Metric("same_side_of_null", "agreement", "at_least", _SHARE, "synthetic estimate on the real one's side of the null"),
    Metric(
        "propensity_c_gap",
        "fidelity",
        "absolute_at_most",
        _DIFFERENCE,
        "propensity score's c-statistic, synthetic minus real",
        "propensity_c_gap",
    ),
    Metric("km_gap", "fidelity", "at_most", _SHARE, "largest gap between the synthetic and the real survival or incidence curve", "km_gap"),
    Metric("km_half_split_band", "fidelity", "at_most", _SHARE, "gap that random halves of the real patients keep in 95 of 100 splits"),
    Metric("censoring_km_gap", "fidelity", "at_most", _SHARE, "largest gap between the synthetic and the real censoring curve"),
    Metric("competing_gap", "fidelity", "at_most", _SHARE, "largest gap between the synthetic and the real incidence of a competing event"),
    Metric("outcome_gap", "fidelity", "at_most", _SHARE, "largest gap between the synthetic and the real distribution of the outcome", "km_gap"),
    Metric("outcome_half_split_band", "fidelity", "at_most", _SHARE, "gap that random halves of the real patients keep in 95 of 100 splits"),
    Metric("person_time_gap", "fidelity", "at_most", _SHARE, "largest gap between the synthetic and the real distribution of person-time"),
    Metric("optimism", "fidelity", "absolute_at_most", _DIFFERENCE, "mean distance of the synthetic above the real survival curve up to the horizon"),
    Metric("km_divergence", "fidelity", "at_most", _SHARE, "mean distance between the survival curves up to the horizon"),
    Metric("rmst_gap", "fidelity", "absolute_at_most", (-math.inf, math.inf), "days by which synthetic restricted mean survival is longer"),
    Metric("short_sightedness", "fidelity", "absolute_at_most", (-math.inf, 1.0), "share of the real follow-up that is missing at the end"),
    Metric("censoring_optimism", "fidelity", "absolute_at_most", _DIFFERENCE, "mean distance of the synthetic above the real censoring curve"),
    Metric("censoring_km_divergence", "fidelity", "at_most", _SHARE, "mean distance between the censoring curves"),
    Metric("extreme_score_gap", "fidelity", "absolute_at_most", _DIFFERENCE, "share of scores below 0.05 or above 0.95, synthetic minus real"),
    Metric("balance_profile_gap", "fidelity", "at_most", (0.0, math.inf), "root mean square difference of the arms' standardised mean differences"),
    Metric(
        "treatment_coefficients_gap",
        "fidelity",
        "at_most",
        (0.0, math.inf),
        "root mean square difference of the treatment model's coefficients, in standard errors of the real ones",
    ),
    Metric(
        "outcome_coefficients_gap",
        "fidelity",
        "at_most",
        (0.0, math.inf),
        "root mean square difference of the covariates' coefficients in the outcome model, in standard errors of the real ones",
    ),
    Metric("marginal_ks", "fidelity", "at_most", _SHARE, "Kolmogorov–Smirnov distance of a numeric covariate"),
    Metric("marginal_tv", "fidelity", "at_most", _SHARE, "total variation distance of a categorical covariate, missing as a level"),
    Metric("missing_gap", "fidelity", "at_most", _SHARE, "difference of the share of patients in whom a numeric covariate is missing"),
    Metric("sdmetrics_quality", "fidelity", "at_least", _SHARE, "SDMetrics quality score"),
    Metric("pairwise_gap", "fidelity", "at_most", (0.0, 2.0), "mean difference of the correlations of two columns"),
    Metric("pmse_ratio", "fidelity", "at_most", (0.0, math.inf), "propensity mean squared error over that of a correct generator: below 3 good"),
    Metric("classifier_auc", "fidelity", "at_most", _SHARE, "classifier two-sample test: area under the ROC curve of synthetic against real"),
    Metric("series_number_ks", "fidelity", "at_most", _SHARE, "Kolmogorov–Smirnov distance of the number of values per patient"),
    Metric("series_interval_ks", "fidelity", "at_most", _SHARE, "Kolmogorov–Smirnov distance of the days between a patient's values"),
    Metric("series_value_ks", "fidelity", "at_most", _SHARE, "largest Kolmogorov–Smirnov distance of the values in a quarter of the window"),
    Metric(
        "series_autocorrelation_gap",
        "fidelity",
        "absolute_at_most",
        (-2.0, 2.0),
        "correlation of a patient's successive values about the patient's own line, synthetic minus real",
    ),
    Metric(
        "series_summary_miss",
        "fidelity",
        "at_most",
        _SHARE,
        "share of synthetic patients whose series has another summary than their covariate says, by more than 1/20 standard deviation",
    ),
    Metric("series_copies", "fidelity", "at_most", _SHARE, "share of synthetic series of three values or more that are a real series verbatim"),
    Metric("copies_of_train", "privacy", "at_most", _SHARE, "share of the patients seen by the generator whose record reappears verbatim"),
    Metric("copies_of_hold_out", "privacy", "at_most", _SHARE, "share of the patients kept from the generator whose record reappears verbatim"),
    _attack("excess_copies", "verbatim copies of patients seen, beyond those of patients not seen", "excess_copies_upper", _DIFFERENCE),
    _attack(
        "excess_copied_covariates",
        "patients seen all of whose covariates reappear verbatim, beyond those of patients not seen",
        "excess_copies_upper",
        _DIFFERENCE,
    ),
    _attack("excess_copied_outliers", "verbatim copies among outliers: of patients seen, beyond not seen", "excess_copies_upper", _DIFFERENCE),
    _attack("excess_copied_rare", "verbatim copies among the rarest patients: of those seen, beyond not seen", "excess_copies_upper", _DIFFERENCE),
    _attack("membership_auc", "membership attack: area under the ROC curve", "membership_auc_upper"),
    _attack("membership_tpr_at_1pct_fpr", "membership attack: true positives at 1 % false positives", "membership_tpr_at_1pct_fpr_upper"),
    Metric("membership_tpr_at_01pct_fpr", "privacy", "at_most", _SHARE, "membership attack: true positives at 0.1 % false positives"),
    _attack("nearest_auc", "membership attack by the nearest record: area under the ROC curve", "membership_auc_upper"),
    _attack(
        "nearest_tpr_at_1pct_fpr",
        "membership attack by the nearest record: true positives at 1 % false positives",
        "membership_tpr_at_1pct_fpr_upper",
    ),
    _attack("outlier_auc", "membership attack on outliers: area under the ROC curve", "vulnerable_auc_upper"),
    _attack("rare_auc", "membership attack on the patients with the rarest levels: area under the ROC curve", "vulnerable_auc_upper"),
    _attack("shadow_auc", "membership attack by shadow models: area under the ROC curve", "membership_auc_upper"),
    _attack(
        "shadow_tpr_at_1pct_fpr",
        "membership attack by shadow models: true positives at 1 % false positives",
        "membership_tpr_at_1pct_fpr_upper",
    ),
    Metric("shadow_tpr_at_01pct_fpr", "privacy", "at_most", _SHARE, "membership attack by shadow models: true positives at 0.1 % false positives"),
    _attack("shadow_outlier_auc", "membership attack by shadow models on outliers: area under the ROC curve", "vulnerable_auc_upper"),
    _attack(
        "shadow_rare_auc",
        "membership attack by shadow models on the patients with the rarest levels: area under the ROC curve",
        "vulnerable_auc_upper",
    ),
    Metric("membership_f1", "privacy", "at_most", _SHARE, "membership attack by the nearest record: F1 score at the population's share of members"),
    Metric("naive_f1", "privacy", "at_most", _SHARE, "F1 score of naming everybody a member"),
    Metric("relative_f1", "privacy", "at_most", _SHARE, "what the attack's F1 score gains of what naming everybody leaves to gain"),
    _attack("singling_out_univariate", "risk of being singled out by one column", "singling_out_upper"),
    _attack("singling_out_multivariate", "risk of being singled out by three columns together", "singling_out_upper"),
    _attack("linkability", "risk that two halves of a record are linked", "linkability_upper"),
    _attack("inference", "risk that a sensitive column is inferred from all others", "inference_upper"),
    _attack("inference_from_quasi_identifiers", "risk that a sensitive column is inferred from the quasi-identifiers", "inference_upper"),
    Metric(
        "excess_replicated_uniques",
        "privacy",
        "at_most",
        _DIFFERENCE,
        "unique quasi-identifiers that are unique in a replicate too: of patients seen, beyond not seen",
    ),
    Metric("k_anonymity", "privacy", "at_least", (0.0, math.inf), "fewest records of a replicate that share their quasi-identifiers"),
    Metric("l_diversity", "privacy", "at_least", (0.0, math.inf), "fewest values of a sensitive column among records that share them"),
    Metric("closest_to_train", "privacy", "contains", _SHARE, "share of synthetic records nearer to patients seen than to patients not seen"),
    Metric("nndr_to_train", "privacy", "at_least", _SHARE, "median of the distance to the nearest over the second nearest patient seen"),
    Metric("nndr_to_hold_out", "privacy", "at_least", _SHARE, "median of the distance to the nearest over the second nearest patient not seen"),
)


def floor_of(metric: str) -> str:
    """The name under which the floor of a metric stands beside it."""
    return f"floor_{metric}"


def halves_of(metric: str) -> str:
    """The name under which what random halves of the real patients differ by stands beside a metric."""
    return f"half_split_{metric}"


#: metrics that are read against the floor: what sampling alone does to them
FLOORED: Final = ("shift_in_real_se", "propensity_c_gap", "km_gap", "censoring_km_gap", "competing_gap", "outcome_gap", "person_time_gap")
_FLOORS: Final = tuple(
    replace(metric, name=floor_of(metric.name), gate=None, meaning=f"the same on cohorts resampled from the real patients ({metric.meaning})")
    for metric in _ALL
    if metric.name in FLOORED
)

#: metrics of the attack by shadow models
SHADOWED: Final = tuple(metric.name for metric in _ALL if metric.name.startswith("shadow_"))
#: metrics of how treatment and outcome depend on the covariates
STRUCTURE: Final = ("extreme_score_gap", "balance_profile_gap", "treatment_coefficients_gap", "outcome_coefficients_gap")
#: metrics of the long table of repeated measurements, by measurement and arm
SERIES: Final = ("series_number_ks", "series_interval_ks", "series_value_ks", "series_autocorrelation_gap")
#: metrics that are read against what random halves of the real patients differ by
HALVED: Final = ("optimism", "km_divergence", "rmst_gap", "short_sightedness", "censoring_optimism", "censoring_km_divergence", *STRUCTURE, *SERIES)
_HALVES: Final = tuple(
    replace(
        metric,
        name=halves_of(metric.name),
        direction="at_most",
        bounds=(0.0, math.inf),
        meaning=f"95 of 100 random halves keep it ({metric.meaning})",
    )
    for metric in _ALL
    if metric.name in HALVED
)

#: a new metric is one line above; every gate must be judged before a generator may be released, by one of its metrics where it has several
METRICS: Final[Mapping[str, Metric]] = {metric.name: metric for metric in (*_ALL, *_FLOORS, *_HALVES)}


def metric_row(
    name: str,
    value: float,
    *,
    lower: float = math.nan,
    upper: float = math.nan,
    threshold: float = math.nan,
    undecided: bool = False,
    reason: str | None = None,
) -> dict[str, object]:
    """The metric columns of a table of validation.

    ``passed`` is missing for a metric without a threshold, for a number that could not be computed, and where ``undecided`` says that the
    data cannot decide. Raises StatisticsError for a number outside the metric's declared range.
    """
    metric = METRICS[name]
    for number in (value, lower, upper):
        if number < metric.bounds[0] - _ROUNDING or number > metric.bounds[1] + _ROUNDING:
            raise StatisticsError(f"{name}: found {number:.6g}; allowed is {metric.bounds[0]} to {metric.bounds[1]}")
    number = value if metric.judged == "value" else upper
    judged = not (math.isnan(threshold) or math.isnan(number) or undecided)
    return {
        "metric": name,
        "value": value,
        "lower": lower,
        "upper": upper,
        "threshold": threshold,
        "direction": metric.direction,
        "passed": metric.passes(number, threshold) if judged else pd.NA,
        "reason": reason,
    }
