"""Faults that no single section can know: sections against each other, and a protocol against its data.

``check_protocol`` needs the protocol alone. ``check_source`` compares it with the facts of one site's source, which
``parallax.extraction.preflight`` gathers before the first job.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import lcm, log
from typing import Any, Final, Literal, TypeVar

from parallax.capabilities import DESIGNS
from parallax.errors import Fault, did_you_mean
from parallax.protocol.checks_measurements import check_measurements
from parallax.protocol.checks_private import check_private_generators
from parallax.protocol.cohort import CohortSection
from parallax.protocol.constraints import FixedCombinationsConstraint, OrderConstraint
from parallax.protocol.data import DataSection, FileColumn, FileSource, ReleaseSource
from parallax.protocol.designs import (
    CoarsenDesign,
    Design,
    DesignsSection,
    DoublyRobustDesign,
    EntropyDesign,
    MatchDesign,
    ScoredDesign,
    StandardisedDesign,
    WeightDesign,
)
from parallax.protocol.disclosure import DisclosureSection
from parallax.protocol.generators import (
    AdversarialNetwork,
    CartGenerator,
    CopulaGanGenerator,
    CovariateChain,
    EmpiricalCopula,
    GaussianCopulaGenerator,
    SequentialGenerator,
)
from parallax.protocol.outcomes import BinaryOutcome, CountOutcome, OutcomesSection, SurvivalOutcome
from parallax.protocol.pooling import PoolingSection
from parallax.protocol.privacy import PrivacySection
from parallax.protocol.propensity import EnsembleScore, LogisticScore, PropensitySection, Terms
from parallax.protocol.protocol import Protocol
from parallax.protocol.question import Hypothesis, QuestionSection
from parallax.protocol.synthesis import SynthesisSection
from parallax.protocol.validation import ValidationSection
from parallax.vocabulary import ARMS, RATIO_CONTRASTS, RESERVED_NAMES, SITE

Entry = TypeVar("Entry", bound=Hashable)
Kind = Literal["number", "boolean", "text", "date"]

BARE_YES_OR_NO: Final = "put it in quotes: YAML reads a bare yes, no, on or off as a truth value"

_RESERVED_COLUMNS: Final = frozenset({"replicate", "patient_id", "treated", SITE})
_SHARES_ADD_UP: Final = 0.01  # 0.33 is a third
_PARTS: Final = {"days": "the follow-up time", "event": "the event", "value": "the value", "person_days": "the time"}
_SHOWN_LEVELS: Final = 12
#: days in the units that follow-up is told in
_UNITS: Final = {7.0: "weeks", 30.4375: "months", 365.25: "years"}
_UNCERTIFIED: Final = (
    "0, or a primary estimate whose truth in a simulated study is known: survival without competing events (hazard_ratio, risk_difference, "
    "rmst_difference), binary (risk_difference, odds_ratio) or continuous; under a design with an estimand, weights neither trimmed nor truncated",
    "set it to 0: the verdict is then marked as not certified",
)


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


def target_estimand(design: Design) -> str | None:
    """The estimand that a design targets before caliper or trimming; None for the crude comparison."""
    if isinstance(design, WeightDesign | EntropyDesign | StandardisedDesign | DoublyRobustDesign):
        return design.estimand
    return next(iter(DESIGNS[design.method].estimands), None)


def check_protocol(protocol: Protocol) -> list[Fault]:
    """Every contradiction between the sections of a protocol."""
    return check_sections({name: getattr(protocol, name) for name in Protocol.model_fields})


def check_sections(sections: Mapping[str, Any]) -> list[Fault]:
    """Every contradiction between those sections that are given; a check whose sections are not all there is left out."""
    checks = (
        (_check_primary, ("question", "designs", "outcomes")),
        (_check_capabilities, ("designs", "outcomes")),
        (_check_horizons, ("outcomes",)),
        (_check_arms, ("cohort",)),
        (_check_covariates, ("cohort", "outcomes")),
        (_check_mapping, ("data",)),
        (_check_identifiers, ("cohort", "data")),
        (check_measurements, ("cohort", "data", "outcomes")),
        (_check_names, ("data", "synthesis")),
        (_check_site_results, ("pooling", "data", "synthesis")),
        (_check_pooling, ("pooling", "data", "synthesis")),
        (_check_external_controls, ("data", "cohort")),
        (_check_hold_out, ("synthesis",)),
        (_check_rare_levels, ("data", "cohort")),
        (_check_generators, ("synthesis", "cohort", "outcomes")),
        (check_private_generators, ("synthesis", "cohort", "outcomes")),
        (_check_constraints, ("synthesis", "cohort")),
        (_check_enrichment, ("synthesis",)),
        (_check_scores, ("propensity", "cohort")),
        (_check_terms, ("synthesis", "cohort")),
        (_check_designs, ("designs", "propensity", "cohort")),
        (_check_certification, ("validation", "question", "designs", "outcomes", "synthesis")),
        (_check_privacy, ("privacy", "cohort", "outcomes")),
        (_check_declared_columns, ("cohort", "outcomes", "data")),
        (_check_paths, ("data",)),
        (_check_disclosure, ("disclosure",)),
    )
    faults: list[Fault] = []
    for check, needed in checks:
        if all(name in sections for name in needed):
            faults += check(*(sections[name] for name in needed))
    return faults


def check_source(protocol: Protocol, site: str, facts: SourceFacts) -> list[Fault]:
    """Every contradiction between a protocol and one site's data. No value of a patient is shown, rare levels of the arm column included."""
    cohort = protocol.cohort
    faults = [*_check_columns(cohort, protocol.outcomes, site, protocol.data, facts.columns), *facts.faults] if facts.columns else [*facts.faults]
    if cohort.arms.column in facts.columns:
        needed = ("treated",) if site in protocol.data.external_controls else ARMS
        faults += _check_levels(cohort, site, facts.arm_levels, protocol.disclosure.minimum_count, needed)
    for name, outcome in protocol.outcomes.survival.items():
        if unusual := facts.unusual_events.get(name, 0):
            found = f'column "{outcome.event}", which holds {neither(outcome.codes)} for {unusual} patient{"s" * (unusual > 1)} of site "{site}"'
            remedy = "name another column or the codes of competing events, or exclude these patients by a criterion"
            allowed = "0 for censoring and 1 for the event" if outcome.codes == (0, 1) else f"{_numbers(outcome.codes)}"
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

    Follow-up is the one quantity whose scale all sites share; the site with the shortest is named, and with it the unit that comes nearest.
    """
    allowed = protocol.data.follow_up_ratio
    for name, outcome in protocol.outcomes.survival.items():
        typical = {place: found[name] for place, found in medians.items() if found.get(name, 0) > 0}
        if not typical:
            continue
        short, long = min(typical, key=typical.__getitem__), max(typical, key=typical.__getitem__)
        ratio = typical[long] / typical[short]
        if ratio <= allowed:
            continue
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
            f'a median follow-up {ratio:.3g} times as short as at site "{long[1]}" (outcome {name}): one of the two does not count in days, '
            f"{short[1]} perhaps in {_UNITS[unit]}",
            f"a median follow-up within a factor of {allowed:g} (data.follow_up_ratio) of every other site's",
            f"{remedy}, or raise data.follow_up_ratio if the sites do differ so",
        )


def _check_primary(question: QuestionSection, designs: DesignsSection, outcomes: OutcomesSection) -> Iterator[Fault]:
    primary, where = question.primary, "question.primary"
    if primary.design not in designs:
        yield unknown(f"{where}.design", primary.design, designs.names, "design")
    else:
        target = target_estimand(designs[primary.design])
        if target != question.estimand:
            found = (
                f'{question.estimand}, but the primary design "{primary.design}" targets {target or "no estimand: it compares the arms as they are"}'
            )
            fitting = [name for name, design in designs.items() if target_estimand(design) == question.estimand]
            remedy = (
                f"change the estimand, or make {' or '.join(fitting)} the primary design"
                if fitting
                else f"add a design that targets the {question.estimand}"
            )
            yield Fault("question.estimand", found, "the estimand that the primary design targets", remedy)
    yield from _check_hypothesis(where, primary, outcomes)
    for number, hypothesis in enumerate(question.secondary):
        where = f"question.secondary[{number}]"
        if hypothesis.design not in designs:
            yield unknown(f"{where}.design", hypothesis.design, designs.names, "design")
        yield from _check_hypothesis(where, hypothesis, outcomes)
    for _, outcome, contrast, _ in _repeated(hypothesis.target for hypothesis in question.family):
        yield Fault("question.secondary", f"{contrast} of {outcome} more than once", "every hypothesis once", "remove the repetition")


def _check_hypothesis(where: str, asked: Hypothesis, outcomes: OutcomesSection) -> Iterator[Fault]:
    if asked.outcome not in outcomes:
        yield unknown(f"{where}.outcome", asked.outcome, outcomes.names, "outcome")
        return
    outcome = outcomes[asked.outcome]
    if isinstance(outcome, SurvivalOutcome) and asked.contrast not in ("hazard_ratio", "log_rank") and asked.horizon_days is None:
        yield Fault(f"{where}.horizon_days", f"nothing, but a {asked.contrast} needs a horizon", "a horizon of the outcome", "add one")
    if outcome.negative_control:
        found = f'"{asked.outcome}", a negative control'
        yield Fault(f"{where}.outcome", found, "an outcome on which treatment may act", "name another, or remove negative_control")
    if asked.contrast not in outcome.contrasts:
        remedy = f"add it to outcomes.{asked.outcome}.contrasts, or choose one of these"
        yield Fault(f"{where}.contrast", f"{asked.contrast}, which the outcome does not ask for", ", ".join(outcome.contrasts), remedy)
    horizons = outcome.horizons_days if isinstance(outcome, SurvivalOutcome) else ()
    if asked.horizon_days is not None and asked.horizon_days not in horizons:
        remedy = f"add it to outcomes.{asked.outcome}.horizons_days, or choose one of these" if horizons else "remove it"
        allowed = _numbers(horizons) if horizons else "none: the outcome has no follow-up"
        yield Fault(f"{where}.horizon_days", f"{asked.horizon_days:g}, which the outcome does not ask for", allowed, remedy)


def _check_capabilities(designs: DesignsSection, outcomes: OutcomesSection) -> Iterator[Fault]:
    """A contrast that a design cannot estimate is refused with the nearest one that it can, unless the design leaves it out itself."""
    for name, design in designs.items():
        capability, where = DESIGNS[design.method], f"designs.{name}.contrasts"
        for outcome_name, outcome in outcomes.items():
            asked = [contrast for contrast in outcome.contrasts if design.contrasts is None or contrast in design.contrasts]
            possible = [contrast for contrast in outcome.contrasts if contrast in capability.contrasts]
            for contrast in asked:
                if contrast not in capability.contrasts:
                    found = f"{contrast} of {outcome_name} by {design.method}: {capability.why}"
                    nearest = (capability.instead or {}).get(contrast, "another design")
                    remedy = f"set contrasts: [{', '.join(possible)}] under this design; nearest for a {contrast}: {nearest}"
                    yield Fault(where, found, ", ".join(capability.contrasts), remedy)
            if asked and isinstance(outcome, SurvivalOutcome) and outcome.competing and not capability.competing_risks:
                found = f"{outcome_name}, an outcome with competing events, by {design.method}, which has no model of them"
                yield Fault(where, found, "outcomes without competing events", "use a design with method: weight, and contrasts: [] here")


def _check_horizons(outcomes: OutcomesSection) -> Iterator[Fault]:
    for name, outcome in outcomes.items():
        for contrast in _repeated(outcome.contrasts):
            yield Fault(f"outcomes.{name}.contrasts", f"{contrast} more than once", "every contrast once", "remove the repetition")
    for name, outcome in outcomes.survival.items():
        where, horizons = f"outcomes.{name}", outcome.horizons_days
        if any(later <= earlier for earlier, later in pairwise(horizons)):
            yield Fault(f"{where}.horizons_days", _numbers(horizons), "increasing numbers of days, each once", "put them in order")
        if outside := [horizon for horizon in horizons if not 0 < horizon <= outcome.follow_up_days]:
            allowed = f"days above 0, up to the follow_up_days of {outcome.follow_up_days:g}"
            yield Fault(f"{where}.horizons_days", _numbers(outside), allowed, "choose horizons that the follow-up reaches")
        if len(set(outcome.codes)) < len(outcome.codes):
            yield Fault(f"{where}.competing", _numbers(outcome.competing), "codes above zero, each once, none the event's", "correct the codes")
        if outcome.days == outcome.event:
            yield Fault(
                f"{where}.event",
                f'the column "{outcome.event}", which is the follow-up time too',
                "a column of its own",
                "name the column with the event",
            )


def _check_arms(cohort: CohortSection) -> Iterator[Fault]:
    if cohort.arms.treated == cohort.arms.comparator and type(cohort.arms.treated) is type(cohort.arms.comparator):
        found = f'"{cohort.arms.comparator}", which is the treated arm too'
        yield Fault("cohort.arms.comparator", found, "two different levels of the arm column", "correct one of the two")
    for name in _repeated(criterion.name for criterion in cohort.eligibility):
        yield Fault("cohort.eligibility", f'two criteria named "{name}"', "every name once", "rename one of the two")


def _check_covariates(cohort: CohortSection, outcomes: OutcomesSection) -> Iterator[Fault]:
    names, where = cohort.covariates.names, "cohort.covariates"
    if not names:
        yield Fault(where, "no covariate", "at least one, numeric or categorical", "list what is known of each patient at the index date")
    for name in _repeated(names):
        yield Fault(where, f'"{name}" more than once', "every covariate once, as numeric or as categorical", "remove the repetition")
    taken = {cohort.arms.column: "the arm column"}
    for outcome_name, outcome in outcomes.items():
        taken |= {column: f'{_PARTS[part]} of outcome "{outcome_name}"' for part, column in outcome.columns.items()}
    for name in dict.fromkeys(names):
        if name in taken:
            yield Fault(where, f'"{name}", which is {taken[name]}', "what is known before treatment and outcome", "remove it from the covariates")
    reserved = _RESERVED_COLUMNS | set(outcomes.cohort_columns)
    for name in dict.fromkeys(names):
        if name in reserved and name not in taken:
            allowed = f"any name but {', '.join(sorted(reserved))}"
            yield Fault(where, f'"{name}", a name that the cohort table needs itself', allowed, "rename the column in the source")


def _check_mapping(data: DataSection) -> Iterator[Fault]:
    for site, source in data.sites.items():
        for name, mapped in source.mapping.items():
            where = f"data.sites.{site}.mapping.{name}"
            made = [key for key in ("column", "expression", "constant") if getattr(mapped, key) is not None]
            if len(made) != 1:
                found = f"{' and '.join(made)} together" if made else "nothing that it is made of"
                yield Fault(where, found, "one of column, expression and constant", "keep one of them" if made else "add one of them")
            shaped = [key for key in ("levels", "factor") if getattr(mapped, key)]
            if len(shaped) > 1 or (shaped and mapped.column is None):
                found = f"{' and '.join(shaped)} without a column" if mapped.column is None else "levels and a factor together"
                yield Fault(where, found, "levels or a factor, of a column", "write an expression instead, or remove one of them")


def _check_identifiers(cohort: CohortSection, data: DataSection) -> Iterator[Fault]:
    for site, source in data.sites.items():
        if source.patient_id in cohort.covariates.names:
            found = f'"{source.patient_id}", which identifies the patients of site "{site}"'
            yield Fault("cohort.covariates", found, "what is known before treatment and outcome", "remove it from the covariates")


def _check_names(data: DataSection, synthesis: SynthesisSection) -> Iterator[Fault]:
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


def _check_site_results(pooling: PoolingSection, data: DataSection, synthesis: SynthesisSection) -> Iterator[Fault]:
    real = {site for site, source in data.sites.items() if not isinstance(source, ReleaseSource)}
    taken = {*RESERVED_NAMES, *real, *synthesis.generators}
    for name in pooling.site_results:
        if name in taken:
            found = "a name that is reserved, or that a site with real patients or a generator of this protocol has"
            yield Fault(f"pooling.site_results.{name}", found, "the name of a site elsewhere", "rename the other one, or remove the entry")


def _check_pooling(pooling: PoolingSection, data: DataSection, synthesis: SynthesisSection) -> Iterator[Fault]:
    where = "pooling.here"
    for site in pooling.here:
        if site not in data.sites:
            yield unknown(where, site, data.sites, "site")
        elif isinstance(data.sites[site], ReleaseSource):
            yield Fault(where, f"{site}, whose patients come from a release", "sites with real patients", "remove it")
    for site in _repeated(pooling.here):
        yield Fault(where, f"{site} more than once", "every site once", "remove the repetition")
    if pooling.here and set(pooling.here) >= set(data.sites):
        yield Fault(where, "every site", "at least one site elsewhere, whose synthetic patients come in", "remove one, or set individual_real: true")
    if pooling.here and synthesis.patients != 1.0:
        found = f"sites, with synthesis.patients {synthesis.patients:g}: those elsewhere would count for another number of patients than they know"
        yield Fault(where, found, "replicates as large as the cohort", "set synthesis.patients: 1, or leave here out")


def _check_external_controls(data: DataSection, cohort: CohortSection) -> Iterator[Fault]:
    for name in data.external_controls:
        where = f"data.external_controls.{name}"
        if name not in data.sites:
            yield unknown(where, name, data.sites, "site")
        elif isinstance(data.sites[name], ReleaseSource):
            found = "a site whose own patients come from a release"
            yield Fault(where, found, "a site with real treated patients", "remove it, or name the site's real source")
    if data.external_controls and cohort.measurements:
        yield Fault("data.external_controls", "repeated measurements as well", "one of the two", "remove it, or leave cohort.measurements out")


def _check_rare_levels(data: DataSection, cohort: CohortSection) -> Iterator[Fault]:
    known = cohort.covariates.categorical
    for site, names in data.rare_levels.items():
        where = f"data.rare_levels.{site}"
        if site not in data.sites:
            yield unknown(where, site, data.sites, "site")
        yield from (unknown(where, name, known, "categorical covariate") for name in names if name not in known)


def _check_certification(
    validation: ValidationSection, question: QuestionSection, designs: DesignsSection, outcomes: OutcomesSection, synthesis: SynthesisSection
) -> Iterator[Fault]:
    certification, primary, where = validation.certification, question.primary, "validation.certification"
    for name in certification.generators or ():
        if name not in synthesis.generators:
            yield unknown(f"{where}.generators", name, synthesis.generators, "generator")
    minimal, stronger = certification.minimal_important_effect, certification.stronger_effect
    ratio = primary.contrast in RATIO_CONTRASTS
    null = 1.0 if ratio else 0.0
    for key, effect in (("minimal_important_effect", minimal), ("stronger_effect", stronger)):
        if effect is not None and (effect == null or (ratio and effect <= 0)):
            allowed = f"a {primary.contrast} other than {null:g}" + (", above zero" if ratio else "")
            yield Fault(f"{where}.{key}", f"{effect:g}", allowed, "state an effect on the scale of the primary contrast")
    if minimal not in (None, null) and stronger is not None and (stronger - minimal) * (minimal - null) <= 0:
        yield Fault(
            f"{where}.stronger_effect", f"{stronger:g}", f"an effect further from {null:g} than {minimal:g}, on its side", "state another one"
        )
    if certification.repetitions == 0:
        return
    if minimal is None:
        remedy = "state the smallest effect that would matter, on the scale of the primary contrast"
        yield Fault(f"{where}.minimal_important_effect", "nothing", "an effect, where repetitions is above 0", remedy)
    outcome, design = outcomes.root.get(primary.outcome), designs.root.get(primary.design)
    if isinstance(outcome, CountOutcome) or (isinstance(outcome, SurvivalOutcome) and outcome.competing):
        found = "a count" if isinstance(outcome, CountOutcome) else "an outcome with competing events"
        yield Fault(f"{where}.repetitions", f"{certification.repetitions} with {found} as the primary outcome", *_UNCERTIFIED)
    elif primary.contrast not in ("hazard_ratio", "risk_difference", "rmst_difference", "odds_ratio", "mean_difference"):
        yield Fault(f"{where}.repetitions", f"{certification.repetitions} with the primary contrast {primary.contrast}", *_UNCERTIFIED)
    elif design is not None and (
        not DESIGNS[design.method].estimands or (isinstance(design, WeightDesign) and (design.trim is not None or design.truncate is not None))
    ):
        yield Fault(f"{where}.repetitions", f"{certification.repetitions} with the primary design {primary.design}", *_UNCERTIFIED)


def _check_hold_out(synthesis: SynthesisSection) -> Iterator[Fault]:
    if synthesis.hold_out_in_turn and (synthesis.refits < 2 or abs(synthesis.refits * synthesis.hold_out - 1) > _SHARES_ADD_UP):
        found = f"{synthesis.hold_out:g}, and hold_out_in_turn"
        yield Fault("synthesis.hold_out", found, "a half, a third (0.333), a quarter, …", "choose such a share, or leave hold_out_in_turn out")


def _check_generators(synthesis: SynthesisSection, cohort: CohortSection, outcomes: OutcomesSection) -> Iterator[Fault]:
    times = [f"{name}_{part}" for name, outcome in outcomes.items() for part in outcome.columns if part != "event"]
    binary = {f"{name}_value" for name, outcome in outcomes.items() if isinstance(outcome, BinaryOutcome)}
    numeric = [*cohort.covariates.numeric, *(column for column in times if column not in binary)]
    ordered = {name for constraint in synthesis.constraints if isinstance(constraint, OrderConstraint) for name in constraint.columns}
    for where, settings in synthesis.every_setting():
        yield from _check_generator(where, settings, numeric, ordered)
        if isinstance(settings, SequentialGenerator):
            yield from _check_generator(f"{where}.covariates", settings.covariates, cohort.covariates.numeric, ordered)


def _check_generator(where: str, settings: object, numeric: Iterable[str], ordered: Iterable[str]) -> Iterator[Fault]:
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


def _check_constraints(synthesis: SynthesisSection, cohort: CohortSection) -> Iterator[Fault]:
    for number, constraint in enumerate(synthesis.constraints):
        where, fixed = f"synthesis.constraints[{number}]", isinstance(constraint, FixedCombinationsConstraint)
        kind, known = ("categorical", cohort.covariates.categorical) if fixed else ("numeric", cohort.covariates.numeric)
        keys = ["columns"] * len(constraint.columns) if fixed else [key for key in ("low", "middle", "high") if hasattr(constraint, key)]
        for key, column in zip(keys, constraint.columns, strict=True):
            if column not in known:
                yield unknown(f"{where}.{key}", column, known, f"{kind} covariate")
        for column in _repeated(constraint.columns):
            yield Fault(where, f'"{column}" more than once', "every covariate once", "name another covariate")


def _check_enrichment(synthesis: SynthesisSection) -> Iterator[Fault]:
    for name in _repeated(entry.name for entry in synthesis.enrichment):
        yield Fault("synthesis.enrichment", f'two subgroups named "{name}"', "every name once", "rename one of the two")


def _check_terms(synthesis: SynthesisSection, cohort: CohortSection) -> Iterator[Fault]:
    """Covariates that a generator's settings name, and recipes that do not go together."""
    names = cohort.covariates.names
    for where, settings in synthesis.every_setting():
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


