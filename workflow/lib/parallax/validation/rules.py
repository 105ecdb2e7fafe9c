"""Combining rules: an estimate and its variance from the m replicates of a generator, by how the replicates were made.

Notation, all on the analysis scale: n real patients, k in a replicate, q_i and v_i (i = 1 … m) the estimate and its variance in replicate i,
q = Σq_i/m, v = Σv_i/m, b = Σ(q_i − q)²/(m − 1). Where replicates differ in size, as those of a subgroup do, v·k/n is Σv_i·k_i/(n·m). Of a subgroup, n
and k count its own patients.

====================  =======================  =====================================================================================
rule                  variance T of q          replicates for which it is right
====================  =======================  =====================================================================================
``partial``           v·k/n + b/m              drawn from one fit or from a fit each: b tells the two apart; m ≥ 2, steady from 10
``single_fit``        v·(k/n + 1/m)            drawn from one fit with its parameters plugged in; m may be 1
``bootstrap_fit``     v·(k/n)(1 + (n/k+1)/m)   drawn from a fit each, to a bootstrap resample of the patients; m may be 1
``posterior``         (1 + 1/m)·b − v          drawn from a fit each, its parameters from their posterior; never a default
``naive``             v of the first           none: one replicate taken for real patients
``stacked``           v of the stack           none: all m·k patients taken for real ones
====================  =======================  =====================================================================================

Sources: ``partial`` Reiter 2003 (Survey Methodology 29:181, sections 2 and 3.1); ``single_fit`` and ``bootstrap_fit`` Raab, Nowok and Dibben
2016 (J Privacy Confidentiality 7(3):67, table 1: T_s, T_p); ``posterior`` Raghunathan, Reiter and Rubin 2003 (J Official Statistics 19:1,
section 3: T_f), degrees of freedom by Reiter 2002 (J Official Statistics 18:531, section 2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from parallax.errors import NotEstimable, StatisticsError
from parallax.vocabulary import Rule

#: how a study's generators are fitted (``synthesis.fit``)
Fit = Literal["single", "bootstrap"]


@dataclass(frozen=True, slots=True)
class Combined:
    """An estimate on the analysis scale, its standard error and the degrees of freedom of its t interval (infinite: normal)."""

    estimate: float
    std_error: float
    df: float


@dataclass(frozen=True, slots=True)
class Replicates:
    """The ``estimates`` (m,) and ``variances`` (m,) of m replicates of ``synthetic`` = k (m,) patients, made from ``patients`` = n real ones.

    Raises StatisticsError for numbers that are not finite, variances below zero, or fewer than one patient.
    """

    estimates: NDArray[np.float64]
    variances: NDArray[np.float64]
    patients: int
    synthetic: NDArray[np.float64]

    @classmethod
    def of(cls, estimates: ArrayLike, variances: ArrayLike, *, patients: int, synthetic: ArrayLike) -> Replicates:
        """Check and keep the numbers; ``synthetic`` is one size or one for each replicate."""
        q, v = np.asarray(estimates, dtype=np.float64), np.asarray(variances, dtype=np.float64)
        if q.ndim != 1 or q.shape != v.shape or len(q) == 0:
            raise StatisticsError(f"combining: found {q.shape} estimates and {v.shape} variances; each of at least one estimate needs a variance")
        if not (np.isfinite(q).all() and np.isfinite(v).all() and (v >= 0).all()):
            raise StatisticsError("combining: every estimate must be finite, every variance finite and at least zero")
        sizes = np.asarray(synthetic, dtype=np.float64)
        if sizes.shape not in ((), q.shape):
            raise StatisticsError(f"combining: found sizes of {sizes.shape} for {q.shape} replicates; allowed is one size, or one for each")
        if min(patients, sizes.min()) < 1:
            raise StatisticsError(f"combining: found {patients} real and {sizes.min():g} synthetic patients; at least one of each is needed")
        return cls(q, v, patients, np.broadcast_to(sizes, q.shape))

    @property
    def m(self) -> int:
        """How many replicates there are."""
        return len(self.estimates)

    @property
    def carried(self) -> float:
        """v·k/n: the variance of a replicate of k patients carried back to the n that the knowledge rests on."""
        return float((self.variances * self.synthetic).mean() / self.patients)

    @property
    def within(self) -> float:
        """v."""
        return float(self.variances.mean())

    @property
    def between(self) -> float:
        """b; NotEstimable for m = 1."""
        if self.m < 2:
            raise NotEstimable("the variance between replicates needs at least two of them")
        return float(self.estimates.var(ddof=1))

    def finish(self, variance: float, df: float) -> Combined:
        """q with this variance; NotEstimable where it is zero."""
        if variance == 0:
            raise NotEstimable("the replicates carry no variance")
        return Combined(float(self.estimates.mean()), float(np.sqrt(variance)), df)


def _partial(replicates: Replicates) -> Combined:
    within, between = replicates.carried, replicates.between / replicates.m
    df = (replicates.m - 1) * (1 + within / between) ** 2 if between > 0 else np.inf
    return replicates.finish(within + between, df)


def _single_fit(replicates: Replicates) -> Combined:
    return replicates.finish(replicates.carried + replicates.within / replicates.m, np.inf)


def _bootstrap_fit(replicates: Replicates) -> Combined:
    return replicates.finish(replicates.carried * (1 + 1 / replicates.m) + replicates.within / replicates.m, np.inf)


def _posterior(replicates: Replicates) -> Combined:
    between = (1 + 1 / replicates.m) * replicates.between
    variance = between - replicates.within
    if variance <= 0:
        raise NotEstimable("the variance is not positive: replicates vary less than parameters drawn from their posterior would make them")
    return replicates.finish(variance, (replicates.m - 1) * (1 - replicates.within / between) ** 2)


@dataclass(frozen=True, slots=True)
class CombiningRule:
    """A rule, and in words how the replicates are ``made_by`` for which it is right."""

    combine: Callable[[Replicates], Combined]
    made_by: str


#: the rules that combine replicates; ``naive`` and ``stacked`` combine nothing and are right for none
COMBINING_RULES: Final[Mapping[str, CombiningRule]] = MappingProxyType(
    {
        "partial": CombiningRule(_partial, "one fit, or a fit for every replicate"),
        "single_fit": CombiningRule(_single_fit, "one fit with its parameters plugged in"),
        "bootstrap_fit": CombiningRule(_bootstrap_fit, "a fit for every replicate, to a bootstrap resample of the patients"),
        "posterior": CombiningRule(_posterior, "parameters drawn from their posterior for every replicate"),
    }
)


def made_by(model: Mapping[str, Any]) -> Fit:
    """How a generator's replicates were made: what its fits recorded when they ran (``model.json``), whatever a protocol says by now.

    Raises StatisticsError where the fits differ, or recorded something else.
    """
    found = sorted({str(record.get("fit")) for record in model["fits"]})
    if len(found) != 1 or found[0] not in get_args(Fit):
        raise StatisticsError(
            f"model.json: found fits of kind {', '.join(found)}; allowed is one of {', '.join(get_args(Fit))}; fit the generator again"
        )
    kind: Fit = "single" if found[0] == "single" else "bootstrap"
    return kind


def choose_rule(fit: Fit, replicates: int) -> Rule:
    """The rule whose interval is a study's answer: ``partial``, and with one replicate the one that is made for how it was fitted."""
    return "partial" if replicates > 1 else "single_fit" if fit == "single" else "bootstrap_fit"


