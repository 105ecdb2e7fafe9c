"""The distribution of largest entropy that agrees with noisy two-way tables around a centre: exact inference, since covariates form a forest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Table = tuple[str, str]

_STEPS: Final = 600
_GAIN: Final = 1e-5
_WINDOW: Final = 25


@dataclass(frozen=True, slots=True)
class Structure:
    """Sizes of the columns; those of the ``centre``, all joint; and every covariate's parent, parents first (None: the centre alone)."""

    sizes: Mapping[str, int]
    centre: tuple[str, ...]
    parents: Mapping[str, str | None]

    def places(self) -> Mapping[str, NDArray[np.int64]]:
        """For each column of the centre its code in every joint cell, shape (cells,)."""
        shape = [self.sizes[name] for name in self.centre]
        codes = np.unravel_index(np.arange(int(np.prod(shape))), shape)
        return {name: np.asarray(code, dtype=np.int64) for name, code in zip(self.centre, codes, strict=True)}


@dataclass(frozen=True, slots=True)
class Model:
    """``centre`` (cells,) and, by covariate, its distribution jointly with the centre and its parent's code: (cells, parent, codes)."""

    structure: Structure
    centre: FloatArray
    joint: Mapping[str, FloatArray]

    def table(self, table: Table) -> FloatArray:
        """Shares of a two-way table, shape (first, second)."""
        centre, parents = self.structure.centre, self.structure.parents
        first, second = table
        if first in centre and second in centre:
            return self._sum_over(self.centre, (first, second))
        if first in centre:
            return self._sum_over(self.joint[second].sum(axis=1), (first, second))
        if second in centre:
            return self._sum_over(self.joint[first].sum(axis=1), (second, first)).T
        child = first if parents[first] == second else second
        cells = self.joint[child].sum(axis=0)
        return cells if child == second else cells.T

    def _sum_over(self, shares: FloatArray, kept: Table) -> FloatArray:
        """Shares by cell of the centre, and by a covariate's codes where there are, added up over all columns but those kept."""
        names = [*self.structure.centre, *(name for name in kept if name not in self.structure.centre)]
        summed = shares.reshape([self.structure.sizes[name] for name in names])
        summed = summed.sum(axis=tuple(axis for axis, name in enumerate(names) if name not in kept))
        left = [name for name in names if name in kept]
        return summed if left == list(kept) else summed.T


def fit_model(structure: Structure, counts: Mapping[Table, FloatArray], weights: Mapping[Table, float], *, patients: int) -> Model:
    """The model nearest to noisy ``counts``, flat by table: least Σ weight·(patients·share − count)², by mirror descent.

    Each column of a table is of the centre, a covariate, or the parent of the other. Potentials take the gradient, so that shares stay
    shares whatever the noise; a step that does not lower the squares enough is halved, the next one lengthened (Private-PGM, algorithm 1 of
    McKenna, Sheldon & Miklau 2019 ICML 97:4435). Deterministic.
    """
    noisy = {table: part.reshape([structure.sizes[name] for name in table]) for table, part in counts.items()}
    potentials = {table: np.zeros_like(part) for table, part in noisy.items()}
    model = infer(structure, potentials)
    loss, gradient = _judge(model, noisy, weights, patients)
    length, history = 2.0 / (patients * sum(weights.values())), [loss]
    for _ in range(_STEPS):
        proposed = {table: potential - length * gradient[table] for table, potential in potentials.items()}
        candidate = infer(structure, proposed)
        reached, slope = _judge(candidate, noisy, weights, patients)
        gain = patients * sum(float((gradient[table] * (model.table(table) - candidate.table(table))).sum()) for table in noisy)
        if loss - reached < 0.5 * gain:
            length *= 0.5
            continue
        potentials, model, loss, gradient, length = proposed, candidate, reached, slope, length * 1.2
        history.append(loss)
        if len(history) > _WINDOW and history[-_WINDOW] - loss <= _GAIN * max(loss, 1.0):
            break
    return model


def infer(structure: Structure, potentials: Mapping[Table, FloatArray]) -> Model:
    """The distribution proportional to the exponential of all potentials: messages to the centre, then back."""
    places, sizes, parents = structure.places(), structure.sizes, structure.parents
    log_centre = np.zeros(len(next(iter(places.values()))))
    own = {name: np.zeros((len(log_centre), sizes[name])) for name in parents}
    between: dict[str, FloatArray] = {}
    for (first, second), potential in potentials.items():
        if first in places and second in places:
            log_centre = log_centre + potential[places[first], places[second]]
        elif first in places:
            own[second] += potential[places[first]]
        elif second in places:
            own[first] += potential.T[places[second]]
        else:
            child = first if parents[first] == second else second
            between[child] = potential if child == second else potential.T
    given: dict[str, FloatArray] = {}
    for name in reversed(list(parents)):
        parent = parents[name]
        # (cells, parent, codes)
        logs = own[name][:, None, :] + (0.0 if parent is None else between[name][None])
        top = logs.max(axis=2, keepdims=True)
        weight = np.exp(logs - top)
        total = weight.sum(axis=2, keepdims=True)
        given[name] = weight / total
        message = (np.log(total) + top)[:, :, 0]
        if parent is None:
            log_centre = log_centre + message[:, 0]
        else:
            own[parent] = own[parent] + message
    centre = np.exp(log_centre - log_centre.max())
    centre /= centre.sum()
    joint: dict[str, FloatArray] = {}
    for name, parent in parents.items():
        before = centre[:, None] if parent is None else joint[parent].sum(axis=1)
        joint[name] = before[:, :, None] * given[name]
    return Model(structure, centre, joint)


def order_covariates(covariates: Sequence[str], pairs: Sequence[Table]) -> dict[str, str | None]:
    """Every covariate's parent, parents first: a walk through the forest that the pairs are; the first of each tree has none."""
    found: dict[str, str | None] = {}

    def walk(name: str, parent: str | None) -> None:
        if name not in found:
            found[name] = parent
            for pair in pairs:
                if name in pair:
                    walk(pair[1] if pair[0] == name else pair[0], name)

    for covariate in covariates:
        walk(covariate, None)
    return found


def _judge(
    model: Model, noisy: Mapping[Table, FloatArray], weights: Mapping[Table, float], patients: int
) -> tuple[float, dict[Table, FloatArray]]:
    residuals = {table: patients * model.table(table) - part for table, part in noisy.items()}
    loss = 0.5 * sum(weights[table] * float((part**2).sum()) for table, part in residuals.items())
    return loss, {table: weights[table] * part for table, part in residuals.items()}
