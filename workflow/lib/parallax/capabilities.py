"""What each design supports: data only, so that a check is a look-up and not a chain of ifs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from parallax.vocabulary import CONTRASTS, ESTIMANDS


@dataclass(frozen=True, slots=True)
class DesignCapability:
    """Estimands that a design can target and contrasts that can be estimated under it."""

    estimands: tuple[str, ...]
    contrasts: tuple[str, ...]
    clustered: bool
    """Patients of a matched set are dependent; variances are clustered by set."""


#: by the protocol's ``method``; a design without an estimand answers no causal question by itself
DESIGNS: Final[Mapping[str, DesignCapability]] = {
    "none": DesignCapability(estimands=(), contrasts=CONTRASTS, clustered=False),
    "match": DesignCapability(estimands=("ATT",), contrasts=CONTRASTS, clustered=True),
    "coarsen": DesignCapability(estimands=("ATT",), contrasts=CONTRASTS, clustered=False),
    "entropy": DesignCapability(estimands=("ATT", "ATC", "ATE"), contrasts=CONTRASTS, clustered=False),
    "weight": DesignCapability(estimands=ESTIMANDS, contrasts=CONTRASTS, clustered=False),
}
