"""The verdict in words: from the content of verdict.json to the sentences a reader meets first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from parallax.reporting.numbers import format_number, spell
from parallax.reporting.wording import SHIFTS, VERDICTS, describe_bound, describe_variable, metric_words, plain

#: keys of the protocol that a sentence names
_KEYS_NAMED: Final = 4

NOT_CERTIFIED: Final = "not certified: the false-alarm rate of these gates has not been simulated for this study"


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate of a verdict; ``judged`` is the number that was held against the threshold."""

    metric: str
    variable: str | None
    value: float
    judged: float
    threshold: float
    direction: str | None
    outcome: str
    reason: str


@dataclass(frozen=True, slots=True)
class GeneratorVerdict:
    """The verdict on one generator at one site."""

    site: str
    generator: str
    verdict: str
    gates: tuple[Gate, ...]
    guarantee: Mapping[str, Any] | None = None

    def with_outcome(self, outcome: str) -> tuple[Gate, ...]:
        """The gates that ended so."""
        return tuple(gate for gate in self.gates if gate.outcome == outcome)


def read_verdicts(record: Mapping[str, Any]) -> tuple[GeneratorVerdict, ...]:
    """All verdicts of verdict.json in its order."""
    return tuple(
        GeneratorVerdict(site, generator, entry["verdict"], tuple(_read_gate(gate) for gate in entry["gates"]), entry.get("guarantee"))
        for site, generators in record["sites"].items()
        for generator, entry in generators.items()
    )


def _read_gate(gate: Mapping[str, Any]) -> Gate:
    value, judged, threshold = (_number(gate[name]) for name in ("value", gate["judged"], "threshold"))
    return Gate(gate["metric"], gate["variable"], value, judged, threshold, gate["direction"], gate["outcome"], gate["reason"])


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def decisive_reason(verdict: GeneratorVerdict, *, primary: str, arm_labels: Mapping[str, str], crash: str | None = None) -> str:
    """One plain sentence: what decided. ``primary`` is the primary estimate in words, ``crash`` what stopped the generator."""
    failed, unknown = verdict.with_outcome("failed"), verdict.with_outcome("not_evaluated")
    if failed:
        others = len({gate.metric for gate in failed} - {failed[0].metric})
        more = f"; {spell(others)} other {'gate fails' if others == 1 else 'gates fail'} too" if others else ""
        return sentence(_clause(failed[0], primary=primary, arm_labels=arm_labels) + more)
    if crash:
        return sentence(crash)
    if unknown:
        return sentence(unknown[0].reason)
    shift = next((gate for gate in verdict.gates if gate.metric in SHIFTS), None)
    told = f": {_clause(shift, primary=primary, arm_labels=arm_labels).partition(' (')[0]}" if shift else ""
    silent = len(verdict.with_outcome("not_informative"))
    rest = f"; {spell(silent)} of the attacks told nothing, which is not the same as safe" if silent else ""
    return sentence(f"{'no gate failed' if silent else 'every gate passed'}{told}{rest}")


def headline(verdicts: Sequence[GeneratorVerdict]) -> str:
    """The result of the study in a sentence."""
    released = [verdict for verdict in verdicts if verdict.verdict == "release"]
    total = len(verdicts)
    several_sites = len({verdict.site for verdict in verdicts}) > 1
    named = ", ".join(plain(verdict.generator) + (f" ({plain(verdict.site)})" if several_sites else "") for verdict in released)
    subject = "verdict" if several_sites else "generator"
    subject += "s" if total > 1 else ""
    action = f"allow{'s' if len(released) == 1 else ''} a release" if several_sites else "may be released"
    if total == 1:
        return sentence(f"the only generator may be released: {named}" if released else "the only generator may not be released")
    if not released:
        return sentence(f"none of {spell(total)} {subject} {'allows a release' if several_sites else 'may be released'}")
    return sentence(f"{spell(len(released))} of {spell(total)} {subject} {action}: {named}")


