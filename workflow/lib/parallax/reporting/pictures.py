"""The report's figures with their captions and alternative texts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup

from parallax.capabilities import DESIGNS
from parallax.protocol.designs import CrudeDesign, ScoredDesign
from parallax.protocol.protocol import Protocol
from parallax.reporting.answers import of_target
from parallax.reporting.figures.attribution import AttributionPanel, draw_attribution
from parallax.reporting.figures.balance import draw_balance, rank_covariates
from parallax.reporting.figures.calibration import draw_calibration
from parallax.reporting.figures.certificate import draw_certificate
from parallax.reporting.figures.coefficients import draw_coefficients
from parallax.reporting.figures.effects import draw_effects
from parallax.reporting.figures.hazard_course import draw_hazard_course
from parallax.reporting.figures.primary import PrimaryRow, draw_primary
from parallax.reporting.figures.score_overlap import draw_score_overlap
from parallax.reporting.figures.sensitivity import SensitivityColumn, draw_sensitivity
from parallax.reporting.figures.subgroups import draw_subgroups
from parallax.reporting.figures.survival import draw_survival
from parallax.reporting.inputs import SiteTables
from parallax.reporting.numbers import format_number, format_signed
from parallax.reporting.sections import Failed
from parallax.reporting.style import FLOOR_STYLE, SOFT, DatasetStyle, dataset_styles, to_svg
from parallax.reporting.verdicts import GeneratorVerdict
from parallax.reporting.wording import (
    CONTRASTS,
    MECHANISMS,
    SHIFTS,
    VERDICTS,
    describe_design,
    describe_effect,
    describe_missing,
    estimate_words,
    name_contrast,
    plain,
)
from parallax.tables import INTERACTIONS, empty_table
from parallax.validation.attribution import name_broken
from parallax.validation.combining import select_answers
from parallax.vocabulary import ARMS, CORRECT, DIAGNOSTIC_CONTRASTS, FLAT_COPULA, FLOOR, RATIO_CONTRASTS, REAL

#: lines of the love plot that are shown at once; the others unfold
LOVE_LINES = 24


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure on the page: its SVG, its caption, the line under which it unfolds, and a heading."""

    svg: Markup
    caption: str
    folded: str = ""
    title: str = ""


def arm_labels(protocol: Protocol) -> dict[str, str]:
    """The arms as figures and tables call them."""
    arms = protocol.cohort.arms
    return {"treated": f"treated ({arms.treated})", "comparator": f"comparator ({arms.comparator})"}


def modelled_designs(protocol: Protocol) -> frozenset[str]:
    """The designs that adjust by a model of the outcome: balance does not judge them."""
    return frozenset(name for name, design in protocol.designs.items() if not DESIGNS[design.method].balances)


def competing_outcomes(protocol: Protocol) -> frozenset[str]:
    """The outcomes that have competing events."""
    return frozenset(name for name, outcome in protocol.outcomes.survival.items() if outcome.competing)


def present(tables: Mapping[str, pd.DataFrame], names: list[str]) -> list[str]:
    """The names that have a table with rows: a generator that crashed has none."""
    return [name for name in names if name in tables and len(tables[name])]


def primary_estimate(combined: pd.DataFrame | None, protocol: Protocol) -> Mapping[str, float] | None:
    """The valid primary estimate of a dataset, None where there is none."""
    if combined is None:
        return None
    rows = of_target(combined, protocol.question.primary)
    rows = rows[rows["status"] == "ok"]
    return {name: float(rows[name].iloc[0]) for name in ("estimate", "lower", "upper", "std_error")} if len(rows) else None


