"""Faults of the question: hypotheses that designs and outcomes do not answer, and what cannot be certified."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from parallax.capabilities import DESIGNS
from parallax.errors import Fault
from parallax.protocol.checks.faults import numbers, repeated, unknown
from parallax.protocol.designs import (
    Design,
    DesignsSection,
    DoublyRobustDesign,
    EntropyDesign,
    StandardisedDesign,
    WeightDesign,
)
from parallax.protocol.outcomes import CountOutcome, OutcomesSection, SurvivalOutcome
from parallax.protocol.question import Hypothesis, QuestionSection
from parallax.protocol.synthesis import SynthesisSection
from parallax.protocol.validation import ValidationSection
from parallax.vocabulary import RATIO_CONTRASTS

_UNCERTIFIED: Final = (
    "0, or a primary estimate whose truth in a simulated study is known: survival without competing events (hazard_ratio, risk_difference, "
    "rmst_difference), binary (risk_difference, odds_ratio) or continuous; under a design with an estimand, weights neither trimmed nor truncated",
    "set it to 0: the verdict is then marked as not certified",
)


def target_estimand(design: Design) -> str | None:
    """The estimand that a design targets before caliper or trimming; None for the crude comparison."""
    if isinstance(design, WeightDesign | EntropyDesign | StandardisedDesign | DoublyRobustDesign):
        return design.estimand
    return next(iter(DESIGNS[design.method].estimands), None)


def check_primary(question: QuestionSection, designs: DesignsSection, outcomes: OutcomesSection) -> Iterator[Fault]:
    """Every hypothesis is one that designs and outcomes answer, the primary one for the estimand of the question."""
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
    for _, outcome, contrast, _ in repeated(hypothesis.target for hypothesis in question.family):
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
        allowed = numbers(horizons) if horizons else "none: the outcome has no follow-up"
        yield Fault(f"{where}.horizon_days", f"{asked.horizon_days:g}, which the outcome does not ask for", allowed, remedy)


def check_certification(
    validation: ValidationSection, question: QuestionSection, designs: DesignsSection, outcomes: OutcomesSection, synthesis: SynthesisSection
) -> Iterator[Fault]:
    """What is to be certified can be simulated, under effects that are stated and ordered."""
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
    if certification.repetitions < certification.fewest_repetitions:
        found = f"{certification.repetitions}, too few to show that {certification.detection:g} of the flat copulas are caught, though all were"
        allowed = f"0, or at least {certification.fewest_repetitions}"
        remedy = "ask for 200; for the rates alone, without a verdict, set it to 0 and run the target certify"
        yield Fault(f"{where}.repetitions", found, allowed, remedy)
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