def _check_privacy(privacy: PrivacySection, cohort: CohortSection, outcomes: OutcomesSection) -> Iterator[Fault]:
    covariates = cohort.covariates
    for column in privacy.quasi_identifiers:
        if column not in covariates.names:
            yield unknown("privacy.quasi_identifiers", column, covariates.names, "covariate")
    for column in privacy.sensitive:
        if column not in (*covariates.names, *outcomes.names):
            yield unknown("privacy.sensitive", column, (*outcomes.names, *covariates.names), "covariate or outcome")
    for key, names in (("quasi_identifiers", privacy.quasi_identifiers), ("sensitive", privacy.sensitive)):
        for column in _repeated(names):
            yield Fault(f"privacy.{key}", f'"{column}" more than once', "every column once", "remove the repetition")
    for column in privacy.quasi_identifiers:
        if column in privacy.sensitive:
            found = f'"{column}", which is a quasi-identifier too'
            yield Fault("privacy.sensitive", found, "what an intruder does not know yet", "remove it from one of the two")
    if privacy.shadow_models % 2 or privacy.shadow_models == 2:
        allowed = "0, or an even number of at least 4: every patient is in one half of each pair, and one pair is attacked by the others"
        yield Fault("privacy.shadow_models", str(privacy.shadow_models), allowed, "set it to 8, or to more where a fit is cheap")
    for column in privacy.widths:
        numeric = [name for name in privacy.quasi_identifiers if name in covariates.numeric]
        if column not in numeric:
            yield unknown(f"privacy.widths.{column}", column, numeric, "numeric quasi-identifier")


