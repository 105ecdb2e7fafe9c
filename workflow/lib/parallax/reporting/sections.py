"""The report's tables as rows of text: pure functions from shown tables."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pandas as pd

from parallax.protocol.question import PrimaryEstimate
from parallax.reporting.numbers import NOT_AVAILABLE, format_count, format_interval, format_number, format_share, format_signed
from parallax.reporting.wording import (
    CONTRASTS,
    describe_bound,
    describe_effect,
    describe_failure,
    describe_horizon,
    describe_missing,
    describe_variable,
    estimate_words,
    metric_meaning,
    metric_words,
    plain,
)
from parallax.validation.metrics import NOT_INFORMATIVE
from parallax.vocabulary import ARMS, DIAGNOSTIC_CONTRASTS, FLOOR, REAL, VALID_RULES

Row = Mapping[Any, Any]
#: outcome, contrast, horizon (None: all follow-up), design
Target = tuple[str, str, float | None, str]
#: (dataset, design) whose covariates are not balanced
#: (dataset, design) whose estimates are not to be trusted, and why in two or three words
Failed = Mapping[tuple[str, str], str]

#: the pseudo-generator of random halves of the real patients
HALVES: Final = "halves"
#: fidelity of the joint distribution, which is secondary
SECONDARY: Final = ("sdmetrics_quality", "pairwise_gap", "pmse_ratio", "classifier_auc")

#: a metric of more variables than this is shown by its median and its largest value
MOST_VARIABLES = 4


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell: its text, a second smaller text, and a class for its look."""

    text: str
    note: str = ""
    look: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table: a caption, headings, rows that begin with their heading; ``numeric`` columns are aligned to the right."""

    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    groups: Mapping[int, str] = field(default_factory=dict)
    """A heading in front of the row with this position."""


def tabulate_attrition(attrition: pd.DataFrame, *, arm_labels: Mapping[str, str]) -> Table:
    """Who left and who remained."""
    minimum = int(attrition["minimum_count"].max()) if len(attrition) else 0
    rows = tuple(
        (
            Cell(plain(str(row["criterion"])), note=str(row["reason"])),
            Cell(format_count(_count(row["excluded"]), minimum=minimum) if position else NOT_AVAILABLE),
            *(Cell(format_count(_count(row[f"remaining_{arm}"]), minimum=minimum)) for arm in ARMS),
        )
        for position, row in enumerate(attrition.sort_values("step").to_dict("records"))
    )
    return Table("Who was left out, and why", ("Step", "Left out", *(f"Remaining, {arm_labels[arm]}" for arm in ARMS)), rows)


def tabulate_characteristics(characteristics: pd.DataFrame, *, arm_labels: Mapping[str, str]) -> tuple[Table, Table]:
    """Table 1: the ten covariates that differ most between the arms, and all of them."""
    minimum = int(characteristics["minimum_count"].max())
    order = list(dict.fromkeys(characteristics["covariate"]))
    largest = characteristics.assign(smd=characteristics["smd"].abs()).groupby("covariate")["smd"].max().reindex(order).fillna(0)
    top = list(largest.sort_values(ascending=False, kind="stable").index[:10])
    n = characteristics.groupby("arm")["n"].max()
    headings = ("Covariate", *(f"{arm_labels[arm]}, n = {format_count(_count(n[arm]), minimum=minimum)}" for arm in ARMS), "SMD")
    return (
        _characteristics(characteristics, top, headings, minimum, "The covariates that differ most between the arms"),
        _characteristics(characteristics, order, headings, minimum, "All covariates"),
    )


def _characteristics(table: pd.DataFrame, names: Sequence[str], headings: tuple[str, ...], minimum: int, caption: str) -> Table:
    """A covariate with several levels has a line of its own above them; of two levels only the second is shown, for it tells all."""
    rows: list[tuple[Cell, ...]] = []
    by_name = dict(iter(table.groupby("covariate", sort=False)))
    for name in names:
        entries = by_name[name]
        levels = list(dict.fromkeys(entries.loc[entries["kind"] == "categorical", "level"]))
        if len(levels) > 2:
            rows.append((Cell(name), Cell(""), Cell(""), Cell("")))
        for (kind, level), pair in entries.groupby(["kind", entries["level"].fillna("")], sort=False):
            if len(levels) == 2 and level == levels[0]:
                continue
            text = name if kind == "numeric" else "missing" if kind == "missing" else str(level) if len(levels) > 2 else f"{name}: {level}"
            arms = {str(row["arm"]): row for row in pair.to_dict("records")}
            smd = pair["smd"].dropna()
            rows.append(
                (
                    Cell(text, look="level" if kind == "missing" or (kind == "categorical" and len(levels) > 2) else ""),
                    *(_characteristic(arms.get(arm), str(kind), minimum) for arm in ARMS),
                    Cell(format_number(abs(float(smd.iloc[0])), decimals=2) if len(smd) else NOT_AVAILABLE),
                )
            )
    return Table(caption, headings, tuple(rows))


def _characteristic(row: Row | None, kind: str, minimum: int) -> Cell:
    if row is None:
        return Cell(NOT_AVAILABLE)
    mean, spread = _number(row["mean"]), _number(row["standard_deviation"])
    if kind == "numeric":
        return Cell(f"{format_number(mean)} ({format_number(spread)})" if mean == mean else "suppressed")
    count = _count(row["count"])
    return Cell("suppressed" if count is None else f"{format_count(count, minimum=minimum)} ({format_share(mean)})")


def tabulate_designs(
    overlap: Mapping[str, pd.DataFrame], *, datasets: Sequence[str], labels: Mapping[str, str], caption: str, modelled: Collection[str] = ()
) -> Table:
    """How well each design worked on each dataset; ``modelled`` designs answer for no balance, since an outcome model adjusts."""
    rows: list[tuple[Cell, ...]] = []
    groups: dict[int, str] = {}
    several = len(datasets) > 1
    for dataset in datasets:
        table = overlap[dataset]
        if several:
            groups[len(rows)] = labels[dataset]
        for row in table.to_dict("records"):
            minimum = int(row["minimum_count"])
            if row["status"] != "ok":
                rows.append((Cell(plain(row["design"])), Cell(f"not estimable: {row['reason']}", look="wide"), *[Cell("")] * 6))
                continue
            part = f"in {row['failed']} of {row['applied']}" if row["applied"] > 1 and row["failed"] else ""
            sound = "adjusts by a model" if row["design"] in modelled else "balanced"
            words = describe_failure(str(row["failure"])) if row["failed"] else sound
            patients, effective = (" / ".join(format_count(_count(row[f"{name}_{arm}"]), minimum=minimum) for arm in ARMS) for name in ("n", "ess"))
            rows.append(
                (
                    Cell(plain(row["design"]), note=str(row["effective_estimand"])),
                    Cell(patients),
                    Cell(effective),
                    Cell(format_number(_number(row["c_statistic"]), decimals=2)),
                    Cell(format_share(_number(row["equipoise"]))),
                    Cell(format_number(_number(row["max_weight"]), decimals=1)),
                    Cell(format_number(_number(row["max_abs_smd"]), decimals=2)),
                    Cell(words, note=part, look="bad" if row["failed"] else "" if row["design"] in modelled else "good"),
                )
            )
    headings = (
        "Design",
        "Patients, treated / comparator",
        "Effective sample size",
        "c-statistic",
        "Equipoise",
        "Largest weight",
        "Largest SMD",
        "Judgement",
    )
    return Table(caption, headings, tuple(rows), groups)


def tabulate_positivity(positivity: pd.DataFrame, *, arm_labels: Mapping[str, str]) -> Table:
    """Strata of the real patients in which one arm is empty or nearly so: the data say nothing about that arm there."""
    rows = tuple(
        (
            Cell(f"{plain(row['covariate'])}: {row['level']}"),
            Cell(format_count(_count(row["n"]), minimum=int(row["minimum_count"]))),
            Cell(f"fewer than {int(row['minimum_count'])} {arm_labels[row['arm']]}", look="bad"),
        )
        for row in positivity.to_dict("records")
    )
    return Table("Strata in which an arm is (nearly) empty", ("Stratum", "Patients", "Of an arm"), rows)


def tabulate_shifts(
    agreement: Mapping[str, pd.DataFrame],
    *,
    labels: Mapping[str, str],
    primary: PrimaryEstimate,
    failed: Failed,
    matched: Collection[str] = (),
) -> Table:
    """The shift of every estimate in real standard errors: generators and designs as lines, contrasts and horizons as columns.

    Under each shift stands the floor's; the shift of a ``matched`` design is judged by what it is beyond the floor.
    """
    beside = {(name, target): rows for name, table in agreement.items() for target, rows in _by_target(table, "metric").items()}
    shifts = pd.concat([table[table["metric"] == "shift_in_real_se"].assign(generator=name) for name, table in agreement.items()])
    shifts = shifts[~shifts["contrast"].isin(DIAGNOSTIC_CONTRASTS)]
    order = {name: position for position, name in enumerate(CONTRASTS)}
    columns = list(dict.fromkeys((row["outcome"], row["contrast"], _horizon(row)) for row in shifts.to_dict("records")))
    columns.sort(key=lambda column: (column[0] != primary.outcome, column[0], order[column[1]], math.inf if column[2] is None else column[2]))
    outcomes = len({column[0] for column in columns})
    headings = [
        CONTRASTS[contrast].short + (f", {plain(outcome)}" if outcomes > 1 else "") + f" {describe_horizon(horizon, contrast)}"
        for outcome, contrast, horizon in columns
    ]
    rows: list[tuple[Cell, ...]] = []
    groups: dict[int, str] = {}
    for (generator, design), entries in shifts.groupby(["generator", "design"], sort=False):
        if labels[str(generator)] not in groups.values():
            groups[len(rows)] = labels[str(generator)]
        by_column = {(row["outcome"], row["contrast"], _horizon(row)): row for row in entries.to_dict("records")}
        decisive = (primary.outcome, primary.contrast, primary.horizon_days) if design == primary.design else None
        lines = [beside[str(generator), (*column, str(design))] if column in by_column else {} for column in columns]
        cells = [
            _shift(line, is_primary=column == decisive, beyond=design in matched and "testable_here" in line)
            for column, line in zip(columns, lines, strict=True)
        ]
        heavy = any(isinstance(line.get("largest_weight", {}).get("reason"), str) for line in lines)
        notes = [_flag((REAL, str(generator)), str(design), failed), "a real patient's weight reaches 20" if heavy else ""]
        rows.append((Cell(plain(str(design)), note="; ".join(filter(None, notes))), *cells))
    caption = "Synthetic minus real estimate, in standard errors of the real one; small, below each shift: the floor's"
    return Table(caption, ("Design", *headings), tuple(rows), groups)


def _flag(datasets: Sequence[str], design: str, failed: Failed) -> str:
    where = ["real" if dataset == REAL else "synthetic" for dataset in datasets if (dataset, design) in failed]
    words = dict.fromkeys(failed[dataset, design] for dataset in datasets if (dataset, design) in failed)
    return f"{', '.join(words)} ({' and '.join(where)})" if where else ""


def _shift(line: Mapping[str, Row], *, is_primary: bool, beyond: bool) -> Cell:
    """A shift with the floor's below it; ``beyond``: its look is that of the shift beyond the floor."""
    value, floor, further = (
        _number(line[name]["value"]) if name in line else math.nan
        for name in ("shift_in_real_se", "floor_shift_in_real_se", "shift_beyond_floor_in_real_se")
    )
    mark = " primary" if is_primary else ""
    if not math.isfinite(value):
        return Cell(NOT_AVAILABLE, look="none" + mark)
    untestable = "testable_here" in line and _number(line["testable_here"]["value"]) == 0
    notes = [format_signed(floor, decimals=2) if math.isfinite(floor) else "", "not testable here" if untestable else ""]
    judged = abs(further if beyond else value)
    look = "none" if untestable else "near" if judged <= 1 else "off" if judged <= 2 else "far"
    return Cell(format_signed(value, decimals=2), note="; ".join(filter(None, notes)), look=look + mark)


