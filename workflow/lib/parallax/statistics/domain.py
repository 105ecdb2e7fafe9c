"""What every estimator asks of its arguments before it computes.

Messages name the argument, count the offending patients, and never hold a patient's value.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from parallax.errors import StatisticsError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


def check_vector(where: str, values: ArrayLike, *, size: int | None = None) -> FloatArray:
    """A finite float vector, of length ``size`` if given."""
    vector: FloatArray = np.ascontiguousarray(values, dtype=np.float64)
    if vector.ndim != 1 or vector.size == 0 or (size is not None and vector.size != size):
        wanted = "one value per patient" if size is None else f"one value for each of {size} patients"
        raise StatisticsError(f"{where}: found an array of shape {vector.shape}; allowed is {wanted}; pass vectors of one length")
    _check_finite(where, vector)
    return vector


def check_matrix(where: str, values: ArrayLike, *, rows: int | None = None) -> FloatArray:
    """A finite float matrix with at least one column, of ``rows`` rows if given."""
    matrix: FloatArray = np.ascontiguousarray(values, dtype=np.float64)
    if matrix.ndim != 2 or matrix.size == 0 or (rows is not None and matrix.shape[0] != rows):
        wanted = "one row per patient" if rows is None else f"one row for each of {rows} patients"
        raise StatisticsError(f"{where}: found an array of shape {matrix.shape}; allowed is {wanted} and at least one column; pass a matrix")
    _check_finite(where, matrix)
    return matrix


def check_binary(where: str, values: ArrayLike, *, size: int | None = None) -> BoolArray:
    """A vector of 0/1 or False/True, as booleans."""
    vector = check_vector(where, values, size=size)
    other = int(np.count_nonzero((vector != 0.0) & (vector != 1.0)))
    if other:
        raise StatisticsError(f"{where}: {other} of {vector.size} values are neither 0 nor 1; recode them")
    binary: BoolArray = vector == 1.0
    return binary


def check_times(where: str, values: ArrayLike, *, size: int | None = None) -> FloatArray:
    """A vector of follow-up times, all above zero."""
    vector = check_vector(where, values, size=size)
    _check_count(where, np.count_nonzero(vector <= 0.0), vector.size, "zero or negative", "a follow-up time is above zero")
    return vector


def check_weights(values: ArrayLike | None, *, size: int) -> FloatArray:
    """Weights, finite and at least zero, not all zero; ones where ``None``."""
    if values is None:
        return np.ones(size)
    vector = check_vector("weights", values, size=size)
    _check_count("weights", np.count_nonzero(vector < 0.0), size, "negative", "a weight is at least zero")
    if not np.any(vector > 0.0):
        raise StatisticsError(f"weights: all {size} are zero; at least one must be above zero; choose a design that keeps patients")
    return vector


def check_labels(where: str, values: ArrayLike, *, size: int) -> IntArray:
    """Labels of clusters or strata as numbers 0, 1, … without gaps."""
    labels = np.asarray(values)
    if labels.shape != (size,) or labels.dtype.kind not in "iu":
        raise StatisticsError(f"{where}: found shape {labels.shape} of {labels.dtype}; allowed is one integer for each of {size} patients")
    numbers: IntArray = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    return numbers


def check_entry(values: ArrayLike, time: FloatArray) -> FloatArray:
    """Times of entry, at least zero and before the patient's own last time."""
    vector = check_vector("entry", values, size=time.size)
    _check_count("entry", np.count_nonzero(vector < 0.0), time.size, "negative", "an entry time is at least zero")
    _check_count("entry", np.count_nonzero(vector >= time), time.size, "at or after the end of follow-up", "an entry comes before it")
    return vector


def check_penalty(ridge: ArrayLike, *, size: int) -> FloatArray:
    """One ridge penalty, at least zero, for each of ``size`` columns."""
    penalty: Any = np.asarray(ridge, dtype=np.float64)
    if penalty.shape not in ((), (size,)) or not np.all(np.isfinite(penalty)) or np.any(penalty < 0.0):
        raise StatisticsError(f"ridge: allowed is one finite number of at least zero, or one for each of {size} columns")
    return np.array(np.broadcast_to(penalty, (size,)))


def _check_finite(where: str, values: FloatArray) -> None:
    _check_count(where, np.count_nonzero(~np.isfinite(values)), values.size, "NaN or infinite", "every value is finite; drop or impute them first")


def _check_count(where: str, offending: Any, size: int, found: str, allowed: str) -> None:
    if offending:
        raise StatisticsError(f"{where}: {int(offending)} of {size} values are {found}; {allowed}")
