"""``synthesis``: which generators make synthetic patients, and how many."""

from __future__ import annotations

from pydantic import Field

from parallax.protocol.base import Name, Section
from parallax.protocol.generators import Generator
from parallax.protocol.tuning import TuningSection


class SynthesisSection(Section):
    """Generators by name; each draws the same number of replicates, each as large as the cohort."""

    replicates: int = Field(default=10, ge=2, description="m; the combining rule needs the variance between replicates")
    hold_out: float = Field(default=0.2, gt=0, lt=1, description="share of patients kept from the generator that privacy is attacked on")
    generators: dict[Name, Generator] = Field(min_length=1, description="a generator each, by the name that its dataset bears")
    tuning: TuningSection = TuningSection()
