"""A folder is written whole or not at all, readable by everybody."""

from __future__ import annotations

from pathlib import Path

import pytest

from parallax.errors import StorageError
from parallax.storage import remove_folder, write_folder

FILES = {"README.md": b"read me", "patients/clinic.csv": b"a\n1\n"}


def test_a_folder_holds_its_files_and_everybody_may_read_them(tmp_path: Path) -> None:
    folder = tmp_path / "release/sequential"
    write_folder(folder, FILES)
    assert {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()} == FILES
    assert {path.stat().st_mode & 0o777 for path in (folder, folder / "patients")} == {0o755}
    assert {path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_file()} == {0o644}
    assert [path.name for path in folder.parent.iterdir()] == ["sequential"]


def test_a_folder_that_cannot_be_finished_is_not_begun(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="the folder cannot be written"):
        write_folder(tmp_path / "release", FILES | {"README.md/below a file": b""})
    assert list(tmp_path.iterdir()) == []


def test_removing_takes_everything(tmp_path: Path) -> None:
    write_folder(tmp_path / "release", FILES)
    remove_folder(tmp_path / "release")
    remove_folder(tmp_path / "release")
    assert list(tmp_path.iterdir()) == []
