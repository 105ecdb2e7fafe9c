"""The exceptions of Parallax.

::

    ParallaxError                a fault that a user can mend; shown without a traceback
    ├── ProtocolError            the protocol contradicts itself or its data (carries every fault found)
    ├── SourceError              a source cannot be read as the protocol declares it
    ├── CohortError              the selected cohort cannot be studied
    ├── GenerationError          a generator cannot be fitted to, or drawn for, this cohort
    ├── Sealed                   effects stay sealed: the design of a blinded study has not passed
    ├── StorageError             a file is missing, unwritable or does not follow its schema
    ├── ReleaseError             patients may not be released, or two studies cannot be compared
    ├── SigningError             a key cannot be used, or a signature is not the key's
    └── StatisticsError          an estimator was called outside its domain
        └── NotEstimable         the data do not determine the quantity; becomes a row with a reason

A message says where, what was found, what is allowed and what to do. It never holds a patient's value.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches


def did_you_mean(name: object, known: Iterable[str], *, otherwise: str) -> str:
    """What to do about a name that is not known: the nearest known one, if one is near."""
    near = get_close_matches(str(name), sorted(known), n=1)
    return f'did you mean "{near[0]}"?' if near else otherwise


class ParallaxError(Exception):
    """Base of all faults that Parallax explains to its user."""


@dataclass(frozen=True)
class Fault:
    """One fault: where it is, what was found, what is allowed and what to do about it."""

    where: str
    found: str
    allowed: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.where}\n    found    {self.found}\n    allowed  {self.allowed}\n    to do    {self.remedy}"


class ProtocolError(ParallaxError):
    """All faults of a protocol in one message."""

    def __init__(self, faults: Sequence[Fault], *, source: str = "the protocol") -> None:
        self.faults = tuple(faults)
        count = "1 fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        body = "\n".join(f"  {fault}".replace("\n", "\n  ") for fault in self.faults)
        super().__init__(f"{count} in {source}:\n{body}")


class SourceError(ParallaxError):
    """A source cannot be read as the protocol declares it."""


class CohortError(ParallaxError):
    """The selected cohort cannot be studied."""


class GenerationError(ParallaxError):
    """A generator cannot be fitted to, or drawn for, this cohort."""


class Sealed(ParallaxError):
    """Effects stay sealed: the design of a blinded study has not passed."""


class StorageError(ParallaxError):
    """A file is missing, unwritable or does not follow its schema."""


class ReleaseError(ParallaxError):
    """Patients may not be released, or two studies cannot be compared."""


class SigningError(ParallaxError):
    """A key cannot be used, or a signature is not the key's."""


class StatisticsError(ParallaxError):
    """An estimator was called outside its domain."""


class NotEstimable(StatisticsError):
    """The data do not determine the quantity asked for (no events, separation, an empty arm); ``columns`` are the design's that cause it."""

    def __init__(self, reason: str, *, columns: Sequence[int] = ()) -> None:
        self.columns = tuple(columns)
        super().__init__(reason)
