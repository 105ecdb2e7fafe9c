"""Faults of designs and scores: contrasts that a design cannot estimate, covariates and scores that are not there."""

from __future__ import annotations

from collections.abc import Iterator

from parallax.capabilities import DESIGNS
from parallax.errors import Fault
from parallax.protocol.checks.faults import repeated, unknown
from parallax.protocol.cohort import CohortSection
from parallax.protocol.designs import (
    CoarsenDesign,
    DesignsSection,
    MatchDesign,
    ScoredDesign,
    WeightDesign,
)
from parallax.protocol.outcomes import OutcomesSection, SurvivalOutcome
from parallax.protocol.propensity import EnsembleScore, LogisticScore, PropensitySection, Terms


def check_capabilities(designs: DesignsSection, outcomes: OutcomesSection) -> Iterator[Fault]:
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


def check_scores(propensity: PropensitySection, cohort: CohortSection) -> Iterator[Fault]:
    """Scores name covariates of the cohort, and members that can be combined."""
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
            for member in repeated(model.members):
                yield Fault(f"{where}.members", f"{member} more than once", "every member once", "remove the repetition")


def check_designs(designs: DesignsSection, propensity: PropensitySection, cohort: CohortSection) -> Iterator[Fault]:
    """Designs name scores and covariates that exist, and go together with their variance."""
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