def tabulate_agreement(agreement: pd.DataFrame, *, caption: str, generator: str, failed: Failed) -> Table:
    """Every agreement metric of one generator: a line per estimate."""
    metrics = [metric for metric in dict.fromkeys(agreement["metric"]) if metric != "largest_weight"]
    rows = []
    for (outcome, contrast, horizon, design), by_metric in _by_target(agreement, "metric").items():
        cells = [_plain_value(metric, by_metric.get(metric)) for metric in metrics]
        words = f"{CONTRASTS[contrast].short}, {plain(outcome)} {describe_horizon(horizon, contrast)}".strip()
        shift = by_metric.get("shift_in_real_se", {})
        notes = [words, _flag((REAL, generator), design, failed), shift.get("reason")]
        rows.append((Cell(plain(design), note="; ".join(note for note in notes if isinstance(note, str) and note)), *cells))
    return Table(caption, ("Estimate", *(metric_words(metric).label for metric in metrics)), tuple(rows))


def _by_target(table: pd.DataFrame, column: str) -> dict[Target, dict[str, Row]]:
    """The rows of each estimate by the value of a column."""
    found: dict[Target, dict[str, Row]] = {}
    for row in table.to_dict("records"):
        found.setdefault((row["outcome"], row["contrast"], _horizon(row), row["design"]), {})[row[column]] = row
    return found


