"""``validation``: the gates that decide, fixed before the results are seen."""

from __future__ import annotations

import math
from statistics import NormalDist

from pydantic import Field

from parallax.protocol.base import Name, Section


class Gates(Section):
    """Thresholds of the verdict."""

    shift_in_real_se: float = Field(default=1.0, gt=0, description="largest shift of the primary estimate, in standard errors of the real one")
    propensity_c_gap: float = Field(default=0.03, gt=0, description="largest difference of the propensity score's c-statistic")
    km_gap: float = Field(default=0.03, gt=0, description="largest Kaplan–Meier gap per arm, unless the gap lies inside the real half-split band")
    membership_auc_upper: float = Field(default=0.6, gt=0.5, le=1, description="largest upper bound of the membership attack's AUC")
    membership_tpr_at_1pct_fpr_upper: float = Field(
        default=0.05, gt=0.01, le=1, description="largest upper bound of its true-positive rate at 1 % false positives"
    )
    excess_copies_upper: float = Field(
        default=0.01, gt=0, le=1, description="largest upper bound of the excess of exact copies of train patients over hold-out patients"
    )
    vulnerable_auc_upper: float = Field(
        default=0.65, gt=0.5, le=1, description="largest upper bound of the membership attack's AUC among outliers, and among the rarest patients"
    )
    singling_out_upper: float = Field(default=0.1, gt=0, le=1, description="largest upper bound of the risk of being singled out")
    linkability_upper: float = Field(default=0.1, gt=0, le=1, description="largest upper bound of the risk that two halves of a record are linked")
    inference_upper: float = Field(default=0.2, gt=0, le=1, description="largest upper bound of the risk that a sensitive column is inferred")
    replicates_not_estimable: float = Field(
        default=0.1,
        ge=0,
        lt=1,
        description="largest share of replicates without a primary estimate; up to it they are left out, beyond it the verdict is inconclusive",
    )
    imbalance: float = Field(default=0.1, gt=0, description="largest absolute standardised mean difference of a balanced design")
    effective_patients: float = Field(default=30, gt=0, description="smallest effective sample size of an arm in a design that can be trusted")


class Certification(Section):
    """Simulated studies through the whole chain: would the agreement gate catch a bad generator, and does it spare a good one?"""

    repetitions: int = Field(
        default=0,
        ge=0,
        le=100_000,
        description="simulated studies of every effect; 0: the verdict is marked as not certified. With 200 the gate must catch 86 % of the flat "
        "copulas for 80 % to be shown; with fewer than 16 that cannot be shown",
    )
    minimal_important_effect: float | None = Field(
        default=None,
        description="the smallest effect that would matter, on the scale of the primary contrast (a hazard ratio of 0.8); the gate must catch a bad "
        "generator where this is the truth",
    )
    stronger_effect: float | None = Field(
        default=None, description="an effect further from the null; null: twice the minimal one, on the logarithmic scale for ratios"
    )
    generators: tuple[Name, ...] | None = Field(
        default=None, description="the generators that are certified; null: all but those that train a network, which must be named"
    )
    detection: float = Field(
        default=0.8,
        ge=0.5,
        lt=1,
        description="share of flat copulas that the agreement gate must be shown to catch for a pass to be evidence: the 95 % interval of the share "
        "caught begins there or above",
    )

    @property
    def fewest_repetitions(self) -> int:
        """The fewest simulated studies that can show the share t to be caught: with all R of them caught, Wilson's interval begins at R/(R + z²)."""
        return math.ceil(NormalDist().inv_cdf(0.975) ** 2 * self.detection / (1.0 - self.detection))


class ValidationSection(Section):
    """Gates, certification and blinding."""

    gates: Gates = Gates()
    certification: Certification = Certification()
    blinded: bool = Field(
        default=False,
        description="no effect, real or synthetic, is computed before the primary design is balanced and leaves enough real patients",
    )
