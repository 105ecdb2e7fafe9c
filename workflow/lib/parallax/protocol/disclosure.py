"""``disclosure``: what an aggregate must hide."""

from __future__ import annotations

from pydantic import Field

from parallax.protocol.base import Section


class DisclosureSection(Section):
    """Small-cell suppression and rounding."""

    minimum_count: int = Field(
        default=10, ge=3, description="smaller counts are suppressed; a shown count of two would tell either patient about the other"
    )
    round_to: int = Field(default=5, ge=1, description="counts are rounded to its multiples; at least half of minimum_count")
