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
from parallax.validation.evidence import share_to_show, studies_to_show
from parallax.vocabulary import CORRECT, FLAT_COPULA

#: the effect at which the gate must catch a flat copula
DECISIVE: Final = "minimal_important"


@dataclass(frozen=True, slots=True)
class Needed:
    """What would do, each by itself; None: no such number is known.

    ``patients`` at these replicates, or ``replicates`` of these patients, would have the gate catch as many flat copulas as these simulated
    studies must show. Where it catches enough of them and they are too few to show it, so many ``studies`` that it can judge would.
    """

    patients: int | None = None
    replicates: int | None = None
    studies: int | None = None


def certify(studies: pd.DataFrame, protocol: Protocol, *, patients: int) -> tuple[pd.DataFrame, Needed]:
    """The CERTIFICATION table of a site's simulated studies, and what detection would need.

    Where the protocol has a generator that is the flat copula itself, its rows stand in for the reference's, and are shown under both names.
    """
    own = protocol.flat_copula
    if own is not None and FLAT_COPULA not in set(studies["generator"]):
        studies = pd.concat([studies, studies[studies["generator"] == own].assign(generator=FLAT_COPULA)], ignore_index=True)
    replicates = protocol.synthesis.replicates
    wrong = select_answers(studies[(studies["generator"] == FLAT_COPULA) & (studies["effect"] == DECISIVE)])
    return summarise(studies, patients=patients, replicates=replicates), _need(wrong, protocol, patients=patients)


def _need(wrong: pd.DataFrame, protocol: Protocol, *, patients: int) -> Needed:
    """From the flat copula's answers at the decisive effect."""
    certification, replicates = protocol.validation.certification, protocol.synthesis.replicates
    judged = wrong["passed"].dropna().astype(bool)
    if judged.empty:
        return Needed()
    more = studies_to_show(certification.detection, float((~judged).mean()))
    if more is not None:
        return Needed(studies=more if more > len(judged) else None)
    # fewer could not show it, whatever the gate catches
    asked = share_to_show(certification.detection, max(len(judged), certification.fewest_repetitions))
    try:
        power = GatePower.of(wrong, patients=patients, replicates=replicates, threshold=protocol.validation.gates.shift_in_real_se)
    except NotEstimable:
        return Needed()
    if power.at() >= asked:  # the shift is far from normal: the formula finds enough what was seen not to be
        return Needed()
    return Needed(power.patients_for(asked), power.replicates_for(asked))


def record(table: pd.DataFrame, needed: Needed, protocol: Protocol) -> dict[str, object]:
    """The certificate as the verdict reads it, at the decisive effect: what the gate catches of the flat copula (``detection``) and fails of the
    correct generator (``false_alarm``), the share of flat copulas ``undecided``, the thresholds of both shares, and what would do.
    """
    decisive = table[table["effect"] == DECISIVE]
    found = {(str(row["generator"]), str(row["metric"])): row for row in decisive.to_dict("records")}
    by_name = {
        "detection": (FLAT_COPULA, "gate_failure"),
        "false_alarm": (CORRECT, "gate_failure"),
        "undecided": (FLAT_COPULA, "gate_undecided"),
    }
    measured = {name: {column: float(found[key][column]) for column in ("value", "lower", "upper")} for name, key in by_name.items() if key in found}
    validation = protocol.validation
    thresholds = {"threshold": validation.certification.detection, "undecided_allowed": validation.gates.replicates_not_estimable}
    return measured | thresholds | {"needed": asdict(needed)}
