"""When a patient is measured: how often, since when and until when, and how regularly in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from parallax.statistics.spacing import RANGE, draw_shares, fit_regularity, measure_pairs

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

#: real patients among whom a donor is found: those whose number of values is nearest
DONORS: Final = 20
#: with fewer values there is one interval at most
_PAIR: Final = 2


@dataclass(frozen=True, slots=True)
class SeriesTimes:
    """Times of measured patients, learnt from those of one arm.

    First and last time of a synthetic patient come from two real ones with about as many values, so that no real patient's times are
    handed on. Between them intervals follow a symmetric Dirichlet distribution, on top of the smallest interval that the grid of times allows:
    on a grid its steps fall one by one into the intervals, unless real intervals are more alike than that.
    Assumption: intervals of a patient are exchangeable, and depend on nothing but their number.
    """

    window: tuple[float, float]
    decimals: int | None
    numbers: IntArray
    """Values per measured real patient, increasing; ``tails`` (days from the last value to the window's end) and ``spans`` (days between first
    and last) in the same order."""
    tails: FloatArray
    spans: FloatArray
    regularity: float
    one_by_one: bool

    @classmethod
    def fit(cls, series: Sequence[tuple[IntArray, FloatArray, FloatArray]], *, window: tuple[float, float], decimals: int | None) -> Self:
        """From batches by number of values, shortest first."""
        regularity, one_by_one = _fit_regularity([times for _, times, _ in series if times.shape[1] > _PAIR], _unit(decimals))
        return cls(
            window=window,
            decimals=decimals,
            numbers=np.concatenate([np.full(len(times), times.shape[1]) for _, times, _ in series]),
            tails=np.concatenate([window[1] - times[:, -1] for _, times, _ in series]),
            spans=np.concatenate([times[:, -1] - times[:, 0] for _, times, _ in series]),
            regularity=regularity,
            one_by_one=one_by_one,
        )

    @property
    def most(self) -> int:
        """The most values that a patient can have."""
        unit, (first, last) = _unit(self.decimals), self.window
        longest = int(self.numbers.max())
        return longest if unit == 0 else min(longest, int((last - first) / unit + 1e-6) + 1)

    def choose_donors(self, number: int, patients: int, *, rng: np.random.Generator) -> IntArray:
        """Places (``patients``,) of real patients with about ``number`` values."""
        nearest = np.argsort(np.abs(self.numbers - number), kind="stable")[: max(DONORS, int((self.numbers == number).sum()))]
        return nearest[rng.integers(len(nearest), size=patients)]

    def draw(self, number: int, patients: int, *, rng: np.random.Generator) -> FloatArray:
        """Increasing times (``patients``, ``number``) within the window, on the grid."""
        unit, (begin, end) = _unit(self.decimals), self.window
        tail = self.tails[self.choose_donors(number, patients, rng=rng)]
        span = self.spans[self.choose_donors(number, patients, rng=rng)] if number > 1 else np.zeros(patients)
        span = np.clip(span, (number - 1) * unit, end - begin)
        tail = np.minimum(tail, end - begin - span)
        times = np.repeat((end - tail - span)[:, None], number, axis=1)
        if number > 1:
            shares = draw_shares(patients, number - 1, regularity=self.regularity, rng=rng)
            loose = span - (number - 1) * unit
            if self.one_by_one:
                spare = np.cumsum(rng.multinomial(np.round(loose / unit).astype(np.int64), shares), axis=1) * unit
            else:
                spare = np.cumsum(shares, axis=1) * loose[:, None]
                spare = spare if self.decimals is None else np.round(spare, self.decimals)
            times[:, 1:] += unit * np.arange(1, number) + spare
        return np.clip(times if self.decimals is None else np.round(times, self.decimals), begin, end) + 0.0


def _fit_regularity(batches: Sequence[FloatArray], unit: float) -> tuple[float, bool]:
    """The regularity of the intervals beyond ``unit``, and whether steps of a grid fall into them one by one."""
    spare = [np.diff(times, axis=1) - unit for times in batches]
    intervals = [np.full(len(gaps), float(gaps.shape[1])) for gaps in spare]
    if unit > 0:
        steps = [np.round(gaps / unit) for gaps in spare]
        telling = [gaps.sum(axis=1) > 1 for gaps in steps]
        pairs = _chosen([measure_pairs(gaps[use]) for gaps, use in zip(steps, telling, strict=True)])
        regularity = fit_regularity(pairs, _chosen([number[use] for number, use in zip(intervals, telling, strict=True)]))
        if regularity < RANGE[1]:
            return regularity, True
    loose = [gaps.sum(axis=1) > 0.5 * unit for gaps in spare]
    squares = [((gaps[use] / gaps[use].sum(axis=1, keepdims=True)) ** 2).sum(axis=1) for gaps, use in zip(spare, loose, strict=True)]
    return fit_regularity(_chosen(squares), _chosen([number[use] for number, use in zip(intervals, loose, strict=True)])), False


def _chosen(parts: Sequence[FloatArray]) -> FloatArray:
    return np.concatenate([np.zeros(0), *parts])


def _unit(decimals: int | None) -> float:
    return 0.0 if decimals is None else 10.0**-decimals