def _check_scores(propensity: PropensitySection, cohort: CohortSection) -> Iterator[Fault]:
    if not propensity.names:
        yield Fault("propensity", "no score", "at least one named model", "leave the section out for a logistic regression, or name a model")
    for name, model in propensity.items():
        where = f"propensity.{name}"
        if isinstance(model, Terms):
            numeric = [("splines", covariate) for covariate in model.splines]
            numeric += [("squares", covariate) for covariate in model.squares] if model.squares != "all" else []
            for key, covariate in numeric:
                if covariate not in cohort.covariates.numeric:
                    yield unknown(f"{where}.{key}", covariate, cohort.covariates.numeric, "numeric covariate")
            for covariate in dict.fromkeys(covariate for pair in model.interactions for covariate in pair):
                if covariate not in cohort.covariates.names:
                    yield unknown(f"{where}.interactions", covariate, cohort.covariates.names, "covariate")
        if isinstance(model, EnsembleScore):
            single = [other for other, entry in propensity.items() if not isinstance(entry, EnsembleScore)]
            for member in model.members:
                if member not in single:
                    yield unknown(f"{where}.members", member, single, "score that an ensemble can combine")
            for member in _repeated(model.members):
                yield Fault(f"{where}.members", f"{member} more than once", "every member once", "remove the repetition")


