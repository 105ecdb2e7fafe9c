"""The certificate in words."""

from __future__ import annotations

import pandas as pd

from parallax.protocol.protocol import Protocol
from parallax.reporting.verdicts import sentence
from parallax.reporting.wording import plain
from parallax.validation.combining import select_answers
from parallax.vocabulary import CORRECT, FLAT_COPULA, REAL


def tell_certificate(rates: pd.DataFrame, protocol: Protocol) -> tuple[str, ...]:
    """What a site's simulated studies (its part of certification.csv) say, in sentences: the gate, then each generator's valid rule."""
    detection = protocol.validation.certification.detection
    caught, spared = (_rate(rates, name, "gate_failure", "minimal_important") for name in (FLAT_COPULA, CORRECT))
    told = [f"where the smallest effect that matters is the truth, the agreement gate catches a flat copula in {caught} of the studies"]
    value = _find(rates, FLAT_COPULA, "gate_failure", "minimal_important")
    if value is not None and value < detection:
        told[0] += f", {100 * detection:g}% are asked for: its pass is no evidence here"
    told.append(f"it fails a generator that is right by construction in {spared} (false alarms)")
    own, rejected = _rate(rates, REAL, "coverage", "minimal_important"), _rate(rates, REAL, "type_1_error", "no_effect")
    told.append(f"the study's own analysis covers the truth in {own} and finds an effect that is not there in {rejected}")
    for name in (*protocol.certified_generators, CORRECT):
        covered, error = _rate(rates, name, "coverage", "minimal_important"), _rate(rates, name, "type_1_error", "no_effect")
        failed = _rate(rates, name, "gate_failure", "minimal_important")
        told.append(f"{plain(name)}, valid rule: {covered} and {error}; the agreement gate fails it in {failed}")
    return tuple(sentence(text) for text in told)


def _find(rates: pd.DataFrame, generator: str, metric: str, effect: str) -> float | None:
    row = _row(rates, generator, metric, effect)
    return None if row.empty else float(row["value"].iloc[0])


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
