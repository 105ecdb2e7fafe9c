"""The columns of a propensity regression: main effects, squares, interactions, splines."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from parallax.design.matrix import DesignMatrix
from parallax.protocol.propensity import Terms
from parallax.statistics.newton import dependent_columns

FloatMatrix = NDArray[np.float64]


def build_regressors(matrix: DesignMatrix, terms: Terms, rows: NDArray[np.bool_]) -> tuple[FloatMatrix, tuple[str, ...]]:
    """Intercept and standardised columns (rows × columns), each with the covariate that it comes from ("" for the intercept).

    Main effects are those that a regression on these rows can take. Squares and products are of centred columns; an interaction with a
    categorical covariate has a product per level. A spline replaces nothing: its columns beyond the straight line are added. What is
    constant or a combination of columns before it is left out.
    """
    main = matrix.modelled(rows)
    values = matrix.values[rows]
    centred = values - values.mean(axis=0)
    columns = [centred[:, j] for j in main]
    names = [matrix.covariates[j] for j in main]
    for name, column in _added(matrix, terms, values, centred):
        columns.append(column - column.mean())
        names.append(name)
    if not columns:
        return np.ones((len(values), 1)), ("",)
    together = np.column_stack(columns)
    spread = together.std(axis=0)
    varying = np.flatnonzero(spread > 1e-12 * np.abs(together).max(axis=0))
    scaled = together[:, varying] / spread[varying]
    if len(columns) > len(main):
        kept = np.delete(np.arange(len(varying)), list(dependent_columns(scaled)))
        scaled, varying = scaled[:, kept], varying[kept]
    return np.column_stack([np.ones(len(scaled)), scaled]), ("", *(names[j] for j in varying))


def _added(matrix: DesignMatrix, terms: Terms, values: FloatMatrix, centred: FloatMatrix) -> Iterator[tuple[str, NDArray[np.float64]]]:
    columns: dict[str, list[int]] = {}
    numeric: dict[str, int] = {}
    for j, (name, level) in enumerate(zip(matrix.covariates, matrix.levels, strict=True)):
        columns.setdefault(name, []).append(j)
        if level is None:
            numeric[name] = j
    for name in numeric if terms.squares == "all" else terms.squares:
        yield name, centred[:, numeric[name]] ** 2
    for first, second in terms.interactions:
        for one in columns[first]:
            for other in columns[second]:
                yield f"{first} × {second}", centred[:, one] * centred[:, other]
    for name, knots in terms.splines.items():
        for column in _spline(values[:, numeric[name]], knots).T:
            yield name, column


def _spline(values: NDArray[np.float64], knots: int) -> FloatMatrix:
    """Cubic B-splines with knots at quantiles; linear beyond the outer ones."""
    from sklearn.preprocessing import SplineTransformer

    spread = np.unique(np.quantile(values, np.linspace(0, 1, knots)))
    if len(spread) < 2:
        return np.empty((len(values), 0))
    basis: FloatMatrix = SplineTransformer(knots=spread[:, None], extrapolation="linear", include_bias=False).fit_transform(values[:, None])
    return basis
