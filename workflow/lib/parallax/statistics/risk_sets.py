"""Running sums over the risk sets of a Cox regression: the compiled core of ``parallax.statistics.cox``.

Patients are sorted by stratum, then time. A *run* is a stretch of one stratum with one time: ``start`` (runs + 1) says where each begins,
``first`` (runs) which is the first run of its stratum. With left truncation ``entered`` (n) is the last run of the patient's stratum whose
time is not after the entry, −1 where there is none, and ``leaving`` lists the patients with such a run, latest run first; without, both
are empty. Patient i is at risk in run r if entered_i < r and i stands in r or later. The notation is that of the module above.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numba import njit

from parallax.statistics.domain import BoolArray, FloatArray, IntArray


class RiskSets(NamedTuple):
    """Where the runs are, and who enters late."""

    start: IntArray
    first: BoolArray
    entered: IntArray
    leaving: IntArray


def find_risk_sets(time: FloatArray, stratum: IntArray, entry: FloatArray | None) -> RiskSets:
    """The runs of patients sorted by stratum and time; ``entry`` in the same order, None where everybody is followed from the start."""
    begins = np.flatnonzero(np.append(True, (np.diff(time) != 0.0) | (np.diff(stratum) != 0)))
    first = np.append(True, np.diff(stratum[begins]) != 0)
    start = np.append(begins, time.size).astype(np.int64)
    if entry is None:
        nothing = np.empty(0, dtype=np.int64)
        return RiskSets(start, first, nothing, nothing)
    # the place of an entry among the runs of its own stratum
    runs_time = time[begins]
    lowest = np.flatnonzero(first)
    bounds = np.append(lowest, runs_time.size)
    entered = np.full(time.size, -1, dtype=np.int64)
    for low, high in pairwise(bounds):
        rows = slice(start[low], start[high])
        place = np.searchsorted(runs_time[low:high], entry[rows], side="right") - 1
        entered[rows] = np.where(place >= 0, place + low, -1)
    late = np.flatnonzero(entered >= 0)
    return RiskSets(start, first, entered, late[np.argsort(-entered[late], kind="stable")].astype(np.int64))


@njit(cache=True)
def sum_risk_sets(
    sets: RiskSets, event: BoolArray, weight: FloatArray, eta: FloatArray, x: FloatArray, efron: bool
) -> tuple[float, FloatArray, FloatArray]:
    """Log-likelihood, w_i r_i times the cumulative hazard of each patient (n,), and Σ_k Σ_l h_l S0_l (S1_l/S0_l)(S1_l/S0_l)' (p, p)."""
    p = x.shape[1]
    start, first, entered, leaving = sets
    runs = start.size - 1
    risk = weight * np.exp(eta)
    step, step_tied = np.zeros(runs), np.zeros(runs)
    means = np.zeros((p, p))
    s0, s1, s1_tied = 0.0, np.zeros(p), np.zeros(p)
    left, left_tied = np.zeros(p), np.zeros(p)
    log_likelihood = 0.0
    gone_by = 0
    for run in range(runs - 1, -1, -1):
        tied, s0_tied, event_weight = 0, 0.0, 0.0
        s1_tied[:] = 0.0
        for i in range(start[run], start[run + 1]):
            s0 += risk[i]
            for a in range(p):
                s1[a] += risk[i] * x[i, a]
            if event[i]:
                tied += 1
                event_weight += weight[i]
                s0_tied += risk[i]
                for a in range(p):
                    s1_tied[a] += risk[i] * x[i, a]
                log_likelihood += weight[i] * eta[i]
        while gone_by < leaving.size and entered[leaving[gone_by]] >= run:
            i = leaving[gone_by]
            s0 -= risk[i]
            for a in range(p):
                s1[a] -= risk[i] * x[i, a]
            gone_by += 1
        if tied > 0:
            terms = tied if efron else 1
            jump = event_weight / terms
            both, cross, inner = 0.0, 0.0, 0.0
            for term in range(terms):
                gone = term / terms
                denominator = s0 - gone * s0_tied
                log_likelihood -= jump * np.log(denominator)
                hazard = jump / denominator
                step[run] += hazard
                step_tied[run] += (1.0 - gone) * hazard
                both += hazard / denominator
                cross -= gone * hazard / denominator
                inner += gone * gone * hazard / denominator
            for a in range(p):
                left[a] = both * s1[a] + cross * s1_tied[a]
                left_tied[a] = cross * s1[a] + inner * s1_tied[a]
            if terms == 1:
                for a in range(p):
                    for b in range(a + 1):
                        means[a, b] += left[a] * s1[b]
            else:
                for a in range(p):
                    for b in range(a + 1):
                        means[a, b] += left[a] * s1[b] + left_tied[a] * s1_tied[b]
        if first[run]:
            s0 = 0.0
            s1[:] = 0.0
    for a in range(p):
        for b in range(a):
            means[b, a] = means[a, b]
    reached = np.zeros(runs)
    cumulative = 0.0
    for run in range(runs):
        if first[run]:
            cumulative = 0.0
        for i in range(start[run], start[run + 1]):
            hazard = cumulative + (step_tied[run] if event[i] else step[run])
            if entered.size > 0 and entered[i] >= 0:
                hazard -= reached[entered[i]]
            risk[i] *= hazard
        cumulative += step[run]
        reached[run] = cumulative
    return log_likelihood, risk, means


