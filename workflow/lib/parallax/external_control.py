"""A site's own treated patients beside the AI-generated comparators of a release: from two sources to one cohort of m replicates, and its answer."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import pandas as pd

from parallax.cohort.selection import select_cohort
from parallax.errors import CohortError
from parallax.protocol.cohort import CohortSection
from parallax.protocol.outcomes import OutcomesSection
from parallax.synthesis.external_control import join_external_control
from parallax.tables import category_text, level_text


@dataclass(frozen=True, slots=True)
class ExternalControl:
    """``cohort``: m replicates of the same treated and as many ``comparators`` each; ``learned_from``: the eligible real comparators behind these;
    ``compared_here``: whether the site has comparators of its own, so that tables of the same treated patients may stand elsewhere."""

    cohort: pd.DataFrame
    treated: int
    comparators: int
    learned_from: int
    compared_here: bool

    def plain(self) -> dict[str, object]:
        """All but the cohort as JSON-ready values."""
        return {name: getattr(self, name) for name in ("treated", "comparators", "learned_from", "compared_here")}


def assemble_external_control(
    patients: pd.DataFrame,
    released: pd.DataFrame,
    cohort: CohortSection,
    outcomes: OutcomesSection,
    *,
    patient_id: str | None,
    learned_from: int | None,
    applied: Collection[str] = (),
) -> ExternalControl:
    """Real treated patients of ``patients`` beside the comparators of every replicate of ``released``, both selected by this protocol.

    Assumption
        The generator behind the release never saw the treated patients. It learned from ``learned_from`` real comparators (as the release states
        them, rounded), of whom the share that its comparators show is eligible here: n₀.
    Formula
        k₀ comparators of every replicate, the smaller of n₀ and of the smallest replicate's. At k₀ = n₀ the variance T = v + b/m is right; for
        fewer it is too large, by at most n₀/k₀ (docs/decisions/0066).
    Errors
        CohortError as :func:`select_cohort`, and where the release does not say how many comparators it learned from.
    """
    if learned_from is None:
        raise CohortError(
            "external control: the release learned from too few comparators to say how many; no interval can be made from it\n"
            "    allowed  a release that states the number of its real comparators\n    to do    use another release"
        )
    arm = category_text(patients[cohort.arms.column])
    compared_here = bool((arm == level_text(cohort.arms.comparator)).any())
    own = patients[(arm == level_text(cohort.arms.treated)).fillna(False).to_numpy(bool)]
    treated = select_cohort(own, cohort, outcomes, patient_id, needed=("treated",)).cohort
    arm = category_text(released[cohort.arms.column])
    controls = released[(arm == level_text(cohort.arms.comparator)).fillna(False).to_numpy(bool)]
    drawn = pd.concat(
        [
            select_cohort(rows.drop(columns="replicate"), cohort, outcomes, "patient_id", applied=applied, needed=("comparator",)).cohort.assign(
                replicate=int(str(replicate))
            )
            for replicate, rows in controls.groupby("replicate", sort=True)
        ],
        ignore_index=True,
    )
    eligible = int(learned_from * len(drawn) / len(controls))
    comparators = min(eligible, int(drawn["replicate"].value_counts().min()))
    joined = join_external_control(treated, drawn, learned_from=comparators)
    return ExternalControl(joined, treated=len(treated), comparators=comparators, learned_from=eligible, compared_here=compared_here)
