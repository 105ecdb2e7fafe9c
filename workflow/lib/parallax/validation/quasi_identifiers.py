"""Disclosure on quasi-identifiers: columns by which an intruder may recognise a patient, such as age, sex and place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from parallax.validation.copies import hash_records


def coarsen(frame: pd.DataFrame, columns: Sequence[str], *, widths: Mapping[str, float], numeric: Sequence[str]) -> NDArray[np.uint64]:
    """The class of each record, (n,): equal for records that an intruder cannot tell apart, numbers known to within their width."""
    numbers = [name for name in columns if name in numeric]
    known = frame[list(columns)].assign(**{name: np.floor(frame[name].astype("float64") / widths[name]) for name in numbers if name in widths})
    return hash_records(known, numbers, [name for name in columns if name not in numeric])


def find_replicated_uniques(patients: NDArray[np.uint64], replicates: Sequence[NDArray[np.uint64]]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """For each patient whether his or her class is unique among the patients, and whether it then is unique in a replicate too."""
    unique = _occur_once(patients)
    replicated = np.zeros(len(patients), dtype=bool)
    for classes in replicates:
        replicated |= np.isin(patients, classes[_occur_once(classes)])
    return unique, unique & replicated


@dataclass(frozen=True, slots=True)
class Anonymity:
    """Of a release: the size of its smallest class in a replicate (k), the fewest sensitive values in a class (l; NaN where none is sensitive)."""

    k: float
    l: float  # noqa: E741  # the literature's name


def measure_anonymity(replicates: Sequence[NDArray[np.uint64]], sensitive: Sequence[Sequence[NDArray[np.uint64]]]) -> Anonymity:
    """k-anonymity (Sweeney 2002) and distinct l-diversity (Machanavajjhala et al. 2007) over the replicates, each by itself.

    ``sensitive`` holds, for each sensitive column, its hashed values in each replicate. Both describe the release as if its records were
    people; they say nothing about a synthetic record's being anybody.
    """
    smallest = min(float(np.unique(classes, return_counts=True)[1].min()) for classes in replicates)
    fewest = [
        float(pd.Series(values).groupby(classes).nunique().min()) for column in sensitive for classes, values in zip(replicates, column, strict=True)
    ]
    return Anonymity(smallest, min(fewest, default=float("nan")))


def _occur_once(classes: NDArray[np.uint64]) -> NDArray[np.bool_]:
    _, inverse, counts = np.unique(classes, return_inverse=True, return_counts=True)
    once: NDArray[np.bool_] = counts[inverse] == 1
    return once
