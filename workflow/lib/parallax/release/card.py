"""What a release says of itself: the record for programs, the model card and the instructions for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from parallax.checksums import SUMS
from parallax.protocol.generators import Guarantee
from parallax.protocol.protocol import Protocol
from parallax.protocol.synthesis import SynthesisSection
from parallax.protocol.validation import Gates
from parallax.reporting.numbers import format_count
from parallax.reporting.wording import CONTRASTS, describe_design, describe_effect, describe_variable, plain
from parallax.signing import SUFFIX
from parallax.tables import level_text

WHAT: Final = "AI-generated patients. No row is a person; none of these patients ever lived."


@dataclass(frozen=True, slots=True)
class SiteCard:
    """One site's part of the card: real patients as they may be shown (None: suppressed), rows of a replicate, its verdict's gates and reasons, and
    the covariates of whose levels few real patients had some (:func:`find_rare_levels`)."""

    site: str
    treated: int | None
    comparator: int | None
    patients_per_replicate: tuple[int, ...]
    gates: tuple[Mapping[str, Any], ...]
    reasons: tuple[str, ...]
    rare_levels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """The model card.

    ``guarantee`` of a differentially private generator, None of another; ``formulas``: columns with text that a spreadsheet takes for a formula;
    ``fixed_before``: the protocol was registered before any real effect was computed.
    """

    protocol: Protocol
    generator: str
    sites: tuple[SiteCard, ...]
    criteria_applied: tuple[str, ...]
    registration: str
    fixed_before: bool
    formulas: tuple[str, ...]
    certified: bool
    guarantee: Guarantee | None
    parallax: str

    def record(self) -> dict[str, object]:
        """``release.json``."""
        protocol = self.protocol
        settings: Any = protocol.synthesis.generators[self.generator].plain()
        return {
            "format": 1,
            "what": WHAT,
            "study": protocol.study.name,
            "title": protocol.study.title,
            "study_digest": protocol.study_digest,
            "generator": self.generator,
            "method": settings["method"],
            "settings": settings,
            "fit": protocol.synthesis.fit,
            "epsilon": None if self.guarantee is None else self.guarantee.epsilon,
            "delta": None if self.guarantee is None else self.guarantee.delta,
            "replicates": protocol.synthesis.replicates,
            "patients_by_replicate_over_real": protocol.synthesis.patients,
            "sites": [card.site for card in self.sites],
            "learned_from": {card.site: {"treated": card.treated, "comparator": card.comparator} for card in self.sites},
            "disclosure": protocol.disclosure.plain(),
            "criteria_applied": list(self.criteria_applied),
            "registered_before_effects": self.fixed_before,
            "gates_looser_than_default": loosened(protocol.validation.gates),
            "certified": self.certified,
            "gates_tell": list(tell_gates(self)),
            "limits": list(tell_limits(self)),
            "parallax": self.parallax,
        }


def count_learned_from(attrition: pd.DataFrame) -> tuple[int | None, int | None]:
    """Real treated and comparators behind a site's patients, from its disclosed attrition table; None where suppressed."""
    last = attrition.sort_values("step").iloc[-1]
    treated, comparator = (None if pd.isna(last[f"remaining_{arm}"]) else int(last[f"remaining_{arm}"]) for arm in ("treated", "comparator"))
    return treated, comparator


def find_rare_levels(drawn: pd.DataFrame, characteristics: pd.DataFrame) -> tuple[str, ...]:
    """The covariates of which synthetic patients (a cohort table) have a level that the site's disclosed Table 1 does not name, for few real
    patients had it.
    """
    named = characteristics[characteristics["kind"] == "categorical"].groupby("covariate", sort=False)["level"].agg(set)
    return tuple(str(name) for name, levels in named.items() if set(drawn[name].dropna().astype(str)) - levels)


def loosened(gates: Gates) -> dict[str, list[float]]:
    """The gates that ask for less than the default, each with its threshold and the default's."""
    pairs = {name: (float(getattr(gates, name)), float(field.default)) for name, field in Gates.model_fields.items()}
    return {name: [own, default] for name, (own, default) in pairs.items() if (own < default if name == "effective_patients" else own > default)}


def tell_gates(card: Card) -> tuple[str, ...]:
    """What the gates that passed tell about the real patients to whoever holds the release."""
    told = []
    for site in card.sites:
        place = f" at {plain(site.site)}" if len(card.sites) > 1 else ""
        told += [_TOLD[gate["metric"]](gate, card.protocol, place) for gate in site.gates if gate["metric"] in _TOLD]
    told.append(
        "The shift is stated with its value, so that the real primary estimate can be worked out from the synthetic one, with a standard error about "
        "as large as the real one's. Whoever holds this release knows the study's primary result: it was released with the patients."
    )
    return tuple(told)


def _tell_shift(gate: Mapping[str, Any], protocol: Protocol, place: str) -> str:
    primary = protocol.question.primary
    effect = describe_effect(primary.outcome, primary.contrast, primary.horizon_days)
    scale = " on the logarithmic scale" if CONTRASTS[primary.contrast].null == 1 else ""
    beyond = " beyond what sampling alone does" if gate["metric"] == "shift_beyond_floor_in_real_se" else ""
    return (
        f"The shift gate passed: the real {effect}{place} (design {plain(primary.design)}) lies within ±{gate['threshold']:g} of its own standard "
        f"errors of the synthetic one{scale}{beyond}. The shift found is {gate['value']:.3f}."
    )


