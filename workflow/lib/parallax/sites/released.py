"""A release from elsewhere as a pool takes it in: of this very study, of the size that it says, and every patient as drawn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pandas as pd

from parallax.cohort.selection import select_cohort
from parallax.errors import Fault, ProtocolError
from parallax.extraction.registry import normalise
from parallax.extraction.release import PATIENT_ID, REPLICATE, LearnedFrom, ReleaseRecord, read_replicates, site_of
from parallax.protocol.data import ReleaseSource
from parallax.protocol.loading import read_protocol
from parallax.protocol.protocol import Protocol
from parallax.sites.same_study import describe_study, list_differences
from parallax.validation.ways import Released

_AGAIN: Final = "have the institution make and send the release again"


def read_released(site: str, protocol: Protocol, *, folder: Path) -> Released:
    """The replicates of a site that is a release, as cohort tables; ``folder`` is the protocol's.

    Assumption
        The release is of this study: its protocol differs in nothing but what is of one place. Replicates, their size, the criteria and the gates
        are then this study's, every criterion was applied before the generator learned, and none is applied again, as to no synthetic patient here.
    Formula
        n = k/c, with k the patients of a replicate and c ``synthesis.patients``: exact where c is 1 or more. The numbers that the release states are
        rounded for disclosure; k must agree with their sum as far as two roundings let it.
    Errors
        ProtocolError where the release is of another study, or holds other patients than it states; SourceError as :func:`read_replicates`.
    """
    source = protocol.data.sites[site]
    if not isinstance(source, ReleaseSource):
        raise TypeError(f"{site} is no release")
    patients, record = read_replicates(source, folder=folder)
    path = folder / Path(source.path).expanduser()
    sizes = {int(str(replicate)): int(size) for replicate, size in patients.groupby(REPLICATE).size().items()}
    stated = record.learned_from.get(site_of(source, record, path), LearnedFrom(treated=None, comparator=None))
    where = f"data.sites.{site}"
    if faults := [*_faults_of_study(where, record, path, protocol)] or [*_faults_of_size(where, sizes, stated, protocol)]:
        raise ProtocolError(faults, source=f"the release of {site}")
    known = round(sizes[0] / protocol.synthesis.patients)
    return Released(_take(patients, protocol), generator=record.generator, patients=known, signed=source.public_key is not None)


def _take(patients: pd.DataFrame, protocol: Protocol) -> pd.DataFrame:
    met = [criterion.keep for criterion in protocol.cohort.eligibility]
    replicates = normalise(patients).groupby(REPLICATE, sort=True)
    taken = [
        select_cohort(rows.drop(columns=REPLICATE), protocol.cohort, protocol.outcomes, PATIENT_ID, applied=met, needed=()).cohort.assign(
            replicate=int(str(replicate))
        )
        for replicate, rows in replicates
    ]
    return pd.concat(taken, ignore_index=True)


def _faults_of_study(where: str, record: ReleaseRecord, path: Path, protocol: Protocol) -> Iterator[Fault]:
    if record.study_digest == protocol.study_digest:
        return
    try:
        named = list_differences(protocol, read_protocol(path / "protocol.yaml").shared)
    except ProtocolError:
        named = ""
    yield Fault(
        where,
        "a release of another study" + (f": it differs in {named}" if named else ""),
        f"beside real patients the release of this study, {describe_study(protocol)}",
        "agree on one protocol, and have the release made under it",
    )


def _faults_of_size(where: str, sizes: dict[int, int], stated: LearnedFrom, protocol: Protocol) -> Iterator[Fault]:
    wanted, multiple = protocol.synthesis.replicates, protocol.synthesis.patients
    if sorted(sizes) != list(range(wanted)) or len(set(sizes.values())) > 1:
        yield Fault(where, "other replicates than the protocol asks for", f"{wanted} replicates of one size, numbered from 0", _AGAIN)
    elif stated.treated is not None and stated.comparator is not None:
        real = stated.treated + stated.comparator
        if abs(sizes[0] - multiple * real) > 2 * multiple * protocol.disclosure.round_to + 1:
            found = f"replicates of {sizes[0]} patients, and about {real} real ones that they were made from"
            yield Fault(where, found, f"replicates {multiple:g} times as large as the real cohort, as the protocol has them", _AGAIN)
