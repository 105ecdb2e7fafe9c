"""What the checks say alike: names that are unknown, twice there, or listed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from typing import Final, TypeVar

from parallax.errors import Fault, did_you_mean

Entry = TypeVar("Entry", bound=Hashable)

BARE_YES_OR_NO: Final = "put it in quotes: YAML reads a bare yes, no, on or off as a truth value"

SHOWN_LEVELS: Final = 12


def neither(codes: Iterable[int]) -> str:
    """What an event column holds that is none of its codes: ``neither 0 nor 1``."""
    *others, last = map(str, codes)
    return f"neither {', '.join(others)} nor {last}"


def unknown(where: str, name: str, known: Iterable[str], what: str) -> Fault:
    """The fault of a name that is not among those known, with the nearest of these."""
    names = list(known)
    listed = ", ".join(names) if len(names) <= SHOWN_LEVELS else f"one of {len(names)}: {', '.join(names[:SHOWN_LEVELS])}, …"
    return Fault(where, f'"{name}", which is no {what}', listed or "nothing is declared", did_you_mean(name, names, otherwise="name one of these"))


def repeated(names: Iterable[Entry]) -> list[Entry]:
    """The names that occur more than once, each once."""
    return [name for name, count in Counter(names).items() if count > 1]


def numbers(values: Iterable[float]) -> str:
    """Numbers as an error lists them."""
    return ", ".join(f"{value:g}" for value in values)
