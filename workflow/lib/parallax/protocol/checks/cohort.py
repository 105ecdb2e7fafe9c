"""Faults of the cohort: arms, covariates and the names that its table needs itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from parallax.errors import Fault
from parallax.protocol.checks.faults import repeated
from parallax.protocol.cohort import CohortSection
from parallax.protocol.data import DataSection
from parallax.protocol.outcomes import OutcomesSection
from parallax.vocabulary import SITE

_RESERVED_COLUMNS: Final = frozenset({"replicate", "patient_id", "treated", SITE})

_PARTS: Final = {"days": "the follow-up time", "event": "the event", "value": "the value", "person_days": "the time"}


def check_arms(cohort: CohortSection) -> Iterator[Fault]:
    """The arms are two, and every criterion has a name of its own."""
    if cohort.arms.treated == cohort.arms.comparator and type(cohort.arms.treated) is type(cohort.arms.comparator):
        found = f'"{cohort.arms.comparator}", which is the treated arm too'
        yield Fault("cohort.arms.comparator", found, "two different levels of the arm column", "correct one of the two")
    for name in repeated(criterion.name for criterion in cohort.eligibility):
        yield Fault("cohort.eligibility", f'two criteria named "{name}"', "every name once", "rename one of the two")


def check_covariates(cohort: CohortSection, outcomes: OutcomesSection) -> Iterator[Fault]:
    """Covariates are known before treatment, each is named once, and none has a name of the cohort table."""
    names, where = cohort.covariates.names, "cohort.covariates"
    if not names:
        yield Fault(where, "no covariate", "at least one, numeric or categorical", "list what is known of each patient at the index date")
    for name in repeated(names):
        yield Fault(where, f'"{name}" more than once', "every covariate once, as numeric or as categorical", "remove the repetition")
    taken = {cohort.arms.column: "the arm column"}
    for outcome_name, outcome in outcomes.items():
        taken |= {column: f'{_PARTS[part]} of outcome "{outcome_name}"' for part, column in outcome.columns.items()}
    for name in dict.fromkeys(names):
        if name in taken:
            yield Fault(where, f'"{name}", which is {taken[name]}', "what is known before treatment and outcome", "remove it from the covariates")
    reserved = _RESERVED_COLUMNS | set(outcomes.cohort_columns)
    for name in dict.fromkeys(names):
        if name in reserved and name not in taken:
            allowed = f"any name but {', '.join(sorted(reserved))}"
            yield Fault(where, f'"{name}", a name that the cohort table needs itself', allowed, "rename the column in the source")


def check_identifiers(cohort: CohortSection, data: DataSection) -> Iterator[Fault]:
    """What identifies a patient is no covariate."""
    for site, source in data.sites.items():
        if source.patient_id in cohort.covariates.names:
            found = f'"{source.patient_id}", which identifies the patients of site "{site}"'
            yield Fault("cohort.covariates", found, "what is known before treatment and outcome", "remove it from the covariates")
