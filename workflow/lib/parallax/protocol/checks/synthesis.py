"""Faults of synthesis: names, generators and their settings, constraints, subgroups."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from math import lcm
from typing import Final

from pydantic import ValidationError

from parallax.errors import Fault, did_you_mean
from parallax.protocol.checks.faults import repeated, unknown
from parallax.protocol.cohort import CohortSection
from parallax.protocol.constraints import FixedCombinationsConstraint, OrderConstraint
from parallax.protocol.data import DataSection
from parallax.protocol.generators import (
    AdversarialNetwork,
    CartGenerator,
    CopulaGanGenerator,
    CovariateChain,
    EmpiricalCopula,
    GaussianCopulaGenerator,
    Generator,
    SequentialGenerator,
    change_settings,
    list_settings,
)
from parallax.protocol.outcomes import BinaryOutcome, OutcomesSection
from parallax.protocol.schema import describe, locate
from parallax.protocol.synthesis import SynthesisSection
from parallax.protocol.tuning import Candidate, TuningSection
from parallax.vocabulary import RESERVED_NAMES

_SHARES_ADD_UP: Final = 0.01  # 0.33 is a third


def check_names(data: DataSection, synthesis: SynthesisSection) -> Iterator[Fault]:
    """Sites and generators have names of their own, and a site sets only generators of the study."""
    for section, names in (("data.sites", data.sites), ("synthesis.generators", synthesis.generators)):
        for name in names:
            if name in RESERVED_NAMES:
                yield Fault(f"{section}.{name}", "a reserved name", f"any name but {', '.join(sorted(RESERVED_NAMES))}", "rename it")
    for name in synthesis.generators:
        if name in data.sites:
            yield Fault(f"synthesis.generators.{name}", "the name of a site", "a name that no site has", "rename the generator or the site")
    for site, own in synthesis.at_sites.items():
        where = f"synthesis.at_sites.{site}"
        if site not in data.sites:
            yield unknown(where, site, data.sites, "site")
        for name, settings in own.items():
            if name not in synthesis.generators:
                yield unknown(f"{where}.{name}", name, synthesis.generators, "generator of the study")
            elif settings.method != (method := synthesis.generators[name].method):
                remedy = "use this method, or name another generator of the study"
                yield Fault(f"{where}.{name}.method", f"{settings.method}, but the generator {name} has the method {method}", method, remedy)


def check_hold_out(synthesis: SynthesisSection) -> Iterator[Fault]:
    """Patients can be held out in turn where the share is one over a whole number."""
    if synthesis.hold_out_in_turn and (synthesis.refits < 2 or abs(synthesis.refits * synthesis.hold_out - 1) > _SHARES_ADD_UP):
        found = f"{synthesis.hold_out:g}, and hold_out_in_turn"
        yield Fault("synthesis.hold_out", found, "a half, a third (0.333), a quarter, …", "choose such a share, or leave hold_out_in_turn out")


def check_generators(synthesis: SynthesisSection, cohort: CohortSection, outcomes: OutcomesSection) -> Iterator[Fault]:
    """Settings of networks and copulas go together, and name columns that are there to be shaped."""
    for where, settings in synthesis.every_setting():
        yield from _check_generator(where, settings, synthesis, cohort, outcomes)


def _check_generator(
    where: str, settings: Generator, synthesis: SynthesisSection, cohort: CohortSection, outcomes: OutcomesSection
) -> Iterator[Fault]:
    times = [f"{name}_{part}" for name, outcome in outcomes.items() for part in outcome.columns if part != "event"]
    binary = {f"{name}_value" for name, outcome in outcomes.items() if isinstance(outcome, BinaryOutcome)}
    numeric = [*cohort.covariates.numeric, *(column for column in times if column not in binary)]
    ordered = {name for constraint in synthesis.constraints if isinstance(constraint, OrderConstraint) for name in constraint.columns}
    yield from _check_shapes(where, settings, numeric, ordered)
    if isinstance(settings, SequentialGenerator):
        yield from _check_shapes(f"{where}.covariates", settings.covariates, cohort.covariates.numeric, ordered)


def _check_shapes(where: str, settings: object, numeric: Iterable[str], ordered: Iterable[str]) -> Iterator[Fault]:
    if isinstance(settings, AdversarialNetwork) and settings.batch_size % (unit := lcm(2, settings.pac)):
        found = f"{settings.batch_size}, with pac {settings.pac}"
        yield Fault(f"{where}.batch_size", found, f"an even multiple of pac: {unit}, {2 * unit}, …", "change one of the two")
    if isinstance(settings, GaussianCopulaGenerator | CopulaGanGenerator):
        for column in settings.distributions:
            if column not in numeric:
                yield unknown(f"{where}.distributions.{column}", column, numeric, "numeric covariate or outcome column")
            elif column in ordered:
                found = f'a shape for "{column}", whose differences are learnt in its place because a constraint orders it'
                yield Fault(f"{where}.distributions.{column}", found, "columns that no constraint orders", "remove the shape or the constraint")


def check_constraints(synthesis: SynthesisSection, cohort: CohortSection) -> Iterator[Fault]:
    """A constraint names covariates of its kind, each once."""
    for number, constraint in enumerate(synthesis.constraints):
        where, fixed = f"synthesis.constraints[{number}]", isinstance(constraint, FixedCombinationsConstraint)
        kind, known = ("categorical", cohort.covariates.categorical) if fixed else ("numeric", cohort.covariates.numeric)
        keys = ["columns"] * len(constraint.columns) if fixed else [key for key in ("low", "middle", "high") if hasattr(constraint, key)]
        for key, column in zip(keys, constraint.columns, strict=True):
            if column not in known:
                yield unknown(f"{where}.{key}", column, known, f"{kind} covariate")
        for column in repeated(constraint.columns):
            yield Fault(where, f'"{column}" more than once', "every covariate once", "name another covariate")


def check_enrichment(synthesis: SynthesisSection) -> Iterator[Fault]:
    """Every subgroup has a name of its own."""
    for name in repeated(entry.name for entry in synthesis.enrichment):
        yield Fault("synthesis.enrichment", f'two subgroups named "{name}"', "every name once", "rename one of the two")


def check_terms(synthesis: SynthesisSection, cohort: CohortSection) -> Iterator[Fault]:
    """Covariates that a generator's settings name, and recipes that do not go together."""
    for where, settings in synthesis.every_setting():
        yield from _check_terms(where, settings, cohort.covariates.names)


