"""Everything that one dataset says, over all its replicates."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from parallax.protocol.outcomes import OutcomesSection
from parallax.protocol.question import QuestionSection
from parallax.tables import ROBUSTNESS, empty_table
from parallax.validation.combining import adjust_family, combine, leave_out, take_real
from parallax.validation.robustness import assess_robustness
from parallax.validation.rules import Fit
from parallax.validation.subgroups import combine_levels, measure_interactions


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
    return _summarise(take_real(answers.estimates), combine_levels(answers.subgroups, take_real), answers, question, outcomes)


def summarise_generator(
    answers: Answers,
    *,
    stacked: pd.DataFrame,
    patients: int,
    synthetic: int,
    fit: Fit,
    not_estimable: float,
    question: QuestionSection,
    outcomes: OutcomesSection,
) -> Summary:
    """The replicates of a generator combined; see :func:`parallax.validation.combining.combine` for ``stacked``, the sizes and the settings."""

    def combine_all(estimates: pd.DataFrame, stacked: pd.DataFrame | None = None) -> pd.DataFrame:
        return combine(estimates, stacked=stacked, patients=patients, synthetic=synthetic, fit=fit, not_estimable=not_estimable)

    combined, levels = combine_all(answers.estimates, stacked), combine_levels(answers.subgroups, combine_all)
    return _summarise(combined, levels, answers, question, outcomes)


def summarise_failure(real: pd.DataFrame, reason: str) -> Summary:
    """A generator that drew no patients: every target of the ``real`` COMBINED table, not estimable for this reason."""
    left_out = leave_out(real, reason)
    nobody = combine_levels(pd.DataFrame(columns=["subgroup", "level"]), take_real)
    return Summary(left_out, nobody, measure_interactions(nobody), empty_table(ROBUSTNESS))


def _summarise(combined: pd.DataFrame, levels: pd.DataFrame, answers: Answers, question: QuestionSection, outcomes: OutcomesSection) -> Summary:
    return Summary(
        adjust_family(combined, question.family),
        levels,
        measure_interactions(levels),
        assess_robustness(combined, answers.permutations, primary=question.primary, outcomes=outcomes),
    )
