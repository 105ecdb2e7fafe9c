"""The register of protocols: which protocol was fixed when, and whether the real effects were known by then.

A register is a text of JSON lines that only grows. Every line holds the digest of the line before it, so that a line cannot be changed, taken
out or put in without all later ones changing; that the whole register was not rewritten can be told where it is kept under version control.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import takewhile
from typing import Any, Final

from parallax.errors import Fault, StorageError
from parallax.protocol.protocol import Protocol, digest_of

#: what of a protocol decides about leaving alone, once there is something to leave: no estimate and no gate knows it
_NO_ANSWER: Final = "data.rare_levels"

_EXACT: Final = (
    *("estimates", "curves", "hazard_course", "subgroup_estimates", "permutations", "enrichment", "combined", "subgroups", "interactions"),
    *("robustness", "covariance", "shifts", "agreement", "attribution", "fidelity", "coefficients"),
    *("twin_averages", "twin_truths"),
)
_READ: Final = (
    *("estimates", "subgroups", "robustness", "enrichment", "agreement", "privacy", "pooling", "heterogeneity", "comparison"),
    *("twins", "twin_curves"),
)
_JOBS: Final = ("estimate_effects", "estimate_enrichment", "pool_patients", "trace_twins")
#: what lies in a study's folder only once effects were computed, each alone: Snakemake deletes the tables of a job that it runs again, and a user
#: whole folders. Answers on synthetic patients, and virtual twins, are estimates of the real ones; a certification's effects are stated ones
TRACES_OF_EFFECTS: Final = (
    *(f"exact/*/*/{table}.parquet" for table in _EXACT),
    *(f"exact/pooled/*/{table}.parquet" for table in ("individual", "aggregates", "heterogeneity")),
    *("exact/verdicts.json", "exact/pooled/verdicts.json", "exact/pooled/comparison.parquet", "patients/*/*/twin_*.parquet"),
    *(f"{table}.csv" for table in _READ),
    *("aggregates/*", "pooled/*", "site_results/*.json", "release/*/*", "external_control.*", "twins.svg"),
    *("verdict.json", "report.html", "manifest.json"),
    *(f"benchmarks/{job}/**/*.tsv" for job in _JOBS),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: ``attempt`` counts the protocols of the study, ``effects_known`` whether its real effects had been computed before."""

    attempt: int
    registered: str
    effects_known: bool
    protocol_digest: str
    protocol: Mapping[str, Any]
    parallax: str
    commit: str | None
    previous: str | None

    def line(self) -> str:
        """The entry as its line of the register."""
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=False, separators=(",", ":")) + "\n"


@dataclass(frozen=True, slots=True)
class Registration:
    """What the register says of the protocol in force.

    ``before_effects``: it was fixed before any real effect was computed. ``changed``: the keys in which it differs from the last protocol that
    was (none where ``before_effects``, or where no protocol was). ``data.rare_levels`` is no such key: accepting levels for a release comes after.
    """

    attempt: int
    before_effects: bool
    changed: tuple[str, ...]

    def plain(self) -> dict[str, object]:
        """The record as JSON-ready values."""
        return asdict(self) | {"changed": list(self.changed)}


def register_protocol(register: str, protocol: Protocol, *, effects_known: bool, registered: str, parallax: str, commit: str | None) -> str:
    """The register with ``protocol`` as its last entry; the same text where it is the last one already.

    ``registered`` is the time in ISO 8601. Effects that an earlier entry says were known stay known, whatever ``effects_known`` says: files can be
    deleted, a line of the register cannot. The same protocol adds no line, so that effects whose every file is deleted before the protocol changes
    are told by none. Raises StorageError where the register was changed by something else.
    """
    entries = read_register(register)
    if entries and entries[-1].protocol_digest == protocol.digest:
        return register
    previous = _digest(entries[-1].line()) if entries else None
    content: Any = protocol.plain()
    known = effects_known or any(earlier.effects_known for earlier in entries)
    entry = Entry(len(entries) + 1, registered, known, protocol.digest, content, parallax, commit, previous)
    return register + entry.line()


def describe_registration(register: str) -> Registration:
    """What the register says of its last protocol; raises StorageError where it is empty or was changed by something else.

    Only entries before the first with known effects count as early: a register of an older version may say later that they were unknown again.
    """
    entries = read_register(register)
    if not entries:
        raise _altered("an empty register", "the study's protocol")
    last = entries[-1]
    early = takewhile(lambda entry: not entry.effects_known, entries)
    changes = [_changed(entry.protocol, last.protocol) for entry in early]
    before = () in changes
    return Registration(last.attempt, before, () if before or not changes else changes[-1])


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(name for name in differences(old, new) if not name.startswith(_NO_ANSWER))


def find_protocol(register: str, protocol_digest: str) -> Mapping[str, Any]:
    """The content of the registered protocol with that digest; raises StorageError where the register does not hold it."""
    found = next((entry.protocol for entry in read_register(register) if entry.protocol_digest == protocol_digest), None)
    if found is None:
        raise _altered("no entry of the protocol that verdict.json names", "the register that the study was run with")
    return found


def read_register(register: str) -> tuple[Entry, ...]:
    """All entries, oldest first; raises StorageError at the first that does not follow from those before it."""
    entries: list[Entry] = []
    previous = None
    # lines end at "\n" alone: a protocol's words may hold other characters that str.splitlines takes for an end
    for number, line in enumerate(io.StringIO(register), start=1):
        try:
            entry = Entry(**json.loads(line))
        except (ValueError, TypeError):
            raise _altered(f"line {number}, which is no entry", "one entry in every line") from None
        if (entry.attempt, entry.previous) != (number, previous) or digest_of(entry.protocol) != entry.protocol_digest or entry.line() != line:
            raise _altered(f"line {number}, which does not follow from the lines before it", "entries as they were written")
        previous = _digest(line)
        entries.append(entry)
    return tuple(entries)


def _digest(line: str) -> str:
    return hashlib.sha256(line.encode()).hexdigest()


def _altered(found: str, allowed: str) -> StorageError:
    remedy = "restore the file from version control, or delete it and let the verdict say that the protocol was registered late"
    return StorageError(str(Fault("registration.jsonl", found, allowed, remedy)))


def differences(old: object, new: object, path: str = "") -> Iterator[str]:
    """The keys below which two protocols differ; a key that only one has is named itself."""
    if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
        if old != new:
            yield path
        return
    for key in (*old, *(name for name in new if name not in old)):
        place = f"{path}.{key}" if path else key
        if key in old and key in new:
            yield from differences(old[key], new[key], place)
        else:
            yield place
