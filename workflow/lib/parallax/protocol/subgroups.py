"""``subgroups``: for whom the effect is looked at apart."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from parallax.protocol.base import Name, NamedSection

Levels = Annotated[
    dict[Name, Annotated[str, Field(min_length=1, description="expression over covariates that is true for the level's patients")]],
    Field(min_length=2),
]


class SubgroupsSection(NamedSection[Levels]):
    """Subgroups by name, each with its levels; a patient belongs to one level of a subgroup at most."""


NO_SUBGROUPS: Final = SubgroupsSection({})