def picture_primary(site: str, tables: SiteTables, protocol: Protocol, verdicts: list[GeneratorVerdict]) -> Picture:
    """The primary estimate, synthetic against real."""
    primary = protocol.question.primary
    notes = {verdict.generator: " ".join(reversed(VERDICTS[verdict.verdict])) for verdict in verdicts}
    shifts = {
        verdict.generator: f"{format_signed(gate.value, decimals=2)} SE"
        for verdict in verdicts
        for gate in verdict.gates
        if gate.metric in SHIFTS and math.isfinite(gate.value)
    }
    rows = []
    for dataset in (REAL, *protocol.generators):
        found = primary_estimate(tables.combined.get(dataset), protocol) or dict.fromkeys(("estimate", "lower", "upper", "std_error"), math.nan)
        rows.append(PrimaryRow(dataset, **found, shift=shifts.get(dataset, ""), note=notes.get(dataset, "")))
    styles = dataset_styles(protocol.generators) | {FLOOR: FLOOR_STYLE}
    floor = _floor_row(tables, protocol, rows[0])
    if floor is not None:
        rows.insert(1, floor)
    figure = draw_primary(rows, contrast=primary.contrast, gate=protocol.validation.gates.shift_in_real_se, styles=styles)
    effect = describe_effect(primary.outcome, primary.contrast, primary.horizon_days, competing=competing_outcomes(protocol))
    told = "; ".join(
        f"{styles[row.dataset].label} {estimate_words(primary.contrast, row.estimate, row.lower, row.upper)}"
        for row in rows
        if math.isfinite(row.estimate)
    )
    alt = f"Primary estimate, {effect}, design {plain(primary.design)}: {told}."
    caption = f"Primary estimate: {effect}, design {plain(primary.design)}. Bars are 95% intervals."
    if floor is not None:
        caption += (
            f" Grey: the floor, where sampling alone takes the estimate; {protocol.synthesis.floor_cohorts} cohorts resampled from the real "
            f"patients shift it by {floor.shift}, and the bar holds 95 of 100 shifts of a generator whose replicates scatter likewise."
        )
    return Picture(inline(figure, f"{site}-primary", alt), caption)


def _floor_row(tables: SiteTables, protocol: Protocol, real: PrimaryRow) -> PrimaryRow | None:
    """Where the floor takes the primary estimate; None where it is not known."""
    primary = protocol.question.primary
    found = [of_target(table, primary) for table in tables.agreement.values() if len(table)]
    rows = pd.concat([table[table["metric"] == "floor_shift_in_real_se"].dropna(subset=["value"]) for table in found]) if found else pd.DataFrame()
    if not len(rows) or not math.isfinite(real.estimate):
        return None
    shift, lower, upper = (float(rows[name].iloc[0]) for name in ("value", "lower", "upper"))

    def taken(by: float) -> float:
        step = by * real.std_error
        return real.estimate * math.exp(step) if primary.contrast in RATIO_CONTRASTS else real.estimate + step

    return PrimaryRow(FLOOR, taken(shift), taken(lower), taken(upper), math.nan, f"{format_signed(shift, decimals=2)} SE", "sampling alone")


def picture_comparability(site: str, tables: SiteTables, protocol: Protocol, datasets: list[str]) -> tuple[Picture, ...]:
    """Overlap and calibration of the score, and balance."""
    labels, styles = arm_labels(protocol), dataset_styles(protocol.generators)
    design = protocol.designs[protocol.question.primary.design]
    primary_score = protocol.propensity.named(design.score if isinstance(design, ScoredDesign) else None)
    histograms = {
        name: table[table["score"] == primary_score]
        for name in present(tables.score_histograms, datasets)
        for table in (tables.score_histograms[name],)
        if (table["score"] == primary_score).any()
    }
    pictures = []
    if REAL in histograms:
        alt = f"Distribution of the propensity score by arm for {', '.join(styles[name].label for name in histograms)}."
        pictures.append(
            Picture(
                inline(draw_score_overlap(histograms, arm_labels=labels, styles=styles), f"{site}-overlap", alt),
                "Propensity score: treated upwards, comparators downwards; the black outline is the real one. "
                f"Bins with fewer than {protocol.disclosure.minimum_count} patients are not drawn, and bars beyond twice the real peak are cut.",
            )
        )
    if REAL in tables.calibration and len(calibration := tables.calibration[REAL]):
        gaps = (calibration["observed"] - calibration["predicted"]).abs().groupby(calibration["score"], sort=False).max()
        told = "; ".join(f"{plain(str(name))} {format_number(float(gap), decimals=2)}" for name, gap in gaps.items())
        alt = f"Calibration of the propensity scores on the real patients; largest gap between share treated and mean score in a tenth: {told}."
        words = "Calibration of the propensity scores on the real patients, in tenths of their score; the dashed line is equality."
        pictures.append(Picture(inline(draw_calibration(calibration), f"{site}-calibration", alt), words, "Calibration of the propensity scores"))
    if REAL not in tables.balance:
        return tuple(pictures)
    modelled = modelled_designs(protocol)
    designs = [name for name in protocol.designs.names if name not in modelled]
    crude = next((name for name, entry in protocol.designs.items() if isinstance(entry, CrudeDesign)), None)
    ordered = sorted(designs, key=lambda name: name != crude)
    ranked = rank_covariates(tables.balance[REAL], designs=ordered) if ordered else pd.DataFrame()
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
                inline(figure, f"{site}-{name}", alt),
                f"Balance on the real patients, {count}; the dotted line is the largest difference allowed, {limit:g}.",
                folded,
            )
        )
    return tuple(pictures)


