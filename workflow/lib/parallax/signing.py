"""Ed25519 signatures of files, by keys in PEM, so that a receiver can check them with OpenSSL alone.

A signature is the 64 bytes of RFC 8032 over the file's bytes, kept beside the file as ``<name>.sig``::

    openssl genpkey -algorithm ed25519 -out signing_key.pem && chmod 600 signing_key.pem
    openssl pkey -in signing_key.pem -pubout -out public_key.pem
    openssl pkeyutl -verify -pubin -inkey public_key.pem -rawin -in NAME -sigfile NAME.sig

A key is read where it lies: never copied, logged, or shown in an error.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from parallax.errors import SigningError

#: what a signature's file is called: the signed file's name and this
SUFFIX: Final = ".sig"

_PRIVATE: Final = "an Ed25519 key in PEM without a passphrase, in a file that its owner alone can read"
_MAKE_PRIVATE: Final = "make one: openssl genpkey -algorithm ed25519 -out KEY, and chmod 600 KEY"
_PUBLIC: Final = "the sender's public Ed25519 key in PEM"
_MAKE_PUBLIC: Final = "have the sender make it: openssl pkey -in KEY -pubout -out PUBLIC_KEY"


def read_private_key(key: str | Path) -> Ed25519PrivateKey:
    """The key that signs. Raises ``SigningError`` where it is no Ed25519 key in PEM, has a passphrase, or can be read by others."""
    path = Path(key).expanduser()
    content = _content(path, allowed=_PRIVATE, remedy=_MAKE_PRIVATE)
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise _fault(
            path, f"a file that others can open (mode {mode:04o})", _PRIVATE, f"chmod 600 {path}; make a new key if others had the chance to read it"
        )
    try:
        found = load_pem_private_key(content, password=None)
    except TypeError:  # what the library raises for an encrypted key
        raise _fault(
            path, "a key with a passphrase, for which a run cannot ask", _PRIVATE, "take one without: openssl pkey -in KEY -out KEY2"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise _fault(path, "no private key in PEM", _PRIVATE, _MAKE_PRIVATE) from None
    if not isinstance(found, Ed25519PrivateKey):
        raise _fault(path, "a key of another kind", _PRIVATE, _MAKE_PRIVATE)
    return found


def sign_file(path: str | Path, *, key: str | Path) -> bytes:
    """The signature of a file's bytes by the key in ``key``, to be written beside it under its name and ``SUFFIX``.

    Ed25519 is deterministic: equal bytes and key give equal signatures. Raises ``SigningError``.
    """
    return sign(_content(Path(path), allowed="the file to sign", remedy="correct the path"), key=key)


def sign(content: bytes, *, key: str | Path) -> bytes:
    """The signature of bytes that will be a file's, as :func:`sign_file` gives it."""
    return read_private_key(key).sign(content)


def verify_file(path: str | Path, *, public_key: str | Path) -> bytes:
    """The file's bytes, of which ``<path>.sig`` is the signature by the owner of ``public_key``: use these, for a file read again may be another.

    Raises ``SigningError`` where it is not.
    """
    content = _content(Path(path), allowed="a signed file", remedy="have it sent again")
    verify(content, path, public_key=public_key)
    return content


def verify(content: bytes, path: str | Path, *, public_key: str | Path) -> None:
    """Check bytes that were read from the file ``path`` as :func:`verify_file` does."""
    signed = Path(path)
    public = _public_key(Path(public_key).expanduser())
    beside = signed.with_name(signed.name + SUFFIX)
    signature = _content(beside, allowed="the file's signature", remedy="have it sent again with its signature, or leave public_key out")
    try:
        public.verify(signature, content)
    except InvalidSignature:
        raise _fault(
            beside, "no signature of this file by this key", f"the signature of {signed.name} by the owner of {public_key}",
            "check that the public key is the sender's; if it is, the file was changed after it was signed: do not use it",
        ) from None  # fmt: skip


def _public_key(path: Path) -> Ed25519PublicKey:
    content = _content(path, allowed=_PUBLIC, remedy=_MAKE_PUBLIC)
    try:
        found = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm):
        raise _fault(path, "no public key in PEM", _PUBLIC, _MAKE_PUBLIC) from None
    if not isinstance(found, Ed25519PublicKey):
        raise _fault(path, "a key of another kind", _PUBLIC, _MAKE_PUBLIC)
    return found


def _content(path: Path, *, allowed: str, remedy: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _fault(path, f"a file that cannot be read ({error.strerror})", allowed, remedy) from None


def _fault(path: Path, found: str, allowed: str, remedy: str) -> SigningError:
    return SigningError(f"{path}\n    found    {found}\n    allowed  {allowed}\n    to do    {remedy}")