def _check_designs(designs: DesignsSection, propensity: PropensitySection, cohort: CohortSection) -> Iterator[Fault]:
    for name, design in designs.items():
        where = f"designs.{name}"
        if isinstance(design, ScoredDesign) and design.score is not None and design.score not in propensity:
            yield unknown(f"{where}.score", design.score, propensity.names, "score of the section propensity")
            continue
        if isinstance(design, MatchDesign):
            for covariate in design.exact:
                if covariate not in cohort.covariates.categorical:
                    yield unknown(f"{where}.exact", covariate, cohort.covariates.categorical, "categorical covariate")
            if design.algorithm != "nearest" and (design.ratio > 1 or design.replacement):
                found = f"{design.algorithm}, but {'with replacement' if design.replacement else f'1:{design.ratio}'}"
                yield Fault(f"{where}.algorithm", found, "nearest, or 1:1 without replacement", "change one of them")
            if design.algorithm == "optimal" and design.caliper_sd is None:
                yield Fault(f"{where}.caliper_sd", "null, but optimal matching needs a caliper", "a number above zero", "set one, such as 0.2")
            if design.replacement and design.variance == "bootstrap":
                found = "bootstrap, but the bootstrap of matching with replacement is not valid"
                yield Fault(f"{where}.variance", found, "clustered", "leave it out, or match without replacement")
        if isinstance(design, CoarsenDesign):
            for covariate in design.bins:
                if covariate not in cohort.covariates.numeric:
                    yield unknown(f"{where}.bins", covariate, cohort.covariates.numeric, "numeric covariate")
        if isinstance(design, WeightDesign):
            yield from _check_weighting(where, design, propensity)


