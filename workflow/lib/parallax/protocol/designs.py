"""``designs``: the ways in which the two arms are made comparable."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from parallax.protocol.base import NamedSection, Section
from parallax.vocabulary import Estimand


class CrudeDesign(Section):
    """The arms as they are."""

    method: Literal["none"]


class MatchDesign(Section):
    """Nearest-neighbour matching on the logit of the propensity score, without replacement."""

    method: Literal["match"]
    ratio: Literal[1] = Field(default=1, description="comparators per treated patient")
    caliper_sd: float = Field(default=0.2, gt=0, description="largest distance, in pooled within-arm standard deviations of the logit")


class WeightDesign(Section):
    """Weighting by the propensity score."""

    method: Literal["weight"]
    estimand: Estimand = Field(description="whom the weighted arms stand for")
    stabilised: bool = Field(default=True, description="ATE only: multiply by the arm's share")


Design = Annotated[CrudeDesign | MatchDesign | WeightDesign, Field(discriminator="method")]


class DesignsSection(NamedSection[Design]):
    """Designs by name, in the order in which the report shows them."""
