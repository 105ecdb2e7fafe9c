"""What was observed of an outcome in the patients of one replicate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from parallax.errors import NotEstimable
from parallax.protocol.outcomes import Outcome, SurvivalOutcome
from parallax.vocabulary import SITE

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Followed:
    """A survival outcome: ``time`` (n,) in days and ``kind`` (n,) 0 censored, 1 the event, 2 … competing events; ``horizons_days`` the protocol's;
    ``stratum`` (n,) the site of pooled patients, whose hazards are compared within it, None where all are of one site."""

    time: FloatArray
    kind: NDArray[np.int64]
    competing: bool
    horizons_days: tuple[float, ...]
    stratum: NDArray[np.int64] | None = None

    @property
    def event(self) -> BoolArray:
        """Who has the event; competing events end follow-up as far as its hazard is concerned."""
        found: BoolArray = self.kind == 1
        return found

    def among(self, rows: BoolArray) -> Self:
        """Some of the patients."""
        return replace(self, time=self.time[rows], kind=self.kind[rows], stratum=None if self.stratum is None else self.stratum[rows])

    def until(self, horizon_days: float | None) -> Self:
        """The same patients with follow-up censored at the horizon."""
        if horizon_days is None:
            return self
        return replace(self, time=np.minimum(self.time, horizon_days), kind=np.where(self.time > horizon_days, 0, self.kind))

    def start_of_interval(self, end_days: float | None) -> float:
        """The horizon before the one given (None: after the last), 0 before the first."""
        return max((horizon for horizon in self.horizons_days if end_days is None or horizon < end_days), default=0.0)


@dataclass(frozen=True, slots=True)
class Valued:
    """An outcome of one ``value`` (n,) per patient; ``exposure`` (n,) the person-days of a count."""

    value: FloatArray
    exposure: FloatArray
    family: Literal["binary", "continuous", "count"]

    def among(self, rows: BoolArray) -> Self:
        """Some of the patients."""
        return replace(self, value=self.value[rows], exposure=self.exposure[rows])


Observed = Followed | Valued


def observe(patients: pd.DataFrame, name: str, outcome: Outcome) -> Observed:
    """The outcome of that name from the cohort's rows; the column ``SITE`` of a pooled cohort is the stratum."""
    if isinstance(outcome, SurvivalOutcome):
        stratum = patients[SITE].factorize(sort=True)[0].astype(np.int64) if SITE in patients.columns else None
        days, kind = patients[f"{name}_days"].to_numpy(dtype=np.float64), patients[f"{name}_event"].to_numpy(dtype=np.int64)
        return Followed(days, kind, bool(outcome.competing), outcome.horizons_days, stratum)
    exposure = patients[f"{name}_person_days"].to_numpy(dtype=np.float64) if "person_days" in outcome.columns else np.ones(len(patients))
    return Valued(patients[f"{name}_value"].to_numpy(dtype=np.float64), exposure, outcome.type)


def count_events(observed: Observed, rows: BoolArray, horizon_days: float | None) -> float:
    """How many of these patients have the event by the horizon, or a binary outcome; the sum of a count; not a number for a measurement."""
    if isinstance(observed, Followed):
        return float((observed.until(horizon_days).event & rows).sum())
    return float("nan") if observed.family == "continuous" else float(observed.value[rows].sum())


def require_arms(observed: Observed, treated: BoolArray, inside: BoolArray, horizon_days: float | None) -> None:
    """Raise NotEstimable where an arm is empty, or has no events by the horizon."""
    for arm, rows in (("treated", treated), ("comparator", ~treated)):
        if not (inside & rows).any():
            raise NotEstimable(f"the {arm} arm has no patients")
        if isinstance(observed, Followed) and not count_events(observed, inside & rows, horizon_days):
            raise NotEstimable(f"no events in the {arm} arm by the horizon")
    if isinstance(observed, Valued) and np.ptp(observed.value[inside]) == 0:
        raise NotEstimable("the outcome is the same for all patients")
