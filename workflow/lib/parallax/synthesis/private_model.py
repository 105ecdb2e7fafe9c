"""The distribution of largest entropy that agrees with noisy two-way tables around a centre: exact inference, since covariates form a forest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Table = tuple[str, str]

_STEPS: Final = 600
_NEGLIGIBLE: Final = 1e-3
_WINDOW: Final = 25


@dataclass(frozen=True, slots=True)
class Structure:
    """Sizes of the columns; those of the ``centre``, all joint; and every covariate's parent, parents first (None: the centre alone).

    ``places`` is each centre column's code in every joint cell, shape (cells,); ``indicators`` whether a cell has a code, one row for each code
    of each centre column, at ``rows``.
    """

    sizes: Mapping[str, int]
    centre: tuple[str, ...]
    parents: Mapping[str, str | None]
    places: Mapping[str, NDArray[np.int64]]
    rows: Mapping[str, slice]
    indicators: FloatArray

    @classmethod
    def of(cls, sizes: Mapping[str, int], centre: tuple[str, ...], parents: Mapping[str, str | None]) -> Self:
        """The structure over columns of these sizes."""
        shape = [sizes[name] for name in centre]
        codes = np.unravel_index(np.arange(int(np.prod(shape))), shape)
        places = {name: np.asarray(code, dtype=np.int64) for name, code in zip(centre, codes, strict=True)}
        ends = np.cumsum(shape)
        rows = {name: slice(int(end - size), int(end)) for name, size, end in zip(centre, shape, ends, strict=True)}
        indicators = np.concatenate([np.equal.outer(np.arange(sizes[name]), place) for name, place in places.items()]).astype(np.float64)
        return cls(sizes, centre, parents, places, rows, indicators)


@dataclass(frozen=True, slots=True)
class Model:
    """``centre`` (cells,) and, by covariate, its distribution jointly with the centre and its parent's code: (cells, parent, codes)."""

    structure: Structure
    centre: FloatArray
    joint: Mapping[str, FloatArray]

    def tables(self, asked: Iterable[Table]) -> dict[Table, FloatArray]:
        """Shares of two-way tables, each of shape (first, second)."""
        structure, rows = self.structure, self.structure.rows
        inner = (structure.indicators * self.centre) @ structure.indicators.T
        outer = {name: structure.indicators @ part.sum(axis=1) for name, part in self.joint.items()}
        found = {}
        for first, second in asked:
            if first in rows and second in rows:
                found[first, second] = inner[rows[first], rows[second]]
            elif first in rows:
                found[first, second] = outer[second][rows[first]]
            elif second in rows:
                found[first, second] = outer[first][rows[second]].T
            else:
                downward = structure.parents[second] == first
                cells = self.joint[second if downward else first].sum(axis=0)
                found[first, second] = cells if downward else cells.T
        return found


def fit_model(structure: Structure, counts: Mapping[Table, FloatArray], weights: Mapping[Table, float], *, variance: float, patients: int) -> Model:
    """The model nearest to noisy ``counts``, flat by table: least Σ weight·(patients·share − count)², by mirror descent.

    Each column of a table is of the centre, a covariate, or the parent of the other; ``variance`` is that of a count of weight 1. Potentials
    take the gradient, so that shares stay shares whatever the noise; a step that does not lower the squares enough is halved, the next one
    lengthened (Private-PGM, algorithm 1 of McKenna, Sheldon & Miklau 2019 ICML 97:4435). It ends where 25 steps gain less than a thousandth
    of what the noise adds to the squares. Deterministic.
    """
    noisy = {table: part.reshape([structure.sizes[name] for name in table]) for table, part in counts.items()}
    negligible = _NEGLIGIBLE * variance * sum(part.size for part in noisy.values())
    potentials = {table: np.zeros_like(part) for table, part in noisy.items()}
    model = infer(structure, potentials)
    shares, loss, gradient = _judge(model, noisy, weights, patients)
    length, history = 2.0 / (patients * sum(weights.values())), [loss]
    for _ in range(_STEPS):
        proposed = {table: potential - length * gradient[table] for table, potential in potentials.items()}
        candidate = infer(structure, proposed)
        reached, after, slope = _judge(candidate, noisy, weights, patients)
        promised = patients * sum(float((gradient[table] * (shares[table] - reached[table])).sum()) for table in noisy)
        if loss - after < 0.5 * promised:
            length *= 0.5
            continue
        potentials, model, shares, loss, gradient, length = proposed, candidate, reached, after, slope, length * 1.2
        history.append(loss)
        if len(history) > _WINDOW and history[-_WINDOW] - loss <= negligible:
            break
    return model


def infer(structure: Structure, potentials: Mapping[Table, FloatArray]) -> Model:
    """The distribution proportional to the exponential of all potentials: messages to the centre, then back."""
    places, sizes, parents = structure.places, structure.sizes, structure.parents
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
            downward = parents[second] == first
            between[second if downward else first] = potential if downward else potential.T
    given: dict[str, FloatArray] = {}
    for name in reversed(list(parents)):
        parent = parents[name]
        # axes: cells of the centre, codes of the parent, own codes
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
) -> tuple[dict[Table, FloatArray], float, dict[Table, FloatArray]]:
    """The model's tables, half the sum of squares, and its gradient in the tables' counts."""
    shares = model.tables(noisy)
    residuals = {table: patients * shares[table] - part for table, part in noisy.items()}
    loss = 0.5 * sum(weights[table] * float((part**2).sum()) for table, part in residuals.items())
    return shares, loss, {table: weights[table] * part for table, part in residuals.items()}
