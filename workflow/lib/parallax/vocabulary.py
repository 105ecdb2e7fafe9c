"""The closed lists of terms that protocols, tables and code share (docs/GLOSSARY.md explains each)."""

from __future__ import annotations

from typing import Final, Literal, get_args

Estimand = Literal["ATE", "ATT", "ATC", "ATO", "ATM"]
Contrast = Literal[
    "hazard_ratio",
    "interval_hazard_ratio",
    "hazard_ratio_trend",
    "log_rank",
    "risk_difference",
    "risk_ratio",
    "odds_ratio",
    "rmst_difference",
    "rmst_ratio",
    "mean_difference",
    "rate_ratio",
]
Variance = Literal["stacked", "score_as_known", "bootstrap"]
Arm = Literal["treated", "comparator"]
Rule = Literal[
    "none", "partial", "single_fit", "bootstrap_fit", "posterior", "naive", "stacked", "fixed_effect", "random_effects", "hartung_knapp"
]  # fmt: skip
Mechanism = Literal["covariates", "treatment", "outcome", "censoring"]
Way = Literal["individual_real", "aggregates", "individual_synthetic", "individual_mixed", "aggregates_synthetic"]
Verdict = Literal["release", "do_not_release", "inconclusive"]
#: an attack that tells nothing, of harm or of its absence, is not informative
GateOutcome = Literal["passed", "failed", "not_evaluated", "not_informative"]
Direction = Literal["at_most", "at_least", "absolute_at_most", "contains"]

ESTIMANDS: Final[tuple[str, ...]] = get_args(Estimand)
CONTRASTS: Final[tuple[str, ...]] = get_args(Contrast)
ARMS: Final[tuple[str, ...]] = get_args(Arm)
#: in the order in which they make a patient
MECHANISMS: Final[tuple[Mechanism, ...]] = get_args(Mechanism)
RULES: Final[tuple[str, ...]] = get_args(Rule)
#: how the answers of several sites become one
WAYS: Final[tuple[Way, ...]] = get_args(Way)
#: the rules of which the first that a dataset has is its answer
VALID_RULES: Final = ("none", "partial", "single_fit", "bootstrap_fit", "fixed_effect")

REAL: Final = "real"
#: the site of all sites' answers together, and the column of a pooled cohort that says where a patient is from
POOLED: Final = "pooled"
SITE: Final = "pooled_site"
#: the folder of the replicates that a release from elsewhere brings into a pool
RELEASED: Final = "released"
#: the dataset of cohorts resampled from the real patients
FLOOR: Final = "floor"
#: the folder of a site's simulated studies, and the two generators that a certificate holds the gate against
CERTIFICATION: Final = "certification"
CORRECT: Final = "correct"
FLAT_COPULA: Final = "flat_copula"
#: the dataset of real treated patients beside AI-generated comparators
EXTERNAL_CONTROL: Final = "external_control"
#: folders and datasets of a study: neither a site nor a generator can be called so
RESERVED_NAMES: Final = frozenset({"real", "source", POOLED, RELEASED, FLOOR, CERTIFICATION, CORRECT, FLAT_COPULA, EXTERNAL_CONTROL})

#: contrasts whose estimate is a ratio: the standard error is that of the logarithm, the null is one
RATIO_CONTRASTS: Final = frozenset(
    {"hazard_ratio", "interval_hazard_ratio", "hazard_ratio_trend", "log_rank", "risk_ratio", "odds_ratio", "rmst_ratio", "rate_ratio"}
)
#: contrasts that say how another one is to be read, and answer no question of their own
DIAGNOSTIC_CONTRASTS: Final = frozenset({"interval_hazard_ratio", "hazard_ratio_trend", "log_rank"})
#: the level that stands for a missing value of a categorical covariate in designs and figures
MISSING_LEVEL: Final = "(missing)"
#: the level that stands for those which too few patients have to be named
OTHER_LEVELS: Final = "(other levels)"