def picture_survival(site: str, tables: SiteTables, protocol: Protocol, datasets: list[str], failed: Failed) -> tuple[Picture, ...]:
    """Survival curves of every survival outcome and design, the primary design open."""
    labels, styles = arm_labels(protocol), dataset_styles(protocol.generators)
    curves = {name: tables.curves[name] for name in present(tables.curves, datasets)}
    primary = protocol.question.primary
    pictures = []
    for outcome, section in protocol.outcomes.survival.items():
        kind = "One minus the cumulative incidence" if section.competing else "Kaplan–Meier curves"
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
                    inline(
                        draw_survival(curves, outcome=outcome, design=design, arm_labels=labels, styles=styles),
                        f"{site}-survival-{outcome}-{design}",
                        f"Survival curves for {plain(outcome)}, design {plain(design)}, by arm, real and synthetic. Real survival: {last}.",
                    ),
                    f"{kind}, {plain(outcome)}, design {plain(design)} ({describe_design(protocol.designs[design])}). "
                    "Grey: the real 95% band. A generator's line is the mean of its replicates, its tint their range.",
                    "" if shown else f"Design {plain(design)}" + (f" ({failed[REAL, design]})" if (REAL, design) in failed else ""),
                )
            )
    return tuple(pictures)


def picture_effects(site: str, tables: SiteTables, protocol: Protocol, datasets: list[str], failed: Failed) -> tuple[Picture, ...]:
    """All designs side by side for every outcome and contrast, the primary ones open."""
    primary, styles, competing = protocol.question.primary, dataset_styles(protocol.generators), competing_outcomes(protocol)
    wanted = [
        (outcome, section, contrast)
        for outcome, section in protocol.outcomes.items()
        for contrast in CONTRASTS
        if contrast in set(section.contrasts) - DIAGNOSTIC_CONTRASTS
    ]
    pictures = []
    for outcome, section, contrast in sorted(wanted, key=lambda asked: (asked[0] != primary.outcome, asked[2] != primary.contrast)):
        if not ((tables.combined[REAL]["outcome"] == outcome) & (tables.combined[REAL]["contrast"] == contrast)).any():
            continue
        name = name_contrast(outcome, contrast, competing=competing)
        figure = draw_effects(
            {dataset: tables.combined[dataset] for dataset in datasets},
            outcome=outcome,
            contrast=contrast,
            designs=_designs_of(contrast, protocol),
            primary=primary,
            failed=failed,
            styles=styles,
        )
        real = tables.combined[REAL]
        rows = real[(real["outcome"] == outcome) & (real["contrast"] == contrast) & (real["design"] == primary.design) & (real["status"] == "ok")]
        told = "; ".join(
            f"{describe_effect(outcome, contrast, row['horizon_days'], competing=competing)} "
            f"{estimate_words(contrast, row['estimate'], row['lower'], row['upper'])}"
            for row in rows.to_dict("records")
        )
        alt = (
            f"Forest plot of the {name} of {plain(outcome)} by design and dataset. Real, design {plain(primary.design)}: {told}. "
            "All numbers stand in the table of estimates."
        )
        caption = _failures(
            {dataset: tables.combined[dataset] for dataset in datasets}, outcome, contrast, {dataset: look.label for dataset, look in styles.items()}
        )
        title = f"{name[0].upper()}{name[1:]} of {plain(outcome)}" + (" (negative control)" if section.negative_control else "")
        shown = {"title": title} if (outcome, contrast) == (primary.outcome, primary.contrast) else {"folded": title}
        pictures.append(Picture(inline(figure, f"{site}-effects-{outcome}-{contrast}", alt), caption, **shown))
    return tuple(pictures)


def _designs_of(contrast: str, protocol: Protocol) -> list[str]:
    return [name for name, design in protocol.designs.items() if design.contrasts is None or contrast in design.contrasts]


