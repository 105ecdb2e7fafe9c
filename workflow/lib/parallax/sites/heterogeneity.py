"""How far the sites' effects differ: site × treatment, the variance between sites, what one more site would see, and what hangs on one site."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from parallax.errors import NotEstimable
from parallax.sites.aggregates import Gathered, gather
from parallax.statistics.intervals import t_interval, t_p_value
from parallax.statistics.meta_analysis import measure_spread, pool_fixed, prediction_interval
from parallax.tables import HETEROGENEITY
from parallax.validation.combining import TARGET


def measure_heterogeneity(answers: Mapping[str, pd.DataFrame], *, excluded: Mapping[str, str]) -> pd.DataFrame:
    """The HETEROGENEITY of the sites' answers (as for :func:`parallax.sites.aggregates.pool_aggregates`), a few rows per target.

    ``q``: Cochran's Q of the sites' estimates, which is the test of an interaction site × treatment: with estimates from patients who share nothing,
    the joint model with an effect per site has these very estimates, and Q is Wald's statistic that they are one. ``tau2``, ``i2`` with their 95 %
    bounds; ``prediction``; ``site``: a site's own estimate; ``left_out``: the fixed effect without it.
    """
    rows = [
        dict(zip(TARGET, gathered.target, strict=True)) | row
        for gathered in gather(answers, excluded=excluded)
        for row in (*_at_sites(gathered), *_spread(gathered), *_prediction(gathered), *_left_out(gathered))
    ]
    return HETEROGENEITY.validate(pd.DataFrame(rows, columns=list(HETEROGENEITY.columns)))


def _at_sites(gathered: Gathered) -> Iterator[dict[str, Any]]:
    for site, row in gathered.rows.items():
        yield {"measure": "site", "site": site} | {
            name: row["estimate" if name == "value" else name] for name in ("value", "lower", "upper", "std_error", "p_value")
        }


def _spread(gathered: Gathered) -> Iterator[dict[str, Any]]:
    try:
        spread = measure_spread(gathered.estimates, gathered.std_errors)
    except NotEstimable as error:
        yield from ({"measure": measure, "reason": str(error)} for measure in ("q", "tau2", "i2"))
        return
    yield {"measure": "q", "value": spread.q, "df": spread.df, "p_value": spread.p_value}
    less = None if np.isfinite(spread.tau2_upper) else "the sites differ less than chance alone would have it: no value is in the interval"
    yield {"measure": "tau2", "value": spread.tau2, "lower": spread.tau2_lower, "upper": spread.tau2_upper, "reason": less}
    yield {"measure": "i2", "value": spread.i2, "lower": spread.i2_lower, "upper": spread.i2_upper, "reason": less}


def _prediction(gathered: Gathered) -> Iterator[dict[str, Any]]:
    try:
        lower, upper = prediction_interval(gathered.estimates, gathered.std_errors)
    except NotEstimable as error:
        yield {"measure": "prediction", "reason": str(error)}
        return
    centre, lower, upper = map(gathered.natural, ((lower + upper) / 2, lower, upper))
    yield {"measure": "prediction", "value": centre, "lower": lower, "upper": upper, "df": len(gathered.rows) - 2}


def _left_out(gathered: Gathered) -> Iterator[dict[str, Any]]:
    y, error = np.array(gathered.estimates), np.array(gathered.std_errors)
    for place, site in enumerate(gathered.rows if len(y) > 1 else ()):
        pooled = pool_fixed(np.delete(y, place), np.delete(error, place))
        lower, upper = map(gathered.natural, t_interval(pooled.estimate, pooled.std_error, pooled.df))
        p_value = t_p_value(pooled.estimate, pooled.std_error, pooled.df)
        numbers = {"value": gathered.natural(pooled.estimate), "lower": lower, "upper": upper, "std_error": pooled.std_error, "p_value": p_value}
        yield {"measure": "left_out", "site": site} | numbers
