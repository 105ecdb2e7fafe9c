"""``study``: what the study is called and the seed from which all others are derived."""

from __future__ import annotations

from pydantic import Field

from parallax.protocol.base import Name, Section


class StudySection(Section):
    """The study's identity."""

    name: Name = Field(description="names the results folder")
    title: str = Field(min_length=1, description="heads the report")
    seed: int = Field(ge=0, le=2**32 - 1, description="every random number of the study is derived from it")
