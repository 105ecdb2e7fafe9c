"""``synthesis.enrichment``: rare subgroups of which more synthetic patients are drawn than the cohort would hold."""

from __future__ import annotations

from pydantic import Field, TypeAdapter

from parallax.protocol.base import Name, Section


class Enrichment(Section):
    """A subgroup that every generator draws cohorts of, by itself: no part of its replicates of the whole cohort."""

    name: Name = Field(description="what the subgroup is called in every table")
    keep: str = Field(min_length=1, description="expression over covariates that is true for the subgroup's patients")
    patients: int = Field(ge=20, le=1_000_000, description="of the subgroup, in every replicate")


def parse_enrichment(entries: object) -> tuple[Enrichment, ...]:
    """Entries from the plain list that a rule's ``params`` carries."""
    return TypeAdapter[tuple[Enrichment, ...]](tuple[Enrichment, ...]).validate_python(entries)


def place_of(number: int) -> str:
    """Where an entry's expression stands in the protocol."""
    return f"synthesis.enrichment[{number}].keep"
