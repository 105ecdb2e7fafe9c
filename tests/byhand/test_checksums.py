"""A folder and its list of digests: what is accepted, and every way in which one can be broken or hostile."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from parallax.checksums import SUMS, check_folder, list_sums
from parallax.errors import StorageError

FILES = {"README.md": b"read me\n", "patients/clinic.csv": b"replicate,age\n0,50\n", "a name with spaces": b""}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "release"
    for name, content in (FILES | {SUMS: list_sums(FILES).encode()}).items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_bytes(content)
    return made


def refusal(folder: Path) -> str:
    with pytest.raises(StorageError) as caught:
        check_folder(folder)
    return str(caught.value)


def listing(folder: Path, name: str) -> None:
    path = folder / SUMS
    path.write_text(path.read_text() + f"{hashlib.sha256(b'').hexdigest()}  {name}\n")


def test_a_whole_folder_is_accepted(folder: Path) -> None:
    assert check_folder(folder) == {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
    assert subprocess.run(["sha256sum", "--check", "--strict", "--quiet", SUMS], cwd=folder, check=False).returncode == 0


def test_a_signature_beside_the_list_is_accepted(folder: Path) -> None:
    (folder / "SHA256SUMS.sig").write_bytes(b"")
    assert "SHA256SUMS.sig, which SHA256SUMS does not list" in refusal(folder)
    check_folder(folder, unlisted=("SHA256SUMS.sig",))


@pytest.mark.parametrize("name", list(FILES))
def test_one_byte_more_or_other_is_seen(folder: Path, name: str) -> None:
    (folder / name).write_bytes(FILES[name] + b" ")
    assert f"{name} changed since SHA256SUMS was written" in refusal(folder)


def test_missing_and_added_files_are_seen(folder: Path) -> None:
    (folder / "patients/clinic.csv").unlink()
    assert "no patients/clinic.csv, which SHA256SUMS lists" in refusal(folder)
    (folder / "patients/clinic.csv").write_bytes(FILES["patients/clinic.csv"])
    (folder / ".hidden").write_bytes(b"")
    assert ".hidden, which SHA256SUMS does not list" in refusal(folder)


@pytest.mark.parametrize(
    "name", ["../outside", "/etc/hostname", "patients/../../outside", "./README.md", "patients//clinic.csv", "..", ".", "SHA256SUMS", "patients/"]
)
def test_a_name_that_leads_out_of_the_folder_is_refused_before_anything_is_opened(folder: Path, name: str) -> None:
    (folder.parent / "outside").write_bytes(b"")
    listing(folder, name)
    assert "line 4, whose name leads out of the folder or is not plain" in refusal(folder)


@pytest.mark.parametrize(
    "line", ["", "abc  README.md", f"{'0' * 64} README.md", f"\\{'0' * 64}  README.md", f"{'0' * 64}  a\\b", f"{'0' * 64}  a\x1b[2J"]
)
def test_a_line_that_sha256sum_would_not_write_is_refused(folder: Path, line: str) -> None:
    path = folder / SUMS
    path.write_text(f"{line}\n{path.read_text()}")
    message = refusal(folder)
    assert "line 1, which is no SHA-256" in message
    assert "\x1b" not in message


def test_a_name_twice_is_refused(folder: Path) -> None:
    listing(folder, "README.md")
    assert "line 4, which names a file again" in refusal(folder)


def test_links_and_devices_are_never_followed(folder: Path) -> None:
    (folder / "README.md").unlink()
    (folder.parent / "elsewhere").write_bytes(FILES["README.md"])
    (folder / "README.md").symlink_to(folder.parent / "elsewhere")
    assert "README.md, a link or a device" in refusal(folder)
    (folder / "README.md").unlink()
    (folder / "README.md").write_bytes(FILES["README.md"])
    (folder / "more").symlink_to(folder.parent, target_is_directory=True)
    assert "more, a link or a device" in refusal(folder)
    (folder / "more").unlink()
    os.mkfifo(folder / "pipe")
    assert "pipe, a link or a device" in refusal(folder)
    (folder / "pipe").unlink()
    (folder / SUMS).rename(folder.parent / SUMS)
    (folder / SUMS).symlink_to(folder.parent / SUMS)
    assert "no SHA256SUMS" in refusal(folder)


def test_no_list_and_no_folder_are_explained(folder: Path) -> None:
    (folder / SUMS).unlink()
    assert "no SHA256SUMS" in refusal(folder)
    assert "no such folder" in refusal(folder / "none")
