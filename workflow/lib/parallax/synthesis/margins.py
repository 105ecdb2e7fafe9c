"""Every column from its own margin: what is left when nothing is known of how columns belong together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from parallax.synthesis.copula import NumericMargin
from parallax.synthesis.encoding import decode, encode
from parallax.synthesis.generator import MINIMUM_KNOWN, Context
from parallax.synthesis.records import RecordForm

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Shares:
    """The levels of a text column and their cumulative shares."""

    levels: tuple[str, ...]
    cumulative: FloatArray

    @classmethod
    def of(cls, values: pd.Series) -> Self:
        counts = values.value_counts().sort_index()
        return cls(tuple(map(str, counts.index)), np.cumsum(counts.to_numpy(float)) / len(values))

    def draw(self, patients: int, *, rng: np.random.Generator) -> NDArray[np.object_]:
        place = np.minimum(np.searchsorted(self.cumulative, rng.random(patients), side="right"), len(self.levels) - 1)
        return np.array(self.levels, dtype=object)[place]


@dataclass(frozen=True, slots=True)
class FittedMargins:
    """The margin of each column of the encoded cohort; a follow-up time's by how it ended, for the two are one observation."""

    form: RecordForm
    texts: Mapping[str, _Shares]
    numbers: Mapping[str, NumericMargin]
    times: Mapping[str, Mapping[str, NumericMargin]]

    def draw(self, patients: int, *, rng: np.random.Generator) -> pd.DataFrame:
        """Synthetic patients whose columns are independent."""
        drawn: dict[str, object] = {name: shares.draw(patients, rng=rng) for name, shares in self.texts.items()}
        drawn |= {name: margin.grid.nearest(margin.quantile(rng.random(patients))) for name, margin in self.numbers.items()}
        for name, by_ending in self.times.items():
            endings, uniform, days = np.asarray(drawn[f"{name}_event"]), rng.random(patients), np.empty(patients)
            for ending, margin in by_ending.items():
                days[endings == ending] = margin.grid.nearest(margin.quantile(uniform[endings == ending]))
            drawn[f"{name}_days"] = days
        return self.form.restore(decode(pd.DataFrame(drawn), self.form))


class Independent:
    """Set-up of the zero-information baseline. Assumption: none but the margins; treatment has no effect and no confounder."""

    def fit(self, cohort: pd.DataFrame, *, context: Context, rng: np.random.Generator) -> FittedMargins:  # noqa: ARG002 -- part of the interface
        """Learn the margins."""
        form = RecordForm.of(cohort, context)
        table = encode(cohort, form)
        timed = {f"{name}_days" for name in form.follow_up}
        columns = [str(name) for name in table.columns]
        texts = {name: _Shares.of(table[name]) for name in columns if table[name].dtype == object}
        numbers = {name: NumericMargin.of(cohort[name].to_numpy(float)) for name in columns if name not in {*texts, *timed}}
        times = {name: _times_by_ending(table[f"{name}_days"], table[f"{name}_event"]) for name in form.follow_up}
        return FittedMargins(form, texts, numbers, times)


def _times_by_ending(days: pd.Series, ending: pd.Series) -> dict[str, NumericMargin]:
    """The margin of each ending's times; everybody's for an ending of so few that it would be theirs."""
    everybody = NumericMargin.of(days.to_numpy(float))
    own = {str(name): of_ending.to_numpy(float) for name, of_ending in days.groupby(ending)}
    return {name: NumericMargin.of(times) if times.size >= MINIMUM_KNOWN else everybody for name, times in own.items()}
