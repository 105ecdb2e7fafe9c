"""Whether what another institution sent is of this very study, and where its protocol differs."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

from parallax.protocol.protocol import Protocol
from parallax.validation.registration import differences

#: faults, or keys, that one message lists
MOST: Final = 12


def list_differences(protocol: Protocol, shared: Mapping[str, Any]) -> str:
    """The keys in which another protocol's ``shared`` content differs from this study's, at most ``MOST`` of them; empty where none does."""
    keys = [printable(key, 80) for key in islice(differences(protocol.shared, shared), MOST + 1)]
    return ", ".join(keys[:MOST]) + (", and more" if len(keys) > MOST else "")


def describe_study(protocol: Protocol) -> str:
    """What a protocol elsewhere must be to be of this study."""
    return f"equal but for data, pooling and synthesis.at_sites (digest {protocol.study_digest[:16]}…)"


def printable(text: str, length: int) -> str:
    """The first characters of a stranger's text, without those that steer a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text[:length])