def picture_hazards(site: str, tables: SiteTables, protocol: Protocol, datasets: list[str]) -> tuple[Picture, ...]:
    """The course of the hazard ratio of every survival outcome that asks for it, under the primary design."""
    primary, styles, competing = protocol.question.primary, dataset_styles(protocol.generators), competing_outcomes(protocol)
    pictures = []
    for outcome, section in protocol.outcomes.survival.items():

        def chosen(table: pd.DataFrame, outcome: str = outcome) -> pd.DataFrame:
            return table[(table["outcome"] == outcome) & (table["design"] == primary.design)]

        combined = {name: chosen(tables.combined[name]) for name in datasets}
        intervals = {name: select_answers(table[table["contrast"] == "interval_hazard_ratio"]) for name, table in combined.items()}
        courses = {name: chosen(table) for name, table in tables.hazard_course.items() if len(table)}
        if not len(intervals[REAL]) and not len(courses.get(REAL, ())):
            continue
        last = section.horizons_days[-1]
        if intervals[REAL]["horizon_days"].isna().any():
            last = min(2 * last, section.follow_up_days)
        overall = combined[REAL][(combined[REAL]["contrast"] == "hazard_ratio") & (combined[REAL]["status"] == "ok")]
        constant = overall.loc[overall["horizon_days"].isna(), "estimate"]
        figure = draw_hazard_course(intervals, courses, overall=float(constant.iloc[0]) if len(constant) else None, last_day=last, styles=styles)
        told = "; ".join(
            f"{describe_effect(outcome, 'interval_hazard_ratio', row['horizon_days'], competing=competing)} "
            f"{estimate_words('interval_hazard_ratio', row['estimate'], row['lower'], row['upper'])}"
            for row in intervals[REAL].to_dict("records")
            if row["status"] == "ok"
        )
        name = name_contrast(outcome, "hazard_ratio", competing=competing)
        alt = f"{name[0].upper()}{name[1:]} of {plain(outcome)} over follow-up, design {plain(primary.design)}. Real: {told or 'smoothed course'}."
        words = (
            f"{name[0].upper()}{name[1:]} of {plain(outcome)} within the intervals between the horizons, design {plain(primary.design)}, with the "
            "real 95% intervals in grey; the thin line is the real course, smoothed, between its 95% limits. Later intervals compare those who are "
            "still followed: they describe, and are no effects."
        )
        folded = "" if outcome == primary.outcome else f"Hazard ratio of {plain(outcome)}"
        pictures.append(Picture(inline(figure, f"{site}-hazards-{outcome}", alt), words, folded))
    return tuple(pictures)


def picture_subgroups(site: str, tables: SiteTables, protocol: Protocol, datasets: list[str]) -> Picture | None:
    """The primary effect in subgroups, on the scale of a ratio and of a difference where the outcome has both; None without subgroups."""
    if REAL not in tables.subgroups or not len(tables.subgroups[REAL]):
        return None
    primary = protocol.question.primary
    asked = [contrast for contrast in protocol.outcomes[primary.outcome].contrasts if contrast not in DIAGNOSTIC_CONTRASTS]
    other = [contrast for contrast in asked if (contrast in RATIO_CONTRASTS) != (primary.contrast in RATIO_CONTRASTS)]
    shown = {name: select_answers(tables.subgroups[name]) for name in datasets if name in tables.subgroups}
    interactions = tables.interactions.get(REAL, empty_table(INTERACTIONS))
    figure = draw_subgroups(shown, interactions, contrasts=[primary.contrast, *other[:1]], styles=dataset_styles(protocol.generators))
    rows = shown[REAL][(shown[REAL]["contrast"] == primary.contrast) & (shown[REAL]["status"] == "ok")]
    told = "; ".join(
        f"{plain(row['subgroup'])} {plain(row['level'])} {estimate_words(primary.contrast, row['estimate'], row['lower'], row['upper'])}"
        for row in rows.to_dict("records")
    )
    effect = describe_effect(primary.outcome, primary.contrast, primary.horizon_days, competing=competing_outcomes(protocol))
    words = (
        f"{effect[0].upper()}{effect[1:]} in subgroups, design {plain(primary.design)}, made anew within each level. The p-value of an "
        "interaction asks whether the levels' real effects differ on that scale; an effect may differ on one scale and not on the other."
    )
    return Picture(inline(figure, f"{site}-subgroups", f"Forest plot of subgroups. Real: {told}."), words)


