"""The verdict: may a generator's patients stand in for the real ones?"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import pandas as pd

from parallax.protocol.generators import Guarantee
from parallax.protocol.validation import Gates
from parallax.validation.attribution import name_broken
from parallax.validation.evidence import is_evidence
from parallax.validation.metrics import METRICS, NOT_INFORMATIVE, SHADOWED, Metric
from parallax.vocabulary import GateOutcome, Mechanism, Verdict

_COLUMNS: Final = ["metric", "variable", "value", "lower", "upper", "threshold", "passed", "reason"]
_ALLOWED: Final = {"at_most": "at most", "absolute_at_most": "plus or minus", "at_least": "at least"}
#: the gates that attribution takes apart, and the quantity of ATTRIBUTION that each rests on
_ATTRIBUTED: Final = {
    "shift_in_real_se": "shift_in_real_se",
    "shift_beyond_floor_in_real_se": "shift_in_real_se",
    "propensity_c_gap": "propensity_c",
}
_MECHANISM_WORDS: Final[Mapping[Mechanism, str]] = {
    "covariates": "the covariates' joint distribution",
    "treatment": "treatment given the covariates",
    "outcome": "the outcome given covariates and treatment",
    "censoring": "censoring given covariates and treatment",
}
#: the stages of a generator that a table rests on
_STAGES: Final = {"agreement": ("fit", "draw"), "fidelity": ("fit", "draw"), "privacy": ("refit",)}


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate as it was judged: ``variable`` is what it was measured on, ``judged`` which number was held against the threshold,
    ``mechanism`` which of the generator's mechanisms carries most of a failure."""

    metric: str
    variable: str | None
    value: float
    lower: float
    upper: float
    threshold: float
    direction: str
    judged: str
    outcome: GateOutcome
    reason: str
    mechanism: Mechanism | None = None


@dataclass(frozen=True, slots=True)
class VerdictRecord:
    """A generator's verdict, its ``reasons`` in a reader's words, and every gate; the ``guarantee`` of a differentially private one."""

    generator: str
    verdict: Verdict
    certified: bool
    reasons: tuple[str, ...]
    gates: tuple[Gate, ...]
    guarantee: Guarantee | None = None

    def plain(self) -> dict[str, object]:
        """The record as JSON-ready values; a missing number is null, and a guarantee stands in it only where there is one."""
        record = asdict(self)
        if self.guarantee is None:
            del record["guarantee"]
        for gate in record["gates"]:
            gate |= {name: None for name, entry in gate.items() if isinstance(entry, float) and not math.isfinite(entry)}
        return record | {"reasons": list(self.reasons), "gates": list(record["gates"])}


