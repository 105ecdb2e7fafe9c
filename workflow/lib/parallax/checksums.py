"""A folder and the SHA-256 of every file in it, as ``sha256sum`` writes and checks them.

A folder may come from anywhere: nothing of it is opened before its list of names is plain, and no link in it is followed.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from parallax.errors import StorageError

#: the list's file
SUMS: Final = "SHA256SUMS"

_LINE: Final = re.compile(r"([0-9a-f]{64})  ([^\x00-\x1f\x7f\\]+)")
_SHOWN: Final = 5
_REMEDY: Final = "have the folder sent again, whole, by a way that changes nothing"


def list_sums(files: Mapping[str, bytes]) -> str:
    """The text of ``SHA256SUMS`` for files by their name in the folder."""
    return "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(files.items()))


def read_sums(folder: str | Path) -> bytes:
    """The folder's list as it lies there, so that what is verified and what is checked are the same bytes. Raises ``StorageError``."""
    path = Path(folder)
    if not path.is_dir():
        raise _fault(path, "no such folder", "a folder with a list of its files", "correct the path; it is relative to the protocol's folder")
    sums = path / SUMS
    if sums.is_symlink() or not sums.is_file():
        raise _fault(path, f"no {SUMS}", "a folder with a list of its files")
    return sums.read_bytes()


def check_folder(folder: str | Path, *, sums: bytes | None = None, unlisted: Sequence[str] = ()) -> dict[str, str]:
    """The SHA-256 by name of every file of the folder, each checked against the folder's list: ``sums``, read where it is not given.

    ``unlisted`` are the names that the folder may hold beside the listed ones (a signature). Raises ``StorageError`` where the list is missing
    or holds a name that leads out of the folder, where a file is missing, changed, added, or no file at all but a link or a device.
    """
    path = Path(folder)
    listed = _parse(read_sums(path) if sums is None else sums, path / SUMS)
    found = set(_walk(path)) - {SUMS, *unlisted}
    if missing := sorted(set(listed) - found):
        raise _fault(path, f"no {_named(missing)}, which {SUMS} lists", "every listed file")
    if added := sorted(found - set(listed)):
        raise _fault(path, f"{_named(added)}, which {SUMS} does not list", "the listed files and no other")
    if changed := sorted(name for name, digest in listed.items() if digest_file(path / name) != digest):
        raise _fault(path, f"{_named(changed)} changed since {SUMS} was written", "files with the listed SHA-256")
    return listed


def digest_file(path: str | Path) -> str:
    """The SHA-256 of a file's bytes."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _parse(sums: bytes, path: Path) -> dict[str, str]:
    listed: dict[str, str] = {}
    for number, line in enumerate(sums.decode(errors="replace").split("\n")[:-1], start=1):
        match = _LINE.fullmatch(line)
        if match is None:
            raise _fault(path, f"line {number}, which is no SHA-256, two spaces and a file's name", "lines as sha256sum writes them")
        digest, name = match.groups()
        if name.startswith("/") or PurePosixPath(name).as_posix() != name or ".." in name.split("/") or name in (SUMS, "."):
            raise _fault(path, f"line {number}, whose name leads out of the folder or is not plain", "names below the folder", "do not use it")
        if name in listed:
            raise _fault(path, f"line {number}, which names a file again", "every file once")
        listed[name] = digest
    return listed


def _walk(folder: Path, below: str = "") -> Iterator[str]:
    with os.scandir(folder / below) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            name = f"{below}{entry.name}"
            mode = entry.stat(follow_symlinks=False).st_mode
            if stat.S_ISDIR(mode):
                yield from _walk(folder, f"{name}/")
            elif stat.S_ISREG(mode):
                yield name
            else:
                raise _fault(folder, f"{_named([name])}, a link or a device", "files and folders only", "do not use it: a link may lead anywhere")


def _named(names: Sequence[str]) -> str:
    """The first names; what may not be printed is spelled out."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(name if name.isprintable() else ascii(name) for name in names[:_SHOWN]) + more


def _fault(path: Path, found: str, allowed: str, remedy: str = _REMEDY) -> StorageError:
    return StorageError(f"{path}\n    found    {found}\n    allowed  {allowed}\n    to do    {remedy}")