def _tell_score(gate: Mapping[str, Any], _: Protocol, place: str) -> str:
    found = f"it is {-gate['value']:+.3f} from it"
    return f"The real c-statistic of the propensity score{place} lies within ±{gate['threshold']:g} of the synthetic one ({found})."


def _tell_curve(gate: Mapping[str, Any], protocol: Protocol, place: str) -> str:
    arms = {"treated": f"arm {level_text(protocol.cohort.arms.treated)}", "comparator": f"arm {level_text(protocol.cohort.arms.comparator)}"}
    where = f" ({describe_variable(gate['variable'], arms)})" if gate["variable"] else ""
    return (
        f"The real outcome's distribution{where}{place} lies within {gate['threshold']:g} of the synthetic one everywhere, or within what random "
        f"halves of the real patients differ by (found {gate['value']:.3f})."
    )


_TOLD: Final = {
    "shift_in_real_se": _tell_shift,
    "shift_beyond_floor_in_real_se": _tell_shift,
    "propensity_c_gap": _tell_score,
    "km_gap": _tell_curve,
    "outcome_gap": _tell_curve,
}


def tell_limits(card: Card) -> tuple[str, ...]:
    """What the release is no evidence for, and what it does not hide."""
    synthesis = card.protocol.synthesis
    times = "" if synthesis.patients == 1 else f"{synthesis.patients:g}·"
    promised = card.guarantee
    formal = (
        (
            "No formal privacy guarantee (epsilon: none): privacy was tested by attacks, and an attack that nobody tried is not ruled out.",
            "What is in one column of a synthetic patient may be a real patient's: values are those that occur, or lie between them.",
            "The protocol names the seed. Whoever holds all real patients but one could make the release anew with a guess of the last, and compare.",
        )
        if promised is None
        else (
            f"Differentially private with epsilon {promised.epsilon:g} and delta {promised.delta:g} (neighbours: {promised.neighbours}). "
            f"Covered: {promised.covers}. Not covered: {promised.leaves_out}.",
        )
    )
    combined = (
        f"Estimate in each of the {synthesis.replicates} replicates (ratios: their logarithm); with mean estimate q, mean variance v and variance b "
        f"between the estimates, report q with the variance {times}v + b/{synthesis.replicates} (rule `partial`)."
        if synthesis.replicates > 1
        else "There is one replicate only."
    )
    return (
        "Judged for the questions of the protocol alone. Another estimand, subgroup or outcome was not compared with the real patients.",
        "An interval from one replicate is naive and too narrow, and replicates must never be stacked. " + combined,
        _tell_refits(synthesis),
        *formal,
        *(() if card.protocol.privacy.shadow_models else ("No attack by shadow models was made: nobody tried who refits the generator many times.",)),
        *(("Repeated measurements stay; their baseline summaries are here as covariates.",) if card.protocol.cohort.measurements else ()),
        *(_tell_rare(site, card) for site in card.sites if site.rare_levels),
        f"A replicate has {f'{synthesis.patients:g} times ' if times else ''}as many rows as the real cohort has patients: the number of rows tells "
        "that number exactly.",
        _tell_certified(card),
    )


def _tell_certified(card: Card) -> str:
    if card.certified:
        return "Certified: the false-alarm rate and the detection of the agreement gate were simulated for this study."
    if card.sites and all(any(gate["metric"] == "detection" for gate in site.gates) for site in card.sites):
        return (
            "Not certified: that the agreement gate would have caught a flat copula was simulated for this study, how often it fails this generator "
            "though the effect is right was not."
        )
    return "Not certified: that these gates would have caught a bad generator was not simulated for this study."


def _tell_refits(synthesis: SynthesisSection) -> str:
    made = (
        "the same procedure fitted without the held-out real patients"
        if synthesis.refits == 1
        else f"{synthesis.refits} fits of the same procedure, each without another {1 / synthesis.refits:.0%} of the real patients, judged together"
    )
    return f"The attacks on privacy were made on patients of {made}; the released ones come from a fit to all of them."


def _tell_rare(site: SiteCard, card: Card) -> str:
    return (
        f"Levels that fewer than {card.protocol.disclosure.minimum_count} real patients at {plain(site.site)} had stand here by name, which the "
        f"study's own tables keep back: the protocol accepts it for {', '.join(site.rare_levels)} (`data.rare_levels`)."
    )


def render_card(card: Card) -> str:
    """``MODEL_CARD.md``."""
    return _render("MODEL_CARD.md.j2", card, signed=False)


def render_readme(card: Card, *, signed: bool) -> str:
    """``README.md``: what is here, how it is verified with standard tools, how it is used."""
    return _render("README.md.j2", card, signed=signed)


def _render(template: str, card: Card, *, signed: bool) -> str:
    environment = Environment(
        loader=PackageLoader("parallax.release", "templates"),
        autoescape=False,  # noqa: S701 -- Markdown for people, not a page
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    protocol, minimum = card.protocol, card.protocol.disclosure.minimum_count
    primary = protocol.question.primary
    environment.filters |= {
        "plain": plain,
        "cell": lambda text: text.replace("|", r"\|").replace("\n", " "),
        "count": lambda count: format_count(count, minimum=minimum),
        "sizes": lambda rows: " to ".join(f"{size:,}" for size in sorted({min(rows), max(rows)})),
    }
    return environment.get_template(template).render(
        card=card,
        record=card.record(),
        protocol=protocol,
        what=WHAT,
        effect=describe_effect(primary.outcome, primary.contrast, primary.horizon_days),
        design=describe_design(protocol.designs[primary.design]),
        signed=signed,
        sums=SUMS,
        suffix=SUFFIX,
    )