def _check_weighting(where: str, design: WeightDesign, propensity: PropensitySection) -> Iterator[Fault]:
    unpenalised = propensity.names and isinstance(propensity[propensity.named(design.score)], LogisticScore)
    if design.variance in ("stacked", "bootstrap") and not unpenalised:
        found = f"{design.variance}, but the design's score is not a logistic regression without penalty"
        yield Fault(f"{where}.variance", found, "score_as_known", "choose it, or a logistic score")
    if design.variance == "bootstrap" and design.truncate is not None:
        yield Fault(
            f"{where}.variance", "bootstrap, but of truncated weights", "stacked or score_as_known", "choose one of these, or do not truncate"
        )
    if design.trim is not None and design.trim.rule == "crump" and design.trim.limit is not None:
        yield Fault(f"{where}.trim.limit", f"{design.trim.limit:g}, but crump finds its own limit", "no limit", "remove it, or choose symmetric")


def _check_declared_columns(cohort: CohortSection, outcomes: OutcomesSection, data: DataSection) -> Iterator[Fault]:
    for site, source in data.sites.items():
        if isinstance(source, FileSource):
            yield from _check_columns(cohort, outcomes, site, data, _declared_kinds(source))
            for name, column in source.columns.items():
                yield from _check_file_column(f"data.sites.{site}.columns.{name}", column)
            levels = _declared_levels(source, cohort.arms.column)
            for arm in ("treated", "comparator"):
                level = str(getattr(cohort.arms, arm))
                if levels is not None and level not in levels:
                    yield unknown(f"cohort.arms.{arm}", level, levels, f'level of column "{cohort.arms.column}" at site "{site}"')


