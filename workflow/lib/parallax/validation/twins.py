"""The study's designs on a twin cohort, held against the truth that both potential outcomes of every patient give."""

from __future__ import annotations

from typing import Any, Final, get_args

import numpy as np
import pandas as pd

from parallax.analysis.effects import analyse
from parallax.errors import NotEstimable
from parallax.outcomes.observed import observe
from parallax.outcomes.patients import Effect, Weighted
from parallax.outcomes.registry import estimate
from parallax.protocol.cohort import Covariates
from parallax.protocol.designs import Design, DesignsSection, WeightDesign
from parallax.protocol.outcomes import OutcomesSection, SurvivalOutcome
from parallax.protocol.propensity import PropensitySection
from parallax.simulation.truth import Target
from parallax.tables import TWIN_TRUTHS
from parallax.validation.combining import to_analysis_scale
from parallax.vocabulary import DIAGNOSTIC_CONTRASTS, Contrast, Estimand

_ESTIMANDS: Final[dict[str, Estimand]] = {estimand: estimand for estimand in get_args(Estimand)}


def find_truth(
    potential: pd.DataFrame,
    outcomes: OutcomesSection,
    *,
    outcome: str,
    contrast: Contrast,
    horizon_days: float | None,
    estimand: Estimand,
    stabilised: bool = False,
) -> Effect:
    """A contrast between the two potential outcomes of the same patients, weighted to an estimand by the score that the arms were drawn from.

    ``potential`` is that of a twin cohort. With mass h(e_i) of patient i in both arms (Li, Morgan & Zaslavsky 2018, section 2) the estimate
    under these weights is the truth of these n patients; nobody is lost in it. Its standard error, summed over each patient's two rows, is the
    Monte-Carlo error of the truth among all patients that could have been drawn. Raises NotEstimable with the reason.
    """
    treated = potential["treated"].to_numpy(dtype=bool)
    target = Target.of(potential["propensity"].to_numpy(dtype=np.float64), estimand, stabilised=stabilised)
    patient = pd.factorize(potential["patient_id"])[0].astype(np.int64)
    weighted = Weighted(treated, np.where(treated, target.treated, target.comparator), clusters=patient)
    return estimate(observe(potential, outcome, outcomes[outcome]), weighted, contrast, horizon_days)


def compare_with_truth(
    cohort: pd.DataFrame,
    potential: pd.DataFrame,
    *,
    covariates: Covariates,
    designs: DesignsSection,
    propensity: PropensitySection,
    outcomes: OutcomesSection,
    seed: int,
) -> pd.DataFrame:
    """The study's estimates on the twin cohort, blind to its origin, beside the truth of the estimand each answers for: a TWIN_TRUTHS table.

    ``deviation`` is (estimate − truth)/√(V + V_truth) on the analysis scale. Where a design leaves patients out ("among …"), the truth is that
    of all patients. A design that answers for nobody in particular (crude, conditional) has no truth here; nor has a hazard ratio over all
    follow-up, which depends on who is lost, nor a diagnostic contrast.
    """
    found = analyse(cohort, covariates=covariates, designs=designs, propensity=propensity, outcomes=outcomes, seed=seed).estimates
    truths: dict[tuple[Any, ...], Effect | str] = {}
    rows = []
    for row in found.to_dict("records"):
        name, contrast, horizon = str(row["outcome"]), row["contrast"], None if pd.isna(row["horizon_days"]) else float(row["horizon_days"])
        estimand = _ESTIMANDS.get(str(row["effective_estimand"]).partition(" among ")[0])
        over_all_follow_up = isinstance(outcomes[name], SurvivalOutcome) and horizon is None
        if estimand is None or contrast in DIAGNOSTIC_CONTRASTS or over_all_follow_up or row["status"] != "ok":
            continue
        stabilised = _stabilised(designs[str(row["design"])])
        key = (name, contrast, horizon, estimand, stabilised)
        if key not in truths:
            try:
                truths[key] = find_truth(
                    potential, outcomes, outcome=name, contrast=contrast, horizon_days=horizon, estimand=estimand, stabilised=stabilised
                )
            except NotEstimable as error:
                truths[key] = str(error)
        truth = truths[key]
        kept = {
            column: row[column] for column in ("design", "outcome", "contrast", "horizon_days", "effective_estimand", "estimate", "lower", "upper")
        }
        known = {"truth": np.nan, "truth_error": np.nan, "deviation": np.nan, "covered": pd.NA, "reason": truth if isinstance(truth, str) else None}
        if isinstance(truth, Effect):
            apart = np.diff(to_analysis_scale([truth.estimate, row["estimate"]], contrast))[0]
            known |= {
                "truth": truth.estimate,
                "truth_error": truth.std_error,
                "deviation": float(apart / np.hypot(row["std_error"], truth.std_error)),
                "covered": bool(row["lower"] <= truth.estimate <= row["upper"]),
            }
        rows.append(kept | known)
    return TWIN_TRUTHS.validate(pd.DataFrame(rows, columns=list(TWIN_TRUTHS.columns)))


def _stabilised(design: Design) -> bool:
    return isinstance(design, WeightDesign) and design.estimand == "ATE" and design.stabilised
