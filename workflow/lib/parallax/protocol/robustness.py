"""``robustness``: how hard the real answer is tried."""

from __future__ import annotations

from pydantic import Field

from parallax.protocol.base import Section


class RobustnessSection(Section):
    """Checks beyond the estimates themselves."""

    permutations: int = Field(
        default=0,
        ge=0,
        le=10_000,
        description="how often treatment is permuted and the primary estimate made anew; its null distribution is reported",
    )
