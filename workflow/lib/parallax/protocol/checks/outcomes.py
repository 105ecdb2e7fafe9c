"""Faults of outcomes: contrasts, horizons and codes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from parallax.errors import Fault
from parallax.protocol.checks.faults import numbers, repeated
from parallax.protocol.outcomes import OutcomesSection


def check_horizons(outcomes: OutcomesSection) -> Iterator[Fault]:
    """Contrasts and horizons are in order, each once, within follow-up; codes differ."""
    for name, outcome in outcomes.items():
        for contrast in repeated(outcome.contrasts):
            yield Fault(f"outcomes.{name}.contrasts", f"{contrast} more than once", "every contrast once", "remove the repetition")
    for name, outcome in outcomes.survival.items():
        where, horizons = f"outcomes.{name}", outcome.horizons_days
        if any(later <= earlier for earlier, later in pairwise(horizons)):
            yield Fault(f"{where}.horizons_days", numbers(horizons), "increasing numbers of days, each once", "put them in order")
        if outside := [horizon for horizon in horizons if not 0 < horizon <= outcome.follow_up_days]:
            allowed = f"days above 0, up to the follow_up_days of {outcome.follow_up_days:g}"
            yield Fault(f"{where}.horizons_days", numbers(outside), allowed, "choose horizons that the follow-up reaches")
        if len(set(outcome.codes)) < len(outcome.codes):
            yield Fault(f"{where}.competing", numbers(outcome.competing), "codes above zero, each once, none the event's", "correct the codes")
        if outcome.days == outcome.event:
            yield Fault(
                f"{where}.event",
                f'the column "{outcome.event}", which is the follow-up time too',
                "a column of its own",
                "name the column with the event",
            )