def _declared_kinds(source: FileSource) -> dict[str, Kind | None]:
    """The kinds of a file's columns after its mapping, as far as they are known before the file is read."""
    own = {name: declared_kind(column) for name, column in source.columns.items()}
    renamed = {mapped.column for mapped in source.mapping.values()}
    kinds: dict[str, Kind | None] = {name: kind for name, kind in own.items() if name not in renamed}
    for name, mapped in source.mapping.items():
        of_column = "text" if mapped.levels else own.get(str(mapped.column))
        kinds[name] = ("text" if isinstance(mapped.constant, str) else "number") if mapped.constant is not None else of_column
    return kinds


def _declared_levels(source: FileSource, column: str) -> Collection[str] | None:
    """The levels that a column can hold after the mapping; None where that is not declared."""
    mapped = source.mapping.get(column)
    if mapped is not None and (mapped.levels or mapped.column is None):
        return tuple(mapped.levels.values()) or None
    own = source.columns.get(column if mapped is None else str(mapped.column))
    return None if own is None else own.levels


def _check_paths(data: DataSection) -> Iterator[Fault]:
    """An address may carry a password, and a protocol stands in report, register and manifest: it is refused, and not repeated."""
    for site, source in data.sites.items():
        if isinstance(source, FileSource) and "://" in source.path:
            yield Fault(
                f"data.sites.{site}.path",
                "an address (…://…), withheld here: it may hold a password",
                "the path of a .csv or .parquet file",
                "fetch the file first, and keep addresses and passwords out of the protocol",
            )


