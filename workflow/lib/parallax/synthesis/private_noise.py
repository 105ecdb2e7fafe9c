"""Counts under differential privacy; every mechanism and its accounting are OpenDP's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class NoisyCounts:
    """Tables with noise: its ``scale`` (the standard deviation in each cell), and the epsilon that the library says was spent."""

    tables: tuple[NDArray[np.int64], ...]
    scale: float
    epsilon: float


def release_counts(tables: Sequence[NDArray[np.int64]], *, epsilon: float, delta: float) -> NoisyCounts:
    """Contingency tables of the same patients, each of shape (times released, cells), with discrete Gaussian noise in every entry.

    Sensitivity
        another record of one patient takes 1 from a cell and gives it to another, in every row of every table: an L2 distance of at most
        √(2·rows).
    Accounting
        zero-concentrated differential privacy, converted to (epsilon, delta) (Canonne, Kamath & Steinke 2020). Counts are integers and the
        sampler is exact, so that no floating-point residue gives a count away; its randomness is the operating system's.

    The scale is the smallest whose epsilon is at most the one asked for.
    """
    distance = bound_distance(sum(len(table) for table in tables))
    scale = find_scale(distance, epsilon=epsilon, delta=delta)
    flat = np.concatenate([table.ravel() for table in tables])
    noisy = np.array(_gaussian(scale)(flat.tolist()), dtype=np.int64)
    parts = np.split(noisy, np.cumsum([table.size for table in tables])[:-1])
    shaped = tuple(part.reshape(table.shape) for part, table in zip(parts, tables, strict=True))
    return NoisyCounts(shaped, scale, spend(scale, distance, delta=delta))


def bound_distance(rows: int) -> float:
    """√(2·rows), rounded up: how far the counts of neighbouring cohorts can be apart (L2)."""
    return math.nextafter(math.sqrt(2 * rows), math.inf)


def find_scale(distance: float, *, epsilon: float, delta: float) -> float:
    """The smallest scale of the noise at which counts within ``distance`` (L2) are (epsilon, delta)-indistinguishable."""
    from opendp import prelude

    return float(prelude.binary_search_param(lambda scale: _approximate(scale, delta), d_in=distance, d_out=(epsilon, delta)))


def spend(scale: float, distance: float, *, delta: float) -> float:
    """The epsilon of noise of this scale on counts within ``distance``."""
    return float(_approximate(scale, delta).map(distance)[0])


def _approximate(scale: float, delta: float) -> Any:
    from opendp import prelude

    gaussian = _gaussian(scale)
    return prelude.c.make_fix_delta(prelude.c.make_zCDP_to_approxDP(gaussian), delta)


def _gaussian(scale: float) -> Any:
    from opendp import prelude

    prelude.enable_features("contrib")
    space = prelude.vector_domain(prelude.atom_domain(T="i64")), prelude.l2_distance(T="f64")
    return prelude.m.make_gaussian(*space, scale=scale)
