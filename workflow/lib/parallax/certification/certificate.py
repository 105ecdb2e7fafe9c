"""The certificate of a site: would the agreement gate catch a bad generator here, and is its pass therefore evidence?"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final

import pandas as pd

from parallax.certification.power import GatePower
from parallax.certification.summary import summarise
from parallax.errors import NotEstimable
from parallax.protocol.protocol import Protocol
from parallax.validation.combining import select_answers
from parallax.vocabulary import CORRECT, FLAT_COPULA

#: the effect at which the gate must catch a flat copula
DECISIVE: Final = "minimal_important"


@dataclass(frozen=True, slots=True)
class Needed:
    """What would let the gate catch enough flat copulas: patients at these replicates, or replicates of these patients; None: no such number."""

    patients: int | None
    replicates: int | None


def certify(studies: pd.DataFrame, protocol: Protocol, *, patients: int) -> tuple[pd.DataFrame, Needed]:
    """The CERTIFICATION table of a site's simulated studies, and what detection would need.

    Where the protocol has a generator that is the flat copula itself, its rows stand in for the reference's, and are shown under both names.
    """
    own = protocol.flat_copula
    if own is not None and FLAT_COPULA not in set(studies["generator"]):
        studies = pd.concat([studies, studies[studies["generator"] == own].assign(generator=FLAT_COPULA)], ignore_index=True)
    replicates = protocol.synthesis.replicates
    wrong = select_answers(studies[(studies["generator"] == FLAT_COPULA) & (studies["effect"] == DECISIVE)])
    gates, wanted = protocol.validation.gates, protocol.validation.certification.detection
    try:
        power = GatePower.of(wrong, patients=patients, replicates=replicates, threshold=gates.shift_in_real_se)
        needed = Needed(power.patients_for(wanted), power.replicates_for(wanted))
    except NotEstimable:
        needed = Needed(None, None)
    return summarise(studies, patients=patients, replicates=replicates), needed


def record(table: pd.DataFrame, needed: Needed, protocol: Protocol) -> dict[str, object]:
    """The certificate as the verdict reads it: detection and false alarm at the decisive effect, the threshold, and what would do."""
    gate = table[(table["effect"] == DECISIVE) & (table["metric"] == "gate_failure")]
    found = {str(row["generator"]): row for row in gate.to_dict("records")}
    by_name = {"detection": FLAT_COPULA, "false_alarm": CORRECT}
    measured = {
        name: {column: float(found[generator][column]) for column in ("value", "lower", "upper")}
        for name, generator in by_name.items()
        if generator in found
    }
    return measured | {"threshold": protocol.validation.certification.detection, "needed": asdict(needed)}
