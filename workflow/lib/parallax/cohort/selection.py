"""Selection of the cohort: arms, eligibility, covariates and outcomes, and who was left out at each step."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from parallax.errors import CohortError
from parallax.expressions import evaluate
from parallax.protocol import (
    BinaryOutcome,
    CohortSection,
    ContinuousOutcome,
    CountOutcome,
    Covariates,
    Outcome,
    OutcomesSection,
    SurvivalOutcome,
)
from parallax.protocol.checks.faults import neither
from parallax.tables import ATTRITION, category_text, cohort_schema, level_text
from parallax.vocabulary import ARMS, MISSING_LEVEL


@dataclass(frozen=True, slots=True)
class Selection:
    """The cohort table (replicate 0) and the attrition table that tells how it came about."""

    cohort: pd.DataFrame
    attrition: pd.DataFrame


def select_cohort(
    patients: pd.DataFrame,
    cohort: CohortSection,
    outcomes: OutcomesSection,
    patient_id: str | None,
    *,
    applied: Collection[str] = (),
    needed: Collection[str] = ARMS,
) -> Selection:
    """The patients of both arms who meet every criterion, with their covariates and outcomes.

    Steps, each a row of the attrition table: the source as it is, the two arms, every eligibility criterion (unknown counts as not met; those
    of ``applied`` are met by all, since the source was made of patients who met them), and under ``missing: complete_case`` the patients
    without a missing covariate. Raises ``CohortError`` with every fault found where ids are
    missing or repeated, follow-up is missing, not above zero or beyond ``follow_up_days``, an event is neither 0 nor 1, a covariate cannot
    be used, or an arm of ``needed`` is empty. Faults are counted; no patient's value is shown.
    """
    arm = category_text(patients[cohort.arms.column])
    treated = (arm == level_text(cohort.arms.treated)).fillna(False).to_numpy(bool)
    comparator = (arm == level_text(cohort.arms.comparator)).fillna(False).to_numpy(bool)
    covariates = _covariate_columns(patients, cohort.covariates)

    steps = [("source", "patients in the source", np.ones(len(patients), dtype=bool))]
    steps += [("arms", f'in neither arm by column "{cohort.arms.column}"', treated | comparator)]
    for number, criterion in enumerate(cohort.eligibility):
        if criterion.keep in applied:
            steps += [(criterion.name, f"{criterion.reason} (applied before the release)", np.ones(len(patients), dtype=bool))]
            continue
        met = evaluate(patients, criterion.keep, where=f"cohort.eligibility[{number}].keep").to_numpy()
        steps += [(criterion.name, criterion.reason, met)]
    if cohort.covariates.missing == "complete_case":
        steps += [("complete_case", "a covariate is missing", covariates.notna().all(axis=1).to_numpy())]

    kept = np.ones(len(patients), dtype=bool)
    rows = []
    for number, (name, reason, keep) in enumerate(steps):
        remaining = kept & keep
        rows += [(number, name, reason, int((kept & ~keep).sum()), int((remaining & treated).sum()), int((remaining & comparator).sum()))]
        kept = remaining
    attrition = ATTRITION.validate(pd.DataFrame(rows, columns=list(ATTRITION.columns)))

    faults = _empty_arms(attrition, cohort, needed)
    ids = _patient_ids(patients, patient_id)[kept]
    if faulty := int(ids.isna().sum()):
        faults += [f'column "{patient_id}" holds no identifier for {_patients(faulty)}']
    if repeated := int(ids.dropna().duplicated(keep=False).sum()):
        faults += [f'column "{patient_id}" holds an identifier that another row has too for {_patients(repeated)}; a patient may occur once']
    selected, described = patients[kept], covariates[kept]
    columns = {"replicate": np.zeros(len(selected), dtype=np.int64), "patient_id": ids, "treated": treated[kept]}
    columns |= {name: described[name] for name in cohort.covariates.names}
    faults += _unusable_covariates(described, cohort.covariates)
    for name, outcome in outcomes.items():
        found = _outcome_faults(name, outcome, selected)
        faults += found
        columns |= {f"{name}_{part}": selected[column] for part, column in outcome.columns.items()}
        if isinstance(outcome, SurvivalOutcome) and not found:
            columns[f"{name}_event"] = selected[outcome.event].map({code: position for position, code in enumerate(outcome.codes)})
    if faults:
        raise CohortError("the cohort cannot be studied:\n" + "\n".join(f"  - {fault}" for fault in faults))
    table = pd.DataFrame(columns).reset_index(drop=True)
    schema = cohort_schema(cohort.covariates, outcomes)
    return Selection(cohort=schema.validate(table), attrition=attrition)


def _patient_ids(patients: pd.DataFrame, column: str | None) -> pd.Series:
    if column is None:
        return pd.Series(np.arange(1, len(patients) + 1), index=patients.index).astype("string")
    return category_text(patients[column])


def _covariate_columns(patients: pd.DataFrame, covariates: Covariates) -> pd.DataFrame:
    columns = {}
    for name in covariates.numeric:
        if patients[name].dtype.kind not in "iufb":
            raise CohortError(f'numeric covariate "{name}" holds text or dates: list it under cohort.covariates.categorical')
        columns[name] = pd.Series(patients[name].to_numpy("float64", na_value=np.nan), index=patients.index)
    for name in covariates.categorical:
        columns[name] = category_text(patients[name])
    return pd.DataFrame(columns, index=patients.index)


def _unusable_covariates(values: pd.DataFrame, covariates: Covariates) -> list[str]:
    empty = [name for name in covariates.names if len(values) and values[name].isna().all()]
    faults = [f'covariate "{name}" is missing for every patient; leave it out' for name in empty]
    faults += [
        f'numeric covariate "{name}" is infinite for {_patients(int(np.isinf(values[name]).sum()))}'
        for name in covariates.numeric
        if np.isinf(values[name]).any()
    ]
    faults += [
        f'categorical covariate "{name}" has a level "{MISSING_LEVEL}", which is reserved for missing values'
        for name in covariates.categorical
        if (values[name] == MISSING_LEVEL).any()
    ]
    return faults


def _empty_arms(attrition: pd.DataFrame, cohort: CohortSection, needed: Collection[str]) -> list[str]:
    faults = []
    for arm in needed:
        remaining = attrition[f"remaining_{arm}"]
        if remaining.iloc[-1] == 0:
            last = attrition["criterion"].iloc[int(remaining.eq(0).argmax())]
            faults += [f'no patient of the {arm} arm ("{level_text(getattr(cohort.arms, arm))}") is left after step "{last}"']
    return faults


def _outcome_faults(name: str, outcome: Outcome, patients: pd.DataFrame) -> list[str]:
    columns = [patients[column] for column in outcome.columns.values()]
    if any(column.dtype.kind not in "iufb" for column in columns):
        named = " and ".join(f'"{column}"' for column in outcome.columns.values())
        return [f'outcome "{name}": column{"s" * (len(columns) > 1)} {named} must hold numbers']
    faults: dict[str, pd.Series] = {}
    match outcome:
        case SurvivalOutcome():
            days, event = columns
            faults = {
                f'column "{outcome.days}" holds no follow-up time': days.isna(),
                f'column "{outcome.days}" holds a follow-up time of zero or less': days.le(0),
                f'column "{outcome.days}" holds a follow-up time beyond follow_up_days ({outcome.follow_up_days:g})': days.gt(outcome.follow_up_days),
                f'column "{outcome.event}" holds {neither(outcome.codes)}': ~event.isin(outcome.codes),
            }
        case BinaryOutcome():
            faults = {f'column "{outcome.value}" holds neither 0 nor 1': ~columns[0].isin([0, 1])}
        case ContinuousOutcome():
            faults = {f'column "{outcome.value}" holds no number': ~np.isfinite(columns[0].to_numpy("float64", na_value=np.nan))}
        case CountOutcome():
            faults = {f'column "{outcome.value}" holds no whole number of at least zero': ~(columns[0].ge(0) & columns[0].mod(1).eq(0))}
            if outcome.person_days is not None:
                faults[f'column "{outcome.person_days}" holds no time above zero'] = ~columns[1].gt(0)
    return [f'outcome "{name}": {what} for {_patients(int(faulty.sum()))}' for what, faulty in faults.items() if faulty.any()]


def _patients(count: int) -> str:
    return "1 patient" if count == 1 else f"{count} patients"
