"""Membership disclosure as El Emam and colleagues measure it: the F1 score of an attack beside that of naming everybody a member."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class DisclosureF1:
    """The attack's ``f1``, the ``naive`` one, and what the attack gains of what there was to gain (``relative``)."""

    f1: float
    naive: float
    relative: float


def measure_f1(seen: NDArray[np.float64], unseen: NDArray[np.float64], *, member_share: float) -> DisclosureF1:
    """F1 of the attack that names a member whoever lies near enough to a synthetic record (El Emam, Mosquera and Fang 2022, JAMIA Open 5:ooac083).

    ``seen`` and ``unseen``: distances to the nearest synthetic record of patients whom the generator saw and did not see.

    Formula
        with the shares a of those seen and c of those unseen within the distance, and p the ``member_share`` of the population that the intruder
        draws from: recall a, precision pa/(pa + (1 − p)c), so F1 = 2pa/(p + pa + (1 − p)c). Naming everybody: 2p/(1 + p). Relative:
        (F1 − naive)/(1 − naive).
    Assumption
        p is the share of members in the attack set, which must equal the sampling fraction of the real patients from their population; the paper
        samples such a set, here the two shares are weighted. Of all distances that with the largest F1 is taken, as if the intruder knew it;
        since the largest names everybody, the relative F1 is never below zero.
    """
    distances = np.unique(np.concatenate([seen, unseen]))
    a, c = (np.searchsorted(np.sort(part), distances, side="right") / len(part) for part in (seen, unseen))
    f1 = float((2 * member_share * a / (member_share + member_share * a + (1 - member_share) * c)).max())
    naive = 2 * member_share / (1 + member_share)
    return DisclosureF1(f1, naive, (f1 - naive) / (1 - naive))
