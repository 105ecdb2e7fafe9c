"""Fitted generators as files, fits on resampled patients, and replicates of another size."""

from __future__ import annotations

import hashlib
import pickle
import stat
from pathlib import Path

import numpy as np
import pytest

from parallax.errors import StorageError
from parallax.protocol import Protocol
from parallax.protocol.generators import SequentialGenerator
from parallax.provenance import describe_model, describe_run, list_seeds
from parallax.seeds import derive_seed
from parallax.storage import read_model, write_model
from parallax.synthesis.registry import draw_replicates, fit_generator, refit_generator
from parallax.validation.combining import combine
from simulated_cohorts import COVARIATES, OUTCOMES, simulate_cohort
from validation_tables import estimate_rows
from workflow.conftest import PROTOCOL

SETTINGS = SequentialGenerator(method="sequential")


class Trap:
    """Unpickled, it leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return (Path.touch, (self.mark,))


def test_only_the_recorded_bytes_are_unpickled(tmp_path) -> None:
    path, mark = tmp_path / "model.pkl", tmp_path / "mark"
    digest = write_model(path, {"fitted": 1})
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_model(path, sha256=digest) == {"fitted": 1}
    path.write_bytes(pickle.dumps(Trap(mark)))
    with pytest.raises(StorageError, match="the one that this study fitted"):
        read_model(path, sha256=digest)
    assert not mark.exists()
    with pytest.raises(StorageError, match="no such file"):
        read_model(tmp_path / "none.pkl", sha256=digest)


def test_the_record_holds_no_patient() -> None:
    real = simulate_cohort(60, seed=1)
    record = describe_model(SETTINGS.plain(), fit="single", seeds=1, patients=60, columns=list(real), sha256="0" * 64)
    assert record["columns"] == list(real)
    text = str(record)
    assert not any(f"{value:.3f}" in text for value in real["age"])
    assert record["machine_dependent"] is False


def test_every_replicate_has_a_fit_of_its_own_whatever_the_batches() -> None:
    real = simulate_cohort(400, seed=3)
    study = {"covariates": COVARIATES, "outcomes": OUTCOMES}
    fitted = refit_generator(SETTINGS, real, seeds={0: 1, 1: 2, 2: 3}, **study)
    drawn = draw_replicates(fitted, replicates=3, patients=500, seeds=[11, 12, 13])
    alone = draw_replicates(refit_generator(SETTINGS, real, seeds={0: 3}, **study), replicates=1, patients=500, seeds=[13])
    third = drawn[drawn["replicate"] == 2].drop(columns="replicate").reset_index(drop=True)
    assert third.equals(alone.drop(columns="replicate"))
    once = draw_replicates(fit_generator(SETTINGS, real, seed=1, **study), replicates=1, patients=500, seeds=[13])
    assert not third.equals(once.drop(columns="replicate"))


def test_the_partial_rule_knows_how_many_patients_were_drawn() -> None:
    # q = 1, 2, 3: b = 1; v = 1; k = 5 n: T = 5 + 1/3
    estimates = estimate_rows([1.0, 2.0, 3.0], [1.0, 1.0, 1.0])
    combined = combine(estimates, patients=100, synthetic=500).query("rule == 'partial'")
    assert float(combined["std_error"].iloc[0]) == pytest.approx(np.sqrt(5 + 1 / 3))


@pytest.mark.parametrize("fit", ["single", "bootstrap"])
def test_the_run_says_with_which_seeds_generators_were_fitted(fit: str) -> None:
    protocol = Protocol.of(PROTOCOL | {"synthesis": PROTOCOL["synthesis"] | {"fit": fit}})
    run = describe_run(protocol, repository=Path(__file__).parent)
    found = run["seeds"]["clinic/sequential"]
    purposes = {"fit": ("fit",), "refit": ("refit", "fit")} if fit == "bootstrap" else {"fit": ("fit",), "refit": ("refit",)}
    ends = [(replicate,) for replicate in range(protocol.synthesis.replicates)] if fit == "bootstrap" else [()]
    for name, purpose in purposes.items():
        seeds = [derive_seed(protocol.study.seed, "clinic", "sequential", *purpose, *end) for end in ends]
        assert found[name] == (seeds if fit == "bootstrap" else seeds[0])
    assert run["fit"] == fit


@pytest.mark.parametrize("fit", ["single", "bootstrap"])
def test_a_further_refit_has_seeds_of_its_own_and_changes_no_other(fit: str) -> None:
    asked = PROTOCOL["synthesis"] | {"fit": fit, "hold_out": 0.5}
    one, two = (list_seeds(Protocol.of(PROTOCOL | {"synthesis": asked | {"hold_out_in_turn": turn}})) for turn in (False, True))
    alone, in_turn = one["clinic/sequential"], two["clinic/sequential"]
    assert {name: seeds for name, seeds in in_turn.items() if name != "refit_2"} == alone
    assert in_turn["refit_2"] != in_turn["refit"]
