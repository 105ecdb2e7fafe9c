"""``outcomes``: what is compared between the arms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import Field

from parallax.protocol.base import NamedSection, Section
from parallax.vocabulary import Contrast

SurvivalContrast = Literal[
    "hazard_ratio",
    "interval_hazard_ratio",
    "hazard_ratio_trend",
    "log_rank",
    "risk_difference",
    "risk_ratio",
    "rmst_difference",
    "rmst_ratio",
]

NegativeControl = Annotated[
    bool, Field(description="whether treatment is known not to act on it: its estimates show the systematic error of the others, and calibrate them")
]


class SurvivalOutcome(Section):
    """Time from the index date to an event, right-censored; other events may compete with it."""

    type: Literal["survival"]
    days: str = Field(description="column with the follow-up time in days, above zero")
    event: str = Field(description="column with 0 for censoring, event_code for the event, and the codes of competing events")
    event_code: int = Field(default=1, ge=1, description="what stands for the event in the column event")
    competing: tuple[int, ...] = Field(
        default=(), description="codes of events after which this one cannot happen: risks are then cumulative incidences, hazards cause-specific"
    )
    follow_up_days: float = Field(
        gt=0, description="the longest follow-up that the data can hold; a longer one is a fault, and no horizon may lie beyond it"
    )
    horizons_days: tuple[float, ...] = Field(min_length=1, description="increasing; effects are estimated at each")
    contrasts: tuple[SurvivalContrast, ...] = Field(min_length=1, description="how the arms are compared")
    negative_control: NegativeControl = False

    @property
    def codes(self) -> tuple[int, ...]:
        """Every code that the event column may hold, in the order of the cohort table's 0, 1, 2, …"""
        return (0, self.event_code, *self.competing)

    @property
    def columns(self) -> Mapping[str, str]:
        """Source column by part of the cohort table's name."""
        return {"days": self.days, "event": self.event}


class _ValueOutcome(Section):
    value: str = Field(description="column with the outcome, known for every patient")
    negative_control: NegativeControl = False

    @property
    def columns(self) -> Mapping[str, str]:
        """Source column by part of the cohort table's name."""
        return {"value": self.value}


class BinaryOutcome(_ValueOutcome):
    """Whether something happened, known for every patient: 1 for yes, 0 for no."""

    type: Literal["binary"]
    contrasts: tuple[Literal["risk_difference", "risk_ratio", "odds_ratio"], ...] = Field(min_length=1, description="how the arms are compared")


class ContinuousOutcome(_ValueOutcome):
    """A measurement, known for every patient."""

    type: Literal["continuous"]
    contrasts: tuple[Literal["mean_difference"], ...] = Field(min_length=1, description="how the arms are compared")


class CountOutcome(_ValueOutcome):
    """How often something happened in a time that may differ between patients."""

    type: Literal["count"]
    person_days: str | None = Field(default=None, description="column with the days in which the count was taken; null: the same for everybody")
    contrasts: tuple[Literal["rate_ratio"], ...] = Field(min_length=1, description="how the arms are compared")

    @property
    def columns(self) -> Mapping[str, str]:
        """Source column by part of the cohort table's name."""
        return {"value": self.value} | ({"person_days": self.person_days} if self.person_days is not None else {})


Outcome = Annotated[SurvivalOutcome | BinaryOutcome | ContinuousOutcome | CountOutcome, Field(discriminator="type")]
ValueOutcome = BinaryOutcome | ContinuousOutcome | CountOutcome

#: what is asked at every horizon; the hazard ratio and the log-rank test also over all follow-up
_AT_HORIZONS: Final = frozenset({"risk_difference", "risk_ratio", "rmst_difference", "rmst_ratio"})


def asked_of(outcome: SurvivalOutcome | ValueOutcome) -> tuple[tuple[Contrast, float | None], ...]:
    """Contrast and horizon of every estimate that an outcome asks for.

    The hazard ratio and the log-rank test censor at the horizon, None being all follow-up; an ``interval_hazard_ratio`` is that from the
    horizon before (or the index date) to its own, None being the time after the last; the trend is of all follow-up; other outcomes know
    no horizon.
    """
    if not isinstance(outcome, SurvivalOutcome):
        return tuple((contrast, None) for contrast in outcome.contrasts)
    found: list[tuple[Contrast, float | None]] = []
    for contrast in outcome.contrasts:
        found += [(contrast, horizon) for horizon in outcome.horizons_days if contrast != "hazard_ratio_trend"]
        if contrast not in _AT_HORIZONS and not (contrast == "interval_hazard_ratio" and outcome.horizons_days[-1] >= outcome.follow_up_days):
            found.append((contrast, None))
    return tuple(found)


class OutcomesSection(NamedSection[Outcome]):
    """Outcomes by name."""

    @property
    def survival(self) -> dict[str, SurvivalOutcome]:
        """The outcomes that are times to an event."""
        return {name: outcome for name, outcome in self.items() if isinstance(outcome, SurvivalOutcome)}

    @property
    def values(self) -> dict[str, ValueOutcome]:
        """The outcomes that are one value per patient."""
        return {name: outcome for name, outcome in self.items() if not isinstance(outcome, SurvivalOutcome)}

    @property
    def cohort_columns(self) -> tuple[str, ...]:
        """The outcomes' columns in the cohort table, in order."""
        return tuple(f"{name}_{part}" for name, outcome in self.items() for part in outcome.columns)