def _check_disclosure(disclosure: DisclosureSection) -> Iterator[Fault]:
    """Two shown counts leave 2·round_to − 1 values for their difference: too few where rounding is finer than this."""
    least = -(-disclosure.minimum_count // 2)
    if disclosure.round_to < least:
        yield Fault(
            "disclosure.round_to",
            f"{disclosure.round_to}, with which the difference of two shown counts tells a count below {disclosure.minimum_count}",
            f"at least half of minimum_count: {least}",
            "raise it, or lower minimum_count",
        )


def _check_file_column(where: str, column: FileColumn) -> Iterator[Fault]:
    if column.levels is not None and column.type != "text":
        yield Fault(
            f"{where}.levels", f"levels of a column of type {column.type}", "levels for text only", "remove them, or declare the column as text"
        )
    if (column.minimum is not None or column.maximum is not None) and column.type not in ("integer", "number"):
        yield Fault(where, f"bounds of a column of type {column.type}", "minimum and maximum for integer and number only", "remove them")
    if column.minimum is not None and column.maximum is not None and column.minimum > column.maximum:
        yield Fault(f"{where}.minimum", f"{column.minimum:g}, above the maximum", f"at most {column.maximum:g}", "correct one of the two")


def declared_kind(column: FileColumn) -> Kind:
    """The kind of a declared column; whole numbers are numbers."""
    return "number" if column.type == "integer" else column.type


def _check_columns(
    cohort: CohortSection, outcomes: OutcomesSection, site: str, data: DataSection, kinds: Mapping[str, Kind | None]
) -> Iterator[Fault]:
    patient_id = data.sites[site].patient_id
    uses = [("cohort.arms.column", cohort.arms.column, False)]
    uses += [("cohort.covariates.numeric", name, True) for name in cohort.covariates.numeric]
    uses += [("cohort.covariates.categorical", name, False) for name in cohort.covariates.categorical]
    uses += [(f"outcomes.{name}.{part}", column, True) for name, outcome in outcomes.items() for part, column in outcome.columns.items()]
    uses += [(f"data.sites.{site}.patient_id", patient_id, False)] if patient_id is not None else []
    kinds = {**kinds, **dict.fromkeys(cohort.summaries, "number")}
    for where, name, numeric in uses:
        if name not in kinds:
            fault = unknown(where, name, kinds, f'column of site "{site}"')
            if len(data.sites) > 1 and where.startswith("cohort.covariates"):
                choices = f"make it under data.sites.{site}.mapping, drop it from cohort.covariates for every site, or drop the site"
                fault = replace(fault, allowed="covariates that every site has", remedy=choices)
            yield fault
        elif numeric and kinds[name] not in ("number", "boolean", None):
            remedy = "list it under categorical" if where == "cohort.covariates.numeric" else "name another column"
            yield Fault(where, f'"{name}", which holds {kinds[name]} at site "{site}"', "a column of numbers", remedy)


def _check_levels(cohort: CohortSection, site: str, levels: Mapping[str, int], minimum_count: int, needed: tuple[str, ...]) -> Iterator[Fault]:
    shown = [level for level, patients in levels.items() if patients >= minimum_count]
    listed = f"levels of at least {minimum_count} patients: {', '.join(shown)}"
    described = listed if 0 < len(shown) <= _SHOWN_LEVELS else "a level that occurs in the arm column"
    for arm in needed:
        level = getattr(cohort.arms, arm)
        text = str(level).lower() if isinstance(level, bool) else str(level)
        if not levels.get(text, 0):
            remedy = BARE_YES_OR_NO if isinstance(level, bool) else "correct the level, or name another column"
            found = f'"{text}", which no patient of site "{site}" has in column "{cohort.arms.column}"'
            yield Fault(f"cohort.arms.{arm}", found, described, did_you_mean(text, shown, otherwise=remedy))


def neither(codes: Iterable[int]) -> str:
    """What an event column holds that is none of its codes: ``neither 0 nor 1``."""
    *others, last = map(str, codes)
    return f"neither {', '.join(others)} nor {last}"


def unknown(where: str, name: str, known: Iterable[str], what: str) -> Fault:
    """The fault of a name that is not among those known, with the nearest of these."""
    names = list(known)
    listed = ", ".join(names) if len(names) <= _SHOWN_LEVELS else f"one of {len(names)}: {', '.join(names[:_SHOWN_LEVELS])}, …"
    return Fault(where, f'"{name}", which is no {what}', listed or "nothing is declared", did_you_mean(name, names, otherwise="name one of these"))


def _repeated(names: Iterable[Entry]) -> list[Entry]:
    return [name for name, count in Counter(names).items() if count > 1]


def _numbers(values: Iterable[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)
