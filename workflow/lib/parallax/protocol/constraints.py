"""``synthesis.constraints``: what every synthetic patient keeps, as every real one does."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from parallax.protocol.base import Section


class InequalityConstraint(Section):
    """A numeric covariate is at most another, wherever both are known."""

    type: Literal["inequality"]
    low: str = Field(description="numeric covariate")
    high: str = Field(description="numeric covariate")
    strict: bool = Field(default=False, description="below, not at most")

    @property
    def columns(self) -> tuple[str, ...]:
        """The covariates in increasing order."""
        return (self.low, self.high)


class RangeConstraint(Section):
    """Three numeric covariates are in increasing order, wherever two of them are known."""

    type: Literal["range"]
    low: str = Field(description="numeric covariate")
    middle: str = Field(description="numeric covariate")
    high: str = Field(description="numeric covariate")
    strict: bool = Field(default=False, description="below, not at most")

    @property
    def columns(self) -> tuple[str, ...]:
        """The covariates in increasing order."""
        return (self.low, self.middle, self.high)


class FixedCombinationsConstraint(Section):
    """Levels occur together only as they do among the real patients, wherever all are known."""

    type: Literal["fixed_combinations"]
    columns: tuple[str, ...] = Field(min_length=2, description="categorical covariates")


OrderConstraint = InequalityConstraint | RangeConstraint
Constraint = Annotated[InequalityConstraint | RangeConstraint | FixedCombinationsConstraint, Field(discriminator="type")]


def parse_constraints(constraints: object) -> tuple[Constraint, ...]:
    """Constraints from the plain list that a rule's ``params`` carries."""
    return TypeAdapter[tuple[Constraint, ...]](tuple[Constraint, ...]).validate_python(constraints)
