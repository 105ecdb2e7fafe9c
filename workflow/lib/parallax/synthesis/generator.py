"""What every generator promises, and what every cohort must offer before a generator is fitted to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import pandas as pd

from parallax.errors import GenerationError
from parallax.expressions import evaluate
from parallax.protocol import Constraint, Covariates, OutcomesSection
from parallax.protocol.outcomes import BinaryOutcome, ContinuousOutcome, CountOutcome, Outcome, SurvivalOutcome
from parallax.vocabulary import ARMS

#: fewest patients in an arm: below, no model of an arm says anything
MINIMUM_ARM: Final = 10
#: fewest patients of whom a covariate is known: below, its margin is a few patients' own values
MINIMUM_KNOWN: Final = 10
#: what this many patients have is shared; what fewer have is one patient's own, and is not handed out as it is
SHARED: Final = 2
#: most levels of a categorical covariate: beyond, its levels identify patients more than they describe them
MAXIMUM_LEVELS: Final = 50
#: largest number of a column that trees are grown on: they hold numbers in single precision, which ends at 3.4e38
LARGEST_SPLIT: Final = 1e38


@dataclass(frozen=True, slots=True)
class Context:
    """What the protocol says about the cohort's columns; all that a generator may know of the study."""

    covariates: Covariates
    outcomes: OutcomesSection
    constraints: tuple[Constraint, ...] = ()
    """Kept by every draw, whatever a generator makes of them: ``synthesis.constraints`` draws anew what breaks one."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a drawn table, in order: ``treated``, covariates, the columns of each outcome."""
        return ("treated", *self.covariates.names, *self.outcomes.cohort_columns)


class FittedGenerator(Protocol):
    """A fitted generator: pickles, and draws as many patients as asked for."""

    def draw(self, patients: int, *, rng: np.random.Generator) -> pd.DataFrame:
        """Synthetic patients with ``Context.columns``; the same ``rng`` state gives the same bits, whatever was drawn before."""
        ...


class Generator(Protocol):
    """A kind of generator, set up but not fitted."""

    def fit(self, cohort: pd.DataFrame, *, context: Context, rng: np.random.Generator) -> FittedGenerator:
        """Learn from a cohort in which :func:`find_faults` found none; raises GenerationError."""
        ...


def find_small_arms(cohort: pd.DataFrame) -> list[str]:
    """The arms with fewer than ``MINIMUM_ARM`` patients."""
    sizes = (int(cohort["treated"].sum()), int((~cohort["treated"]).sum()))
    return [arm for arm, size in zip(ARMS, sizes, strict=True) if size < MINIMUM_ARM]


def find_faults(cohort: pd.DataFrame, context: Context) -> list[str]:
    """Why no generator could learn from these patients, all at once; a reader sees the reasons, so they count no patients."""
    faults = [
        f"the {arm} arm: found fewer than {MINIMUM_ARM} patients; allowed are {MINIMUM_ARM} or more; widen the eligibility"
        for arm in find_small_arms(cohort)
    ]
    for name in context.covariates.names:
        faults += _check_covariate(name, cohort[name])
    for name, outcome in context.outcomes.items():
        faults += _check_outcome(name, outcome, cohort)
    return faults


def find_unknown_in_arms(cohort: pd.DataFrame, covariates: Covariates) -> list[str]:
    """The numeric covariates that too few of an arm have, for a model that learns each arm's covariates by themselves."""
    treated = cohort["treated"].to_numpy(bool)
    return [
        fault
        for arm, chosen in zip(ARMS, (treated, ~treated), strict=True)
        for name in covariates.numeric
        for fault in check_known(f'covariate "{name}", {arm} arm', cohort.loc[chosen, name])
    ]


def find_beyond_splits(cohort: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """The columns of numbers too large for trees to be split by."""
    allowed = f"allowed are numbers between -{LARGEST_SPLIT:g} and {LARGEST_SPLIT:g}; measure it in another unit, or recode them"
    return [f'column "{name}": found numbers too large for trees; {allowed}' for name in columns if (cohort[name].abs() > LARGEST_SPLIT).any()]


def check_known(where: str, column: pd.Series) -> list[str]:
    """The fault of a covariate that is known of fewer than ``MINIMUM_KNOWN`` patients: whatever is drawn of it would be theirs."""
    if column.notna().sum() >= MINIMUM_KNOWN:
        return []
    return [f"{where}: found fewer than {MINIMUM_KNOWN} patients of whom it is known; allowed are {MINIMUM_KNOWN} or more; leave it out"]


def select_subgroup(cohort: pd.DataFrame, keep: str, *, where: str) -> pd.DataFrame:
    """The real patients of whom ``keep`` is true; GenerationError, without their number, where an arm of them is too small to be learnt from."""
    real = cohort[evaluate(cohort, keep, where=where)].reset_index(drop=True)
    if small := find_small_arms(real):
        raise GenerationError(
            f"{where}: found fewer than {MINIMUM_ARM} real patients in the {' and the '.join(small)} arm; allowed are {MINIMUM_ARM} or more: "
            "of fewer nothing is known that more synthetic ones could stand for; widen the subgroup"
        )
    return real


def _check_covariate(name: str, column: pd.Series) -> list[str]:
    where = f'covariate "{name}"'
    if column.dtype.kind == "f":
        infinite = bool(np.isinf(column.to_numpy()).any())
        faults = [f"{where}: found infinite values; allowed are finite or missing ones; recode them"] if infinite else []
        return [*check_known(where, column), *faults]
    held = column.value_counts()
    if few := check_known(where, column):
        return few
    if len(held) > MAXIMUM_LEVELS:
        return [f"{where}: found {len(held)} levels; allowed are {MAXIMUM_LEVELS} or fewer; merge rare ones"]
    if held.max() < SHARED:
        return [f"{where}: found no level that {SHARED} patients have; allowed is one at least; merge levels, or leave it out"]
    return []


def _check_outcome(name: str, outcome: Outcome, cohort: pd.DataFrame) -> list[str]:
    where, parts = f'outcome "{name}"', {part: cohort[f"{name}_{part}"].to_numpy(float) for part in outcome.columns}
    faults = []
    for part, what in (("days", "follow-up times"), ("person_days", "person-times")):
        if part in parts and not (np.isfinite(parts[part]) & (parts[part] > 0)).all():
            faults.append(f"{where}: found {what} that are missing, infinite or not above zero; recode or exclude them")
    value = parts.get("value", np.zeros(0))
    if not np.isfinite(value).all():
        return [*faults, f"{where}: found missing or infinite values; allowed are finite ones; recode or exclude them"]
    match outcome:
        case SurvivalOutcome():
            if not (parts["event"] == 1).any():
                faults.append(f"{where}: found no events; allowed is at least one; lengthen the follow-up or choose another outcome")
        case BinaryOutcome():
            if set(value) != {0.0, 1.0}:
                faults.append(f"{where}: found not both of yes and no; allowed are 0 and 1, each at least once; choose another outcome")
        case ContinuousOutcome():
            if value.min() == value.max():
                faults.append(f"{where}: found one value only; allowed are at least two; choose another outcome")
        case CountOutcome():
            if (value < 0).any() or (value % 1 != 0).any():
                faults.append(f"{where}: found values that are no counts; allowed are whole numbers of at least zero; recode or exclude them")
            elif not value.any():
                faults.append(f"{where}: found no events; allowed is at least one; lengthen the person-time or choose another outcome")
    return faults
