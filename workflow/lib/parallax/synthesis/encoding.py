"""Cohorts as tables of numbers and texts without gaps, as generators that know neither missing values nor follow-up need them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from parallax.protocol.outcomes import BinaryOutcome
from parallax.synthesis.records import RecordForm
from parallax.vocabulary import MISSING_LEVEL

_YES: Final = "yes"
_NO: Final = "no"
_CENSORED: Final = "censored"
_COMPLETED: Final = "completed"


def encode(cohort: pd.DataFrame, form: RecordForm, filled: Mapping[str, pd.Series] | None = None) -> pd.DataFrame:
    """Numbers as floats without gaps, everything else as text: a column ``"x missing"`` where x has gaps; follow-up ends by yes (the
    event), a competing event, censored, or completed (the study's end). Gaps hold a middle value (:attr:`Grid.middle`), or what ``filled`` has
    for a column."""
    without_gaps = filled or {}
    encoded: dict[str, Any] = {"treated": _flag(cohort["treated"])}
    for name in form.context.covariates.numeric:
        gapless = without_gaps[name] if name in without_gaps else cohort[name].fillna(form.numeric[name].middle)
        encoded[name] = gapless.astype(np.float64)
        if cohort[name].isna().any():
            encoded[f"{name} missing"] = _flag(cohort[name].isna())
    for name in form.context.covariates.categorical:
        encoded[name] = cohort[name].fillna(MISSING_LEVEL).astype(object)
    for name, follow_up in form.follow_up.items():
        encoded[f"{name}_days"] = cohort[f"{name}_days"].astype(np.float64)
        ends = np.full(len(cohort), _CENSORED, dtype=object)
        if follow_up.administrative is not None:
            ends[cohort[f"{name}_days"].eq(follow_up.administrative).to_numpy()] = _COMPLETED
        for text, code in _event_codes(form, name).items():
            ends[cohort[f"{name}_event"].eq(code).to_numpy()] = text
        encoded[f"{name}_event"] = pd.Series(ends, index=cohort.index, dtype=object)
    for name in form.values:
        encoded[name] = _flag(cohort[name].eq(1.0)) if name in _binary_columns(form) else cohort[name].astype(np.float64)
    return pd.DataFrame(encoded).reset_index(drop=True)


def decode(sampled: pd.DataFrame, form: RecordForm) -> dict[str, Any]:
    """The columns of a cohort from a table of this form."""
    drawn: dict[str, Any] = {"treated": sampled["treated"].eq(_YES).to_numpy()}
    for name in form.context.covariates.numeric:
        values = sampled[name].to_numpy(float)
        gaps = f"{name} missing"
        drawn[name] = np.where(sampled[gaps].eq(_YES), np.nan, values) if gaps in sampled else values
    for name in form.context.covariates.categorical:
        levels = sampled[name].astype(object)
        drawn[name] = levels.where(levels != MISSING_LEVEL, None).to_numpy()
    for name, follow_up in form.follow_up.items():
        days = sampled[f"{name}_days"].to_numpy(float)
        ending = sampled[f"{name}_event"].to_numpy()
        codes = pd.Series(ending, dtype=object).map(_event_codes(form, name)).fillna(0).to_numpy(np.int64)
        if follow_up.administrative is not None:
            earlier = np.where(codes > 0, days, np.minimum(days, follow_up.grid.before(follow_up.administrative)))
            days = np.where(ending == _COMPLETED, follow_up.administrative, earlier)
        drawn |= {f"{name}_days": days, f"{name}_event": codes}
    for name in form.values:
        drawn[name] = sampled[name].eq(_YES).to_numpy(float) if name in _binary_columns(form) else sampled[name].to_numpy(float)
    return drawn


def _event_codes(form: RecordForm, name: str) -> dict[str, int]:
    competing = form.context.outcomes.survival[name].competing
    return {_YES: 1} | {f"competing {place}": place + 1 for place in range(1, len(competing) + 1)}


def _binary_columns(form: RecordForm) -> frozenset[str]:
    return frozenset(f"{name}_value" for name, outcome in form.context.outcomes.values.items() if isinstance(outcome, BinaryOutcome))


def _flag(values: pd.Series) -> pd.Series:
    return pd.Series(np.where(values, _YES, _NO), index=values.index, dtype=object)
