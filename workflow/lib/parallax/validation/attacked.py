"""What the attacks on privacy are made on: refits of a generator, the patients whom each saw and whom it did not, and what it drew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from parallax.errors import NotEstimable
from parallax.validation.neighbours import RecordSpace
from parallax.validation.records import RecordColumns


@dataclass(frozen=True, slots=True)
class Attacked:
    """One refit under attack: the real patients, those ``seen`` by the generator whom it is attacked on and those whom it did not see (by position),
    and what it drew; with their coordinates.

    Where every patient is held out in turn, those held out of the next refit are the ones attacked as seen here: each patient has either role once.
    """

    real: pd.DataFrame
    synthetic: pd.DataFrame
    columns: RecordColumns
    space: RecordSpace
    records: NDArray[np.float32]
    drawn: NDArray[np.float32]
    seen: NDArray[np.int64]
    control: NDArray[np.int64]
    reference: NDArray[np.int64]

    @classmethod
    def each(cls, real: pd.DataFrame, split: pd.DataFrame, synthetic: Sequence[pd.DataFrame], columns: RecordColumns) -> tuple[Self, ...]:
        """Every round, with all records in one space; NotEstimable where nobody was seen, nobody kept, or nothing drawn."""
        if min(map(len, synthetic)) == 0:
            raise NotEstimable("no synthetic patients")
        known = real[["patient_id"]]
        parts = [known.merge(rows, on="patient_id", how="left", validate="one_to_one")["part"].to_numpy() for _, rows in split.groupby("round")]
        train, control, reference = ([np.flatnonzero(part == name) for part in parts] for name in ("train", "control", "reference"))
        kept = [np.concatenate(halves) for halves in zip(control, reference, strict=True)]
        if min(map(len, (*train, *kept))) == 0:
            raise NotEstimable("the split has no train patients or no hold-out patients")
        seen = train if len(parts) == 1 else [*kept[1:], kept[0]]
        space = RecordSpace.of([real, *synthetic], numeric=columns.numeric, categorical=columns.categorical)
        records = space.place(real)
        return tuple(
            cls(real, drawn, columns, space, records, space.place(drawn), *people)
            for drawn, *people in zip(synthetic, seen, control, reference, strict=True)
        )

    @property
    def hold_out(self) -> NDArray[np.int64]:
        """The patients whom the generator did not see."""
        return np.concatenate([self.control, self.reference])

    def replicates(self) -> list[NDArray[np.int64]]:
        """The positions of each replicate's records."""
        number = self.synthetic["replicate"].to_numpy()
        return [np.flatnonzero(number == replicate) for replicate in np.unique(number)]


Rounds = tuple[Attacked, ...]


def in_both_roles(rounds: Rounds, found: Sequence[NDArray[np.bool_]]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Of what was found in each round on every real patient: that on those seen, and that on those not seen, all rounds together."""
    seen, unseen = zip(*((values[one.seen], values[one.hold_out]) for one, values in zip(rounds, found, strict=True)), strict=True)
    return np.concatenate(seen), np.concatenate(unseen)


def count_kept(rounds: Rounds) -> int:
    """How many patients were kept from the generator."""
    return sum(len(one.hold_out) for one in rounds)
