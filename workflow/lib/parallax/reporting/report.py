"""The report: one self-contained HTML file that tells the verdict first and everything behind it after."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

import pandas as pd
import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from parallax.protocol.designs import CrudeDesign, ScoredDesign
from parallax.protocol.protocol import Protocol
from parallax.reporting.figures.balance import draw_balance, rank_covariates
from parallax.reporting.figures.calibration import draw_calibration
from parallax.reporting.figures.effects import draw_effects
from parallax.reporting.figures.primary import PrimaryRow, draw_primary
from parallax.reporting.figures.score_overlap import draw_score_overlap
from parallax.reporting.figures.survival import draw_survival
from parallax.reporting.inputs import ReportInputs, SiteTables
from parallax.reporting.numbers import format_number, format_signed, spell
from parallax.reporting.sections import (
    Failed,
    Table,
    tabulate_agreement,
    tabulate_attrition,
    tabulate_characteristics,
    tabulate_designs,
    tabulate_estimates,
    tabulate_metrics,
    tabulate_positivity,
    tabulate_shifts,
)
from parallax.reporting.style import dataset_styles, to_svg
from parallax.reporting.verdicts import NOT_CERTIFIED, GeneratorVerdict, decisive_reason, headline, read_verdicts, sentence
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
from parallax.vocabulary import ARMS, REAL

#: lines of the love plot that are shown at once; the others unfold
LOVE_LINES = 24


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure on the page: its SVG, its caption, the line under which it unfolds, and a heading."""

    svg: Markup
    caption: str
    folded: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """The verdict on one generator as the page shows it."""

    generator: str
    verdict: str
    words: str
    mark: str
    reason: str
    primary: str
    gates: tuple[tuple[str, str, str, str], ...]


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
    effects: tuple[Picture, ...]
    estimates: Table
    shifts: Table | None
    agreement: tuple[Table, ...]
    fidelity: tuple[Table, Table | None] | None
    privacy: tuple[Table, Table | None] | None


