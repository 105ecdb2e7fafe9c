"""The risk of an attack as anonymeter defines it (Giomi et al. 2023, PoPETs 2023(2):312, section 4): what it gains on those who were seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Self

from scipy.special import ndtri

from parallax.validation.bounds import Bounded
from parallax.validation.copies import bound_excess


@dataclass(frozen=True, slots=True)
class Trials:
    """How many of the ``attempts`` of an attack were ``successes``."""

    successes: int
    attempts: int

    @property
    def share(self) -> float:
        """The share of attempts that succeeded."""
        return self.successes / self.attempts

    def __add__(self, other: Self) -> Self:
        return type(self)(self.successes + other.successes, self.attempts + other.attempts)


@dataclass(frozen=True, slots=True)
class Outcome:
    """An attack made three times: on patients seen, on patients not seen (``control``), and on those seen by guessing (``baseline``)."""

    seen: Trials
    control: Trials
    baseline: Trials

    @classmethod
    def joined(cls, outcomes: Sequence[Self]) -> Self:
        """All rounds of an attack as one."""
        return reduce(lambda one, other: cls(one.seen + other.seen, one.control + other.control, one.baseline + other.baseline), outcomes)

    @property
    def beats_guessing(self) -> bool:
        """Whether the attack does better than guesses with 95 % confidence (Newcombe's bound of the difference)."""
        found = bound_excess(self.seen.share, self.seen.attempts, self.baseline.share, self.baseline.attempts)
        return found.lower > 0


def estimate_rate(trials: Trials, *, confidence: float) -> tuple[float, float]:
    """Wilson's centre and half-width of a rate (Wilson 1927): (s + z²/2)/(n + z²) and z/(n + z²)·√(s(n − s)/n + z²/4)."""
    z = float(ndtri((1 + confidence) / 2))
    spread = trials.successes * (trials.attempts - trials.successes) / trials.attempts
    denominator = trials.attempts + z**2
    return (trials.successes + z**2 / 2) / denominator, z / denominator * math.sqrt(spread + z**2 / 4)


def measure_risk(seen: Trials, control: Trials, *, confidence: float = 0.9) -> Bounded:
    """R = (a − c)/(1 − c): of the patients whom the attack would not get anyhow, the share that it gets because they were seen.

    Formula
        a and c are Wilson's centres of the rates of success on patients seen and not seen; the half-width is √((δa/(1 − c))² + (δc(1 − a)/(1 − c)²)²)
        with their half-widths δ. Value and bounds are kept within [0, 1].
    Bounds
        ``confidence`` is two-sided: at 0.9 each bound holds with 95 % by itself.
    Assumption
        the attempts are independent. Those on one patient, or with one synthetic record, are not: see decision 0060. Where patients are held
        out in turn, each is attacked once as seen and once as control; that both succeed together takes uncertainty off R (decision 0062).
    """
    a, of_a = estimate_rate(seen, confidence=confidence)
    c, of_c = estimate_rate(control, confidence=confidence)
    risk = (a - c) / (1 - c)
    margin = math.hypot(of_a / (1 - c), of_c * (1 - a) / (1 - c) ** 2)
    value, lower, upper = (min(1.0, max(0.0, number)) for number in (risk, risk - margin, risk + margin))
    return Bounded(value, lower, upper)


def harmless_margin(outcome: Outcome, *, confidence: float = 0.9) -> float:
    """The half-width of R for a generator that tells nothing: both rates are what seen and unseen patients give together."""
    successes = outcome.seen.successes + outcome.control.successes
    share = successes / (outcome.seen.attempts + outcome.control.attempts)
    parts = [Trials(round(share * part.attempts), part.attempts) for part in (outcome.seen, outcome.control)]
    (a, of_a), (c, of_c) = (estimate_rate(part, confidence=confidence) for part in parts)
    return math.hypot(of_a / (1 - c), of_c * (1 - a) / (1 - c) ** 2)
