"""``synthesis``: which generators make synthetic patients, and how many."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

from pydantic import Field

from parallax.protocol.base import Name, Section
from parallax.protocol.constraints import Constraint
from parallax.protocol.enrichment import Enrichment
from parallax.protocol.generators import Generator
from parallax.protocol.tuning import TuningSection

#: fewest cohorts of the floor: of as few as a generator may have replicates, chance would decide what is testable, and of one nothing could
_FLOOR_COHORTS: Final = 10


class SynthesisSection(Section):
    """Generators by name; each draws the same number of replicates, each as large as the cohort unless ``patients`` says otherwise."""

    replicates: int = Field(default=10, ge=1, description="m; with one the interval rests on how the generator was fitted alone")
    fit: Literal["single", "bootstrap"] = Field(
        default="single",
        description="each generator is fitted once, or for every replicate to a bootstrap resample of the patients; a patient whom a resample has "
        "twice counts as two there, so that values which one patient alone has come out more often (docs/decisions/0049)",
    )
    patients: float = Field(default=1.0, gt=0, le=100, description="patients of a replicate, as a multiple of the real ones")
    hold_out: float = Field(default=0.2, gt=0, lt=1, description="share of patients kept from the generator that privacy is attacked on")
    hold_out_in_turn: bool = Field(
        default=False,
        description="the generator is refitted for every share, each time without it, and all refits are attacked together: every patient is kept "
        "from it once; hold_out is then a half, a third (0.333), a quarter, …, and there are two, three, four, … refits",
    )
    generators: dict[Name, Generator] = Field(min_length=1, description="a generator each, by the name that its dataset bears")
    at_sites: dict[Name, dict[Name, Generator]] = Field(
        default_factory=dict, description="by site and generator: settings that are a site's own, of the same method"
    )
    tuning: TuningSection = TuningSection()
    constraints: tuple[Constraint, ...] = Field(default=(), description="what every patient of every generator keeps")
    enrichment: tuple[Enrichment, ...] = Field(default=(), description="subgroups of which further patients are drawn, in cohorts of their own")

    @property
    def refits(self) -> int:
        """How often a generator is refitted without held-out patients, each time without others."""
        return round(1 / self.hold_out) if self.hold_out_in_turn else 1

    @property
    def floor_cohorts(self) -> int:
        """How many cohorts are resampled from the real patients for the floor: as many as there are replicates, ten at least."""
        return max(self.replicates, _FLOOR_COHORTS)

    def settings_at(self, site: str, generator: str) -> Generator:
        """A generator's settings at a site: the site's own, or the study's."""
        return self.at_sites.get(site, {}).get(generator, self.generators[generator])

    def every_setting(self) -> Iterator[tuple[str, Generator]]:
        """All settings of generators by their place in the protocol: the study's, then the sites' own."""
        yield from ((f"synthesis.generators.{name}", settings) for name, settings in self.generators.items())
        yield from ((f"synthesis.at_sites.{site}.{name}", settings) for site, own in self.at_sites.items() for name, settings in own.items())
