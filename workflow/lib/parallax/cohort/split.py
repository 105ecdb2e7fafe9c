"""The splits of the real cohort for attacks on privacy: train for a generator, control and reference that it never sees; and halves."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from parallax.tables import SPLIT


def split_patients(cohort: pd.DataFrame, *, hold_out: float, rounds: int = 1, rng: np.random.Generator) -> pd.DataFrame:
    """The part of every patient in every round: ``train`` (share 1 − ``hold_out``), and the rest by turns ``control`` and ``reference``.

    Stratified by arm × event of the first survival outcome (arm alone where there is none): patients are put in random order within strata,
    the strata one after another, and every (1/``hold_out``)-th is held out, so that each stratum gives its share to within one patient. A
    further round holds out each one's predecessor; with as many rounds as 1/``hold_out`` every patient is held out once. The first round is
    the same whatever their number. Rounds one after another, patients in the cohort's order; does not depend on that order.
    """
    shuffled = _shuffle_in_strata(cohort, rng)
    share = hold_out if rounds == 1 else 1 / rounds
    quota = np.floor(np.arange(len(shuffled) + rounds) * share + 1e-9).astype(int)
    parts = []
    for number in range(rounds):
        before, after = quota[number : number + len(shuffled)], quota[number + 1 : number + 1 + len(shuffled)]
        part = np.where(after > before, np.where(after % 2 == 1, "control", "reference"), "train")
        table = pd.DataFrame({"round": number + 1, "patient_id": shuffled["patient_id"], "part": part}, index=shuffled.index)
        parts.append(table.loc[cohort.index])
    return SPLIT.validate(pd.concat(parts, ignore_index=True))


def halve_patients(cohort: pd.DataFrame, *, rng: np.random.Generator) -> NDArray[np.bool_]:
    """One half of the patients, (n,) in the cohort's order; the others are the other half.

    By turns within the strata of :func:`split_patients`, so that the halves of each stratum differ by at most one patient. Does not depend on
    the order of rows.
    """
    shuffled = _shuffle_in_strata(cohort, rng)
    return pd.Series(np.arange(len(shuffled)) % 2 == 0, index=shuffled.index).loc[cohort.index].to_numpy()


def _shuffle_in_strata(cohort: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """The patients in random order within arm × event of the first survival outcome, the strata one after another."""
    event = next((name for name in cohort.columns if name.endswith("_event") and f"{name.removesuffix('_event')}_days" in cohort.columns), None)
    strata = ["treated"] + ([event] if event is not None else [])
    shuffled = cohort.sort_values("patient_id", kind="stable")[["patient_id", *strata]]
    return shuffled.iloc[rng.permutation(len(shuffled))].sort_values(strata, kind="stable")
