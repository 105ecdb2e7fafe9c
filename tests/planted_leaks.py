"""Leaks planted among synthetic patients: what the attacks must find. No product's generator makes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from parallax.protocol.cohort import Covariates
from parallax.validation.neighbours import RecordSpace
from parallax.validation.records import RecordColumns
from parallax.validation.vulnerable import find_outliers

Plant = Callable[[pd.DataFrame, pd.DataFrame, np.random.Generator], pd.DataFrame]


def copy_patients(share: float) -> Plant:
    """That share of the patients seen, each copied once into one of the replicates."""

    def plant(synthetic: pd.DataFrame, train: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
        chosen = rng.permutation(len(train))[: round(share * len(train))]
        return _put(synthetic, train, chosen, _columns(train), rng)

    return plant


def copy_outliers(columns: RecordColumns) -> Plant:
    """The outlying tenth of the patients seen, each copied once into one of the replicates."""

    def plant(synthetic: pd.DataFrame, train: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
        space = RecordSpace.of([train], numeric=columns.numeric, categorical=columns.categorical)
        return _put(synthetic, train, np.flatnonzero(find_outliers(space.place(train))), _columns(train), rng)

    return plant


def copy_covariates(covariates: Covariates, share: float) -> Plant:
    """The covariates and the arm of that share of the patients seen, each once; the outcomes are those that the generator drew."""

    def plant(synthetic: pd.DataFrame, train: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
        chosen = rng.permutation(len(train))[: round(share * len(train))]
        return _put(synthetic, train, chosen, ["treated", *covariates.names], rng)

    return plant


def copy_everybody(synthetic: pd.DataFrame, train: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Every replicate is the patients seen, in another order."""
    replicates = [train.iloc[rng.permutation(len(train))].assign(replicate=number) for number in synthetic["replicate"].unique()]
    return pd.concat(replicates, ignore_index=True)[list(synthetic.columns)]


def _columns(train: pd.DataFrame) -> list[str]:
    return [name for name in train.columns if name not in ("replicate", "patient_id")]


def _put(synthetic: pd.DataFrame, train: pd.DataFrame, chosen: np.ndarray, columns: Sequence[str], rng: np.random.Generator) -> pd.DataFrame:
    """The chosen patients' columns in place of those of as many random synthetic records."""
    rows = rng.permutation(len(synthetic))[: len(chosen)]
    planted = synthetic.copy()
    for name in columns:
        planted.loc[rows, name] = train[name].iloc[chosen].array
    return planted