def render_report(inputs: ReportInputs) -> str:
    """The report of a study as one HTML document without any outside resource; equal inputs give equal bytes.

    Raises StorageError where a table with patients in it did not pass disclosure.
    """
    for site, tables in inputs.sites.items():
        tables.check_disclosed(site)
    protocol = inputs.protocol
    order = [(site, generator) for site in inputs.sites for generator in protocol.generators]
    verdicts = sorted(read_verdicts(inputs.verdict), key=lambda verdict: order.index((verdict.site, verdict.generator)))
    environment = Environment(
        loader=PackageLoader("parallax.reporting", "templates"),
        extensions=["jinja2.ext.loopcontrols"],
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["spell"] = spell
    primary = protocol.question.primary
    return environment.get_template("report.html.j2").render(
        protocol=protocol,
        style=Markup(_style_sheet()),  # noqa: S704 -- our own file
        headline=headline(verdicts),
        certified=bool(inputs.verdict["certified"]),
        not_certified=sentence(NOT_CERTIFIED),
        question=_question(protocol),
        primary_words=describe_effect(primary.outcome, primary.contrast, primary.horizon_days),
        sites=[
            _describe_site(site, tables, protocol, [verdict for verdict in verdicts if verdict.site == site]) for site, tables in inputs.sites.items()
        ],
        protocol_text=yaml.safe_dump(protocol.plain(), sort_keys=False, allow_unicode=True, width=110),
        provenance=inputs.provenance,
    )


def _style_sheet() -> str:
    return resources.files("parallax.reporting").joinpath("templates/report.css").read_text(encoding="utf-8")


def arm_labels(protocol: Protocol) -> dict[str, str]:
    """The arms as figures and tables call them."""
    arms = protocol.cohort.arms
    return {"treated": f"treated ({arms.treated})", "comparator": f"comparator ({arms.comparator})"}


def _question(protocol: Protocol) -> tuple[tuple[str, str], ...]:
    question, primary = protocol.question, protocol.question.primary
    minimum = protocol.disclosure
    design = describe_design(protocol.designs[primary.design])
    return (
        ("Patients", question.population),
        ("Treatment", question.treatment),
        ("Comparator", question.comparator),
        ("What is asked", ESTIMANDS[question.estimand]),
        (
            "Primary estimate",
            f"{describe_effect(primary.outcome, primary.contrast, primary.horizon_days)}, design {plain(primary.design)} ({design})",
        ),
        (
            "Sensitivity designs",
            "; ".join(f"{plain(name)} ({describe_design(entry)})" for name, entry in protocol.designs.items() if name != primary.design) or "none",
        ),
        (
            "Synthetic patients",
            f"{len(protocol.generators)} generators ({', '.join(map(plain, protocol.generators))}), {protocol.synthesis.replicates} replicates each, "
            "every replicate as large as the cohort",
        ),
        (
            "What decides",
            f"the primary estimate may shift by at most {protocol.validation.gates.shift_in_real_se:g} real standard errors; "
            "treatment must be as predictable, survival curves as close, and patients as hidden as the gates of the protocol ask",
        ),
        ("What is shown", f"counts below {minimum.minimum_count} are suppressed, others rounded to multiples of {minimum.round_to}"),
    )


def _describe_site(site: str, tables: SiteTables, protocol: Protocol, verdicts: list[GeneratorVerdict]) -> SitePage:
    labels = arm_labels(protocol)
    styles = dataset_styles(protocol.generators)
    names = {dataset: look.label for dataset, look in styles.items()}
    generators = [name for name in protocol.generators if name in tables.combined]
    datasets = [REAL, *generators]
    measured = _present(tables.agreement, generators)
    primary = protocol.question.primary
    failed = {
        (dataset, str(row["design"])): describe_failure(str(row["failure"]))
        for dataset in _present(tables.overlap, datasets)
        for row in tables.overlap[dataset].to_dict("records")
        if row["status"] == "ok" and row["failed"]
    }
    fidelity = {name: tables.fidelity[name] for name in _present(tables.fidelity, generators)}
    privacy = {name: tables.privacy[name] for name in _present(tables.privacy, generators)}
    shown_generators = list(protocol.generators)
    return SitePage(
        name=plain(site),
        cards=tuple(_card(verdict, tables, protocol, names, labels) for verdict in verdicts),
        warnings=_warnings(tables, protocol, failed, names),
        primary=_picture_primary(site, tables, protocol, verdicts),
        attrition=tabulate_attrition(tables.attrition, arm_labels=labels),
        characteristics=tabulate_characteristics(tables.characteristics, arm_labels=labels),
        comparability=_picture_comparability(site, tables, protocol, datasets),
        positivity=tabulate_positivity(tables.positivity[REAL], arm_labels=labels) if len(tables.positivity.get(REAL, ())) else None,
        designs=tuple(
            tabulate_designs(tables.overlap, datasets=group, labels=names, caption=caption)
            for group, caption in (
                ([REAL], "The designs on the real patients"),
                (_present(tables.overlap, generators), "The designs on the synthetic patients, mean over replicates"),
            )
            if group
        ),
        survival=_picture_survival(site, tables, protocol, datasets, failed),
        effects=_picture_effects(site, tables, protocol, datasets, failed),
        estimates=tabulate_estimates({name: tables.combined[name] for name in datasets}, labels=names, failed=failed),
        shifts=tabulate_shifts({name: tables.agreement[name] for name in measured}, labels=names, primary=primary, failed=failed)
        if measured
        else None,
        agreement=tuple(
            tabulate_agreement(tables.agreement[name], caption=f"Agreement of {names[name]}", generator=name, failed=failed) for name in measured
        ),
        fidelity=tabulate_metrics(fidelity, generators=shown_generators, labels=names, arm_labels=labels, caption="Fidelity") if fidelity else None,
        privacy=tabulate_metrics(privacy, generators=shown_generators, labels=names, arm_labels=labels, caption="Privacy") if privacy else None,
    )


def _present(tables: Mapping[str, pd.DataFrame], names: list[str]) -> list[str]:
    """The names that have a table with rows: a generator that crashed has none."""
    return [name for name in names if name in tables and len(tables[name])]


def _primary_rows(combined: pd.DataFrame, protocol: Protocol) -> pd.DataFrame:
    primary = protocol.question.primary
    horizon = combined["horizon_days"].isna() if primary.horizon_days is None else combined["horizon_days"] == primary.horizon_days
    return combined[
        (combined["outcome"] == primary.outcome) & (combined["contrast"] == primary.contrast) & (combined["design"] == primary.design) & horizon
    ]


def _primary_estimate(combined: pd.DataFrame | None, protocol: Protocol) -> Mapping[str, float] | None:
    """The valid primary estimate of a dataset, None where there is none."""
    if combined is None:
        return None
    rows = _primary_rows(combined, protocol)
    rows = rows[rows["rule"].isin(["none", "partial"]) & (rows["status"] == "ok")]
    return {name: float(rows[name].iloc[0]) for name in ("estimate", "lower", "upper", "std_error")} if len(rows) else None


def _card(verdict: GeneratorVerdict, tables: SiteTables, protocol: Protocol, names: Mapping[str, str], labels: Mapping[str, str]) -> Card:
    primary = protocol.question.primary
    estimates = [_primary_estimate(tables.combined.get(dataset), protocol) for dataset in (verdict.generator, REAL)]
    told = [
        f"{who} {estimate_words(primary.contrast, found['estimate'], found['lower'], found['upper'])}" if found else f"{who}: no estimate"
        for who, found in zip(("synthetic", "real"), estimates, strict=True)
    ]
    unit = CONTRASTS[primary.contrast].unit
    words, mark = VERDICTS[verdict.verdict]
    effect = describe_effect(primary.outcome, primary.contrast, primary.horizon_days)
    gates = tuple(
        (
            gate.outcome,
            GATE_OUTCOMES[gate.outcome][1],
            (metric_words(gate.metric).brief or metric_words(gate.metric).label)
            + (f", {gate.variable.rpartition('/')[2]}" if gate.variable else "")
            + f" {_judged(gate.metric, gate.judged, gate.direction)} (≤ {gate.threshold:.3g}{metric_words(gate.metric).unit})",
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
        gates=gates,
    )


def _judged(metric: str, value: float, direction: str | None) -> str:
    if not math.isfinite(value):
        return "not evaluated"
    decimals = metric_words(metric).decimals
    return format_signed(value, decimals=decimals) if direction == "absolute_at_most" else format_number(value, decimals=decimals)


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
    if _primary_estimate(tables.combined[REAL], protocol) is None:
        reasons = _primary_rows(tables.combined[REAL], protocol)["reason"].dropna()
        found.append(f"The primary estimate cannot be made on the real patients{': ' + str(reasons.iloc[0]) if len(reasons) else ''}.")
    return tuple(found)


def _picture_primary(site: str, tables: SiteTables, protocol: Protocol, verdicts: list[GeneratorVerdict]) -> Picture:
    primary = protocol.question.primary
    notes = {verdict.generator: " ".join(reversed(VERDICTS[verdict.verdict])) for verdict in verdicts}
    shifts = {
        verdict.generator: f"{format_signed(gate.value, decimals=2)} SE"
        for verdict in verdicts
        for gate in verdict.gates
        if gate.metric == "shift_in_real_se" and math.isfinite(gate.value)
    }
    rows = []
    for dataset in (REAL, *protocol.generators):
        found = _primary_estimate(tables.combined.get(dataset), protocol) or dict.fromkeys(("estimate", "lower", "upper", "std_error"), math.nan)
        rows.append(PrimaryRow(dataset, **found, shift=shifts.get(dataset, ""), note=notes.get(dataset, "")))
    styles = dataset_styles(protocol.generators)
    figure = draw_primary(rows, contrast=primary.contrast, gate=protocol.validation.gates.shift_in_real_se, styles=styles)
    effect = describe_effect(primary.outcome, primary.contrast, primary.horizon_days)
    told = "; ".join(
        f"{styles[row.dataset].label} {estimate_words(primary.contrast, row.estimate, row.lower, row.upper)}"
        for row in rows
        if math.isfinite(row.estimate)
    )
    alt = f"Primary estimate, {effect}, design {plain(primary.design)}: {told}."
    return Picture(_inline(figure, f"{site}-primary", alt), f"Primary estimate: {effect}, design {plain(primary.design)}. Bars are 95% intervals.")


def _picture_comparability(site: str, tables: SiteTables, protocol: Protocol, datasets: list[str]) -> tuple[Picture, ...]:
    labels, styles = arm_labels(protocol), dataset_styles(protocol.generators)
    design = protocol.designs[protocol.question.primary.design]
    primary_score = protocol.propensity.named(design.score if isinstance(design, ScoredDesign) else None)
    histograms = {
        name: table[table["score"] == primary_score]
        for name in _present(tables.score_histograms, datasets)
        for table in (tables.score_histograms[name],)
        if (table["score"] == primary_score).any()
    }
    pictures = []
    if REAL in histograms:
        alt = f"Distribution of the propensity score by arm for {', '.join(styles[name].label for name in histograms)}."
        pictures.append(
            Picture(
                _inline(draw_score_overlap(histograms, arm_labels=labels, styles=styles), f"{site}-overlap", alt),
                "Propensity score: treated upwards, comparators downwards; the black outline is the real one. "
                f"Bins with fewer than {protocol.disclosure.minimum_count} patients are not drawn, and bars beyond twice the real peak are cut.",
            )
        )
    if len(calibration := tables.calibration[REAL]):
        gaps = (calibration["observed"] - calibration["predicted"]).abs().groupby(calibration["score"], sort=False).max()
        told = "; ".join(f"{plain(str(name))} {format_number(float(gap), decimals=2)}" for name, gap in gaps.items())
        alt = f"Calibration of the propensity scores on the real patients; largest gap between share treated and mean score in a tenth: {told}."
        words = "Calibration of the propensity scores on the real patients, in tenths of their score; the dashed line is equality."
        pictures.append(Picture(_inline(draw_calibration(calibration), f"{site}-calibration", alt), words, "Calibration of the propensity scores"))
    designs = [name for name, _ in protocol.designs.items()]
    crude = next((name for name, entry in protocol.designs.items() if isinstance(entry, CrudeDesign)), None)
    ordered = sorted(designs, key=lambda name: name != crude)
    ranked = rank_covariates(tables.balance[REAL], designs=ordered)
    limit = protocol.validation.gates.imbalance
    for part, folded, name in (
        (ranked.iloc[:LOVE_LINES], "", "balance"),
        (ranked.iloc[LOVE_LINES:], "The other covariates and levels", "balance-rest"),
    ):
        if not len(part):
            continue
        largest = "; ".join(f"{plain(design)} {format_number(float(part[design].max()), decimals=2)}" for design in part.columns)
        alt = f"Love plot of {len(part)} covariates and levels on the real patients; largest absolute standardised mean difference: {largest}."
        figure = draw_balance(part, crude=crude, primary=protocol.question.primary.design, limit=limit)
        count = (
            f"the {len(part)} of {len(ranked)} covariates and levels that differ most"
            if len(part) < len(ranked) and not folded
            else "covariates and levels"
        )
        pictures.append(
            Picture(
                _inline(figure, f"{site}-{name}", alt),
                f"Balance on the real patients, {count}; the dotted line is the largest difference allowed, {limit:g}.",
                folded,
            )
        )
    return tuple(pictures)


def _picture_survival(site: str, tables: SiteTables, protocol: Protocol, datasets: list[str], failed: Failed) -> tuple[Picture, ...]:
    labels, styles = arm_labels(protocol), dataset_styles(protocol.generators)
    curves = {name: tables.curves[name] for name in _present(tables.curves, datasets)}
    primary = protocol.question.primary
    pictures = []
    for outcome in protocol.outcomes.root:
        designs = [name for name, _ in protocol.designs.items()]
        for design in sorted(designs, key=lambda name: name != primary.design):
            real = curves[REAL][(curves[REAL]["outcome"] == outcome) & (curves[REAL]["design"] == design)]
            if not len(real):
                continue
            last = "; ".join(
                f"{labels[arm]} {format_number(float(part['survival'].iloc[-1]), decimals=2)} on day {part['time_days'].iloc[-1]:g}"
                for arm in ARMS
                if len(part := real[real["arm"] == arm])
            )
            shown = design == primary.design
            pictures.append(
                Picture(
                    _inline(
                        draw_survival(curves, outcome=outcome, design=design, arm_labels=labels, styles=styles),
                        f"{site}-survival-{outcome}-{design}",
                        f"Survival curves for {plain(outcome)}, design {plain(design)}, by arm, real and synthetic. Real survival: {last}.",
                    ),
                    f"Kaplan–Meier curves, {plain(outcome)}, design {plain(design)} ({describe_design(protocol.designs[design])}). "
                    "Grey: the real 95% band. A generator's line is the mean of its replicates, its tint their range.",
                    "" if shown else f"Design {plain(design)}" + (f" ({failed[REAL, design]})" if (REAL, design) in failed else ""),
                )
            )
    return tuple(pictures)


def _picture_effects(site: str, tables: SiteTables, protocol: Protocol, datasets: list[str], failed: Failed) -> tuple[Picture, ...]:
    primary, styles = protocol.question.primary, dataset_styles(protocol.generators)
    wanted = [(outcome, contrast) for outcome, section in protocol.outcomes.items() for contrast in CONTRASTS if contrast in section.contrasts]
    pictures = []
    for outcome, contrast in sorted(wanted, key=lambda pair: (pair[0] != primary.outcome, pair[1] != primary.contrast)):
        if not ((tables.combined[REAL]["outcome"] == outcome) & (tables.combined[REAL]["contrast"] == contrast)).any():
            continue
        words = CONTRASTS[contrast]
        figure = draw_effects(
            {name: tables.combined[name] for name in datasets},
            outcome=outcome,
            contrast=contrast,
            designs=[name for name, _ in protocol.designs.items()],
            primary=primary,
            failed=failed,
            styles=styles,
        )
        real = tables.combined[REAL]
        rows = real[(real["outcome"] == outcome) & (real["contrast"] == contrast) & (real["design"] == primary.design) & (real["status"] == "ok")]
        told = "; ".join(
            f"{describe_effect(outcome, contrast, row['horizon_days'])} {estimate_words(contrast, row['estimate'], row['lower'], row['upper'])}"
            for row in rows.to_dict("records")
        )
        alt = (
            f"Forest plot of the {words.name} of {plain(outcome)} by design and dataset. Real, design {plain(primary.design)}: {told}. "
            "All numbers stand in the table of estimates."
        )
        caption = _failures(
            {name: tables.combined[name] for name in datasets}, outcome, contrast, {name: look.label for name, look in styles.items()}
        )
        title = f"{words.name[0].upper()}{words.name[1:]} of {plain(outcome)}"
        pictures.append(Picture(_inline(figure, f"{site}-effects-{outcome}-{contrast}", alt), caption, title=title))
    return tuple(pictures)


def _failures(combined: Mapping[str, pd.DataFrame], outcome: str, contrast: str, names: Mapping[str, str]) -> str:
    """Why estimates are missing from a figure, each reason once."""
    by_reason: dict[str, list[str]] = {}
    for dataset, table in combined.items():
        rows = table[
            (table["outcome"] == outcome) & (table["contrast"] == contrast) & (table["status"] != "ok") & table["rule"].isin(["none", "partial"])
        ]
        for reason, group in rows.groupby("reason", sort=False):
            designs = list(dict.fromkeys(map(plain, group["design"])))
            several = len(designs) == table["design"].nunique()
            by_reason.setdefault(str(reason), []).append(names[dataset] + ("" if several else f" ({', '.join(designs)})"))
    return "Not estimable: " + "; ".join(f"{', '.join(where)}: {reason}" for reason, where in by_reason.items()) + "." if by_reason else ""


def _inline(figure: object, name: str, alt: str) -> Markup:
    return Markup(to_svg(figure, name=name, alt=alt))  # type: ignore[arg-type]  # noqa: S704 -- matplotlib escapes the text of its figures
