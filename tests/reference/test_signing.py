"""Signatures: RFC 8032's published vector, and OpenSSL as the other software in both directions; keys that cannot be used."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from parallax.errors import SigningError
from parallax.signing import SUFFIX, sign_file, verify_file

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the program openssl")


def openssl(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True, check=False)


def make_keys(folder: Path, name: str = "key") -> tuple[Path, Path]:
    """A pair made as the documentation says."""
    private, public = folder / f"{name}.pem", folder / f"{name}_public.pem"
    assert openssl("genpkey", "-algorithm", "ed25519", "-out", private).returncode == 0
    private.chmod(0o600)
    assert openssl("pkey", "-in", private, "-pubout", "-out", public).returncode == 0
    return private, public


@pytest.fixture
def signed(tmp_path: Path) -> tuple[Path, Path, Path]:
    private, public = make_keys(tmp_path)
    path = tmp_path / "SHA256SUMS"
    path.write_text("what is signed\n")
    path.with_name(path.name + SUFFIX).write_bytes(sign_file(path, key=private))
    return path, private, public


def test_published_vector(tmp_path: Path) -> None:
    # RFC 8032, section 7.1, TEST 3
    private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7"))
    key, message = tmp_path / "key.pem", tmp_path / "message"
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    key.chmod(0o600)
    message.write_bytes(bytes.fromhex("af82"))
    published = "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
    assert sign_file(message, key=key).hex() == published


def test_openssl_verifies_ours(signed: tuple[Path, Path, Path]) -> None:
    path, _, public = signed
    command = ("pkeyutl", "-verify", "-pubin", "-inkey", public, "-rawin", "-in", path, "-sigfile", f"{path}{SUFFIX}")
    assert openssl(*command).returncode == 0
    path.write_text("what is signed.\n")
    assert openssl(*command).returncode != 0


def test_we_verify_openssls(signed: tuple[Path, Path, Path]) -> None:
    path, private, public = signed
    beside = path.with_name(path.name + SUFFIX)
    ours = beside.read_bytes()
    assert openssl("pkeyutl", "-sign", "-inkey", private, "-rawin", "-in", path, "-out", beside).returncode == 0
    assert beside.read_bytes() == ours
    verify_file(path, public_key=public)


def test_changed_file_wrong_key_and_missing_signature_are_refused(signed: tuple[Path, Path, Path]) -> None:
    path, _, public = signed
    assert verify_file(path, public_key=public) == path.read_bytes()
    with pytest.raises(SigningError, match="no signature of this file by this key"):
        verify_file(path, public_key=make_keys(path.parent, "other")[1])
    with pytest.raises(SigningError, match=r"no public key in PEM"):
        verify_file(path, public_key=path)
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    with pytest.raises(SigningError, match="the file was changed after it was signed"):
        verify_file(path, public_key=public)
    path.write_bytes(content)
    path.with_name(path.name + SUFFIX).write_bytes(b"short")
    with pytest.raises(SigningError, match="no signature of this file by this key"):
        verify_file(path, public_key=public)
    path.with_name(path.name + SUFFIX).unlink()
    with pytest.raises(SigningError, match="cannot be read"):
        verify_file(path, public_key=public)


def test_keys_that_cannot_sign_are_refused_and_never_shown(signed: tuple[Path, Path, Path]) -> None:
    path, private, public = signed
    secret = private.read_text().splitlines()[1]

    def refusal(key: Path) -> str:
        with pytest.raises(SigningError) as caught:
            sign_file(path, key=key)
        assert secret not in str(caught.value)
        return str(caught.value)

    private.chmod(0o640)
    assert "a file that others can open (mode 0640)" in refusal(private)
    private.chmod(0o600)
    locked, other = path.parent / "locked.pem", path.parent / "other.pem"
    assert openssl("pkey", "-in", private, "-aes256", "-passout", "pass:word", "-out", locked).returncode == 0
    assert openssl("genpkey", "-algorithm", "x25519", "-out", other).returncode == 0
    for key in (locked, other, public):
        key.chmod(0o600)
    assert "a key with a passphrase" in refusal(locked)
    assert "a key of another kind" in refusal(other)
    assert "no private key in PEM" in refusal(public)
    assert "No such file" in refusal(path.parent / "absent.pem")
