"""Seeds: every random number of a study follows from the protocol's seed and from what it is for, by this one function."""

from __future__ import annotations

import hashlib


def derive_seed(study_seed: int, *purpose: str | int) -> int:
    """A seed in [0, 2³²) for one purpose, such as ``(site, generator, "draw", replicate)``.

    The purpose and the study's seed are hashed together (SHA-256), so that seeds of different purposes are independent and adding a
    generator or a replicate changes no other's.
    """
    said = "\x1f".join([str(study_seed), *map(str, purpose)])
    return int.from_bytes(hashlib.sha256(said.encode()).digest()[:4], "big")


def name_refit(number: int) -> str:
    """The purpose of the seeds of a refit without held-out patients, counted from 1; the first bears the name of an only one."""
    return "refit" if number == 1 else f"refit_{number}"
