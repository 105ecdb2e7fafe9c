"""Real treated patients beside synthetic comparators: who is in which replicate."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from parallax.errors import GenerationError
from parallax.synthesis.external_control import join_external_control


def cohort(replicates: list[int], ids: list[str], treated: list[bool], age: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"replicate": replicates, "patient_id": pd.array(ids, dtype="string"), "treated": treated, "age": age})


REAL = cohort([0, 0, 0], ["1", "2", "3"], [True, False, True], [50.0, 60.0, 70.0])
DRAWN = cohort([0, 0, 0, 1, 1, 1], ["1", "2", "3"] * 2, [False, True, False, False, False, False], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])


def test_every_replicate_holds_the_same_treated_and_its_own_first_comparators() -> None:
    joined = join_external_control(REAL, DRAWN, learned_from=2)
    assert joined["replicate"].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert joined["age"].tolist() == [50.0, 70.0, 1.0, 3.0, 50.0, 70.0, 4.0, 5.0]
    assert joined["treated"].tolist() == [True, True, False, False] * 2
    assert not joined.duplicated(["replicate", "patient_id"]).any()
    assert list(joined.columns) == list(DRAWN.columns)


@pytest.mark.parametrize("learned_from", [0, 3])
def test_too_few_comparators_are_refused(learned_from: int) -> None:
    with pytest.raises(GenerationError, match=r"allowed (is|are) at least"):
        join_external_control(REAL, DRAWN, learned_from=learned_from)


def test_nobody_treated_is_refused() -> None:
    with pytest.raises(GenerationError, match="0 real treated"):
        join_external_control(REAL.assign(treated=np.zeros(3, dtype=bool)), DRAWN, learned_from=1)


def test_a_replicate_of_treated_alone_is_refused() -> None:
    everyone = pd.concat([DRAWN, DRAWN.assign(replicate=2, treated=True)], ignore_index=True)
    with pytest.raises(GenerationError, match="found 0 synthetic comparators"):
        join_external_control(REAL, everyone, learned_from=1)
