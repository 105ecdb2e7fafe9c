"""Follow-up as a site may tell it to others."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from parallax.protocol.disclosure import DisclosureSection
from parallax.statistics.preferred_numbers import nearest_step


def disclose_follow_up(cohort: pd.DataFrame, outcomes: Iterable[str], disclosure: DisclosureSection) -> dict[str, float | None]:
    """Median follow-up of both arms, in days, by survival outcome, on the steps of :func:`parallax.statistics.preferred_numbers.nearest_step`.

    A median is one patient's own time, or the middle of two: it is told only where ``minimum_count`` patients or more have a time that comes to the
    same step, and is None elsewhere. ``cohort`` has the real patients.
    """
    found: dict[str, float | None] = {}
    for outcome in outcomes:
        days = cohort[f"{outcome}_days"].to_numpy(dtype=np.float64)
        median = nearest_step(float(np.median(days))) if len(days) else None
        alike = sum(nearest_step(time) == median for time in days)
        found[outcome] = median if alike >= disclosure.minimum_count else None
    return found