def reach_verdict(
    generator: str,
    *,
    agreement: pd.DataFrame,
    fidelity: pd.DataFrame,
    privacy: pd.DataFrame,
    generation: pd.DataFrame,
    gates: Gates,
    certified: bool,
    attribution: pd.DataFrame | None = None,
    certificate: Mapping[str, Any] | None = None,
    guarantee: Guarantee | None = None,
) -> VerdictRecord:
    """Judge a generator by every gate of the protocol.

    ``agreement``, ``fidelity`` and ``privacy`` are the generator's tables (without rows where it crashed), ``generation`` (GENERATION) tells
    how generators fared. Any failed gate: ``do_not_release``. Otherwise any gate that was not evaluated, or is missing from the tables:
    ``inconclusive``. Otherwise ``release``. ``certified`` says whether certification counted; it is recorded, never assumed. Where a gate of the
    shift or of the c-statistic failed, the ``attribution`` (ATTRIBUTION) names the mechanism that carries it. The ``certificate`` of the site,
    where there is one, is a gate more (:func:`_judge_certificate`), of every generator: what the gate catches of a flat copula is a property of
    the gate at these patients, not of the generator that it judges. The ``guarantee`` is recorded; it decides nothing.
    """
    crashes = generation[(generation["generator"] == generator) & (generation["status"] == "failed")]
    measured = {"agreement": agreement, "fidelity": fidelity, "privacy": privacy}
    judged: list[Gate] = []
    for metrics in _by_gate():
        answers = [(metric, row) for metric in metrics for row in _rows(measured[metric.table], metric.name)]
        unanswered: dict[Hashable, Any] = {"threshold": metrics[0].threshold(gates), "reason": "it was not measured"}
        judged += [_judge(metric, row, _tell(crashes, _stages_of(metric))) for metric, row in answers or [(metrics[0], unanswered)]]
    if attribution is not None:
        judged = [_name_mechanism(gate, attribution) for gate in judged]
    if certificate is not None:
        judged.append(_judge_certificate(certificate))
    failed = tuple(gate.reason for gate in judged if gate.outcome == "failed")
    open_gates = tuple(gate.reason for gate in judged if gate.outcome == "not_evaluated")
    if failed:
        return VerdictRecord(generator, "do_not_release", certified, failed, tuple(judged), guarantee)
    if open_gates:
        return VerdictRecord(generator, "inconclusive", certified, open_gates, tuple(judged), guarantee)
    silent = [METRICS[gate.metric].meaning for gate in judged if gate.outcome == "not_informative"]
    praise = f"{len(judged) - len(silent)} of {len(judged)} gates passed, none failed" if silent else f"All {len(judged)} gates passed"
    praise += "." if certified else _tell_uncertified(certificate)
    unknown = (f"Not informative, which is not the same as safe: {'; '.join(silent)}.",) if silent else ()
    return VerdictRecord(generator, "release", certified, (praise, *unknown), tuple(judged), guarantee)


def _name_mechanism(gate: Gate, attribution: pd.DataFrame) -> Gate:
    """A failed gate with the mechanism that carries most of it, where one does."""
    quantity = _ATTRIBUTED.get(gate.metric)
    if quantity is None or gate.outcome != "failed":
        return gate
    rows = attribution[attribution["quantity"] == quantity].set_index("mechanism")["value"]
    if math.isnan(rows.get("together", math.nan)):
        return replace(gate, reason=f"{gate.reason} Which mechanism carries it is not known: they could not be taken apart.")
    mechanism = name_broken(attribution, quantity)
    together = f"all mechanisms together {rows['together']:+.2f}"
    if not math.isnan(rows.get("remainder", math.nan)):
        together += f", a remainder of {rows['remainder']:+.2f} is seen by none of their models"
    if mechanism is None:
        told = f"no single mechanism carries it ({together})"
    else:
        told = f"{_MECHANISM_WORDS[mechanism]} carries {rows[mechanism]:+.2f} of it, {together}"
    return replace(gate, reason=f"{gate.reason} {told[0].upper()}{told[1:]}.", mechanism=mechanism)


def _judge_certificate(certificate: Mapping[str, Any]) -> Gate:
    """Whether the agreement gate was shown to catch a flat copula often enough: where not, a pass is no evidence, and a failure still is one.

    ``certificate``: ``detection`` (value, lower, upper; absent where no simulated study could be judged), whose lower end is held against
    ``threshold``; ``undecided`` (likewise), whose value is held against ``undecided_allowed``; and ``needed``.
    """
    threshold, allowed = float(certificate["threshold"]), float(certificate["undecided_allowed"])
    found = certificate.get("detection", {})
    value, lower, upper = (float(found.get(name, math.nan)) for name in ("value", "lower", "upper"))
    undecided = float(certificate["undecided"]["value"])
    caught = f"{value:.3f} (95 % interval {lower:.3f} to {upper:.3f})"
    outcome: GateOutcome = "passed" if is_evidence(lower, undecided, threshold=threshold, allowed=allowed) else "not_evaluated"
    if outcome == "passed":
        finding = f"{caught}; the interval must begin at {threshold:.3g} or above"
    elif math.isnan(value):
        finding = "not evaluated, no simulated study could be judged"
    elif undecided > allowed:
        finding = (
            f"not evaluated, the agreement gate could not judge {undecided:.3f} of the simulated studies, at most {allowed:.3g} are allowed, so that "
            f"what it catches of the others, {caught}, is no evidence"
        )
    else:
        finding = f"not evaluated, the agreement gate would catch {caught} where the interval must begin at {threshold:.3g}, so that its pass is no "
        finding += f"evidence; {_tell_needed(certificate['needed'])}"
    subject = "Share of flat copulas that the agreement gate would catch in studies like this one"
    return Gate("detection", None, value, lower, upper, threshold, "at_least", "lower", outcome, f"{subject}: {finding}.")


