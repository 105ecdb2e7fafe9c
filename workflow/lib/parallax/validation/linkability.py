"""Linkability (Giomi et al. 2023, section 5.2): do the synthetic patients connect two data sets that hold different columns of the same patients?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from parallax.validation.neighbours import find_nearest
from parallax.validation.risk import Outcome, Trials


def attack_links(
    seen: NDArray[np.float32],
    control: NDArray[np.float32],
    synthetic: NDArray[np.float32],
    *,
    sides: tuple[NDArray[np.int64], NDArray[np.int64]],
    rng: np.random.Generator,
) -> Outcome:
    """A patient is linked where both halves of the record have the same synthetic record as nearest neighbour.

    Shapes
        ``seen``, ``control`` and ``synthetic`` (·, p) coordinates, ``sides`` the axes that either data set holds. All replicates stand in
        ``synthetic``. The baseline draws both neighbours at random.
    """
    links = [find_links(patients, synthetic, sides=sides) for patients in (seen, control)]
    guesses = rng.integers(len(synthetic), size=(2, len(seen)))
    return Outcome(*(Trials(int(found.sum()), len(found)) for found in (*links, guesses[0] == guesses[1])))


def find_links(
    patients: NDArray[np.float32], synthetic: NDArray[np.float32], *, sides: tuple[NDArray[np.int64], NDArray[np.int64]]
) -> NDArray[np.bool_]:
    """For each patient whether both halves of the record have the same nearest synthetic record."""
    first, second = (find_nearest(patients[:, axes], synthetic[:, axes]).index for axes in sides)
    linked: NDArray[np.bool_] = first == second
    return linked
