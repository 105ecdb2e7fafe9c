"""The one place where seeds are derived."""

from __future__ import annotations

import hashlib

import numpy as np


def derive_seed(study_seed: int, *parts: str | int) -> int:
    """A seed in [0, 2³²) for one use, named by ``parts`` such as ``("support", "sequential", "draw", 3)``.

    Formula: the first word of numpy's SeedSequence over (study seed, SHA-256 of the parts with their types). Equal names give equal seeds on
    every machine; different names give seeds that do not depend on each other, so that a batch of replicates never changes a number.
    """
    digest = hashlib.sha256("\x1f".join(f"{type(part).__name__}:{part}" for part in parts).encode()).digest()
    words = np.frombuffer(digest, dtype="<u4")
    return int(np.random.SeedSequence([study_seed, *(int(word) for word in words)]).generate_state(1)[0])
