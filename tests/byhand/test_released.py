"""A release from elsewhere as a pool takes it in: its replicates and n, and what is refused in words."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from parallax.errors import ProtocolError
from parallax.extraction.preflight import check_sources
from parallax.protocol import Protocol
from parallax.release.contents import render_protocol
from parallax.release.patients import restore_source
from parallax.sites.released import read_released
from released_folders import write_folder
from workflow.conftest import PROTOCOL as TINY
from workflow.conftest import simulate_patients

SENDER = Protocol.of(TINY)


def receiver(**synthesis: object) -> Protocol:
    content = copy.deepcopy(TINY)
    content["synthesis"] |= synthesis
    content["data"]["sites"]["harbour"] = {"source": "release", "path": "received", "site": "clinic"}
    return Protocol.of(content)


def drawn(patients: int, replicates: int = 3) -> pd.DataFrame:
    """A generator's table with patients whom the criterion age >= 18 would leave out."""
    rng = np.random.default_rng(1)
    rows = patients * replicates
    return pd.DataFrame(
        {
            "replicate": np.repeat(np.arange(replicates), patients),
            "patient_id": pd.array([str(number + 1) for _ in range(replicates) for number in range(patients)], dtype="string"),
            "treated": rng.random(rows) < 0.5,
            "age": rng.integers(10, 80, rows).astype(float),
            "marker": rng.normal(size=rows),
            "stage": pd.array(rng.choice(["I", "II", "III"], rows), dtype="string"),
            "death_days": rng.integers(1, 100, rows).astype(float),
            "death_event": rng.integers(0, 2, rows),
        }
    )


def write(folder: Path, cohort: pd.DataFrame, *, sender: Protocol = SENDER, treated: int | None = 20, comparator: int | None = 30) -> None:
    record = {
        "format": 1,
        "study_digest": sender.study_digest,
        "generator": "gaussian_copula",
        "sites": ["clinic"],
        "replicates": 3,
        "learned_from": {"clinic": {"treated": treated, "comparator": comparator}},
        "criteria_applied": [],
    }
    write_folder(
        folder / "received", patients=restore_source(cohort, sender.cohort, sender.outcomes), record=record, protocol=render_protocol(sender)
    )


def refusal(protocol: Protocol, folder: Path) -> str:
    with pytest.raises(ProtocolError) as caught:
        read_released("harbour", protocol, folder=folder)
    return str(caught.value)


def test_replicates_are_taken_as_drawn_and_n_is_told_by_their_rows(tmp_path: Path) -> None:
    cohort = drawn(48)
    write(tmp_path, cohort)
    found = read_released("harbour", receiver(), folder=tmp_path)
    pd.testing.assert_frame_equal(found.cohort, cohort, check_dtype=False)
    assert (found.generator, found.patients, found.signed) == ("gaussian_copula", 48, False)
    assert (cohort["age"] < 18).any()


def test_a_suppressed_count_takes_nothing_from_n(tmp_path: Path) -> None:
    write(tmp_path, drawn(48), treated=None)
    assert read_released("harbour", receiver(), folder=tmp_path).patients == 48


def test_replicates_half_as_large_know_of_twice_as_many(tmp_path: Path) -> None:
    half = Protocol.of(copy.deepcopy(TINY) | {"synthesis": TINY["synthesis"] | {"patients": 0.5}})
    write(tmp_path, drawn(25), sender=half)
    assert read_released("harbour", receiver(patients=0.5), folder=tmp_path).patients == 50


def test_another_study_is_named_by_the_keys_that_differ(tmp_path: Path) -> None:
    write(tmp_path, drawn(48))
    said = refusal(receiver(replicates=4, hold_out=0.5), tmp_path)
    assert "a release of another study: it differs in synthesis.replicates, synthesis.hold_out" in said


@pytest.mark.parametrize(
    ("cohort", "found"),
    [
        (drawn(90), "replicates of 90 patients, and about 50 real ones that they were made from"),
        (drawn(48, replicates=2), "other replicates than the protocol asks for"),
        (drawn(48).iloc[:-1], "other replicates than the protocol asks for"),
    ],
    ids=["stacked", "too few", "cut"],
)
def test_patients_that_the_release_does_not_state(tmp_path: Path, cohort: pd.DataFrame, found: str) -> None:
    write(tmp_path, cohort)
    assert found in refusal(receiver(), tmp_path)


def test_months_for_days_in_a_release(tmp_path: Path) -> None:
    """What was released is in months: found before the first job, and the institution is to correct it."""
    simulate_patients().to_csv(tmp_path / "patients.csv", index=False)
    cohort = drawn(48)
    write(tmp_path, cohort)
    assert set(check_sources(receiver(), folder=tmp_path)) == {"clinic", "harbour"}
    write(tmp_path, cohort.assign(death_days=cohort["death_days"] / 30.4375))
    with pytest.raises(ProtocolError) as caught:
        check_sources(receiver(), folder=tmp_path)
    assert "  data.sites.harbour\n      found    a median follow-up " in str(caught.value)
    assert "perhaps in months" in str(caught.value)
    assert "such as 30.4375, run the study again and make a new release" in str(caught.value)


def test_who_is_in_which_pool() -> None:
    protocol = receiver()
    assert (protocol.pooled_sites, protocol.joining_sites) == (("clinic",), ("harbour",))
    assert protocol.pools
    assert not protocol.pools_aggregates
    assert protocol.pooled_datasets == protocol.generators
    content = protocol.plain()
    content["data"]["sites"].pop("clinic")
    alone = Protocol.of(content)
    assert (alone.joining_sites, alone.pools, alone.ai_generated) == ((), False, True)