def _plain_value(metric: str, row: Row | None) -> Cell:
    words = metric_words(metric)
    value = _number(row["value"]) if row else float("nan")
    if value != value:
        return Cell(NOT_AVAILABLE, look="none")
    return Cell(("yes" if value == 1 else "no") if words.yes_no else format_number(value, decimals=words.decimals))


def tabulate_metrics(
    tables: Mapping[str, pd.DataFrame], *, generators: Sequence[str], labels: Mapping[str, str], arm_labels: Mapping[str, str], caption: str
) -> tuple[Table, Table | None]:
    """Metrics as lines, generators as columns; and, apart, those of many variables in full (None where there are none)."""
    stacked = pd.concat([tables[name].assign(generator=name) for name in generators if name in tables])
    if "variable" not in stacked:
        stacked = stacked.assign(variable=None)
    stacked["variable"] = stacked["variable"].astype(object).where(stacked["variable"].notna(), "")
    rows: list[tuple[Cell, ...]] = []
    full: list[tuple[Cell, ...]] = []
    groups: dict[int, str] = {}
    headings = tuple(labels[name] for name in generators)
    for metric, entries in stacked.groupby("metric", sort=False):
        words = metric_words(str(metric))
        by_variable: dict[str, dict[str, Row]] = {}
        for row in entries.to_dict("records"):
            by_variable.setdefault(row["variable"], {})[row["generator"]] = row
        lines = [
            (describe_variable(variable, arm_labels), [_metric_cell(str(metric), by_name, name) for name in generators], _bound(by_name.values()))
            for variable, by_name in by_variable.items()
        ]
        meaning = metric_meaning(str(metric))
        if len(lines) <= MOST_VARIABLES:
            rows += [
                (Cell(words.label + (f", {variable}" if variable else ""), note="" if position else meaning), *cells, bound)
                for position, (variable, cells, bound) in enumerate(lines)
            ]
            continue
        groups[len(full)] = words.label
        full += [(Cell(variable), *cells) for variable, cells, _ in lines]
        cells = [_spread(entries[entries["generator"] == name], words.decimals) for name in generators]
        rows.append((Cell(words.label, note=f"{meaning}; median over {len(lines)}, and the largest"), *cells, _bound(entries.to_dict("records"))))
    table = Table(caption, ("Metric", *headings, "Gate"), tuple(rows))
    return table, Table(f"{caption}, by variable", ("Variable", *headings), tuple(full), groups) if full else None