@njit(cache=True)
def score_residuals(sets: RiskSets, event: BoolArray, weight: FloatArray, eta: FloatArray, x: FloatArray, efron: bool) -> FloatArray:
    """The score residuals U_i (n, p), times the weight."""
    n, p = x.shape
    start, first, entered, leaving = sets
    runs = start.size - 1
    late = entered.size > 0
    relative = np.exp(eta)
    step, step_tied = np.zeros(runs), np.zeros(runs)
    mean, shift, shift_tied = np.zeros((runs, p)), np.zeros((runs, p)), np.zeros((runs, p))
    s0, s1, s1_tied = 0.0, np.zeros(p), np.zeros(p)
    gone_by = 0
    for run in range(runs - 1, -1, -1):
        tied, s0_tied, event_weight = 0, 0.0, 0.0
        s1_tied[:] = 0.0
        for i in range(start[run], start[run + 1]):
            risk = weight[i] * relative[i]
            s0 += risk
            for a in range(p):
                s1[a] += risk * x[i, a]
            if event[i]:
                tied += 1
                event_weight += weight[i]
                s0_tied += risk
                for a in range(p):
                    s1_tied[a] += risk * x[i, a]
        while gone_by < leaving.size and entered[leaving[gone_by]] >= run:
            i = leaving[gone_by]
            risk = weight[i] * relative[i]
            s0 -= risk
            for a in range(p):
                s1[a] -= risk * x[i, a]
            gone_by += 1
        terms = (tied if efron else 1) if tied > 0 else 0
        for term in range(terms):
            gone = term / terms
            denominator = s0 - gone * s0_tied
            hazard = event_weight / terms / denominator
            step[run] += hazard
            step_tied[run] += (1.0 - gone) * hazard
            for a in range(p):
                average = (s1[a] - gone * s1_tied[a]) / denominator
                mean[run, a] += average / terms
                shift[run, a] += hazard * average
                shift_tied[run, a] += (1.0 - gone) * hazard * average
        if first[run]:
            s0 = 0.0
            s1[:] = 0.0
    residuals = np.empty((n, p))
    reached, reached_shift = np.zeros(runs), np.zeros((runs if late else 0, p))
    cumulative, cumulative_shift = 0.0, np.zeros(p)
    for run in range(runs):
        if first[run]:
            cumulative = 0.0
            cumulative_shift[:] = 0.0
        for i in range(start[run], start[run + 1]):
            died = event[i]
            hazard = cumulative + (step_tied[run] if died else step[run])
            entry = entered[i] if late else -1
            if entry >= 0:
                hazard -= reached[entry]
            for a in range(p):
                moved = cumulative_shift[a] + (shift_tied[run, a] if died else shift[run, a])
                if entry >= 0:
                    moved -= reached_shift[entry, a]
                observed = x[i, a] - mean[run, a] if died else 0.0
                residuals[i, a] = weight[i] * (observed - relative[i] * (hazard * x[i, a] - moved))
        cumulative += step[run]
        reached[run] = cumulative
        for a in range(p):
            cumulative_shift[a] += shift[run, a]
            if late:
                reached_shift[run, a] = cumulative_shift[a]
    return residuals
