"""Faults of a differentially private generator's declarations: what it may not ask the patients, the protocol must say."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator
from itertools import pairwise
from typing import Final

from parallax.errors import Fault
from parallax.protocol.cohort import CohortSection
from parallax.protocol.constraints import FixedCombinationsConstraint
from parallax.protocol.generators import NumberRange, PrivateMarginalsGenerator
from parallax.protocol.outcomes import BinaryOutcome, Outcome, OutcomesSection, SurvivalOutcome
from parallax.protocol.synthesis import SynthesisSection

#: most cells of the joint distribution of arm, outcomes and a covariate with its pair: more are neither fitted in a minute nor worth their noise
MAXIMUM_CELLS: Final = 100_000


def check_private_generators(synthesis: SynthesisSection, cohort: CohortSection, outcomes: OutcomesSection) -> Iterator[Fault]:
    """Every fault of every private generator."""
    for name, settings in synthesis.generators.items():
        if isinstance(settings, PrivateMarginalsGenerator):
            where = f"synthesis.generators.{name}"
            yield from _check_use(where, synthesis)
            declared = list(_check_declarations(where, settings, cohort, outcomes))
            yield from declared
            yield from _check_pairs(where, settings, cohort.covariates.names)
            yield from _check_days(where, settings, outcomes)
            if not declared:
                yield from _check_size(where, settings, outcomes)


def _check_use(where: str, synthesis: SynthesisSection) -> Iterator[Fault]:
    if synthesis.fit == "bootstrap":
        found = f"bootstrap, with the private generator {where.rpartition('.')[2]}: every one of the {synthesis.replicates} fits would spend epsilon"
        yield Fault("synthesis.fit", found, "single", "set it to single, or remove the generator")
    for number, constraint in enumerate(synthesis.constraints):
        if isinstance(constraint, FixedCombinationsConstraint):
            found = "fixed_combinations, which are taken from the real patients, with a private generator"
            yield Fault(f"synthesis.constraints[{number}]", found, "constraints that the protocol states in full", "remove one of the two")


def _check_declarations(where: str, settings: PrivateMarginalsGenerator, cohort: CohortSection, outcomes: OutcomesSection) -> Iterator[Fault]:
    values = [f"{name}_{part}" for name, outcome in outcomes.values.items() for part in outcome.columns if not isinstance(outcome, BinaryOutcome)]
    yield from _compare(f"{where}.ranges", settings.ranges, [*cohort.covariates.numeric, *values], "a range: lower, upper and cuts")
    yield from _compare(f"{where}.levels", settings.levels, cohort.covariates.categorical, "a list of levels")
    for column, declared in settings.ranges.items():
        yield from _check_range(f"{where}.ranges.{column}", declared)
    for column, levels in settings.levels.items():
        if len(set(levels)) < len(levels):
            yield Fault(f"{where}.levels.{column}", "a level more than once", "every level once", "remove the repetition")
    for column in settings.missing:
        if column not in cohort.covariates.names:
            yield Fault(f"{where}.missing", f'"{column}", no covariate', ", ".join(cohort.covariates.names), "correct the name")


def _compare(where: str, declared: Collection[str], needed: Collection[str], what: str) -> Iterator[Fault]:
    for column in needed:
        if column not in declared:
            yield Fault(f"{where}.{column}", "nothing", f"{what}, stated without a look at the patients", "add it")
    for column in declared:
        if column not in needed:
            yield Fault(f"{where}.{column}", f'"{column}", which needs none', ", ".join(needed) or "nothing", "correct the name, or remove it")


def _check_range(where: str, declared: NumberRange) -> Iterator[Fault]:
    if any(high <= low for low, high in pairwise(declared.edges)):
        yield Fault(where, "lower, cuts and upper that do not increase", "increasing numbers, each once", "put them in order")
    elif declared.decimals is not None and _without_value(declared.edges, 10.0**declared.decimals, closed_above=False):
        found = f"a bin without a value of {declared.decimals} decimals"
        yield Fault(where, found, "bins with a value each", "move a cut, or state more decimals")


def _without_value(edges: Iterable[float], unit: float, *, closed_above: bool) -> bool:
    """Whether a bin has no multiple of 1/unit: bins hold their lower end, or their upper one where ``closed_above``; the last holds both."""
    scaled = [round(edge * unit, 6) for edge in edges]
    if closed_above:
        return any(math.floor(high) <= math.floor(low) for low, high in pairwise(scaled))
    *bins, (low, high) = pairwise(scaled)
    return any(math.ceil(first) >= second for first, second in bins) or math.ceil(low) > high


def _check_pairs(where: str, settings: PrivateMarginalsGenerator, names: Collection[str]) -> Iterator[Fault]:
    trees = {name: name for name in names}
    for pair in settings.pairs:
        for name in pair:
            if name not in names:
                yield Fault(f"{where}.pairs", f'"{name}", no covariate', ", ".join(names), "correct the name")
                return
        first, second = (trees[name] for name in pair)
        if first == second:
            found = f"{pair[0]} and {pair[1]}, which are joined by other pairs or are one"
            yield Fault(f"{where}.pairs", found, "pairs without closed chains", "remove one of the chain")
            return
        trees = {name: first if tree == second else tree for name, tree in trees.items()}


def _check_days(where: str, settings: PrivateMarginalsGenerator, outcomes: OutcomesSection) -> Iterator[Fault]:
    for name, cuts in settings.cuts_days.items():
        outcome = outcomes.survival.get(name)
        if outcome is None:
            yield Fault(f"{where}.cuts_days.{name}", f'"{name}", no survival outcome', ", ".join(outcomes.survival) or "nothing", "correct the name")
        elif any(not 0 < day < outcome.follow_up_days for day in cuts):
            allowed = f"days above 0 and below the follow_up_days of {outcome.follow_up_days:g}"
            yield Fault(f"{where}.cuts_days.{name}", "days outside the follow-up", allowed, "correct them")
    for name, outcome in outcomes.survival.items():
        if settings.whole_days and _without_value(settings.edges_days(name, outcome), 1.0, closed_above=True):
            found = f"bins of {name} without a whole day, with whole_days: true"
            yield Fault(f"{where}.cuts_days", found, "bins of a day or more", "move a cut, or set whole_days: false")


def _check_size(where: str, settings: PrivateMarginalsGenerator, outcomes: OutcomesSection) -> Iterator[Fault]:
    sizes = {name: len(declared.edges) - 1 for name, declared in settings.ranges.items()}
    sizes |= {name: len(levels) for name, levels in settings.levels.items()}
    widest = max([size + 1 for size in sizes.values()], default=1)
    widest = max([widest, *((sizes[first] + 1) * (sizes[second] + 1) for first, second in settings.pairs if {first, second} <= sizes.keys())])
    cells = 2 * math.prod(_size_of(name, outcome, settings, sizes) for name, outcome in outcomes.items()) * widest
    if cells > MAXIMUM_CELLS:
        found = f"bins and levels that make a joint distribution of {cells} cells of arm, outcomes and a covariate with its pair"
        yield Fault(where, found, f"{MAXIMUM_CELLS} cells or fewer", "state fewer cuts, outcomes or pairs")


def _size_of(name: str, outcome: Outcome, settings: PrivateMarginalsGenerator, sizes: dict[str, int]) -> int:
    if isinstance(outcome, SurvivalOutcome):
        return (len(settings.edges_days(name, outcome)) - 1) * len(outcome.codes) + 1
    return 2 if isinstance(outcome, BinaryOutcome) else math.prod(sizes[f"{name}_{part}"] for part in outcome.columns)