def picture_sensitivity(site: str, tables: SiteTables, protocol: Protocol, datasets: list[str], failed: Failed) -> Picture | None:
    """The primary contrast under every design, with E-values and calibrated intervals in words; None where the real patients have neither."""
    primary, styles = protocol.question.primary, dataset_styles(protocol.generators)
    if not len(tables.robustness.get(REAL, ())):
        return None
    at = {name: design for name in _designs_of(primary.contrast, protocol) for design in [primary.model_copy(update={"design": name})]}
    columns: dict[str, dict[str, str]] = {"real": {}, "E-value (interval)": {}, "calibrated": {}}
    for design, asked in at.items():
        for row in of_target(tables.combined[REAL], asked).to_dict("records"):
            told = (
                estimate_words(primary.contrast, row["estimate"], row["lower"], row["upper"])
                if row["status"] == "ok"
                else describe_missing(row).partition(":")[0]
            )
            columns["real"][design] = told
        for row in of_target(tables.robustness[REAL], asked).to_dict("records"):
            if row["measure"] == "e_value":
                columns["E-value (interval)"][design] = format_number(row["value"], decimals=2) + f" ({format_number(row['lower'], decimals=2)})"
            if row["measure"] == "calibrated" and not pd.isna(row["value"]):
                columns["calibrated"][design] = estimate_words(primary.contrast, row["value"], row["lower"], row["upper"])
    if not columns["E-value (interval)"] and not columns["calibrated"]:
        return None
    figure = draw_sensitivity(
        {name: pd.concat([of_target(tables.combined[name], asked) for asked in at.values()]) for name in datasets},
        contrast=primary.contrast,
        designs=list(at),
        primary=primary.design,
        failed=failed,
        columns=[SensitivityColumn(heading, words) for heading, words in columns.items() if words],
        styles=styles,
    )
    effect = describe_effect(primary.outcome, primary.contrast, primary.horizon_days, competing=competing_outcomes(protocol))
    told = "; ".join(f"{plain(design)} {words}" for design, words in columns["real"].items())
    caption = f"{effect[0].upper()}{effect[1:]} under every design; bars are the real 95% intervals, small marks the generators."
    return Picture(inline(figure, f"{site}-sensitivity", f"{effect[0].upper()}{effect[1:]} on the real patients by design: {told}."), caption)


def picture_attribution(site: str, tables: SiteTables, protocol: Protocol) -> Picture | None:
    """Which mechanism of each generator carries its shift; None where no generator could be taken apart."""
    known = {
        name: tables.attribution[name]
        for name in protocol.generators
        if name in tables.attribution and tables.attribution[name]["value"].notna().any()
    }
    if not known:
        return None
    gates, primary = protocol.validation.gates, protocol.question.primary
    effect = describe_effect(primary.outcome, primary.contrast, primary.horizon_days, competing=competing_outcomes(protocol))
    panels = [AttributionPanel("shift_in_real_se", f"Shift of the {effect}", "real standard errors", gates.shift_in_real_se)]
    if any(table.loc[table["quantity"] == "propensity_c", "value"].notna().any() for table in known.values()):
        panels.append(
            AttributionPanel("propensity_c", "Change of the propensity score's c-statistic", "synthetic minus real", gates.propensity_c_gap)
        )
    styles = dataset_styles(protocol.generators)
    figure = draw_attribution(known, panels=tuple(panels), styles=styles)
    told = []
    for name, table in known.items():
        broken = {quantity: name_broken(table, quantity) for quantity in ("shift_in_real_se", "propensity_c")}
        words = [
            f"{what} mostly {MECHANISMS[mechanism]}"
            for what, mechanism in zip(("shift", "c-statistic"), broken.values(), strict=True)
            if mechanism is not None
        ]
        told.append(f"{styles[name].label}: {', '.join(words) or 'no mechanism stands out'}")
    caption = (
        "What each mechanism carries when real ones are exchanged for synthetic ones, averaged over all orders of exchange (Shapley), with 95% "
        "intervals over replicates; the zone is what the gate allows. The remainder is what models fitted to both sides do not see. "
        + "; ".join(told)
        + "."
    )
    return Picture(inline(figure, f"{site}-attribution", f"Attribution of the shift by mechanism. {'; '.join(told)}."), caption)


