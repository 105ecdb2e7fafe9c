"""The look at every source before the first job: is the protocol's data there, and does it say what the protocol takes it to say?"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
import pandas as pd

from parallax.errors import Fault, ProtocolError, SourceError
from parallax.expressions import columns as columns_of
from parallax.expressions import evaluate
from parallax.extraction.mapping import check_mapping, columns_behind, map_columns
from parallax.extraction.measurements import check_measurement_file, read_measurements
from parallax.extraction.registry import SOURCES, applied_criteria, normalise
from parallax.extraction.release import read_replicates
from parallax.measurements import select_measurements, summarise_measurements
from parallax.protocol import CohortSection, FileSource, OutcomesSection, Protocol, Source
from parallax.protocol.checks.faults import unknown
from parallax.protocol.checks.sites import SourceFacts, check_sites, check_source
from parallax.protocol.checks.sources import Kind, declared_kind
from parallax.protocol.enrichment import place_of
from parallax.tables import category_text, level_text

_KINDS: Final[dict[str, Kind]] = {"i": "number", "u": "number", "f": "number", "b": "boolean", "M": "date"}


def check_sources(protocol: Protocol, *, folder: Path) -> dict[str, SourceFacts]:
    """What was found of every site. Raises ``ProtocolError`` with every contradiction between the protocol and the data of all its sites.

    ``folder`` is the protocol's folder. Reads a package's table, a release after its digests and signature, and of a file only the columns that
    decide who is eligible, in which arm, and with which outcome; where there are several sites also the covariates. Measurements are read where an
    expression uses a summary of them.
    """
    faults: list[Fault] = []
    seen: dict[str, SourceFacts] = {}
    for site, source in protocol.data.sites.items():
        try:
            facts = describe_source(
                source,
                protocol.cohort,
                protocol.outcomes,
                folder=folder,
                minimum_count=protocol.disclosure.minimum_count,
                subgroups=subgroups_of(protocol),
                where=f"data.sites.{site}",
                digest=len(protocol.sites) > 1,
            )
        except SourceError as error:
            found = str(error).replace("\n", f"\n{' ' * 11}")
            faults.append(Fault(f"data.sites.{site}", found, "a source that can be read as declared", "correct the declaration or the data"))
        else:
            faults += check_source(protocol, site, facts)
            seen[site] = facts
    faults += check_sites(protocol, seen)
    faults += _check_external_controls(protocol, folder)
    if faults:
        raise ProtocolError(faults, source=f'the protocol of study "{protocol.study.name}" and its data')
    return seen


def _check_external_controls(protocol: Protocol, folder: Path) -> Iterator[Fault]:
    used = {protocol.cohort.arms.column, *protocol.cohort.covariates.names}
    used |= {column for _, outcome in protocol.outcomes.items() for column in outcome.columns.values()}
    for site, control in protocol.data.external_controls.items():
        where = f"data.external_controls.{site}"
        try:
            released, _ = read_replicates(control, folder=folder)
        except SourceError as error:
            yield Fault(where, str(error), "a released folder as it was sent", "correct the path, the site or the key, or have it sent again")
        else:
            yield from (unknown(where, column, released.columns, "column of the release") for column in sorted(used - set(released.columns)))
            arm, comparator = protocol.cohort.arms.column, level_text(protocol.cohort.arms.comparator)
            if arm in released.columns and not (category_text(released[arm]) == comparator).any():
                found = f'a release in which nobody has the {arm} "{comparator}"'
                yield Fault(where, found, "a release with comparators", "name the arms as the release does, or use another release")


def subgroups_of(protocol: Protocol) -> dict[str, str]:
    """Every expression over covariates that says who is in a subgroup, by its place in the protocol."""
    levels = {f"subgroups.{name}.{level}": keep for name, levels in protocol.subgroups.items() for level, keep in levels.items()}
    return levels | {place_of(number): entry.keep for number, entry in enumerate(protocol.synthesis.enrichment)}


def describe_source(
    source: Source,
    cohort: CohortSection,
    outcomes: OutcomesSection,
    *,
    folder: Path,
    minimum_count: int,
    subgroups: Mapping[str, str] = MappingProxyType({}),
    where: str = "data.sites",
    digest: bool = False,
) -> SourceFacts:
    """What ``check_source`` compares a protocol with; ``subgroups`` by :func:`subgroups_of`, ``where`` the source's place in the protocol.

    ``digest`` asks for that of the eligible patients too. Raises ``SourceError`` where the source cannot be read; it tells no name of measurements
    that fewer than ``minimum_count`` patients have.
    """
    faults: dict[Fault, None] = {}
    used = [cohort.arms.column, *(column for _, outcome in outcomes.items() for column in outcome.columns.values())]
    wanted = set(used) | set(cohort.covariates.names if digest else ())
    expressions = {_place(number): criterion.keep for number, criterion in enumerate(cohort.eligibility)}
    for place, keep in (expressions | dict(subgroups)).items():
        try:
            wanted |= set(columns_of(keep, where=place))
        except ProtocolError as error:
            faults |= dict.fromkeys(error.faults)
    summaries = wanted & set(cohort.summaries)
    mapping, where = source.mapping, f"{where}.mapping"
    asked = (wanted - summaries) | set(mapping) | ({str(source.patient_id)} if summaries else set())
    try:
        behind = columns_behind(asked, mapping, where=where)
    except ProtocolError as error:
        return SourceFacts(faults=error.faults)
    names, frame = SOURCES[source.source].peek(source, folder=folder, columns=behind)
    if unmappable := tuple(check_mapping(mapping, names, where=where)):
        return SourceFacts(faults=unmappable)
    applied = applied_criteria(source, folder=folder)
    try:
        frame = map_columns(normalise(frame), mapping, where=where)
    except ProtocolError as error:
        return SourceFacts(faults=error.faults)
    kinds: dict[str, Kind] = {name: _KINDS.get(frame[name].dtype.kind, "text") for name in frame.columns}
    if source.source == "file":
        renamed = {mapped.column for mapped in mapping.values()}
        declared: dict[str, Kind] = {name: declared_kind(source.columns[name]) for name in names if name not in mapping and name not in renamed}
        kinds = declared | {name: kinds[name] for name in mapping}
    names = list(kinds)
    if isinstance(source, FileSource) and source.measurements is not None:
        check_measurement_file(source, folder=folder)
        names = [*names, *cohort.summaries]
        if summaries:
            people = pd.DataFrame({"patient_id": category_text(frame[source.patient_id])})
            rows = read_measurements(source, cohort.measurements, folder=folder, minimum_count=minimum_count)
            frame = frame.join(summarise_measurements(select_measurements(rows, cohort.measurements), people, cohort))

    eligible = pd.Series(True, index=frame.index)
    levels: dict[str, int] = {}
    if cohort.arms.column in frame.columns:
        arm = category_text(frame[cohort.arms.column])
        levels = {str(level): int(count) for level, count in arm.value_counts().items()}
        eligible = arm.isin([level_text(cohort.arms.treated), level_text(cohort.arms.comparator)])
    for place, keep in expressions.items():
        if keep in applied:
            continue
        try:
            columns_of(keep, where=place, known=names)
            eligible &= evaluate(frame, keep, where=place)
        except ProtocolError as error:
            faults |= dict.fromkeys(error.faults)
    for place, keep in subgroups.items():
        try:
            others = [column for column in columns_of(keep, where=place) if column not in cohort.covariates.names]
            faults |= {unknown(place, column, cohort.covariates.names, "covariate"): None for column in others}
            if not others:
                evaluate(frame, keep, where=place)
        except ProtocolError as error:
            faults |= dict.fromkeys(error.faults)

    longest, typical, unusual = {}, {}, {}
    for name, outcome in outcomes.survival.items():
        if kinds.get(outcome.days) == "number" and eligible.any():
            longest[name] = float(frame.loc[eligible, outcome.days].max())
            typical[name] = float(frame.loc[eligible, outcome.days].median())
        if kinds.get(outcome.event) in ("number", "boolean"):
            unusual[name] = int((~frame.loc[eligible, outcome.event].isin(outcome.codes)).sum())
    return SourceFacts(
        columns=kinds,
        arm_levels=levels,
        longest_follow_up=longest,
        unusual_events=unusual,
        median_follow_up=typical,
        digest=_digest(frame[eligible], [*used, *cohort.covariates.names]) if digest else None,
        faults=tuple(faults),
    )


def _digest(patients: pd.DataFrame, columns: Sequence[str]) -> str | None:
    """Of the patients' rows in any order, equal numbers being the same; None where a column is missing, or every patient."""
    if not len(patients) or not set(columns) <= set(patients.columns):
        return None
    rows = pd.util.hash_pandas_object(pd.DataFrame({name: category_text(patients[name]) for name in columns}), index=False)
    return hashlib.sha256(np.sort(rows.to_numpy()).tobytes()).hexdigest()


def _place(number: int) -> str:
    return f"cohort.eligibility[{number}].keep"
