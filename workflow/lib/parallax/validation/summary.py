"""Everything that one dataset says, over all its replicates."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from parallax.protocol.outcomes import OutcomesSection
from parallax.protocol.question import QuestionSection
from parallax.protocol.subgroups import SubgroupsSection
from parallax.tables import ROBUSTNESS, SUBGROUPS, empty_table
from parallax.validation.combining import adjust_family, combine, leave_out, take_real
from parallax.validation.robustness import assess_robustness
from parallax.validation.rules import Fit
from parallax.validation.subgroups import Level, combine_levels, count_levels, measure_interactions


@dataclass(frozen=True, slots=True)
class Summary:
    """The tables ``combined``, ``subgroups``, ``interactions`` and ``robustness`` of a dataset."""

    combined: pd.DataFrame
    subgroups: pd.DataFrame
    interactions: pd.DataFrame
    robustness: pd.DataFrame


@dataclass(frozen=True, slots=True)
class Answers:
    """What the analysis found on a dataset: the tables ESTIMATES, SUBGROUP_ESTIMATES and PERMUTATIONS."""

    estimates: pd.DataFrame
    subgroups: pd.DataFrame
    permutations: pd.DataFrame


def summarise_real(answers: Answers, *, question: QuestionSection, outcomes: OutcomesSection) -> Summary:
    """The real patients' own answer: nothing is combined."""
    levels = combine_levels(answers.subgroups, lambda estimates, _: take_real(estimates))
    return _summarise(take_real(answers.estimates), levels, answers, question, outcomes)


def summarise_generator(
    answers: Answers,
    *,
    stacked: pd.DataFrame,
    real_answers: pd.DataFrame,
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    fit: Fit,
    not_estimable: float,
    question: QuestionSection,
    outcomes: OutcomesSection,
    subgroups: SubgroupsSection,
) -> Summary:
    """The replicates of a generator combined; see :func:`parallax.validation.combining.combine` for ``stacked`` and the settings.

    ``real_answers`` (COMBINED) are the real patients' own, ``real`` and ``synthetic`` the cohorts, of which n and k are counted: of all patients,
    and of the patients of each level of a subgroup.
    """
    known, drawn = count_levels(real, subgroups), count_levels(synthetic, subgroups)

    def combine_level(estimates: pd.DataFrame, level: Level) -> pd.DataFrame:
        return combine(estimates, patients=known[level].get(0, 0), synthetic=drawn[level], fit=fit, not_estimable=not_estimable)

    sizes = {int(str(replicate)): int(size) for replicate, size in synthetic.groupby("replicate").size().items()}
    combined = combine(answers.estimates, stacked=stacked, patients=len(real), synthetic=sizes, fit=fit, not_estimable=not_estimable)
    levels = combine_levels(answers.subgroups, combine_level)
    return _summarise(combined, levels, answers, question, outcomes, real_answers)


def summarise_failure(real: pd.DataFrame, reason: str) -> Summary:
    """A generator that drew no patients: every target of the ``real`` COMBINED table, not estimable for this reason."""
    left_out = leave_out(real, reason)
    nobody = empty_table(SUBGROUPS)
    return Summary(left_out, nobody, measure_interactions(nobody), empty_table(ROBUSTNESS))


def _summarise(
    combined: pd.DataFrame,
    levels: pd.DataFrame,
    answers: Answers,
    question: QuestionSection,
    outcomes: OutcomesSection,
    real: pd.DataFrame | None = None,
) -> Summary:
    return Summary(
        adjust_family(combined, question.family),
        levels,
        measure_interactions(levels),
        assess_robustness(combined, answers.permutations, primary=question.primary, outcomes=outcomes, real=real),
    )
