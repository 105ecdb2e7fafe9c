"""What each design and each generator supports: data only, so that a check is a look-up and not a chain of ifs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from parallax.vocabulary import CONTRASTS, ESTIMANDS


@dataclass(frozen=True, slots=True)
class DesignCapability:
    """Estimands that a design can target and contrasts that can be estimated under it."""

    estimands: tuple[str, ...]
    contrasts: tuple[str, ...] = CONTRASTS
    clustered: bool = False
    """Patients of a matched set are dependent; variances are clustered by set."""
    balances: bool = True
    """The design answers for the balance of the covariates; where it does not, imbalance is no failure of it."""
    competing_risks: bool = True
    """Whether it can estimate risks where other events compete."""
    why: str = ""
    """Why other contrasts are impossible."""
    instead: Mapping[str, str] | None = None
    """By an impossible contrast: the nearest possible thing."""


_MEANS: Final = ("risk_difference", "risk_ratio", "odds_ratio", "mean_difference")
_COEFFICIENTS: Final = ("hazard_ratio", "odds_ratio", "mean_difference", "rate_ratio")
_MARGINAL_HAZARDS: Final = "a hazard ratio is no difference of averages over patients, which is what it estimates"
_NEAREST: Final = {
    "hazard_ratio": "risk_ratio at the horizon, or a design with method: weight",
    "interval_hazard_ratio": "a design with method: weight",
    "hazard_ratio_trend": "a design with method: weight",
    "log_rank": "risk_difference at the horizon, or a design with method: weight",
    "rmst_difference": "risk_difference at the horizon, or a design with method: weight",
    "rmst_ratio": "risk_ratio at the horizon, or a design with method: weight",
    "rate_ratio": "a design with method: weight or regression",
}
_NEAREST_OF_REGRESSION: Final = {
    "interval_hazard_ratio": "hazard_ratio at each horizon",
    "hazard_ratio_trend": "hazard_ratio at each horizon",
    "log_rank": "hazard_ratio",
    "risk_difference": "a design with method: g_computation, aipw or tmle",
    "risk_ratio": "a design with method: g_computation, aipw or tmle",
    "rmst_difference": "a design with method: weight",
    "rmst_ratio": "a design with method: weight",
}

#: by the protocol's ``method``; a design without an estimand answers no causal question by itself
DESIGNS: Final[Mapping[str, DesignCapability]] = {
    "none": DesignCapability(estimands=()),
    "match": DesignCapability(estimands=("ATT",), clustered=True),
    "coarsen": DesignCapability(estimands=("ATT",)),
    "entropy": DesignCapability(estimands=("ATT", "ATC", "ATE")),
    "weight": DesignCapability(estimands=ESTIMANDS),
    "regression": DesignCapability(
        estimands=(),
        contrasts=_COEFFICIENTS,
        balances=False,
        why="a regression has coefficients, not risks or means of an arm",
        instead=_NEAREST_OF_REGRESSION,
    ),
    **{
        method: DesignCapability(
            estimands=("ATE", "ATT", "ATC"), contrasts=_MEANS, balances=False, competing_risks=False, why=_MARGINAL_HAZARDS, instead=_NEAREST
        )
        for method in ("g_computation", "aipw", "tmle")
    },
}


@dataclass(frozen=True, slots=True)
class GeneratorCapability:
    """What a kind of generator is, as far as a check or a reader needs it."""

    flat: bool
    """All columns at once: no notion of treatment or survival."""
    random_fit: bool
    """Whether another seed gives another fit; where not, only the draws are random."""
    network: bool = False
    """Trains a network: too slow to be fitted hundreds of times without being asked for by name."""
    private: bool = False
    """Differentially private: it takes from the real patients what it paid for alone, and its noise comes from no seed."""
    enriches: bool = True
    """Draws patients independently of each other, so that those of a subgroup are its draws given the subgroup (``synthesis.enrichment``)."""


#: by the protocol's ``method``
GENERATORS: Final[Mapping[str, GeneratorCapability]] = {
    "sequential": GeneratorCapability(flat=False, random_fit=False),
    "gaussian_copula": GeneratorCapability(flat=True, random_fit=False),
    "ctgan": GeneratorCapability(flat=True, random_fit=True, network=True),
    "copula_gan": GeneratorCapability(flat=True, random_fit=True, network=True),
    "tvae": GeneratorCapability(flat=True, random_fit=True, network=True),
    "cart": GeneratorCapability(flat=True, random_fit=False),
    "arf": GeneratorCapability(flat=True, random_fit=True),
    "independent": GeneratorCapability(flat=True, random_fit=False),
    "private_marginals": GeneratorCapability(flat=False, random_fit=True, private=True),
}
