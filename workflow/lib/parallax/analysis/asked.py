"""Single questions put to the analysis: subgroups, the primary estimate, permuted treatment."""

from __future__ import annotations

import numpy as np
import pandas as pd

from parallax.analysis.designs import design_alone, designs_asked, stack
from parallax.analysis.effects import analyse
from parallax.errors import CohortError
from parallax.expressions import evaluate
from parallax.protocol.cohort import Covariates
from parallax.protocol.designs import (
    DesignsSection,
)
from parallax.protocol.outcomes import OutcomesSection
from parallax.protocol.propensity import DEFAULT_PROPENSITY, PropensitySection
from parallax.protocol.question import Hypothesis
from parallax.protocol.subgroups import SubgroupsSection
from parallax.tables import (
    PERMUTATIONS,
    SUBGROUP_ESTIMATES,
)
from parallax.vocabulary import DIAGNOSTIC_CONTRASTS


def estimate_subgroups(
    cohort: pd.DataFrame,
    *,
    subgroups: SubgroupsSection,
    primary: Hypothesis,
    covariates: Covariates,
    designs: DesignsSection,
    propensity: PropensitySection = DEFAULT_PROPENSITY,
    outcomes: OutcomesSection,
    seed: int,
) -> pd.DataFrame:
    """The primary outcome's effects under the primary design, made anew among the patients of every level of every subgroup.

    At the primary horizon, for all contrasts of the outcome that answer a question, so that interactions can be looked at on the scales of
    ratios and of differences. Since the design (and its score) is made anew, the levels' estimates are independent of each other.
    Returns ESTIMATES with ``subgroup`` and ``level``. Raises CohortError where a patient belongs to two levels of a subgroup.
    """
    contrasts = tuple(contrast for contrast in outcomes[primary.outcome].contrasts if contrast not in DIAGNOSTIC_CONTRASTS)
    settings = design_alone(primary.design, designs, propensity) | {"covariates": covariates, "outcomes": ask_only(outcomes, primary, contrasts)}
    parts = []
    for name, levels in subgroups.items():
        belongs = {level: evaluate(cohort, expression, where=f"subgroups.{name}.{level}") for level, expression in levels.items()}
        if (pd.DataFrame(belongs).sum(axis=1) > 1).any():
            raise CohortError(
                f"subgroups.{name}\n    found    patients who belong to two levels\n    allowed  levels that exclude each other\n"
                "    to do    correct the expressions"
            )
        for level, rows in belongs.items():
            if not rows.any():
                continue
            found = analyse(cohort[rows].reset_index(drop=True), **settings, seed=seed).estimates
            parts.append(found[_at_horizon(found, primary)].assign(subgroup=name, level=level))
    return stack(parts, SUBGROUP_ESTIMATES)


def estimate_primary(
    cohort: pd.DataFrame,
    *,
    primary: Hypothesis,
    covariates: Covariates,
    designs: DesignsSection,
    propensity: PropensitySection = DEFAULT_PROPENSITY,
    outcomes: OutcomesSection,
    seed: int,
) -> pd.DataFrame:
    """ESTIMATES of the primary contrast at its horizon, for every replicate, under every design that the protocol asks for it."""
    settings = {"covariates": covariates, "designs": designs_asked(designs, primary.contrast), "propensity": propensity, "seed": seed}
    found = analyse(cohort, outcomes=ask_only(outcomes, primary, (primary.contrast,)), **settings).estimates  # type: ignore[arg-type]
    return found[_at_horizon(found, primary)].reset_index(drop=True)


def permute_treatment(
    cohort: pd.DataFrame,
    *,
    permutations: int,
    primary: Hypothesis,
    covariates: Covariates,
    designs: DesignsSection,
    propensity: PropensitySection = DEFAULT_PROPENSITY,
    outcomes: OutcomesSection,
    seed: int,
) -> pd.DataFrame:
    """The primary estimate of replicate 0 under treatment permuted among its patients, again and again: what chance and the method alone make.

    Under a permutation treatment acts on nobody and is independent of the covariates: the estimates scatter around the null, and a level of 5 %
    rejects 5 % of them. Returns PERMUTATIONS; a permutation that cannot be estimated has missing values.
    """
    patients = cohort[cohort["replicate"] == cohort["replicate"].min()].assign(replicate=0).reset_index(drop=True)
    settings = design_alone(primary.design, designs, propensity)
    settings |= {"covariates": covariates, "outcomes": ask_only(outcomes, primary, (primary.contrast,)), "seed": seed}
    rng = np.random.default_rng([seed, 0])
    rows = []
    for permutation in range(permutations):
        permuted = patients.assign(treated=rng.permutation(patients["treated"].to_numpy(dtype=bool)))
        found = analyse(permuted, **settings).estimates
        row = found[_at_horizon(found, primary)].iloc[0]
        rows.append({"permutation": permutation} | {name: row[name] for name in ("estimate", "std_error", "p_value")})
    return pd.DataFrame(rows, columns=list(PERMUTATIONS.columns))


def ask_only(outcomes: OutcomesSection, asked: Hypothesis, contrasts: tuple[str, ...]) -> OutcomesSection:
    """The outcome of a hypothesis with these contrasts, at its horizon only."""
    changed: dict[str, object] = {"contrasts": contrasts}
    if asked.horizon_days is not None:
        changed["horizons_days"] = (asked.horizon_days,)
    return OutcomesSection({asked.outcome: outcomes[asked.outcome].model_copy(update=changed)})


def _at_horizon(found: pd.DataFrame, asked: Hypothesis) -> pd.Series:
    return found["horizon_days"].isna() if asked.horizon_days is None else found["horizon_days"] == asked.horizon_days
