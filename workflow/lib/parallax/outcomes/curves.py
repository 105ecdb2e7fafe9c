"""Survival curves by arm, and the course of the hazard ratio over follow-up."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from parallax.errors import NotEstimable
from parallax.outcomes.observed import Followed
from parallax.outcomes.patients import Weighted
from parallax.statistics.competing_risks import cumulative_incidence
from parallax.statistics.proportional_hazards import measure_trend, smooth_course
from parallax.statistics.survival import kaplan_meier

#: points of the course of the hazard ratio
COURSE_TIMES: Final = 60


def trace_curves(followed: Followed, patients: Weighted) -> pd.DataFrame:
    """Weighted probability by arm of not having had the event, with pointwise 95 % bands; the first row of an arm is day 0.

    Kaplan–Meier, or one minus the Aalen–Johansen cumulative incidence where events compete. ``at_risk`` counts weights scaled to a mean of
    one, but never more than there are patients: a large weight is no crowd.
    """
    parts = []
    for arm, rows in (("treated", patients.treated), ("comparator", ~patients.treated)):
        inside = rows & patients.inside
        if not inside.any():
            continue
        time, weight = followed.time[inside], patients.weight[inside]
        curve = kaplan_meier(time, followed.kind[inside] > 0, weights=weight)
        ordered = np.sort(time)
        left = ordered.size - np.searchsorted(ordered, curve.times, side="left")
        steps = {"time_days": curve.times, "survival": curve.survival, "lower": curve.lower, "upper": curve.upper}
        if followed.competing:
            found = cumulative_incidence(time, followed.kind[inside], 1, weights=weight)
            steps |= {"survival": 1.0 - found.incidence, "lower": 1.0 - found.upper, "upper": 1.0 - found.lower}
        at_risk = np.minimum(curve.at_risk * ordered.size / curve.at_risk[0], left)
        parts.append(pd.DataFrame(steps | {"at_risk": at_risk}).assign(arm=arm))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["time_days", "survival", "lower", "upper", "at_risk", "arm"])


def trace_hazard_course(followed: Followed, patients: Weighted) -> pd.DataFrame:
    """The smoothed log hazard ratio at 60 times up to the last horizon; no rows where it is not estimable."""
    columns = ["time_days", "log_hazard_ratio", "lower", "upper"]
    times = np.linspace(0.0, followed.horizons_days[-1], COURSE_TIMES + 1)[1:]
    try:
        trend = measure_trend(followed.time, followed.event, patients.treated, weights=patients.weight, strata=followed.stratum)
        value, lower, upper = smooth_course(trend, times)
    except NotEstimable:
        return pd.DataFrame(columns=columns)
    return pd.DataFrame(dict(zip(columns, (times, value, lower, upper), strict=True)))
