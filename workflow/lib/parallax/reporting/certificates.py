"""The certificate in words."""

from __future__ import annotations

import math

import pandas as pd

from parallax.protocol.protocol import Protocol
from parallax.reporting.verdicts import sentence
from parallax.reporting.wording import plain
from parallax.validation.combining import select_answers
from parallax.validation.evidence import is_evidence
from parallax.vocabulary import CORRECT, FLAT_COPULA, REAL


def tell_certificate(rates: pd.DataFrame, protocol: Protocol) -> tuple[str, ...]:
    """What a site's simulated studies (its part of certification.csv) say, in sentences: the gate, then each generator's valid rule."""
    detection, allowed = protocol.validation.certification.detection, protocol.validation.gates.replicates_not_estimable
    caught, spared = (_rate(rates, name, "gate_failure", "minimal_important") for name in (FLAT_COPULA, CORRECT))
    told = [f"where the smallest effect that matters is the truth, the agreement gate catches a flat copula in {caught} of the studies"]
    undecided = _find(rates, FLAT_COPULA, "gate_undecided", "minimal_important", "value")
    if undecided > 0.0:
        told[0] += f" that it can judge; {100 * undecided:.1f}% it cannot"
    if not is_evidence(_find(rates, FLAT_COPULA, "gate_failure", "minimal_important", "lower"), undecided, threshold=detection, allowed=allowed):
        much = f", at most {100 * allowed:g}% are allowed" if undecided > allowed else f", and the interval must begin at {100 * detection:g}%"
        told[0] += f"{much}: its pass is no evidence here"
    told.append(f"it fails a generator that is right by construction in {spared} (false alarms)")
    unjudged = _find(rates, CORRECT, "gate_undecided", "minimal_important", "value")
    if unjudged > 0.0:
        told[-1] += f" of those that it can judge; {100 * unjudged:.1f}% it cannot"
    own, rejected = _rate(rates, REAL, "coverage", "minimal_important"), _rate(rates, REAL, "type_1_error", "no_effect")
    told.append(f"the study's own analysis covers the truth in {own} and finds an effect that is not there in {rejected}")
    for name in (*protocol.certified_generators, CORRECT):
        covered, error = _rate(rates, name, "coverage", "minimal_important"), _rate(rates, name, "type_1_error", "no_effect")
        failed = _rate(rates, name, "gate_failure", "minimal_important")
        told.append(f"{plain(name)}, valid rule: {covered} and {error}; the agreement gate fails it in {failed}")
    return tuple(sentence(text) for text in told)


def _find(rates: pd.DataFrame, generator: str, metric: str, effect: str, column: str) -> float:
    row = _row(rates, generator, metric, effect)
    return math.nan if row.empty else float(row[column].iloc[0])


def _rate(rates: pd.DataFrame, generator: str, metric: str, effect: str) -> str:
    """A share in percent with its 95 % interval."""
    row = _row(rates, generator, metric, effect)
    if row.empty:
        return "an unknown share"
    value, lower, upper = (100 * float(row[name].iloc[0]) for name in ("value", "lower", "upper"))
    return f"{value:.1f}% ({lower:.1f}–{upper:.1f}%)"


def _row(rates: pd.DataFrame, generator: str, metric: str, effect: str) -> pd.DataFrame:
    answers = select_answers(rates[rates["generator"] == generator])
    return answers[(answers["metric"] == metric) & (answers["effect"] == effect)]
