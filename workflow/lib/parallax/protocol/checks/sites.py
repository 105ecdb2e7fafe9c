"""A protocol against the data of its sites, whose facts ``parallax.extraction.preflight`` gathers before the first job."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import log
from typing import Final

from parallax.errors import Fault, did_you_mean
from parallax.protocol.checks.faults import BARE_YES_OR_NO, SHOWN_LEVELS, neither, numbers
from parallax.protocol.checks.sources import Kind, check_columns
from parallax.protocol.cohort import CohortSection
from parallax.protocol.protocol import Protocol
from parallax.statistics.preferred_numbers import nearest_step
from parallax.vocabulary import ARMS

#: days in the units that follow-up is told in
_UNITS: Final = {7.0: "weeks", 30.4375: "months", 365.25: "years"}


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What the pre-flight look at a source found; columns and counts, and of the patients' values only the arms' levels."""

    columns: Mapping[str, Kind] = field(default_factory=dict)
    arm_levels: Mapping[str, int] = field(default_factory=dict)
    """Patients by level of the arm column, the level as text."""
    longest_follow_up: Mapping[str, float] = field(default_factory=dict)
    """By survival outcome, in days, among the eligible patients of both arms."""
    unusual_events: Mapping[str, int] = field(default_factory=dict)
    """By survival outcome: eligible patients of both arms whose event has no code of the protocol."""
    median_follow_up: Mapping[str, float] = field(default_factory=dict)
    """By survival outcome, in days, among the eligible patients of both arms."""
    digest: str | None = None
    """Of the eligible patients' arms, covariates and outcomes; None where there is no other site, or a column is missing."""
    faults: tuple[Fault, ...] = ()
    """Eligibility expressions that do not work on these columns."""


def check_source(protocol: Protocol, site: str, facts: SourceFacts) -> list[Fault]:
    """Every contradiction between a protocol and one site's data. No value of a patient is shown, rare levels of the arm column included."""
    cohort = protocol.cohort
    faults = [*check_columns(cohort, protocol.outcomes, site, protocol.data, facts.columns), *facts.faults] if facts.columns else [*facts.faults]
    if cohort.arms.column in facts.columns:
        needed = ("treated",) if site in protocol.data.external_controls else ARMS
        faults += _check_levels(cohort, site, facts.arm_levels, protocol.disclosure.minimum_count, needed)
    for name, outcome in protocol.outcomes.survival.items():
        if unusual := facts.unusual_events.get(name, 0):
            found = f'column "{outcome.event}", which holds {neither(outcome.codes)} for {unusual} patient{"s" * (unusual > 1)} of site "{site}"'
            remedy = "name another column or the codes of competing events, or exclude these patients by a criterion"
            allowed = "0 for censoring and 1 for the event" if outcome.codes == (0, 1) else f"{numbers(outcome.codes)}"
            faults += [Fault(f"outcomes.{name}.event", found, allowed, remedy)]
        if facts.longest_follow_up.get(name, 0) > outcome.follow_up_days:
            found = f'{outcome.follow_up_days:g}, but a patient of site "{site}" has a longer follow-up in column "{outcome.days}"'
            allowed = "the longest follow-up that the data can hold"
            faults += [Fault(f"outcomes.{name}.follow_up_days", found, allowed, "correct the number, or name another column")]
    return faults


def check_sites(protocol: Protocol, facts: Mapping[str, SourceFacts]) -> Iterator[Fault]:
    """Every contradiction between the data of several sites: a unit that cannot be the same, and the same patients twice."""
    yield from check_follow_up(protocol, {("data.sites", site): found.median_follow_up for site, found in facts.items()})
    first: dict[str, str] = {}
    for site, found in facts.items():
        if found.digest is not None and (other := first.setdefault(found.digest, site)) != site:
            told = f'the same patients as site "{other}": arms, covariates and outcomes of every eligible row are equal'
            yield Fault(f"data.sites.{site}", told, "other patients at every site", "correct the source of one of the two, or drop the site")


def check_follow_up(protocol: Protocol, medians: Mapping[tuple[str, str], Mapping[str, float]]) -> Iterator[Fault]:
    """A unit that cannot be the same: median follow-up in days by survival outcome, of every site by the section that names it and its name.

    Follow-up is the one quantity whose scale all sites share; the site with the shortest is named, and with it the unit that comes nearest. What is
    said rests on the steps of :func:`parallax.statistics.preferred_numbers.nearest_step`: beside a median that the reader knows, the exact ratio
    would tell the other one, which is a patient's own time.
    """
    allowed = protocol.data.follow_up_ratio
    for name, outcome in protocol.outcomes.survival.items():
        steps = {place: step for place, found in medians.items() if (step := nearest_step(found.get(name, 0.0))) is not None}
        typical = {place: medians[place][name] for place in steps}
        if not typical:
            continue
        short, long = min(typical, key=typical.__getitem__), max(typical, key=typical.__getitem__)
        if typical[long] / typical[short] <= allowed:
            continue
        ratio = max(steps[long] / steps[short], allowed)
        unit = min(_UNITS, key=lambda factor: abs(log(ratio / factor)))
        where, remedy = ".".join(short), f"have the institution give the factor of its unit, such as {unit:g}, "
        if short[0] != "data.sites":
            remedy += "run the study again and send its results again"
        elif short[1] in protocol.released_sites:
            remedy += "run the study again and make a new release"
        else:
            where, remedy = f"{where}.mapping.{outcome.days}", f"give the factor of the site's unit, such as {unit:g}"
        yield Fault(
            where,
            f'a median follow-up about {ratio:.3g} times as short as at site "{long[1]}" (outcome {name}): one of the two does not count in days, '
            f"{short[1]} perhaps in {_UNITS[unit]}",
            f"a median follow-up within a factor of {allowed:g} (data.follow_up_ratio) of every other site's",
            f"{remedy}, or raise data.follow_up_ratio if the sites do differ so",
        )


def _check_levels(cohort: CohortSection, site: str, levels: Mapping[str, int], minimum_count: int, needed: tuple[str, ...]) -> Iterator[Fault]:
    shown = [level for level, patients in levels.items() if patients >= minimum_count]
    listed = f"levels of at least {minimum_count} patients: {', '.join(shown)}"
    described = listed if 0 < len(shown) <= SHOWN_LEVELS else "a level that occurs in the arm column"
    for arm in needed:
        level = getattr(cohort.arms, arm)
        text = str(level).lower() if isinstance(level, bool) else str(level)
        if not levels.get(text, 0):
            remedy = BARE_YES_OR_NO if isinstance(level, bool) else "correct the level, or name another column"
            found = f'"{text}", which no patient of site "{site}" has in column "{cohort.arms.column}"'
            yield Fault(f"cohort.arms.{arm}", found, described, did_you_mean(text, shown, otherwise=remedy))
