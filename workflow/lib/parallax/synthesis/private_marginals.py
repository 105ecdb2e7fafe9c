"""A differentially private generator: noisy two-way tables around treatment and outcome, and a graphical model that agrees with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from parallax.protocol.generators import PrivateMarginalsGenerator
from parallax.synthesis.generator import Context
from parallax.synthesis.private_codes import Arm, Codes, Coding, code_covariates, code_outcomes
from parallax.synthesis.private_model import Structure, fit_model, order_covariates
from parallax.synthesis.private_noise import release_counts

FloatArray = NDArray[np.float64]

_ARM: Final = "treated"


@dataclass(frozen=True, slots=True)
class Step:
    """A covariate given arm, outcomes and its ``parent`` covariate, where it has one: cumulative shares, a row for each of their codes."""

    name: str
    parent: str | None
    cumulative: FloatArray

    def draw(self, row: Codes, uniform: FloatArray) -> Codes:
        """A code for each patient, from the distribution in its row."""
        above = uniform[:, None] >= self.cumulative[row]
        code: Codes = np.minimum(above.sum(axis=1), self.cumulative.shape[1] - 1).astype(np.int64)
        return code


@dataclass(frozen=True, slots=True)
class FittedPrivateMarginals:
    """What was paid for, and nothing else of the real patients: the joint distribution of arm and outcomes, and the steps to the covariates.

    ``scale`` is the standard deviation of the noise of every cell, ``epsilon`` what the library says was spent.
    """

    context: Context
    codings: Mapping[str, Coding]
    centre: tuple[str, ...]
    cumulative: FloatArray
    steps: tuple[Step, ...]
    scale: float
    epsilon: float

    def draw(self, patients: int, *, rng: np.random.Generator) -> pd.DataFrame:
        """Synthetic patients, independent of each other: post-processing, which costs nothing however often it is done."""
        place = np.searchsorted(self.cumulative, rng.random(patients), side="right")
        place = np.minimum(place, len(self.cumulative) - 1)
        sizes = [self.codings[name].size for name in self.centre]
        codes = dict(zip(self.centre, np.unravel_index(place, sizes), strict=True))
        for step in self.steps:
            row = place if step.parent is None else place * self.codings[step.parent].size + codes[step.parent]
            codes[step.name] = step.draw(row, rng.random(patients))
        drawn: dict[str, Any] = {}
        for name, coding in self.codings.items():
            drawn |= coding.decode(codes[name], rng=rng)
        return pd.DataFrame(drawn)[list(self.context.columns)]


@dataclass(frozen=True, slots=True)
class PrivateMarginals:
    """Set-up: the settings, which declare every range and level.

    Tables
        arm × covariate, covariate × outcome, and arm × outcome, the last once for every covariate, so that the effect has a third of the
        budget; and the pairs of covariates that the settings name. All go through one discrete Gaussian mechanism.
    Model
        the distribution of largest entropy whose tables are nearest to the noisy ones in squares (Private-PGM; McKenna, Sheldon & Miklau 2019
        ICML 97:4435). Assumption: covariates that are no pair are independent given arm and outcomes, outcomes given arm and covariates; an
        effect is the same, on the scale of odds of the bins, at every level of a covariate; values are uniform within their bins.

    Nothing but the noisy tables is learnt: bins, levels, grids and the largest follow-up are the protocol's.
    """

    settings: PrivateMarginalsGenerator

    def fit(self, cohort: pd.DataFrame, *, context: Context, rng: np.random.Generator) -> FittedPrivateMarginals:  # noqa: ARG002 -- the noise has no seed
        """Release the tables and fit the model to them."""
        covariates, outcomes = code_covariates(self.settings, context), code_outcomes(self.settings, context)
        codings: dict[str, Coding] = {_ARM: Arm(), **covariates, **outcomes}
        pairs = [pair for pair in self.settings.pairs if set(pair) <= covariates.keys()]
        tables = list_tables(list(covariates), list(outcomes), pairs)
        codes = {name: coding.encode(cohort) for name, coding in codings.items()}
        sizes = {name: coding.size for name, coding in codings.items()}
        noisy = release_counts(
            [np.tile(count_table(codes, sizes, table), (times, 1)) for table, times in tables.items()],
            epsilon=self.settings.epsilon,
            delta=self.settings.delta,
        )
        structure = Structure.of(sizes, (_ARM, *outcomes), order_covariates(list(covariates), pairs))
        means = {table: counts.mean(axis=0) for table, counts in zip(tables, noisy.tables, strict=True)}
        model = fit_model(structure, means, tables, variance=noisy.scale**2, patients=len(cohort))
        steps = tuple(Step(name, structure.parents[name], _cumulate(part.reshape(-1, sizes[name]))) for name, part in model.joint.items())
        return FittedPrivateMarginals(context, codings, structure.centre, _cumulate(model.centre[None])[0], steps, noisy.scale, noisy.epsilon)


def list_tables(covariates: Sequence[str], outcomes: Sequence[str], pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """The tables that are released, and how often each: arm × outcome as often as there are covariates."""
    found = {(_ARM, outcome): len(covariates) for outcome in outcomes}
    once = [(_ARM, name) for name in covariates] + [(name, outcome) for name in covariates for outcome in outcomes] + [*pairs]
    return found | dict.fromkeys(once, 1)


def count_table(codes: Mapping[str, Codes], sizes: Mapping[str, int], table: tuple[str, str]) -> NDArray[np.int64]:
    """The cells of a table, flat: row after row."""
    first, second = table
    return np.bincount(codes[first] * sizes[second] + codes[second], minlength=sizes[first] * sizes[second]).astype(np.int64)


def _cumulate(weights: FloatArray) -> FloatArray:
    """Cumulative shares of each row; a row without weight is never drawn from."""
    total = weights.sum(axis=1, keepdims=True)
    return np.cumsum(weights, axis=1) / np.where(total > 0, total, 1.0)