def with_references(fidelity: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The generators' tables without the rows of what they are read against, and those once as tables of their own: the floor, random halves."""
    found = dict(fidelity)
    for reference, prefix in ((FLOOR, "floor_"), (HALVES, "half_split_")):
        marked = {name: table["metric"].str.startswith(prefix) for name, table in found.items()}
        rows = [table[marked[name]] for name, table in found.items() if marked[name].any()]
        found = {name: table[~marked[name]] for name, table in found.items()}
        if rows:
            found[reference] = rows[0].assign(metric=rows[0]["metric"].str.removeprefix(prefix))
    return found


def tabulate_ranking(fidelity: Mapping[str, pd.DataFrame], shifts: Mapping[str, float], *, labels: Mapping[str, str]) -> Table | None:
    """Distribution fidelity of each generator beside its shift of the primary estimate: what the one says of the other; None without any."""
    rows = []
    for name, table in fidelity.items():
        values = dict(zip(table["metric"], table["value"], strict=True))
        cells = [Cell(format_number(_number(values.get(metric)), decimals=metric_words(metric).decimals)) for metric in SECONDARY]
        rows.append((Cell(labels[name]), *cells, Cell(format_signed(shifts.get(name, math.nan), decimals=2))))
    headings = ("Generator", *(metric_words(metric).label for metric in SECONDARY), "Effect shift, in real SE")
    return Table("Distribution fidelity beside the effect", headings, tuple(rows)) if rows else None


def _bound(rows: Iterable[Row]) -> Cell:
    """The gate of a line; generators may differ in it where chance alone makes a gap as large."""
    gated = [row for row in rows if not pd.isna(row["threshold"])]
    bounds = dict.fromkeys(describe_bound(float(row["threshold"]), row["direction"]) for row in gated)
    return Cell(" / ".join(bounds) or "reported")


def _metric_cell(metric: str, by_name: Mapping[str, Row], name: str) -> Cell:
    row = by_name.get(name)
    if row is None:
        return Cell("") if name in (FLOOR, HALVES) else Cell(NOT_AVAILABLE, note="not measured", look="none")
    words = metric_words(metric)
    value, lower, upper = (_number(row[name]) for name in ("value", "lower", "upper"))
    if math.isnan(value):
        return Cell(NOT_AVAILABLE, note=row["reason"] if isinstance(row["reason"], str) else "", look="none")
    reason = row["reason"] if isinstance(row["reason"], str) else ""
    if reason.startswith(NOT_INFORMATIVE):
        return Cell(format_number(value, decimals=words.decimals), note=reason, look="none")
    look: str = "" if pd.isna(row["passed"]) else "good" if row["passed"] else "bad"
    interval = format_interval(lower, upper, decimals=words.decimals)
    bound = "" if math.isnan(upper) else f"up to {format_number(upper, decimals=words.decimals)}"
    return Cell(format_number(value, decimals=words.decimals), note=interval or bound, look=look)


def _spread(entries: pd.DataFrame, decimals: int) -> Cell:
    known = entries.dropna(subset=["value"])
    if not len(known):
        return Cell(NOT_AVAILABLE, look="none")
    worst = known.iloc[int(known["value"].to_numpy().argmax())]
    largest = f"largest {format_number(_number(worst['value']), decimals=decimals)}, {worst['variable']}"
    return Cell(format_number(float(known["value"].median()), decimals=decimals), note=largest)


def tabulate_estimates(combined: Mapping[str, pd.DataFrame], *, labels: Mapping[str, str], failed: Failed, competing: Collection[str] = ()) -> Table:
    """Every estimate of every dataset with its valid, naive and stacked interval; the group's title ends in the variance that was used."""
    rows: list[tuple[Cell, ...]] = []
    groups: dict[int, str] = {}
    by_dataset = {name: _by_target(table, "rule") for name, table in combined.items()}
    for target in by_dataset[REAL]:
        outcome, contrast, horizon, design = target
        unit = f", {CONTRASTS[contrast].unit}" if CONTRASTS[contrast].unit else ""
        effect = describe_effect(outcome, contrast, horizon, competing=competing)
        method = next((str(row["variance_method"]) for row in by_dataset[REAL][target].values()), "none")
        told = "" if method == "none" else f" · {method}"
        groups[len(rows)] = f"{effect[0].upper()}{effect[1:]}{unit} · {plain(design)}{told}"
        for name in combined:
            dataset = Cell(labels[name], note=failed.get((name, design), ""))
            rows.append((dataset, *_estimate_cells(by_dataset[name].get(target, {}), contrast)))
    headings = ("Dataset", "Valid", "Naive (invalid)", "Stacked (invalid)", "p", "Patients, treated / comparator", "Events")
    return Table("All estimates", headings, tuple(rows), groups)


def _estimate_cells(rules: Mapping[str, Row], contrast: str) -> tuple[Cell, ...]:
    row = next((rules[rule] for rule in VALID_RULES if rule in rules), None)
    if row is None:
        return (Cell("no result", look="none"), *[Cell("")] * 5)
    if row["status"] != "ok":
        return (Cell(describe_missing(row), look="wide"), *[Cell("")] * 5)
    minimum = int(row["minimum_count"])
    counts = (" / ".join(format_count(_count(row[f"{name}_{arm}"]), minimum=minimum) for arm in ARMS) for name in ("n", "events"))
    p = _number(row["p_value"])
    needed = number_needed(row["estimate"], row["lower"], row["upper"]) if contrast == "risk_difference" else ""
    return (
        Cell(estimate_words(contrast, row["estimate"], row["lower"], row["upper"]), note=needed),
        *(_invalid(rules.get(rule), contrast) for rule in ("naive", "stacked")),
        Cell("<0.001" if p < 0.001 else format_number(p, decimals=3)),
        *map(Cell, counts),
    )


def number_needed(estimate: float, lower: float, upper: float) -> str:
    """``number needed to harm 23 (14–53)`` from a risk difference.

    Where the difference's interval holds zero, that of the number runs from one kind through infinity to the other (Altman 1998).
    """
    if not math.isfinite(estimate) or estimate == 0:
        return ""
    kind, other = ("harm", "benefit") if estimate > 0 else ("benefit", "harm")
    told = f"number needed to {kind} {format_number(abs(1 / estimate), decimals=0)}"
    if lower <= 0 <= upper:
        return f"{told}, its interval through infinity to {other}"
    if not (math.isfinite(lower) and math.isfinite(upper)):
        return told
    return f"{told} ({format_interval(*sorted((abs(1 / lower), abs(1 / upper))), decimals=0)})"


def _invalid(row: Row | None, contrast: str) -> Cell:
    if row is None or row["status"] != "ok":
        return Cell(NOT_AVAILABLE, look="none")
    return Cell(estimate_words(contrast, row["estimate"], row["lower"], row["upper"]), look="invalid")


def _horizon(row: Row) -> float | None:
    """The horizon in days, None for all follow-up: NaN would not equal itself."""
    horizon = _number(row["horizon_days"])
    return None if math.isnan(horizon) else horizon


def _number(value: Any) -> float:
    return math.nan if value is None or pd.isna(value) else float(value)


def _count(value: Any) -> float | None:
    number = _number(value)
    return None if math.isnan(number) else number
