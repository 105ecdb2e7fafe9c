"""``synthesis``: which generators make synthetic patients, and how many."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from parallax.protocol.base import Name, Section
from parallax.protocol.constraints import Constraint
from parallax.protocol.enrichment import Enrichment
from parallax.protocol.generators import Generator
from parallax.protocol.tuning import TuningSection


class SynthesisSection(Section):
    """Generators by name; each draws the same number of replicates, each as large as the cohort unless ``patients`` says otherwise."""

    replicates: int = Field(default=10, ge=1, description="m; with one the interval rests on how the generator was fitted alone")
    fit: Literal["single", "bootstrap"] = Field(
        default="single", description="each generator is fitted once, or for every replicate to a bootstrap resample of the patients"
    )
    patients: float = Field(default=1.0, gt=0, le=100, description="patients of a replicate, as a multiple of the real ones")
    hold_out: float = Field(default=0.2, gt=0, lt=1, description="share of patients kept from the generator that privacy is attacked on")
    generators: dict[Name, Generator] = Field(min_length=1, description="a generator each, by the name that its dataset bears")
    tuning: TuningSection = TuningSection()
    constraints: tuple[Constraint, ...] = Field(default=(), description="what every patient of every generator keeps")
    enrichment: tuple[Enrichment, ...] = Field(default=(), description="subgroups of which further patients are drawn, in cohorts of their own")
