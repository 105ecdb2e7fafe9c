"""The sections of a protocol against each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from parallax.errors import Fault
from parallax.protocol.checks.cohort import check_arms, check_covariates, check_identifiers
from parallax.protocol.checks.designs import check_capabilities, check_designs, check_scores
from parallax.protocol.checks.measurements import check_measurements
from parallax.protocol.checks.outcomes import check_horizons
from parallax.protocol.checks.pooling import check_pooling, check_site_results
from parallax.protocol.checks.privacy import check_disclosure, check_privacy
from parallax.protocol.checks.private import check_private_generators
from parallax.protocol.checks.question import check_certification, check_primary
from parallax.protocol.checks.sources import check_declared_columns, check_external_controls, check_mapping, check_paths, check_rare_levels
from parallax.protocol.checks.synthesis import (
    check_candidates,
    check_constraints,
    check_enrichment,
    check_generators,
    check_hold_out,
    check_names,
    check_terms,
)
from parallax.protocol.protocol import Protocol


def check_protocol(protocol: Protocol) -> list[Fault]:
    """Every contradiction between the sections of a protocol."""
    return check_sections({name: getattr(protocol, name) for name in Protocol.model_fields})


def check_sections(sections: Mapping[str, Any]) -> list[Fault]:
    """Every contradiction between those sections that are given; a check whose sections are not all there is left out."""
    checks = (
        (check_primary, ("question", "designs", "outcomes")),
        (check_capabilities, ("designs", "outcomes")),
        (check_horizons, ("outcomes",)),
        (check_arms, ("cohort",)),
        (check_covariates, ("cohort", "outcomes")),
        (check_mapping, ("data",)),
        (check_identifiers, ("cohort", "data")),
        (check_measurements, ("cohort", "data", "outcomes")),
        (check_names, ("data", "synthesis")),
        (check_site_results, ("pooling", "data", "synthesis")),
        (check_pooling, ("pooling", "data", "synthesis")),
        (check_external_controls, ("data", "cohort")),
        (check_hold_out, ("synthesis",)),
        (check_rare_levels, ("data", "cohort")),
        (check_generators, ("synthesis", "cohort", "outcomes")),
        (check_private_generators, ("synthesis", "cohort", "outcomes")),
        (check_constraints, ("synthesis", "cohort")),
        (check_enrichment, ("synthesis",)),
        (check_scores, ("propensity", "cohort")),
        (check_terms, ("synthesis", "cohort")),
        (check_candidates, ("synthesis", "cohort", "outcomes")),
        (check_designs, ("designs", "propensity", "cohort")),
        (check_certification, ("validation", "question", "designs", "outcomes", "synthesis")),
        (check_privacy, ("privacy", "cohort", "outcomes")),
        (check_declared_columns, ("cohort", "outcomes", "data")),
        (check_paths, ("data",)),
        (check_disclosure, ("disclosure",)),
    )
    faults: list[Fault] = []
    for check, needed in checks:
        if all(name in sections for name in needed):
            faults += check(*(sections[name] for name in needed))
    return faults
