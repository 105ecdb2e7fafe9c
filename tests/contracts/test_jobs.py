"""Jobs: faults in words, crashes contained, files whole or absent, digests that follow the imports."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from pathlib import Path

import pandas as pd
import pytest

from parallax import digest
from parallax.digest import code_digest, reach
from parallax.errors import CohortError, StorageError
from parallax.job import contain, job
from parallax.seeds import derive_seed
from parallax.storage import read_frame, read_json, read_table, write_csv, write_json, write_table
from parallax.tables import SPLIT


def test_a_users_fault_keeps_its_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit), job(tmp_path / "log"):
        raise CohortError("cohort.arms\n    found    no patients")
    assert "no patients" in capsys.readouterr().err
    assert "no patients" in (tmp_path / "log").read_text()


def test_another_exceptions_text_is_withheld(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit), job(tmp_path / "log"):
        raise ValueError("Mr Smith, 41")
    said = capsys.readouterr().err + (tmp_path / "log").read_text()
    assert "Smith" not in said
    assert "ValueError" in said
    assert "test_jobs.py" in said


def test_what_libraries_log_and_threads_raise_loses_its_text(tmp_path: Path) -> None:
    def fail() -> None:
        raise RuntimeError("Mr Smith, 41")

    kept = threading.excepthook, sys.unraisablehook
    try:
        with job(tmp_path / "log") as own:
            logging.getLogger("sdv.metadata").warning("training on %s", "Mr Smith, 41")
            own.info("epoch 3 of 10")
            thread = threading.Thread(target=fail)
            thread.start()
            thread.join()
    finally:
        threading.excepthook, sys.unraisablehook = kept
    said = (tmp_path / "log").read_text()
    assert "Smith" not in said
    assert "WARNING sdv.metadata at test_jobs.py" in said
    assert "RuntimeError (its text is withheld" in said
    assert "epoch 3 of 10" in said


def test_what_a_contained_stage_prints_is_thrown_away(capfd: pytest.CaptureFixture[str]) -> None:
    def stage() -> None:
        print("Mr Smith, 41", flush=True)
        os.write(2, b"Mr Smith, 41")

    assert contain(stage) is None
    assert "Smith" not in "".join(capfd.readouterr())


def test_contained_stage_tells_how_it_failed() -> None:
    def fault() -> None:
        raise CohortError("too few patients")

    def accident() -> None:
        raise KeyError("Mr Smith")

    assert contain(lambda: None) is None
    assert contain(fault) == "too few patients"
    assert "KeyError" in str(contain(accident))
    assert "Smith" not in str(contain(accident))
    assert "signal 9" in str(contain(lambda: os.kill(os.getpid(), signal.SIGKILL)))


def test_table_is_checked_on_the_way_in_and_out(tmp_path: Path) -> None:
    split = pd.DataFrame({"round": [1], "patient_id": ["1"], "part": ["train"]})
    write_table(tmp_path / "split.parquet", split, SPLIT, restricted=True)
    assert read_table(tmp_path / "split.parquet", SPLIT)["part"].tolist() == ["train"]
    assert (tmp_path / "split.parquet").stat().st_mode & 0o777 == 0o600
    with pytest.raises(StorageError, match="part") as fault:
        write_table(tmp_path / "bad.parquet", split.assign(part="Mr Smith"), SPLIT)
    assert "Smith" not in str(fault.value)
    assert [path.name for path in tmp_path.iterdir()] == ["split.parquet"]


def test_a_missing_and_a_broken_file_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no such file"):
        read_frame(tmp_path / "none.parquet")
    (tmp_path / "text.parquet").write_text("text")
    with pytest.raises(StorageError, match="not Parquet"):
        read_frame(tmp_path / "text.parquet")


def test_unwritable_folder_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be written"):
        write_json(tmp_path / "file" / "verdict.json", {})


def test_csv_and_json_are_the_same_bytes_for_the_same_content(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", pd.DataFrame({"value": [1 / 3, None], "n": pd.array([1, None], dtype="Int64")}))
    assert (tmp_path / "a.csv").read_text() == "value,n\n0.3333333333,1\n,\n"
    write_json(tmp_path / "a.json", {"b": 1, "a": 2})
    write_json(tmp_path / "b.json", {"a": 2, "b": 1})
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert read_json(tmp_path / "a.json") == {"a": 2, "b": 1}


def test_seeds_differ_by_purpose_and_repeat() -> None:
    seeds = {derive_seed(1, site, "draw", replicate) for site in ("a", "b") for replicate in range(50)}
    assert len(seeds) == 100
    assert derive_seed(1, "a", "draw", 0) == derive_seed(1, "a", "draw", 0)
    assert derive_seed(1, "ab", "c") != derive_seed(1, "a", "bc")


def test_reach_follows_imports_and_nothing_else() -> None:
    names = {path.relative_to(digest.ROOT).as_posix() for path in reach("parallax.validation.metrics")}
    assert {"validation/metrics.py", "protocol/validation.py", "vocabulary.py"} <= names
    assert not any(name.startswith(("synthesis", "reporting", "extraction")) for name in names)


def test_digest_changes_with_the_code_it_reaches_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "parallax"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "used.py").write_text("one = 1\n")
    (package / "other.py").write_text("two = 2\n")
    (package / "main.py").write_text("from parallax.used import one\n")

    def fresh_digest() -> str:
        for cached in (digest.code_digest, digest._source, digest._imports):
            cached.cache_clear()
        return code_digest("parallax.main")

    monkeypatch.setattr(digest, "ROOT", package)
    before = fresh_digest()
    (package / "other.py").write_text("two = 3\n")
    assert fresh_digest() == before
    (package / "used.py").write_text("one = 2\n")
    assert fresh_digest() != before
    monkeypatch.undo()
    fresh_digest_after = [cached.cache_clear() for cached in (digest.code_digest, digest._source, digest._imports)]
    assert fresh_digest_after == [None] * 3


def test_digest_of_an_unknown_module_is_an_error() -> None:
    with pytest.raises(ModuleNotFoundError):
        code_digest("parallax.nothing")
