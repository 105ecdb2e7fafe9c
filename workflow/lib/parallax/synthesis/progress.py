"""Progress of a long fit in the job's log: epochs and time left, and nothing of the patients."""

from __future__ import annotations

import importlib
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

logger = logging.getLogger("parallax.synthesis")

#: seconds between two lines at least
INTERVAL: Final = 5.0
#: where SDV's networks take the progress bar from that they loop over
_LOOPS: Final = ("ctgan.synthesizers.ctgan", "ctgan.synthesizers.tvae")


@dataclass(frozen=True, slots=True)
class LoggedEpochs:
    """Stands in for the progress bar around a network's epochs: a line in the log every few seconds instead."""

    method: str
    epochs: Sequence[int]

    def __iter__(self) -> Iterator[int]:
        """The epochs; after each, a line if the last one is old enough."""
        begun = said = time.monotonic()
        for done, epoch in enumerate(self.epochs, start=1):
            yield epoch
            now = time.monotonic()
            if now - said >= INTERVAL:
                left = (now - begun) / done * (len(self.epochs) - done)
                logger.info("%s: epoch %d of %d, about %s left", self.method, done, len(self.epochs), describe_seconds(left))
                said = now


@contextmanager
def logged_epochs(method: str) -> Iterator[None]:
    """Within it, networks that SDV fits log their progress; the loop itself is untouched, so the fit is the same to the bit."""
    modules = [importlib.import_module(name) for name in _LOOPS]
    bars = [module.__dict__["tqdm"] for module in modules]
    for module in modules:
        module.__dict__["tqdm"] = lambda epochs, **_: LoggedEpochs(method, epochs)
    try:
        yield
    finally:
        for module, bar in zip(modules, bars, strict=True):
            module.__dict__["tqdm"] = bar


def describe_seconds(seconds: float) -> str:
    """A span of time as ``45 s``, ``3 min 20 s`` or ``2 h 5 min``."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{rest} s"
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
