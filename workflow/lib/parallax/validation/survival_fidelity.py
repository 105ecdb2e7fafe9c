"""Fidelity of follow-up: gaps between survival or incidence curves, and the band that the real patients themselves set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parallax.statistics.competing_risks import cumulative_incidence
from parallax.statistics.survival import kaplan_meier

SPLITS = 200


@dataclass(frozen=True, slots=True)
class FollowUp:
    """``time`` (n,) in days above zero and ``event`` (n,) of the patients of one arm of one replicate: 0 censored, 1 event, 2 … competing."""

    time: NDArray[np.float64]
    event: NDArray[np.int64]

    def censoring(self) -> FollowUp:
        """The same patients with censoring as the event and every event as censoring."""
        return FollowUp(self.time, (self.event == 0).astype(np.int64))

    def competing(self, code: int) -> FollowUp:
        """The same patients with the competing event of this code as the event, and the event as competing."""
        return FollowUp(self.time, np.where(self.event == code, 1, np.where(self.event == 1, code, self.event)))


def measure_km_gap(real: FollowUp, synthetic: Sequence[FollowUp], *, horizon_days: float) -> float:
    """Largest gap sup |S̄(t) − S(t)| over t in [0, H].

    S is the real arm's Kaplan–Meier curve, S̄(t) the mean over replicates of theirs at t; with competing events S is one minus the cumulative
    incidence of the event (Aalen–Johansen), which is the Kaplan–Meier curve of an arm without them. H is the horizon or the real arm's last
    follow-up, whichever is earlier. A curve is carried forward after its last follow-up. Both are right-continuous steps, so that the largest gap is
    found at their jumps. Every arm must have patients.
    """
    end = min(horizon_days, float(real.time.max()))
    days = _jumps([real, *synthetic], end)
    mean = np.mean([_survival(patients, days) for patients in synthetic], axis=0)
    return float(np.abs(mean - _survival(real, days)).max())


def measure_half_split_band(real: FollowUp, *, horizon_days: float, rng: np.random.Generator, splits: int = SPLITS) -> float:
    """The 95 % quantile, over random splits of the real arm into halves, of the largest gap between the halves' curves over [0, H].

    Halves differ by more than a whole arm and the mean of its replicates would: the band is what no reader could call a difference, not a
    test's critical value. At least two patients are needed.
    """
    end = min(horizon_days, float(real.time.max()))
    days = _jumps([real], end)
    gaps = np.empty(splits)
    half = len(real.time) // 2
    for split in range(splits):
        order = rng.permutation(len(real.time))
        curves = [_survival(FollowUp(real.time[rows], real.event[rows]), days) for rows in (order[:half], order[half:])]
        gaps[split] = np.abs(curves[0] - curves[1]).max()
    return float(np.quantile(gaps, 0.95))


def _jumps(arms: Sequence[FollowUp], end: float) -> NDArray[np.float64]:
    days = np.unique(np.concatenate([patients.time for patients in arms]))
    return np.concatenate([[0.0], days[days <= end]])


def _survival(patients: FollowUp, days: NDArray[np.float64]) -> NDArray[np.float64]:
    if (patients.event > 1).any():
        curve = cumulative_incidence(patients.time, patients.event, 1)
        survival: NDArray[np.float64] = 1.0 - curve.incidence[np.searchsorted(curve.times, days, side="right") - 1]
        return survival
    survival = kaplan_meier(patients.time, patients.event == 1).at(days)
    return survival


def measure_curve_differences(real: FollowUp, synthetic: Sequence[FollowUp], *, horizon_days: float) -> dict[str, float]:
    """How the mean S̄ of the replicates' curves differs from the real S over [0, T], T as in :func:`measure_km_gap`.

    * optimism (1/T)∫(S̄ − S), km_divergence (1/T)∫|S̄ − S|, rmst_gap ∫(S̄ − S) in days (Norcliffe et al. 2023, section 4, for the first two);
    * short_sightedness (L − L̄)/L, L the last day on which anybody is followed, over all follow-up: above zero where synthetic follow-up ends
      too early.

    Both curves are steps: the integrals are sums over the days between jumps.
    """
    end = min(horizon_days, float(real.time.max()))
    days = _jumps([real, *synthetic], end)
    difference = np.mean([_survival(patients, days) for patients in synthetic], axis=0) - _survival(real, days)
    lengths = np.diff(np.append(days, end))
    area, last = float(difference @ lengths), float(real.time.max())
    return {
        "optimism": area / end,
        "km_divergence": float(np.abs(difference) @ lengths) / end,
        "rmst_gap": area,
        "short_sightedness": (last - float(np.mean([patients.time.max() for patients in synthetic]))) / last,
    }


def split_curve_differences(real: FollowUp, *, horizon_days: float, rng: np.random.Generator, splits: int = SPLITS) -> dict[str, float]:
    """The 95 % quantile, over random splits of the real arm into halves, of the size of each difference of one half's curve from the other's.

    At least two patients are needed; compare :func:`measure_half_split_band`.
    """
    found: dict[str, list[float]] = {}
    half = len(real.time) // 2
    for _ in range(splits):
        order = rng.permutation(len(real.time))
        parts = [FollowUp(real.time[rows], real.event[rows]) for rows in (order[:half], order[half:])]
        for name, value in measure_curve_differences(parts[0], parts[1:], horizon_days=horizon_days).items():
            found.setdefault(name, []).append(abs(value))
    return {name: float(np.quantile(values, 0.95)) for name, values in found.items()}
