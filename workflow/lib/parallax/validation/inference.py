"""Attribute inference (Giomi et al. 2023, section 5.3): does who knows a patient's other columns learn a sensitive one from the release?"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from parallax.validation.neighbours import find_nearest
from parallax.validation.risk import Outcome, Trials

#: a guessed number is right within this share of the guess
TOLERANCE: Final = 0.05


def attack_attribute(
    seen: NDArray[np.float32],
    control: NDArray[np.float32],
    synthetic: NDArray[np.float32],
    *,
    known: NDArray[np.int64],
    secrets: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
    number: bool,
    rng: np.random.Generator,
) -> Outcome:
    """The attacker guesses what the nearest synthetic record holds, among the axes ``known``; the baseline guesses that of a random record.

    Shapes
        ``seen`` (n, p), ``control`` (c, p), ``synthetic`` (N, p) coordinates; ``secrets`` the sensitive column of each, a level as its code, NaN
        is missing; ``number`` says that it holds numbers.
    """
    of_seen, of_control = (secrets[2][find_nearest(patients[:, known], synthetic[:, known]).index] for patients in (seen, control))
    blind = secrets[2][rng.integers(len(synthetic), size=len(seen))]
    return Outcome(
        _count(of_seen, secrets[0], number=number), _count(of_control, secrets[1], number=number), _count(blind, secrets[0], number=number)
    )


def find_right(guesses: NDArray[np.float64], truth: NDArray[np.float64], *, number: bool) -> NDArray[np.bool_]:
    """Which guesses are right: equal, or for a number |guess − truth| ≤ 5 % of |guess|; missing is right for missing.

    anonymeter divides by the guess with its sign, so that there every guess below zero is right; here the size counts.
    """
    same = np.abs(guesses - truth) <= TOLERANCE * np.abs(guesses) if number else guesses == truth
    right: NDArray[np.bool_] = same | (np.isnan(guesses) & np.isnan(truth))
    return right


def _count(guesses: NDArray[np.float64], truth: NDArray[np.float64], *, number: bool) -> Trials:
    return Trials(int(find_right(guesses, truth, number=number).sum()), len(truth))