def _clause(gate: Gate, *, primary: str, arm_labels: Mapping[str, str]) -> str:
    words = metric_words(gate.metric)
    absolute = gate.direction == "absolute_at_most"
    return words.clause.format(
        label=words.label,
        value=format_number(abs(gate.judged) if absolute else gate.judged, decimals=words.decimals),
        bound=describe_bound(gate.threshold, gate.direction),
        primary=primary,
        variable=describe_variable(gate.variable, arm_labels),
    )


def sentence(text: str) -> str:
    """The text with a capital letter and a full stop."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def describe_guarantee(guarantee: Mapping[str, Any]) -> str:
    """A differentially private generator's loss in a few words; ``guarantee`` as in verdict.json."""
    return f"differentially private: epsilon {guarantee['epsilon']:g}, delta {guarantee['delta']:g}"


def explain_guarantee(guarantee: Mapping[str, Any]) -> tuple[str, ...]:
    """What the guarantee says, covers and leaves out, and what its noise does to the intervals."""
    return (
        sentence(describe_guarantee(guarantee) + f"; neighbours are {guarantee['neighbours']}"),
        sentence(f"it covers {guarantee['covers']}; it leaves out {guarantee['leaves_out']}"),
        "No combining rule sees the noise of the fit: the smaller epsilon, the more the intervals of these patients are too narrow.",
    )


def describe_registration(registration: Mapping[str, Any]) -> str:
    """When the protocol was fixed, and what was changed since effects are known, in a sentence; ``registration`` as in verdict.json."""
    attempt, changed = registration["attempt"], registration["changed"]
    which = "the protocol" if attempt == 1 else f"the protocol, attempt {attempt} of this study,"
    if registration["before_effects"]:
        return sentence(f"{which} was registered before any real effect was computed")
    if not changed:
        return sentence(f"{which} was registered after real effects had been computed")
    more = len(changed) - _KEYS_NAMED
    named = ", ".join(changed[:_KEYS_NAMED]) + (f" and {spell(more)} more" if more > 0 else "")
    return sentence(f"{which} was changed after real effects had been computed, in {named}")


def summarise(verdict: Mapping[str, Any], report_path: str) -> str:
    """The end of a run on the console: one line per generator, then where the report is."""
    rows = read_verdicts(verdict)
    several_sites = len({row.site for row in rows}) > 1
    names = [f"{row.site} / {row.generator}" if several_sites else row.generator for row in rows]
    column = max(map(len, names), default=0)
    badge = max(len(words) for words, _ in VERDICTS.values())
    lines = [f"Verdicts of the study {verdict['study']}" if "study" in verdict else "Verdicts", ""]
    for name, row in zip(names, rows, strict=True):
        words, mark = VERDICTS[row.verdict]
        lines.append(f"  {mark} {name:<{column}}  {words.lower():<{badge}}  {_brief(row)}".rstrip())
        lines += [f"    {'':<{column}}  {describe_guarantee(row.guarantee)}"] if row.guarantee else []
    registered = describe_registration(verdict["registration"]).removesuffix(".")
    lines += ["", f"  {registered[:1].lower()}{registered[1:]}"]
    lines += [f"  {'certified' if verdict.get('certified') else NOT_CERTIFIED}", f"  report  {report_path}"]
    return "\n".join(lines)


def _brief(row: GeneratorVerdict) -> str:
    """The decisive number in a few words."""
    failed = row.with_outcome("failed")
    shown = list(failed[:1]) or [gate for gate in row.gates if gate.metric in SHIFTS]
    if row.verdict == "inconclusive" or not shown:
        # a gate's sentence names the metric first; the reason alone is enough here
        return next((gate.reason.rpartition("not evaluated, ")[2] for gate in row.with_outcome("not_evaluated")), "")
    words = metric_words(shown[0].metric)
    others = len({gate.metric for gate in failed} - {shown[0].metric})
    more = f", and {spell(others)} more" if others else ""
    number = format_number(shown[0].judged, decimals=words.decimals) + words.unit
    return f"{words.brief or words.label.lower()} {number} ({describe_bound(shown[0].threshold, shown[0].direction)}){more}"
