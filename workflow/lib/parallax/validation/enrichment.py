"""Enriched subgroups: the effect among a subgroup's real patients beside that among synthetic ones drawn beyond its share of the cohort."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from parallax.analysis.asked import estimate_primary
from parallax.analysis.designs import designs_asked
from parallax.errors import GenerationError
from parallax.protocol.cohort import Covariates
from parallax.protocol.designs import DesignsSection
from parallax.protocol.enrichment import Enrichment, place_of
from parallax.protocol.outcomes import OutcomesSection
from parallax.protocol.propensity import PropensitySection
from parallax.protocol.question import Hypothesis
from parallax.synthesis.generator import select_subgroup
from parallax.tables import COMBINED, ENRICHMENT, ESTIMATES
from parallax.validation.combining import combine, leave_out, take_real, target_of, to_analysis_scale
from parallax.validation.rules import Fit
from parallax.vocabulary import VALID_RULES


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of every subgroup, and how it is answered: one analysis, whoever its patients are."""

    primary: Hypothesis
    covariates: Covariates
    designs: DesignsSection
    propensity: PropensitySection
    outcomes: OutcomesSection
    seed: int

    def estimate(self, cohort: pd.DataFrame) -> pd.DataFrame:
        """ESTIMATES of the primary contrast under every design (:func:`parallax.analysis.estimate_primary`)."""
        settings = {"covariates": self.covariates, "propensity": self.propensity, "outcomes": self.outcomes, "seed": self.seed}
        return estimate_primary(cohort, primary=self.primary, designs=self.designs, **settings)  # type: ignore[arg-type]

    def leave_out(self, reason: str) -> pd.DataFrame:
        """The same targets, not estimable for this reason."""
        asked = designs_asked(self.designs, self.primary.contrast).names
        horizon = np.nan if self.primary.horizon_days is None else self.primary.horizon_days
        described = {"replicate": 0, "outcome": self.primary.outcome, "contrast": self.primary.contrast, "horizon_days": horizon}
        named = {"effective_estimand": "none", "variance_method": "none", "status": "not_estimable", "reason": reason}
        return pd.DataFrame([described | named | {"design": name} for name in asked], columns=list(ESTIMATES.columns))


def summarise_real_subgroups(cohort: pd.DataFrame, entries: Sequence[Enrichment], asked: Asked) -> pd.DataFrame:
    """The ENRICHMENT table of the real patients: the designs and their estimates made anew among the patients of every entry.

    A subgroup with too few of them in an arm is not estimable (:func:`parallax.synthesis.generator.select_subgroup`).
    """
    parts = []
    for number, entry in enumerate(entries):
        try:
            estimates = asked.estimate(select_subgroup(cohort, entry.keep, where=place_of(number)))
        except GenerationError as error:
            estimates = asked.leave_out(str(error))
        parts.append(take_real(estimates).assign(enrichment=entry.name))
    return _stack(parts)


def summarise_enriched(
    drawn: pd.DataFrame,
    draws: pd.DataFrame,
    entries: Sequence[Enrichment],
    asked: Asked,
    *,
    real: pd.DataFrame,
    real_cohort: pd.DataFrame,
    fit: Fit,
    not_estimable: float,
) -> pd.DataFrame:
    """The ENRICHMENT table of a generator from its enriched cohorts ``drawn`` and from what became of them, ``draws`` (ENRICHMENT_DRAWS).

    Combined with the patients counted in the subgroup, T = v_g·k_g/n_g + b_g/m (:mod:`parallax.validation.rules`): n_g from ``real_cohort``, k_g
    from ``drawn``. ``real`` is the real patients' table; an entry that could not be drawn has its targets, with the reason.
    """
    failed = draws[draws["status"] == "failed"].set_index("enrichment")["reason"].to_dict()
    parts = []
    for number, entry in enumerate(entries):
        known = real.loc[real["enrichment"] == entry.name, list(COMBINED.columns)]
        if entry.name in failed:
            combined = leave_out(known, str(failed[entry.name]))
        else:
            patients = len(select_subgroup(real_cohort, entry.keep, where=place_of(number)))
            cohort = drawn[drawn["enrichment"] == entry.name].drop(columns="enrichment").reset_index(drop=True)
            sizes = {int(str(replicate)): int(size) for replicate, size in cohort.groupby("replicate").size().items()}
            combined = combine(asked.estimate(cohort), patients=patients, synthetic=sizes, fit=fit, not_estimable=not_estimable)
        parts.append(combined.assign(enrichment=entry.name, shift_in_real_se=_shift(combined, known)))
    return _stack(parts)


def _shift(combined: pd.DataFrame, real: pd.DataFrame) -> list[float]:
    """(q − Q)/√V of every valid answer; missing where either side has none."""
    known = {target_of(row): row for _, row in real.iterrows()}
    shifts = []
    for _, row in combined.iterrows():
        beside = known.get(target_of(row))
        if beside is None or row["rule"] not in VALID_RULES or (row["status"], beside["status"]) != ("ok", "ok") or not beside["std_error"] > 0:
            shifts.append(np.nan)
            continue
        q, Q = to_analysis_scale([row["estimate"], beside["estimate"]], str(row["contrast"]))
        shifts.append(float((q - Q) / beside["std_error"]))
    return shifts


def _stack(parts: list[pd.DataFrame]) -> pd.DataFrame:
    columns = list(ENRICHMENT.columns)
    return ENRICHMENT.validate(pd.concat([part.reindex(columns=columns) for part in parts], ignore_index=True))
