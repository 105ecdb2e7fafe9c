"""``synthesis.tuning``: which settings of a generator are tried on simulated studies, and within which budget."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from parallax.protocol.base import Name, Section

Setting = bool | float | str
Candidate = dict[Name, Setting]


class TuningSection(Section):
    """The budget of the target rule ``tune``; no part of the study itself, and no verdict rests on it."""

    repetitions: int = Field(default=10, ge=2, description="simulated studies for each effect; each is given to all candidates")
    replicates: int = Field(default=5, ge=2, description="synthetic cohorts that a candidate draws for each study")
    patients: int | None = Field(default=1000, ge=100, description="patients of a simulated study; null: as many as the cohort has")
    effects: tuple[Annotated[float, Field(ge=-3, le=3)], ...] = Field(
        default=(0.0, 0.5),
        min_length=1,
        description="effects of treatment in the simulated studies, instead of the real one: log hazard ratios, log odds ratios or, for a "
        "measurement, standard deviations of its residuals",
    )
    cpu_seconds: float = Field(default=480.0, gt=0, description="once so much is spent no further repetition is begun, beyond the second")
    candidates: tuple[Candidate, ...] = Field(
        default=(
            {"ridge_treatment": 1.0, "ridge_outcome": 30.0},
            {"ridge_treatment": 1.0, "ridge_outcome": 10.0},
            {"ridge_treatment": 10.0, "ridge_outcome": 30.0},
            {"ridge_treatment": 10.0, "ridge_outcome": 10.0},
            {"ridge_treatment": 10.0, "ridge_outcome": 100.0},
            {"ridge_treatment": 30.0, "ridge_outcome": 30.0},
        ),
        min_length=1,
        description="settings that take the place of the generator's own, in the order in which they are tried, after the generator as it is; "
        "each is checked with every generator, of the study or of a site, that has all of its settings; the default is for the method sequential",
    )
