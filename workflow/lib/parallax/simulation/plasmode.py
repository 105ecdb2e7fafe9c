"""Plasmode studies: the covariates of a given cohort, with treatment and outcome drawn anew from stated models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from parallax.errors import StatisticsError
from parallax.protocol.cohort import Covariates
from parallax.simulation.models import OutcomeModel, SurvivalModel, TreatmentModel
from parallax.statistics.domain import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Plasmode:
    """A study whose truth is known: ``terms`` (N, q) of the given patients (:func:`~parallax.simulation.models.regression_terms`), and the models.

    The N patients, each with the same weight, are the population; the truth of :mod:`parallax.simulation.truth` is about them. That holds for
    studies that resample them and for studies that take them as they are; the latter vary less, for their covariates do not vary.
    """

    terms: FloatArray
    treatment: TreatmentModel
    outcome: OutcomeModel

    @property
    def propensity(self) -> FloatArray:
        """The true propensity score (N,) of the population."""
        return self.treatment.propensity(self.terms)


@dataclass(frozen=True, slots=True)
class Drawn:
    """One study: ``rows`` (n,) of the population, ``treated`` (n,), and the outcome's columns, each (n,).

    ``outcome`` holds ``days`` and ``event`` of a survival outcome, ``value`` of any other.
    """

    rows: IntArray
    treated: BoolArray
    outcome: Mapping[str, FloatArray]


def draw_study(plasmode: Plasmode, *, patients: int | None, rng: np.random.Generator) -> Drawn:
    """One study of ``patients`` resampled from the population with replacement, or of the population as it is (``None``)."""
    population = len(plasmode.terms)
    if patients is not None and patients < 1:
        raise StatisticsError(f"patients: found {patients}; allowed is a number of at least one")
    rows = np.arange(population) if patients is None else rng.integers(population, size=patients)
    terms = plasmode.terms[rows]
    treated = rng.random(rows.size) < plasmode.treatment.propensity(terms)
    return Drawn(rows, treated, plasmode.outcome.draw(terms, treated, rng=rng))


def draw_cohort(
    plasmode: Plasmode,
    population: pd.DataFrame,
    *,
    covariates: Covariates,
    outcome: str,
    patients: int | None,
    rng: np.random.Generator,
    replicate: int = 0,
) -> pd.DataFrame:
    """One study of a survival outcome as a cohort table: the covariates of ``population`` (the cohort table that the terms were made of, row by
    row), patients numbered anew, the drawn treatment and ``<outcome>_days``, ``<outcome>_event``.
    """
    if not isinstance(plasmode.outcome, SurvivalModel):
        raise StatisticsError("outcome: a cohort table holds survival outcomes; for others use draw_study")
    if len(population) != len(plasmode.terms):
        raise StatisticsError(f"population: found {len(population)} rows; the terms have {len(plasmode.terms)}; give the cohort they were made of")
    drawn = draw_study(plasmode, patients=patients, rng=rng)
    numbered = {
        "replicate": np.full(drawn.rows.size, replicate, dtype=np.int64),
        "patient_id": pd.array([str(number) for number in range(1, drawn.rows.size + 1)], dtype="string"),
        "treated": drawn.treated,
    }
    followed = {f"{outcome}_days": drawn.outcome["days"], f"{outcome}_event": drawn.outcome["event"].astype(np.int64)}
    kept = population[list(covariates.names)].iloc[drawn.rows].reset_index(drop=True)
    return pd.concat([pd.DataFrame(numbered), kept, pd.DataFrame(followed)], axis=1)