def rules_beside(fit: Fit, replicates: int) -> tuple[Rule, ...]:
    """The rules that a study reports, its answer first: also the one that takes how the replicates were fitted for granted."""
    fitted: Rule = "single_fit" if fit == "single" else "bootstrap_fit"
    return tuple(dict.fromkeys((choose_rule(fit, replicates), fitted)))


def combine_by(rule: str, estimates: ArrayLike, variances: ArrayLike, *, patients: int, synthetic: ArrayLike) -> Combined:
    """The combined estimate by a rule of ``COMBINING_RULES``.

    Assumption
        Each replicate holds ``synthetic`` = k patients drawn independently given the ``patients`` = n real ones, made as the rule says; the m
        analyses are the same; sandwich or information variances v_i, so that a rule that leaves b out is only as good as they are.
    Formula
        The module's table. Degrees of freedom: ``partial`` (m − 1)(1 + (v·k/n)/(b/m))², infinite where b = 0; ``posterior``
        (m − 1)(1 − v/((1 + 1/m)b))²; otherwise infinite.
    Shapes
        estimates (m,) and variances (m,), on the analysis scale; synthetic () or (m,).
    Errors
        NotEstimable where a rule needs b and m = 1, where T = 0, and for ``posterior`` where T is not positive; StatisticsError for an unknown
        rule, numbers that are not finite or variances below zero.
    """
    if rule not in COMBINING_RULES:
        raise StatisticsError(f"combining: found the rule {rule!r}; allowed are {', '.join(COMBINING_RULES)}")
    return COMBINING_RULES[rule].combine(Replicates.of(estimates, variances, patients=patients, synthetic=synthetic))
