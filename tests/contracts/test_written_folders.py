"""A folder is written whole or not at all, readable by everybody."""

from __future__ import annotations

from collections.abc import Callable
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


def test_a_folder_stands_until_the_new_one_is_whole(tmp_path: Path) -> None:
    folder = tmp_path / "release"
    write_folder(folder, FILES)
    with pytest.raises(StorageError, match="the folder cannot be written"):
        write_folder(folder, {"README.md": b"new", "README.md/below a file": b""})
    assert {path.read_bytes() for path in folder.rglob("*") if path.is_file()} == set(FILES.values())
    write_folder(folder, {"README.md": b"new"})
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"README.md": b"new"}
    assert [path.name for path in tmp_path.iterdir()] == ["release"]


def test_what_could_not_take_the_place_of_a_folder_gives_it_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, rename = tmp_path / "release", Path.replace
    write_folder(folder, FILES)

    def fail_on_the_new(self: Path, target: Path) -> Path:
        if Path(target) == folder and (self / "new").exists():
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", fail_on_the_new)
    with pytest.raises(StorageError, match="No space left"):
        write_folder(folder, {"new": b""})
    assert {path.read_bytes() for path in folder.rglob("*") if path.is_file()} == set(FILES.values())
    assert [path.name for path in tmp_path.iterdir()] == ["release"]


@pytest.mark.parametrize("finish", [lambda folder: write_folder(folder, FILES), remove_folder], ids=["write", "remove"])
def test_what_a_killed_run_left_is_removed(tmp_path: Path, finish: Callable[[Path], None]) -> None:
    for name in (".sequential.a1b2c3d4", ".sequential.________", ".sequential_small.a1b2c3d4"):
        (tmp_path / name / "patients").mkdir(parents=True)
    finish(tmp_path / "sequential")
    assert {path.name for path in tmp_path.iterdir()} - {"sequential"} == {".sequential_small.a1b2c3d4"}


def test_removing_takes_everything(tmp_path: Path) -> None:
    write_folder(tmp_path / "release", FILES)
    remove_folder(tmp_path / "release")
    remove_folder(tmp_path / "release")
    assert list(tmp_path.iterdir()) == []
