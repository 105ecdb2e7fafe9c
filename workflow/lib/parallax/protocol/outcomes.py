"""``outcomes``: what is compared between the arms."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from parallax.protocol.base import NamedSection, Section
from parallax.vocabulary import Contrast


class SurvivalOutcome(Section):
    """Time from the index date to an event, right-censored."""

    type: Literal["survival"]
    days: str = Field(description="column with the follow-up time in days, above zero")
    event: str = Field(description="column with 1 for the event and 0 for censoring")
    follow_up_days: float = Field(
        gt=0, description="the longest follow-up that the data can hold; a longer one is a fault, and no horizon may lie beyond it"
    )
    horizons_days: tuple[float, ...] = Field(min_length=1, description="increasing; effects are estimated at each")
    contrasts: tuple[Contrast, ...] = Field(min_length=1, description="how the arms are compared")


Outcome = SurvivalOutcome


class OutcomesSection(NamedSection[Outcome]):
    """Outcomes by name."""
