"""Fidelity of the long table of repeated measurements: how often, when, what, how it hangs together, and whether it fits the cohort beside it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from parallax.measurements import summarise_measurements
from parallax.protocol.cohort import CohortSection
from parallax.statistics.series import batch_series
from parallax.tables import FIDELITY
from parallax.validation.marginals import measure_ks
from parallax.validation.metrics import SERIES, halves_of, metric_row
from parallax.vocabulary import ARMS

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_QUARTERS: Final = 4
#: fewest values of either side in a quarter of the window that is compared
_FEWEST: Final = 10
_SPLITS: Final = 100
#: in standard deviations of the real patients
_TOLERANCE: Final = 0.05
#: with fewer values there is nothing about a line that could be correlated, and a copy is chance
_LINE: Final = 3


@dataclass(frozen=True, slots=True)
class SeriesOfArm:
    """One measurement in one arm: rows (n,) of patient number, time and value, of so many ``patients``."""

    patient: IntArray
    times: FloatArray
    values: FloatArray
    patients: int
    window: tuple[float, float]

    @classmethod
    def of(cls, measurements: pd.DataFrame, people: pd.DataFrame, window: tuple[float, float]) -> Self:
        """The rows of ``people`` (of one arm) among those of one measurement."""
        keys = ["replicate", "patient_id"]
        number = pd.MultiIndex.from_frame(people[keys]).get_indexer(pd.MultiIndex.from_frame(measurements[keys]))
        own = measurements[number >= 0]
        return cls(number[number >= 0].astype(np.int64), own["time_days"].to_numpy(float), own["value"].to_numpy(float), len(people), window)

    def of_patients(self, chosen: IntArray) -> Self:
        """The same of some patients, by their numbers."""
        place = np.full(self.patients, -1, dtype=np.int64)
        place[chosen] = np.arange(len(chosen))
        kept = place[self.patient] >= 0
        return type(self)(place[self.patient[kept]], self.times[kept], self.values[kept], len(chosen), self.window)

    def differ(self, other: Self) -> dict[str, float]:
        """``SERIES`` of the other against this one; NaN where a side has too few values."""
        intervals = [np.concatenate([np.zeros(0), *(np.diff(times, axis=1).ravel() for _, times, _ in side._batches())]) for side in (self, other)]
        numbers = [np.bincount(side.patient, minlength=side.patients).astype(np.float64) for side in (self, other)]
        edges = np.linspace(*self.window, _QUARTERS + 1)
        quarters = [np.clip(np.searchsorted(edges, side.times, side="right") - 1, 0, _QUARTERS - 1) for side in (self, other)]
        parts = [[side.values[quarter == part] for side, quarter in zip((self, other), quarters, strict=True)] for part in range(_QUARTERS)]
        gaps = [measure_ks(*part) for part in parts if min(map(len, part)) >= _FEWEST]
        found = (
            measure_ks(*numbers),
            measure_ks(*intervals),
            max(gaps, default=math.nan),
            other.autocorrelation() - self.autocorrelation(),
        )
        return dict(zip(SERIES, found, strict=True))

    def autocorrelation(self) -> float:
        """Σ rⱼrⱼ₊₁/Σ rⱼ² over patients with at least four values, rⱼ the deviations from the patient's own line; NaN where nothing deviates."""
        product = square = 0.0
        for _, times, values in self._batches():
            if times.shape[1] > _LINE:
                centred = times - times.mean(axis=1, keepdims=True)
                slope = (centred * values).sum(axis=1, keepdims=True) / (centred**2).sum(axis=1, keepdims=True)
                deviation = values - values.mean(axis=1, keepdims=True) - slope * centred
                product += float((deviation[:, 1:] * deviation[:, :-1]).sum())
                square += float((deviation**2).sum())
        return product / square if square > 0 else math.nan

    def verbatim(self) -> set[bytes]:
        """Every series of three values or more, as bytes."""
        return {row.tobytes() for _, times, values in self._batches() if times.shape[1] >= _LINE for row in np.hstack([times, values])}

    def share_copied(self, other: Self) -> float:
        """The share of the other's series of three values or more that are one of these; NaN where it has none."""
        known = self.verbatim()
        drawn = [row.tobytes() in known for _, times, values in other._batches() if times.shape[1] >= _LINE for row in np.hstack([times, values])]
        return float(np.mean(drawn)) if drawn else math.nan

    def _batches(self) -> Iterator[tuple[IntArray, FloatArray, FloatArray]]:
        return batch_series(self.patient, self.times, self.values)