def picture_structure(site: str, tables: SiteTables, protocol: Protocol) -> Picture | None:
    """Coefficients of the treatment and of the outcome model, synthetic against real; None where no model has an estimate."""
    known = {name: tables.coefficients[name] for name in protocol.generators if name in tables.coefficients and len(tables.coefficients[name])}
    if not known:
        return None
    styles = dataset_styles(protocol.generators)
    figure = draw_coefficients(known, outcome=plain(protocol.question.primary.outcome), styles=styles)
    told = []
    for name, table in known.items():
        beyond = table[(table["gap"].abs() > table["band"]) & (table["term"] != "treatment")]
        sizes = {model: (int((beyond["model"] == model).sum()), int((table["model"] == model).sum())) for model in ("treatment", "outcome")}
        words = " and ".join(f"{off} of {all_terms} in the {model} model" for model, (off, all_terms) in sizes.items())
        worst = next(iter(beyond.sort_values("gap", key=abs, ascending=False).to_dict("records")), None)
        most = f"; most of all {worst['term']} in the {worst['model']} model ({worst['gap']:+.1f} real SE)" if worst is not None else ""
        told.append(f"{styles[name].label}: {words}{most}")
    caption = (
        "Coefficients per standard deviation of the covariate, synthetic (mean over replicates) against real; on the diagonal they agree. Filled "
        "marks lie further from it than random halves of the real patients do in 95 of 100 splits. Terms beyond that band: " + ". ".join(told) + "."
    )
    return Picture(inline(figure, f"{site}-structure", f"Synthetic against real coefficients. Terms beyond the band: {'. '.join(told)}."), caption)


def _failures(combined: Mapping[str, pd.DataFrame], outcome: str, contrast: str, names: Mapping[str, str]) -> str:
    """Why estimates are missing from a figure, each reason once."""
    by_kind: dict[str, dict[str, list[str]]] = {}
    for dataset, table in combined.items():
        rows = select_answers(table)
        rows = rows[(rows["outcome"] == outcome) & (rows["contrast"] == contrast) & (rows["status"] != "ok")]
        for _, group in rows.groupby(["status", "reason"], sort=False):
            kind, _, reason = describe_missing(group.iloc[0].to_dict()).partition(": ")
            designs = list(dict.fromkeys(map(plain, group["design"])))
            several = len(designs) == table["design"].nunique()
            by_kind.setdefault(kind, {}).setdefault(reason, []).append(names[dataset] + ("" if several else f" ({', '.join(designs)})"))
    return " ".join(
        f"{kind[0].upper()}{kind[1:]}: " + "; ".join(f"{', '.join(where)}: {reason}" for reason, where in found.items()) + "."
        for kind, found in by_kind.items()
    )


def inline(figure: object, name: str, alt: str) -> Markup:
    """The figure as part of the page."""
    return Markup(to_svg(figure, name=name, alt=alt))  # type: ignore[arg-type]  # noqa: S704 -- matplotlib escapes the text of its figures


def picture_certificate(site: str, rates: pd.DataFrame, protocol: Protocol) -> Picture:
    """What simulated studies say of rules and gate; ``rates`` is the site's part of certification.csv."""
    references = [CORRECT, *([] if protocol.flat_copula else [FLAT_COPULA])]
    styles = dataset_styles(protocol.generators) | {name: DatasetStyle(plain(name), SOFT, "o", ()) for name in references}
    certification = protocol.validation.certification
    shown = [*protocol.certified_generators, *references]
    figure = draw_certificate(rates, generators=shown, styles=styles, detection=certification.detection)
    effect, count = certification.minimal_important_effect, certification.repetitions
    caption = (
        f"{count} simulated studies of every effect with the covariates of these patients and a known truth, each through generator, primary design, "
        f"combining rule and agreement gate. Coverage and power where the truth is a {plain(protocol.question.primary.contrast)} of {effect:g}, the "
        "smallest effect that matters. The gate's failures are of the studies that it can judge. Dashed: what is asked for (5%, 95%; of the gate, "
        "the share of flat copulas that it must be shown to catch, bar and all). "
        "The correct generator is right by construction: each failure of it is a false alarm."
    )
    if protocol.flat_copula:
        caption += f" {plain(protocol.flat_copula).capitalize()} is the flat copula: each failure of it is a detection."
    return Picture(Markup(to_svg(figure, name=f"certificate-{site}", alt="Error rates of rules and agreement gate in simulated studies")), caption)  # noqa: S704 -- our own figure