def _tell_needed(needed: Mapping[str, int | None]) -> str:
    named = {"patients": "patients", "replicates": "replicates", "studies": "simulated studies that it can judge"}
    ways = [f"about {number:,} {named[what]}".replace(",", " ") for what, number in needed.items() if number is not None]
    return f"{' or '.join(ways)} would do" if ways else "no number of patients or replicates is known that would do"


def _tell_uncertified(certificate: Mapping[str, Any] | None) -> str:
    """What a pass of every gate lacks: the study's certificate, or in a certified study this generator's own simulated studies."""
    if certificate is None:
        return "; that they would catch a bad generator was not certified."
    return "; that they would catch a flat copula is certified, how often they fail this generator though the effect is right was not simulated."


def _by_gate() -> list[list[Metric]]:
    """The metrics of each gate: several where it depends on the primary outcome's type which one is measured."""
    gates: dict[str, list[Metric]] = {}
    for metric in METRICS.values():
        if metric.gate is not None:
            gates.setdefault(metric.gate, []).append(metric)
    return list(gates.values())


def _stages_of(metric: Metric) -> tuple[str, ...]:
    """The stages of a generator that a metric rests on."""
    return ("shadow",) if metric.name in SHADOWED else _STAGES[metric.table]


def _rows(table: pd.DataFrame, metric: str) -> list[dict[Hashable, Any]]:
    table = table.reindex(columns=_COLUMNS)
    return table[(table["metric"] == metric) & table["threshold"].notna()].to_dict("records")


def _tell(crashes: pd.DataFrame, stages: tuple[str, ...]) -> str:
    """How the generator failed at the stages that a metric rests on; empty where it did not."""
    rows = crashes[crashes["stage"].isin(stages)].drop_duplicates("reason").to_dict("records")
    return "; ".join(f"the generator failed at {row['stage']}: {row['reason']}" for row in rows)


def _judge(metric: Metric, row: Mapping[Hashable, Any], crash: str) -> Gate:
    value, lower, upper = (float(row.get(name, math.nan)) for name in ("value", "lower", "upper"))
    threshold = float(row["threshold"])
    variable, note = (None if pd.isna(row.get(name)) else str(row[name]) for name in ("variable", "reason"))
    passed = None if pd.isna(row.get("passed")) else bool(row["passed"])
    outcome: GateOutcome = "not_evaluated" if passed is None else "passed" if passed else "failed"
    if passed is None and note is not None and note.startswith(NOT_INFORMATIVE) and not crash:
        outcome, finding = "not_informative", note
    elif outcome == "not_evaluated":
        finding = f"not evaluated, {crash or note or 'it could not be computed'}"
    else:
        number = f"{value:.3f}" if metric.judged == "value" else f"{value:.3f}, with 95 % confidence at most {upper:.3f}"
        finding = f"{number}; allowed is {_ALLOWED[metric.direction]} {threshold:.3g}" + (f" ({note})" if note else "")
    subject = metric.meaning[0].upper() + metric.meaning[1:] + (f" ({variable})" if variable else "")
    return Gate(metric.name, variable, value, lower, upper, threshold, metric.direction, metric.judged, outcome, f"{subject}: {finding}.")
