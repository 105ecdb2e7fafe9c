"""The report: one self-contained HTML file that tells the verdict first and everything behind it after."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd
import yaml

from parallax.protocol.designs import MatchDesign
from parallax.protocol.protocol import Protocol
from parallax.protocol.synthesis import SynthesisSection
from parallax.reporting.answers import (
    of_target,
    tabulate_family,
    tabulate_interactions,
    tabulate_robustness,
    tabulate_systematic_error,
    tell_hazards,
    tell_robustness,
)
from parallax.reporting.certificates import tell_certificate
from parallax.reporting.enrichment import tabulate_enrichment
from parallax.reporting.external_control import describe_external_control
from parallax.reporting.inputs import ReportInputs, SiteTables
from parallax.reporting.measurements import describe_measurements, tabulate_measurement_counts
from parallax.reporting.numbers import format_number, format_signed, spell
from parallax.reporting.page import render_page
from parallax.reporting.pictures import (
    Picture,
    arm_labels,
    competing_outcomes,
    modelled_designs,
    picture_attribution,
    picture_certificate,
    picture_comparability,
    picture_effects,
    picture_hazards,
    picture_primary,
    picture_sensitivity,
    picture_structure,
    picture_subgroups,
    picture_survival,
    present,
    primary_estimate,
)
from parallax.reporting.pooling import describe_pooled
from parallax.reporting.sections import (
    HALVES,
    Failed,
    Table,
    tabulate_agreement,
    tabulate_attrition,
    tabulate_characteristics,
    tabulate_designs,
    tabulate_estimates,
    tabulate_metrics,
    tabulate_positivity,
    tabulate_ranking,
    tabulate_shifts,
    with_references,
)
from parallax.reporting.style import dataset_styles
from parallax.reporting.verdicts import (
    NOT_CERTIFIED,
    Gate,
    GeneratorVerdict,
    decisive_reason,
    describe_registration,
    explain_guarantee,
    headline,
    read_verdicts,
    sentence,
)
from parallax.reporting.wording import (
    CONTRASTS,
    ESTIMANDS,
    GATE_OUTCOMES,
    STAGES,
    VERDICTS,
    describe_bound,
    describe_design,
    describe_effect,
    describe_failure,
    estimate_words,
    metric_words,
    plain,
)
from parallax.validation.metrics import METRICS
from parallax.vocabulary import FLOOR, REAL

#: share of synthetic records nearer to patients seen than to patients not seen, of a generator that tells nothing
EVEN_SHARE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Card:
    """The verdict on one generator as the page shows it."""

    generator: str
    verdict: str
    words: str
    mark: str
    reason: str
    primary: str
    guarantee: tuple[str, ...]
    gates: tuple[tuple[str, str, str, str], ...]


@dataclass(frozen=True, slots=True)
class MeasurementsPage:
    """What the page says of repeated measurements: which there are, what became of them, and how the long tables fare."""

    told: tuple[str, ...]
    counts: Table
    fidelity: tuple[Table, Table | None] | None


@dataclass(frozen=True, slots=True)
class SitePage:
    """What the page says of one site."""

    name: str
    cards: tuple[Card, ...]
    warnings: tuple[str, ...]
    primary: Picture
    attrition: Table
    characteristics: tuple[Table, Table]
    comparability: tuple[Picture, ...]
    positivity: Table | None
    designs: tuple[Table, ...]
    survival: tuple[Picture, ...]
    hazards: tuple[Picture, ...]
    hazards_told: tuple[str, ...]
    effects: tuple[Picture, ...]
    family: Table | None
    subgroups: Picture | None
    interactions: Table | None
    enrichment: Table | None
    sensitivity: Picture | None
    robustness: tuple[str, ...]
    systematic_error: Table | None
    e_values: Table | None
    estimates: Table
    shifts: Table | None
    attribution: Picture | None
    agreement: tuple[Table, ...]
    structure: Picture | None
    certificate: Picture | None
    certified: tuple[str, ...]
    fidelity: tuple[Table, Table | None] | None
    ranking: Table | None
    measurements: MeasurementsPage | None
    privacy: tuple[Table, Table] | None


def render_report(inputs: ReportInputs) -> str:
    """The report of a study as one HTML document without any outside resource; equal inputs give equal bytes.

    Raises StorageError where a table with patients in it did not pass disclosure.
    """
    for site, tables in inputs.sites.items():
        tables.check_disclosed(site)
    protocol = inputs.protocol
    order = [(site, generator) for site in inputs.sites for generator in protocol.generators]
    verdicts = sorted(read_verdicts(inputs.verdict), key=lambda verdict: order.index((verdict.site, verdict.generator)))
    primary = protocol.question.primary
    registration: Any = inputs.verdict["registration"]
    return render_page(
        "report.html.j2",
        protocol=protocol,
        headline=headline(verdicts),
        certified=bool(inputs.verdict["certified"]),
        not_certified=sentence(NOT_CERTIFIED),
        registration=registration,
        registered=describe_registration(registration),
        question=_question(protocol),
        primary_words=describe_effect(primary.outcome, primary.contrast, primary.horizon_days, competing=competing_outcomes(protocol)),
        sites=[
            _describe_site(site, tables, protocol, [verdict for verdict in verdicts if verdict.site == site], _rates_of(inputs, site))
            for site, tables in inputs.sites.items()
        ],
        pooled=describe_pooled(inputs),
        external_control=None if inputs.external_control is None else describe_external_control(inputs.external_control, protocol),
        protocol_text=yaml.safe_dump(protocol.plain(), sort_keys=False, allow_unicode=True, width=110),
        provenance=inputs.provenance,
    )


def _question(protocol: Protocol) -> tuple[tuple[str, str], ...]:
    question, primary = protocol.question, protocol.question.primary
    minimum = protocol.disclosure
    design = describe_design(protocol.designs[primary.design])
    effect = describe_effect(primary.outcome, primary.contrast, primary.horizon_days, competing=competing_outcomes(protocol))
    return (
        ("Patients", question.population),
        ("Treatment", question.treatment),
        ("Comparator", question.comparator),
        ("What is asked", ESTIMANDS[question.estimand]),
        (
            "Primary estimate",
            f"{effect}, design {plain(primary.design)} ({design})",
        ),
        (
            "Sensitivity designs",
            "; ".join(f"{plain(name)} ({describe_design(entry)})" for name, entry in protocol.designs.items() if name != primary.design) or "none",
        ),
        (
            "Synthetic patients",
            f"{spell(len(protocol.generators))} generator{'s' * (len(protocol.generators) > 1)} ({', '.join(map(plain, protocol.generators))}), "
            f"{protocol.synthesis.replicates} replicates each, " + _describe_replicates(protocol.synthesis),
        ),
        (
            "What decides",
            f"the primary estimate may shift by at most {protocol.validation.gates.shift_in_real_se:g} real standard errors; "
            "treatment must be as predictable, the outcome's distribution as close, and patients as hidden as the gates of the protocol ask",
        ),
        ("What is shown", f"counts below {minimum.minimum_count} are suppressed, others rounded to multiples of {minimum.round_to}"),
    )


def _describe_replicates(synthesis: SynthesisSection) -> str:
    size = "as large as the cohort" if synthesis.patients == 1.0 else f"{synthesis.patients:g} times as large as the cohort"
    fits = "" if synthesis.fit == "single" else ", and drawn from a fit of its own to patients resampled with replacement"
    return f"every replicate {size}{fits}"


def _rates_of(inputs: ReportInputs, site: str) -> pd.DataFrame | None:
    return None if inputs.certification is None else inputs.certification[inputs.certification["site"] == site]


def _describe_site(site: str, tables: SiteTables, protocol: Protocol, verdicts: list[GeneratorVerdict], rates: pd.DataFrame | None) -> SitePage:
    labels = arm_labels(protocol)
    styles = dataset_styles(protocol.generators)
    names = {dataset: look.label for dataset, look in styles.items()}
    generators = [name for name in protocol.generators if name in tables.combined]
    datasets = [REAL, *generators]
    measured = present(tables.agreement, generators)
    primary = protocol.question.primary
    failed = {
        (dataset, str(row["design"])): describe_failure(str(row["failure"]))
        for dataset in present(tables.overlap, datasets)
        for row in tables.overlap[dataset].to_dict("records")
        if row["status"] == "ok" and row["failed"]
    }
    fidelity = with_references({name: tables.fidelity[name] for name in present(tables.fidelity, generators)})
    privacy = {name: tables.privacy[name] for name in present(tables.privacy, generators)}
    shown_generators = list(protocol.generators)
    competing, modelled = competing_outcomes(protocol), modelled_designs(protocol)
    matched = [name for name, design in protocol.designs.items() if isinstance(design, MatchDesign)]
    return SitePage(
        name=plain(site),
        cards=tuple(_card(verdict, tables, protocol, names, labels) for verdict in verdicts),
        warnings=_warnings(tables, protocol, failed, names),
        primary=picture_primary(site, tables, protocol, verdicts),
        attrition=tabulate_attrition(tables.attrition, arm_labels=labels),
        characteristics=tabulate_characteristics(tables.characteristics, arm_labels=labels),
        comparability=picture_comparability(site, tables, protocol, datasets),
        positivity=tabulate_positivity(tables.positivity[REAL], arm_labels=labels) if len(tables.positivity.get(REAL, ())) else None,
        designs=tuple(
            tabulate_designs(tables.overlap, datasets=group, labels=names, caption=caption, modelled=modelled)
            for group, caption in (
                ([REAL], "The designs on the real patients"),
                (present(tables.overlap, generators), "The designs on the synthetic patients, mean over replicates"),
            )
            if group
        ),
        survival=picture_survival(site, tables, protocol, datasets, failed),
        effects=picture_effects(site, tables, protocol, datasets, failed),
        hazards=picture_hazards(site, tables, protocol, datasets),
        hazards_told=tuple(
            told
            for outcome in protocol.outcomes.survival
            if (told := tell_hazards(tables.combined[REAL], outcome=outcome, design=primary.design, competing=competing))
        ),
        family=tabulate_family({name: tables.combined[name] for name in datasets}, family=protocol.question.family, labels=names, competing=competing)
        if protocol.question.family
        else None,
        subgroups=picture_subgroups(site, tables, protocol, datasets),
        robustness=tell_robustness(tables.robustness[REAL], primary=primary) if REAL in tables.robustness else (),
        systematic_error=tabulate_systematic_error(
            {name: tables.robustness[name] for name in datasets if name in tables.robustness}, tables.combined, primary=primary, labels=names
        ),
        interactions=tabulate_interactions({name: tables.interactions[name] for name in present(tables.interactions, datasets)}, labels=names),
        enrichment=tabulate_enrichment(
            {name: tables.enrichment[name] for name in present(tables.enrichment, [REAL, *shown_generators])},
            protocol,
            labels=names,
            competing=competing,
        ),
        sensitivity=picture_sensitivity(site, tables, protocol, datasets, failed),
        e_values=tabulate_robustness(
            {name: tables.robustness[name] for name in datasets if name in tables.robustness}, tables.combined, labels=names, competing=competing
        )
        if REAL in tables.robustness
        else None,
        estimates=tabulate_estimates({name: tables.combined[name] for name in datasets}, labels=names, failed=failed, competing=competing),
        shifts=tabulate_shifts({name: tables.agreement[name] for name in measured}, labels=names, primary=primary, failed=failed, matched=matched)
        if measured
        else None,
        attribution=picture_attribution(site, tables, protocol),
        agreement=tuple(
            tabulate_agreement(tables.agreement[name], caption=f"Agreement of {names[name]}", generator=name, failed=failed) for name in measured
        ),
        certificate=None if rates is None else picture_certificate(site, rates, protocol),
        certified=() if rates is None else tell_certificate(rates, protocol),
        fidelity=tabulate_metrics(
            fidelity,
            generators=[*shown_generators, *(name for name in (FLOOR, HALVES) if name in fidelity)],
            labels=names | {FLOOR: "floor", HALVES: "halves of the real"},
            arm_labels=labels,
            caption="Fidelity",
        )
        if fidelity
        else None,
        structure=picture_structure(site, tables, protocol),
        ranking=tabulate_ranking(
            {name: fidelity[name] for name in generators if name in fidelity},
            {name: _primary_shift(tables.agreement[name], protocol) for name in measured},
            labels=names,
        ),
        measurements=_describe_measurements(tables, protocol, names, labels),
        privacy=_privacy_tables(privacy, shown_generators, names, labels) if privacy else None,
    )


def _describe_measurements(tables: SiteTables, protocol: Protocol, names: Mapping[str, str], labels: Mapping[str, str]) -> MeasurementsPage | None:
    if REAL not in tables.measurement_counts:
        return None
    measured = with_references({name: tables.series_fidelity[name] for name in present(tables.series_fidelity, list(protocol.generators))})
    columns = [*protocol.generators, *([HALVES] if HALVES in measured else [])]
    return MeasurementsPage(
        told=describe_measurements(protocol.cohort),
        counts=tabulate_measurement_counts(tables.measurement_counts[REAL]),
        fidelity=tabulate_metrics(
            measured,
            generators=columns,
            labels={**names, HALVES: "halves of the real"},
            arm_labels=labels,
            caption="The long table of each generator",
        )
        if measured
        else None,
    )


def _privacy_tables(
    privacy: Mapping[str, pd.DataFrame], generators: Sequence[str], names: Mapping[str, str], labels: Mapping[str, str]
) -> tuple[Table, Table]:
    """What gates rest on, and what is reported beside it."""
    gated = {metric.name for metric in METRICS.values() if metric.gate is not None}
    parts = [{name: table[table["metric"].isin(gated) == kept] for name, table in privacy.items()} for kept in (True, False)]
    attacks, reported = (
        tabulate_metrics(part, generators=generators, labels=names, arm_labels=labels, caption=caption)[0]
        for part, caption in zip(parts, ("Attacks", "Reported"), strict=True)
    )
    return attacks, reported


def _primary_shift(agreement: pd.DataFrame, protocol: Protocol) -> float:
    rows = of_target(agreement, protocol.question.primary)
    found = rows.loc[rows["metric"] == "shift_in_real_se", "value"]
    return float(found.iloc[0]) if len(found) else math.nan


def _card(verdict: GeneratorVerdict, tables: SiteTables, protocol: Protocol, names: Mapping[str, str], labels: Mapping[str, str]) -> Card:
    primary = protocol.question.primary
    estimates = [primary_estimate(tables.combined.get(dataset), protocol) for dataset in (verdict.generator, REAL)]
    told = [
        f"{who} {estimate_words(primary.contrast, found['estimate'], found['lower'], found['upper'])}" if found else f"{who}: no estimate"
        for who, found in zip(("synthetic", "real"), estimates, strict=True)
    ]
    unit = CONTRASTS[primary.contrast].unit
    words, mark = VERDICTS[verdict.verdict]
    effect = describe_effect(primary.outcome, primary.contrast, primary.horizon_days, competing=competing_outcomes(protocol))
    gates = tuple(
        (
            gate.outcome,
            GATE_OUTCOMES[gate.outcome][1],
            (metric_words(gate.metric).brief or metric_words(gate.metric).label)
            + (f", {gate.variable.rpartition('/')[2]}" if gate.variable else "")
            + f" {_judged(gate)}"
            + f" ({'≥' if gate.direction == 'at_least' else '≤'} {gate.threshold:.3g}{metric_words(gate.metric).unit})",
            f"{metric_words(gate.metric).label}: {describe_bound(gate.threshold, gate.direction)} is allowed",
        )
        for gate in verdict.gates
    )
    return Card(
        generator=names.get(verdict.generator, plain(verdict.generator)),
        verdict=verdict.verdict,
        words=words,
        mark=mark,
        reason=decisive_reason(verdict, primary=effect, arm_labels=labels, crash=_crash(tables.generation, verdict.generator)),
        primary=f"{effect[0].upper()}{effect[1:]}: {told[0]}, {told[1]}" + (f" {unit}" if unit else ""),
        guarantee=explain_guarantee(verdict.guarantee) if verdict.guarantee else (),
        gates=gates,
    )


def _judged(gate: Gate) -> str:
    """The number that was held against the threshold, or that there was none to hold."""
    if gate.outcome not in ("passed", "failed"):
        return GATE_OUTCOMES[gate.outcome][0]
    decimals = metric_words(gate.metric).decimals
    return format_signed(gate.judged, decimals=decimals) if gate.direction == "absolute_at_most" else format_number(gate.judged, decimals=decimals)


def _crash(generation: pd.DataFrame | None, generator: str) -> str | None:
    if generation is None:
        return None
    failed = generation[(generation["generator"] == generator) & (generation["status"] == "failed")]
    if not len(failed):
        return None
    row = failed.iloc[0]
    return f"the generator stopped while {STAGES.get(row['stage'], row['stage'])}: {row['reason']}"


def _warnings(tables: SiteTables, protocol: Protocol, failed: Failed, names: Mapping[str, str]) -> tuple[str, ...]:
    primary = protocol.question.primary
    found = []
    if (REAL, primary.design) in failed:
        found.append(
            f"The primary design ({plain(primary.design)}) failed on the real patients: {failed[REAL, primary.design]}. "
            "Its real estimate is not to be trusted, and agreement with it says little."
        )
    others = [names[name] for name in protocol.generators if (name, primary.design) in failed]
    if others:
        found.append(f"The primary design failed in some replicates of {', '.join(others)}.")
    if primary_estimate(tables.combined[REAL], protocol) is None:
        reasons = of_target(tables.combined[REAL], primary)["reason"].dropna()
        found.append(f"The primary estimate cannot be made on the real patients{': ' + str(reasons.iloc[0]) if len(reasons) else ''}.")
    else:
        judged = [of_target(table, primary) for table in tables.agreement.values() if len(table)]
        untestable = [table.loc[(table["metric"] == "testable_here") & (table["value"] == 0), "reason"] for table in judged]
        found += [sentence(f"the primary estimate is {reasons.iloc[0]}") for reasons in untestable if len(reasons)][:1]
    near = [names[name] for name, table in tables.privacy.items() if (table.loc[table["metric"] == "closest_to_train", "lower"] > EVEN_SHARE).any()]
    if near:
        found.append(
            f"The patients of {', '.join(near)} lie nearer to those whom the generator saw than to those whom it did not: it hands out part "
            "of what it learnt from single patients, even where no attack succeeds."
        )
    return tuple(found)
