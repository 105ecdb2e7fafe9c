"""``privacy``: what an intruder is taken to know, and what must not be learnt."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from parallax.protocol.base import Section


class PrivacySection(Section):
    """The columns that attacks on privacy start from, and those that they aim at."""

    quasi_identifiers: tuple[str, ...] = Field(default=(), description="covariates by which somebody may recognise a patient, such as age and sex")
    widths: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default_factory=dict, description="how exactly a numeric quasi-identifier is known, such as num_age: 1; others exactly"
    )
    sensitive: tuple[str, ...] = Field(default=(), description="covariates and outcomes that nobody must learn; none: every outcome")
