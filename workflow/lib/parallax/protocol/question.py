"""``question``: whom the study asks about, which treatments it compares, and the one estimate that decides."""

from __future__ import annotations

from pydantic import Field

from parallax.protocol.base import Name, Section
from parallax.vocabulary import Contrast, Estimand


class Hypothesis(Section):
    """One estimate of the study."""

    outcome: Name = Field(description="the name of an outcome")
    contrast: Contrast = Field(description="one of that outcome's contrasts")
    design: Name = Field(description="the name of a design")
    horizon_days: float | None = Field(
        default=None, gt=0, description="one of that outcome's horizons; null: over all follow-up (hazard ratio), or an outcome without follow-up"
    )

    @property
    def target(self) -> tuple[str, str, str, float | None]:
        """Design, outcome, contrast and horizon, as the tables order them."""
        return (self.design, self.outcome, self.contrast, self.horizon_days)


class PrimaryEstimate(Hypothesis):
    """The estimate whose agreement gates every verdict."""


class QuestionSection(Section):
    """The causal question in the words of a target trial."""

    population: str = Field(min_length=1, description="who is studied")
    treatment: str = Field(min_length=1, description="what the treated arm receives")
    comparator: str = Field(min_length=1, description="what the other arm receives")
    estimand: Estimand = Field(description="the primary design must target it; other designs are sensitivity designs")
    primary: PrimaryEstimate
    secondary: tuple[Hypothesis, ...] = Field(
        default=(), description="further hypotheses; with the primary one they are the family over which p-values are adjusted (Holm)"
    )

    @property
    def family(self) -> tuple[Hypothesis, ...]:
        """The hypotheses whose p-values are adjusted together: none where the primary one stands alone."""
        return (self.primary, *self.secondary) if self.secondary else ()
