"""The long table of repeated measurements beside a synthetic cohort: series that fit each patient's arm, covariates and summaries.

A generator draws summaries as it draws every other covariate. Here each synthetic patient gets the series that they summarise, from a model of
the real series that is the same for every generator (docs/decisions/0048-repeated-measurements.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from parallax.errors import GenerationError
from parallax.protocol.cohort import CohortSection
from parallax.protocol.measurements import STATISTICS, Measurement
from parallax.protocol.outcomes import OutcomesSection
from parallax.statistics.series import batch_series
from parallax.synthesis.generator import MINIMUM_ARM, Context
from parallax.synthesis.predictors import Predictors
from parallax.synthesis.records import Grid
from parallax.synthesis.series_times import SeriesTimes
from parallax.synthesis.series_values import SeriesValues
from parallax.tables import MEASUREMENTS
from parallax.vocabulary import ARMS

FloatArray = NDArray[np.float64]

#: summaries that are missing where nothing was measured
_VALUES: Final = ("mean", "last", "minimum", "maximum")
#: cells of the matrices that are in memory at once
_CELLS: Final = 4_000_000


@dataclass(frozen=True, slots=True)
class ArmSeries:
    """The series of one measurement in one arm; ``numbers`` of values of the arm's patients, by the fewest that their summaries allow."""

    times: SeriesTimes
    values: SeriesValues
    numbers: Mapping[int, NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class FittedMeasurements:
    """The fitted models by measurement and arm; ``given`` are the summaries of each measurement that are covariates, by column."""

    predictors: Predictors
    given: Mapping[str, Mapping[str, str]]
    series: Mapping[str, Mapping[str, ArmSeries]]

    @classmethod
    def fit(cls, measurements: pd.DataFrame, patients: pd.DataFrame, cohort: CohortSection) -> Self:
        """From the MEASUREMENTS of a real cohort and its cohort table. Raises GenerationError where an arm has too few patients with a value."""
        predictors = Predictors.fit(patients, Context(cohort.covariates, OutcomesSection.model_construct({})), squares=False)
        columns, treated = predictors.standardise(patients), patients["treated"].to_numpy(bool)
        given = {name: _given(name, entry, cohort) for name, entry in cohort.measurements.items()}
        series = {}
        for name, entry in cohort.measurements.items():
            rows = measurements[measurements["name"] == name]
            number = pd.Index(patients["patient_id"]).get_indexer(rows["patient_id"])
            few = [arm for arm, side in zip(ARMS, (treated, ~treated), strict=True) if len(np.unique(number[side[number]])) < MINIMUM_ARM]
            if few:
                raise GenerationError(
                    f'measurement "{name}": found fewer than {MINIMUM_ARM} patients with a value in the {" and the ".join(few)} arm; '
                    f"allowed are {MINIMUM_ARM} or more; widen its window, or leave it out"
                )
            grids = [Grid.of(rows[column].to_numpy(np.float64)) for column in ("value", "time_days")]
            fewest = _fewest({statistic: patients[column].to_numpy(np.float64) for statistic, column in given[name].items()}, len(patients))
            series[name] = {
                arm: _fit_arm(rows[side[number]], number[side[number]], columns, entry, grids, fewest=fewest, side=side)
                for arm, side in zip(ARMS, (treated, ~treated), strict=True)
            }
        return cls(predictors, given, series)

    def draw(self, patients: pd.DataFrame, *, rng: np.random.Generator) -> pd.DataFrame:
        """The MEASUREMENTS of one replicate: cohort rows with covariates and arm. The same ``rng`` state gives the same bits."""
        columns, treated = self.predictors.standardise(patients), patients["treated"].to_numpy(bool)
        tables = []
        for (name, arms), own in zip(self.series.items(), rng.spawn(len(self.series)), strict=True):
            given = {statistic: patients[column].to_numpy(np.float64) for statistic, column in self.given[name].items()}
            for arm, side in zip(ARMS, (treated, ~treated), strict=True):
                tables += _draw_arm(arms[arm], name, given, columns, np.flatnonzero(side), rng=own)
        found = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=["number", "name", "time_days", "value"])
        found = found.sort_values(["number", "name", "time_days"], kind="stable", ignore_index=True)
        whose = patients[["replicate", "patient_id"]].iloc[found["number"].to_numpy(np.int64)].reset_index(drop=True)
        return MEASUREMENTS.validate(pd.concat([whose, found.drop(columns="number")], axis=1)[list(MEASUREMENTS.columns)])


