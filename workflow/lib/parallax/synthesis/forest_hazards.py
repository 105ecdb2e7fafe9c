"""Event or censoring times of one arm by a survival forest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sklearn.ensemble import RandomForestRegressor

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

_TREES: Final = 100
#: smallest leaf: a patient's time is drawn from the product-limit curve of at least so many real ones
_SMALLEST_LEAF: Final = 50


@dataclass(frozen=True, slots=True)
class _Curves:
    """The product-limit curves of a tree's leaves: per leaf its times, and the cumulative discrete hazard at them."""

    times: dict[int, FloatArray]
    cumulative: dict[int, FloatArray]


@dataclass(frozen=True, slots=True)
class ForestHazard:
    """Times from the leaves of a forest that splits where the observed and the expected number of events differ.

    Trees are grown on the martingale residuals d − Λ̂(t) of the Nelson–Aalen hazard, whose mean in a node is its excess of events: the split
    of LeBlanc & Crowley (1992) Biometrics 48:411, section 2, to first order. A patient's survival is the mean of its leaves' product-limit
    curves over the trees (Ishwaran et al. 2008 Ann Appl Stat 2:841, eq. 3.2, for survival): one tree at random, then its leaf's curve.
    Assumption: none on the shape of effects; effects thinner than a leaf of fifty are not kept.
    """

    forest: RandomForestRegressor
    curves: tuple[_Curves, ...]

    @classmethod
    def fit(cls, days: FloatArray, event: BoolArray, columns: FloatArray, *, rng: np.random.Generator) -> Self | None:
        """Fit to follow-up ``days`` (n,), ``event`` (n,) and standardised ``columns`` (n, p); None where nothing ever happens."""
        if not event.any():
            return None
        from sklearn.ensemble import RandomForestRegressor

        times, hazard = _discrete_hazard(days, event)
        place = np.searchsorted(times, days, side="right")
        expected = np.concatenate([[0.0], np.cumsum(-np.expm1(-np.diff(hazard, prepend=0.0)))])[place]
        forest = RandomForestRegressor(
            n_estimators=_TREES, min_samples_leaf=_SMALLEST_LEAF, max_features=1 / 3, n_jobs=1, random_state=int(rng.integers(2**31))
        )
        forest.fit(columns, event - expected)
        curves = []
        for leaves in forest.apply(columns).T:
            grown = {int(leaf): _discrete_hazard(days[leaves == leaf], event[leaves == leaf]) for leaf in np.unique(leaves)}
            curves.append(_Curves({leaf: curve[0] for leaf, curve in grown.items()}, {leaf: curve[1] for leaf, curve in grown.items()}))
        return cls(forest, tuple(curves))

    def draw(self, columns: FloatArray, *, rng: np.random.Generator) -> FloatArray:
        """One time for each row of ``columns``, among the times seen; infinite for those whom it never happens to."""
        credit = rng.standard_exponential(len(columns))
        tree = rng.integers(len(self.curves), size=len(columns))
        drawn = np.full(len(columns), np.inf)
        for number, curves in enumerate(self.curves):
            rows = np.flatnonzero(tree == number)
            if not rows.size:
                continue
            leaves = self.forest.estimators_[number].apply(columns[rows].astype(np.float32))
            for leaf in np.unique(leaves):
                inside = rows[leaves == leaf]
                step = np.searchsorted(curves.cumulative[int(leaf)], credit[inside])
                ends = step < curves.times[int(leaf)].size
                drawn[inside[ends]] = curves.times[int(leaf)][step[ends]]
        return drawn

    def survival(self, columns: FloatArray, times: FloatArray) -> FloatArray:
        """The mean over the trees of the leaves' product-limit curves, (n, k), at each of ``times`` (k,)."""
        total = np.zeros((len(columns), times.size))
        for tree, curves in zip(self.forest.estimators_, self.curves, strict=True):
            leaves = tree.apply(columns.astype(np.float32))
            for leaf in np.unique(leaves):
                grown, cumulative = curves.times[int(leaf)], curves.cumulative[int(leaf)]
                so_far = np.concatenate([[0.0], cumulative])[np.searchsorted(grown, times, side="right")]
                total[leaves == leaf] += np.exp(-so_far)
        return total / len(self.curves)

    def steps(self) -> FloatArray:
        """The times seen."""
        return np.unique(np.concatenate([times for curves in self.curves for times in curves.times.values()]))


def _discrete_hazard(days: FloatArray, event: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Distinct event times, and −log of the product-limit survival at them."""
    times, counts = np.unique(days[event], return_counts=True)
    at_risk = days.size - np.searchsorted(np.sort(days), times)
    with np.errstate(divide="ignore"):
        return times, np.cumsum(-np.log1p(-counts / at_risk))
