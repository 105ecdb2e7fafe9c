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
    member_share: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="share of the real patients in the population that they come from, which an intruder draws from, for the F1 score of membership "
        "disclosure; null: it is not measured",
    )
    shadow_models: int = Field(
        default=0,
        ge=0,
        le=1000,
        description="fits of every generator to random halves of the patients, for the membership attack by shadow models: an even number of at "
        "least 4; 0: this attack is not made",
    )