def _check_terms(where: str, settings: Generator, names: Sequence[str]) -> Iterator[Fault]:
    asked: dict[str, tuple[str, ...]] = {}
    if isinstance(settings, CartGenerator):
        asked["order"] = settings.order
    if isinstance(settings, SequentialGenerator):
        asked["treatment_interactions"] = tuple(name for pair in settings.treatment_interactions for name in pair)
        if isinstance(settings.covariates, CovariateChain):
            order = settings.covariates.order
            asked["covariates.order"] = order
            if order and sorted(order) != sorted(names):
                yield Fault(f"{where}.covariates.order", f"{len(order)} names", "every covariate once", "complete the order, or leave it out")
        if settings.recipe == "calibrated" and not (settings.event_times == "piecewise_cox" and isinstance(settings.covariates, EmpiricalCopula)):
            found = "recipe: calibrated with other models of covariates or times"
            allowed = "event_times: piecewise_cox and covariates: {method: empirical_copula}"
            yield Fault(where, found, allowed, "use recipe: direct, or the models that it calibrates")
    for part, columns in asked.items():
        for column in columns:
            if column not in names:
                yield Fault(f"{where}.{part}", f'"{column}", no covariate', ", ".join(names), "correct the name")


def check_candidates(synthesis: SynthesisSection, cohort: CohortSection, outcomes: OutcomesSection) -> Iterator[Fault]:
    """A candidate of the tuning has settings of a generator of the study, and makes a sound one of every generator that has them.

    The default candidates are for one method, and no fault of a study without it.
    """
    if synthesis.tuning.candidates == TuningSection().candidates:
        return
    generators = [settings for _, settings in synthesis.every_setting()]
    for number, candidate in enumerate(synthesis.tuning.candidates):
        where = f"synthesis.tuning.candidates[{number}]"
        fitting = [settings for settings in generators if candidate.keys() <= set(list_settings(settings))]
        known = list(dict.fromkeys(name for settings in generators for name in list_settings(settings)))
        if strange := [name for name in candidate if name not in known]:
            yield from (unknown(f"{where}.{name}", name, known, "setting of a generator of the study") for name in strange)
        elif not fitting:
            found = f"{', '.join(candidate)}, which no generator of the study has all of"
            yield Fault(where, found, "settings of one generator", "write a candidate for each generator")
        yield from dict.fromkeys(fault for settings in fitting for fault in _check_candidate(where, settings, candidate, synthesis, cohort, outcomes))


def _check_candidate(
    where: str, settings: Generator, candidate: Candidate, synthesis: SynthesisSection, cohort: CohortSection, outcomes: OutcomesSection
) -> Iterator[Fault]:
    def check(made: Generator) -> list[Fault]:
        return [*_check_generator(where, made, synthesis, cohort, outcomes), *_check_terms(where, made, cohort.covariates.names)]

    try:
        changed = change_settings(settings, candidate)
    except ValidationError as error:
        for name in dict.fromkeys(str(detail["loc"][1]) for detail in error.errors()):
            node = locate(("synthesis", "generators", settings.method, settings.method, name))[1]
            value = candidate[name]
            found = f"{value:g}" if isinstance(value, float) else json.dumps(value, ensure_ascii=False)
            choices = [str(choice) for choice in node.get("enum", ())]
            if node.get("type") in ("object", "array") or "oneOf" in node:
                yield Fault(f"{where}.{name}", found, "settings that are a number, a word, true or false", "change this one in the generator itself")
            else:
                yield Fault(f"{where}.{name}", found, describe(node), did_you_mean(value, choices, otherwise="change it"))
        return
    own = check(settings)
    yield from (fault for fault in check(changed) if fault not in own)
