"""SDV's generators: settings that cannot be trained are refused, margins reach SDV, fits log their progress, streams do not repeat."""

from __future__ import annotations

import logging
import pickle
import re
import time

import numpy as np
import pandas as pd
import pytest
import torch

from parallax.errors import GenerationError
from parallax.synthesis import progress
from parallax.synthesis.registry import draw_replicates, fit_generator
from simulated_cohorts import COVARIATES, EVERY_OUTCOME, OUTCOMES, SETTINGS, simulate_cohort, simulate_every_outcome

NETWORKS = ("copula_gan", "ctgan", "tvae")


@pytest.fixture(scope="module")
def real():
    return simulate_cohort(200, seed=1)


def fit(method, real, **settings):
    return fit_generator(SETTINGS[method].model_copy(update=settings), real, covariates=COVARIATES, outcomes=OUTCOMES, seed=5)


def draw(fitted, seed=1):
    return draw_replicates(fitted, replicates=1, patients=100, seeds=[seed])


WRONG = {
    "batch larger than the cohort": (
        {"batch_size": 500, "epochs": 10_000},
        "batch_size: found 500, more than there are patients; allowed is at most",
    ),
    "batch that pac does not divide": (
        {"batch_size": 64, "pac": 10, "epochs": 10_000},
        "batch_size: found 64 with pac 10; allowed is an even multiple of pac; change one of the two",
    ),
    "odd batch": ({"batch_size": 51, "pac": 1, "epochs": 10_000}, "batch_size: found 51 with pac 1; allowed is an even multiple of pac"),
}


@pytest.mark.parametrize("wrong", sorted(WRONG))
@pytest.mark.parametrize("method", ["copula_gan", "ctgan"])
def test_a_wrong_fit_fails_before_it_starts(method, wrong, real):
    settings, message = WRONG[wrong]
    started = time.process_time()
    with pytest.raises(GenerationError, match=re.escape(message)):
        fit(method, real, **settings)
    assert time.process_time() - started < 2


def test_an_autoencoder_needs_a_batch_of_patients_too(real):
    with pytest.raises(GenerationError, match="found 500, more than there are patients"):
        fit("tvae", real, batch_size=500)


@pytest.mark.parametrize("method", ["gaussian_copula", "copula_gan"])
def test_margins_by_column_reach_sdv(method, real):
    fitted = fit(method, real, default_distribution="norm", distributions={"age": "uniform", "death_days": "gamma"})
    learnt = {name: entry["distribution"] for name, entry in fitted.synthesizer.get_learned_distributions().items()}
    assert {name: learnt[name] for name in ("age", "death_days", "visits")} == {"age": "uniform", "death_days": "gamma", "visits": "norm"}


@pytest.mark.parametrize("method", NETWORKS)
def test_a_long_fit_logs_its_epochs_and_nothing_else(method, real, caplog, monkeypatch):
    quiet = draw(fit(method, real, epochs=4))
    monkeypatch.setattr(progress, "INTERVAL", 0.0)
    with caplog.at_level(logging.INFO, logger="parallax"):
        told = draw(fit(method, real, epochs=4))
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("parallax")]
    assert [re.sub(r"about .*", "…", line) for line in lines] == [f"{method}: epoch {epoch} of 4, …" for epoch in (1, 2, 3, 4)]
    assert lines[-1].endswith("about 0 s left")
    pd.testing.assert_frame_equal(quiet, told, check_exact=True)


def test_lines_are_seconds_apart(caplog, monkeypatch):
    clock = iter(np.arange(0.0, 1000.0, 2.0))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with caplog.at_level(logging.INFO, logger="parallax"):
        assert list(progress.LoggedEpochs("ctgan", range(9))) == list(range(9))
    assert [record.getMessage() for record in caplog.records] == [
        "ctgan: epoch 3 of 9, about 12 s left",
        "ctgan: epoch 6 of 9, about 6 s left",
        "ctgan: epoch 9 of 9, about 0 s left",
    ]


def test_spans_of_time_in_words():
    assert [progress.describe_seconds(seconds) for seconds in (0.4, 59.4, 60, 200, 7500)] == ["0 s", "59 s", "1 min 0 s", "3 min 20 s", "2 h 5 min"]


def test_sdvs_own_bar_is_put_back(real):
    from ctgan.synthesizers import ctgan, tvae
    from tqdm import tqdm

    with pytest.raises(GenerationError):
        fit("ctgan", real, batch_size=500)
    fit("tvae", real)
    assert ctgan.tqdm is tqdm
    assert tvae.tqdm is tqdm


@pytest.mark.parametrize("method", NETWORKS)
def test_one_or_two_threads_give_the_same_bits(method, real):
    before = torch.get_num_threads()
    try:
        tables = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            tables.append(draw(fit(method, real)))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    pd.testing.assert_frame_equal(*tables, check_exact=True)


def test_sdvs_own_stream_repeats_in_every_process_and_ours_does_not(real):
    fitted = fit("gaussian_copula", real)
    fitted.synthesizer.reset_sampling()
    stored = pickle.dumps(fitted)
    # each process that draws a replicate reads the model anew
    theirs = [pickle.loads(stored).synthesizer.sample(100)["patients"] for _ in range(2)]  # noqa: S301 -- made above
    pd.testing.assert_frame_equal(*theirs, check_exact=True)
    first, second = (draw(pickle.loads(stored), seed) for seed in (1, 2))  # noqa: S301
    assert not first["age"].equals(second["age"])
    assert abs(np.corrcoef(first["age"], second["age"])[0, 1]) < 4.5 / np.sqrt(100)


@pytest.mark.parametrize("method", NETWORKS)
def test_a_network_draws_where_it_was_fitted(method, real):
    fitted = fit(method, real)
    assert fitted.device == "cpu"
    restored = pickle.loads(pickle.dumps(fitted))  # noqa: S301 -- made in this line
    moved = []
    restored.synthesizer._model.set_device = moved.append
    draw(restored)
    assert moved == ["cpu"]


def test_margins_by_rule_fit_counts_and_scales():
    real = simulate_every_outcome(600, seed=3)
    settings = SETTINGS["gaussian_copula"].model_copy(update={"default_distribution": "by_rule", "distributions": {"albumin": "norm"}})
    fitted = fit_generator(settings, real, covariates=COVARIATES, outcomes=EVERY_OUTCOME, seed=5)
    learnt = {name: entry["distribution"] for name, entry in fitted.synthesizer.get_learned_distributions().items()}
    shapes = {"visits": "gaussian_kde", "visitors_value": "gaussian_kde", "age": "beta", "death_days": "beta", "albumin": "norm"}
    assert {name: learnt[name] for name in shapes} == shapes
    drawn = draw_replicates(fitted, replicates=3, patients=600, seeds=[1, 2, 3])
    for name in ("visits", "falls_value", "visitors_value"):
        assert drawn[name].mean() == pytest.approx(real[name].mean(), abs=4 * real[name].std() * np.sqrt(1 / 600 + 1 / 1800)), name