def draw_measurements(fitted: FittedMeasurements, patients: pd.DataFrame, *, seeds: Sequence[int]) -> pd.DataFrame:
    """The MEASUREMENTS of all replicates of a cohort table, those of replicate i from ``seeds[i]`` alone."""
    tables = [
        fitted.draw(replicate.reset_index(drop=True), rng=np.random.default_rng(seeds[int(replicate["replicate"].iloc[0])]))
        for _, replicate in patients.groupby("replicate", sort=True)
    ]
    return pd.concat(tables, ignore_index=True)


def _given(name: str, entry: Measurement, cohort: CohortSection) -> dict[str, str]:
    columns = {statistic: f"{name}_{statistic}" for statistic in STATISTICS if statistic in entry.summaries}
    return {str(statistic): column for statistic, column in columns.items() if column in cohort.covariates.numeric}


def _fit_arm(
    rows: pd.DataFrame,
    number: NDArray[np.intp],
    columns: FloatArray,
    entry: Measurement,
    grids: Sequence[Grid],
    *,
    fewest: NDArray[np.int64],
    side: NDArray[np.bool_],
) -> ArmSeries:
    times, values = (rows[column].to_numpy(np.float64) for column in ("time_days", "value"))
    batches = [
        (people[part], days[part], found[part])
        for people, days, found in batch_series(number.astype(np.int64), times, values)
        for part in _split(np.arange(len(people)), days.shape[1])
    ]
    first, last = entry.window_days
    numbers, own = np.bincount(number, minlength=len(side))[side], fewest[side]
    return ArmSeries(
        times=SeriesTimes.fit(batches, window=entry.window_days, decimals=grids[1].decimals),
        values=SeriesValues.fit(batches, columns, grids[0], window_days=last - first),
        numbers={int(least): np.sort(numbers[own == least]).astype(np.int64) for least in np.unique(own)},
    )


def _draw_arm(
    model: ArmSeries, name: str, given: Mapping[str, FloatArray], columns: FloatArray, people: NDArray[np.intp], *, rng: np.random.Generator
) -> list[pd.DataFrame]:
    numbers = _draw_numbers(model, {statistic: values[people] for statistic, values in given.items()}, len(people), rng=rng)
    tables = []
    for length in np.unique(numbers[numbers > 0]):
        for chosen in _split(people[numbers == length], int(length)):
            donors = model.times.choose_donors(int(length), len(chosen), rng=rng)
            times = model.times.draw(int(length), len(chosen), rng=rng)
            own = {statistic: values[chosen] for statistic, values in given.items() if statistic != "count"}
            values = model.values.draw(times, columns[chosen], donors, own, rng=rng)
            table = {"number": np.repeat(chosen, length), "name": name, "time_days": times.ravel(), "value": values.ravel()}
            tables.append(pd.DataFrame(table))
    return tables


def _split(patients: NDArray[np.intp], length: int) -> list[NDArray[np.intp]]:
    """The patients in parts whose matrices of ``length`` × ``length`` have at most ``_CELLS`` cells together."""
    return np.array_split(patients, max(-(-len(patients) * length**2 // _CELLS), 1))


def _draw_numbers(model: ArmSeries, given: Mapping[str, FloatArray], patients: int, *, rng: np.random.Generator) -> NDArray[np.int64]:
    """How many values each patient has: as counted where that is a covariate, else as many as a real patient of whom as much is known."""
    fewest, chance = _fewest(given, patients), rng.random(patients)
    numbers = np.round(given["count"]).astype(np.int64) if "count" in given else fewest.copy()
    if "count" not in given:
        for least, known in model.numbers.items():
            chosen = fewest == least
            numbers[chosen] = known[(chance[chosen] * len(known)).astype(np.int64)]
    numbers = np.maximum(numbers, fewest)
    if any(statistic in given for statistic in _VALUES):
        numbers = np.where(fewest == 0, 0, numbers)
    if "slope" in given:
        numbers = np.where(np.isnan(given["slope"]), np.minimum(numbers, 1), numbers)
    return np.asarray(np.clip(numbers, 0, model.times.most), dtype=np.int64)


def _fewest(given: Mapping[str, FloatArray], patients: int) -> NDArray[np.int64]:
    """The fewest values that a patient's summaries allow: none unless something is known, two where what is known differs or has a slope."""
    values = np.array([given[statistic] for statistic in _VALUES if statistic in given] or [np.full(patients, np.nan)])
    differ = np.fmax.reduce(values) > np.fmin.reduce(values)
    some = ~np.isnan(values).all(axis=0)
    sloped = ~np.isnan(given.get("slope", np.full(patients, np.nan)))
    return np.asarray(np.where(differ | sloped, 2, np.where(some, 1, 0)), dtype=np.int64)