def measure_series(
    real: tuple[pd.DataFrame, pd.DataFrame],
    synthetic: tuple[pd.DataFrame, pd.DataFrame],
    cohort: CohortSection,
    *,
    rng: np.random.Generator,
    failure: str | None = None,
) -> pd.DataFrame:
    """The FIDELITY rows of a generator's long table; ``real`` and ``synthetic`` are pairs of a cohort table and its MEASUREMENTS.

    By measurement and arm (``variable`` is ``steps/treated``): the distances in ``SERIES``, all replicates together, each with what random
    halves of the real patients differ by in 95 of 100 splits. Of each summary that is a covariate, whether the series agrees with it: where
    a generator draws summaries that contradict each other, none can. Nothing is judged. ``failure`` says why there is no long table.
    """
    rows = list(_copies(real, synthetic, cohort, failure))
    for name, entry in cohort.measurements.items():
        for arm in ARMS:
            sides = [SeriesOfArm.of(*_of_arm(side, name, arm), entry.window_days) for side in (real, synthetic)]
            found = sides[0].differ(sides[1])
            bands = _halves(sides[0], rng)
            for metric, value in found.items():
                reason = failure or ("too few values" if math.isnan(value) else None)
                value = math.nan if failure else value
                rows.append({"variable": f"{name}/{arm}"} | metric_row(metric, value, reason=reason))
                rows.append({"variable": f"{name}/{arm}"} | metric_row(halves_of(metric), bands[metric]))
    rows += _missed_summaries(real[0], synthetic, cohort, failure)
    order = {metric: place for place, metric in enumerate((*SERIES, *map(halves_of, SERIES), "series_summary_miss", "series_copies"))}
    rows.sort(key=lambda row: order[str(row["metric"])])
    return FIDELITY.validate(pd.DataFrame(rows, columns=list(FIDELITY.columns)))


def _of_arm(side: tuple[pd.DataFrame, pd.DataFrame], name: str, arm: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    people, measurements = side
    return measurements[measurements["name"] == name], people[people["treated"] == (arm == "treated")]


def _halves(real: SeriesOfArm, rng: np.random.Generator) -> Mapping[str, float]:
    found: dict[str, list[float]] = {metric: [] for metric in SERIES}
    for _ in range(_SPLITS):
        order = rng.permutation(real.patients)
        half = real.patients // 2
        for metric, value in real.of_patients(order[:half]).differ(real.of_patients(order[half:])).items():
            found[metric].append(abs(value))
    return {metric: math.nan if np.isnan(values).all() else float(np.nanquantile(values, 0.95)) for metric, values in found.items()}


def _missed_summaries(
    real: pd.DataFrame, synthetic: tuple[pd.DataFrame, pd.DataFrame], cohort: CohortSection, failure: str | None
) -> Iterator[dict[str, object]]:
    people, measurements = synthetic
    series = summarise_measurements(measurements, people, cohort)
    for column in cohort.summaries:
        if column not in cohort.covariates.numeric:
            continue
        stated, shown = people[column].to_numpy(float), series[column].to_numpy(float)
        tolerance = _TOLERANCE * float(real[column].std())
        missed = ~((np.abs(shown - stated) <= tolerance) | (np.isnan(shown) & np.isnan(stated)))
        known = len(people) > 0 and failure is None
        yield {"variable": column} | metric_row(
            "series_summary_miss", float(missed.mean()) if known else math.nan, reason=failure or (None if known else "no synthetic patients")
        )


def _copies(
    real: tuple[pd.DataFrame, pd.DataFrame], synthetic: tuple[pd.DataFrame, pd.DataFrame], cohort: CohortSection, failure: str | None
) -> Iterator[dict[str, object]]:
    for name, entry in cohort.measurements.items():
        sides = [SeriesOfArm.of(measurements[measurements["name"] == name], people, entry.window_days) for people, measurements in (real, synthetic)]
        share = math.nan if failure else sides[0].share_copied(sides[1])
        yield {"variable": name} | metric_row("series_copies", share, reason=failure or ("too few values" if math.isnan(share) else None))
