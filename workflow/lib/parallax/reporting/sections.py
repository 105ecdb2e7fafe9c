"""The report's tables as rows of text: pure functions from shown tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from parallax.reporting.numbers import NOT_AVAILABLE, format_count, format_interval, format_number, format_share, format_signed
from parallax.reporting.wording import CONTRASTS, describe_bound, describe_horizon, describe_variable, estimate_words, metric_meaning, metric_words, plain
from parallax.vocabulary import ARMS, MISSING_LEVEL, REAL

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
            *(Cell(format_count(_count(row[name]), minimum=minimum)) for name in ("excluded", "remaining_treated", "remaining_comparator")),
        )
        for row in attrition.sort_values("step").to_dict("records")
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
    rows: list[tuple[Cell, ...]] = []
    by_name = dict(iter(table.groupby("covariate", sort=False)))
    for name in names:
        entries = by_name[name]
        categorical = (entries["kind"] == "categorical").any()
        if categorical:
            rows.append((Cell(name), Cell(""), Cell(""), Cell("")))
        for level, pair in entries.groupby(entries["level"].fillna(""), sort=False):
            arms = {str(row["arm"]): row for row in pair.to_dict("records")}
            kind = str(pair["kind"].iloc[0])
            label = name if kind == "numeric" else "missing" if kind == "missing" or level == MISSING_LEVEL else str(level)
            cells = [_characteristic(arms.get(arm), kind, minimum) for arm in ARMS]
            smd = pair["smd"].dropna()
            look = "" if kind == "numeric" else "level"
            rows.append((Cell(label, look=look), *cells, Cell(format_number(abs(float(smd.iloc[0])), decimals=2) if len(smd) else NOT_AVAILABLE)))
    return Table(caption, headings, tuple(rows))


def _characteristic(row: Mapping[str, object] | None, kind: str, minimum: int) -> Cell:
    if row is None:
        return Cell(NOT_AVAILABLE)
    mean, spread = _number(row["mean"]), _number(row["standard_deviation"])
    if kind == "numeric":
        return Cell(f"{format_number(mean)} ({format_number(spread)})" if mean == mean else NOT_AVAILABLE)
    if pd.isna(row["count"]):  # type: ignore[call-overload]
        return Cell("suppressed" if minimum == 0 else f"<{minimum}", note="or withheld")
    return Cell(format_count(_count(row["count"]), minimum=minimum), note=format_share(mean))


def tabulate_designs(overlap: Mapping[str, pd.DataFrame], *, datasets: Sequence[str], labels: Mapping[str, str], caption: str) -> Table:
    """How well each design worked on each dataset."""
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
            part = f"in {row['balanced']} of {row['applied']}" if row["applied"] > 1 else ""
            balanced = row["balanced"] == row["applied"]
            rows.append(
                (
                    Cell(plain(row["design"]), note=str(row["effective_estimand"])),
                    Cell(f"{format_count(_count(row['n_treated']), minimum=minimum)} / {format_count(_count(row['n_comparator']), minimum=minimum)}"),
                    Cell(f"{row['ess_treated']:,.0f} / {row['ess_comparator']:,.0f}"),
                    Cell(format_number(_number(row["c_statistic"]), decimals=2)),
                    Cell(format_share(_number(row["equipoise"]))),
                    Cell(format_number(_number(row["max_weight"]), decimals=1)),
                    Cell(format_number(_number(row["max_abs_smd"]), decimals=2)),
                    Cell("balanced" if balanced else "not balanced", note=part, look="good" if balanced else "bad"),
                )
            )
    headings = ("Design", "Patients, treated / comparator", "Effective sample size", "c-statistic", "Equipoise", "Largest weight", "Largest SMD", "Covariates")
    return Table(caption, headings, tuple(rows), groups)


def tabulate_shifts(agreement: Mapping[str, pd.DataFrame], *, generators: Sequence[str], labels: Mapping[str, str], is_primary: pd.DataFrame) -> Table:
    """The shift of every estimate in real standard errors; the primary one is marked."""
    targets = ["outcome", "contrast", "horizon_days", "design"]
    shifts = {name: agreement[name][agreement[name]["metric"] == "shift_in_real_se"] for name in generators}
    rows: list[tuple[Cell, ...]] = []
    groups: dict[int, str] = {}
    seen = ""
    first = shifts[generators[0]].reset_index(drop=True)
    order = {name: position for position, name in enumerate(CONTRASTS)}
    first = first.assign(position=first["contrast"].map(order)).sort_values(["outcome", "position", "horizon_days"], kind="stable")
    primary = {_target(row) for row in is_primary[targets].to_dict("records")}
    by_target = {name: {_target(row): row for row in frame.to_dict("records")} for name, frame in shifts.items()}
    for row in first.to_dict("records"):
        words = CONTRASTS[row["contrast"]]
        heading = f"{words.name[0].upper()}{words.name[1:]} of {plain(row['outcome'])} {describe_horizon(row['horizon_days'])}"
        if heading != seen:
            groups[len(rows)] = seen = heading
        key = _target(row)
        cells = [_shift(by_target[name].get(key)) for name in generators]
        rows.append((Cell(plain(row["design"]), note="primary" if key in primary else ""), *cells))
    return Table("Synthetic minus real estimate, in standard errors of the real one", ("Design", *(labels[name] for name in generators)), tuple(rows), groups)


def _shift(row: Mapping[str, object] | None) -> Cell:
    value = _number(row["value"]) if row else float("nan")
    if value != value:
        return Cell("not estimable", look="none")
    look = "good" if abs(value) <= 1 else "doubtful" if abs(value) <= 2 else "bad"
    return Cell(format_signed(value, decimals=2), look=look)


def tabulate_agreement(agreement: pd.DataFrame, *, caption: str) -> Table:
    """Every agreement metric of one generator: a line per estimate."""
    metrics = list(dict.fromkeys(agreement["metric"]))
    targets = ["design", "outcome", "contrast", "horizon_days"]
    rows = []
    for target, entries in agreement.groupby(targets, sort=False, dropna=False):
        by_metric = {row["metric"]: row for row in entries.to_dict("records")}
        design, outcome, contrast, horizon = target
        words = f"{CONTRASTS[contrast].short}, {plain(outcome)} {describe_horizon(horizon)}"
        cells = [_plain_value(metric, by_metric.get(metric)) for metric in metrics]
        missing = entries.loc[entries["metric"] == "shift_in_real_se", "reason"].dropna()
        rows.append((Cell(plain(design), note=words + (f"; {missing.iloc[0]}" if len(missing) else "")), *cells))
    return Table(caption, ("Estimate", *(metric_words(metric).label for metric in metrics)), tuple(rows))


def _plain_value(metric: str, row: Mapping[str, object] | None) -> Cell:
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
        by_variable = {
            variable: {row["generator"]: row for row in group.to_dict("records")} for variable, group in entries.groupby("variable", sort=False)
        }
        lines = [
            (describe_variable(str(variable), arm_labels), [_metric_cell(str(metric), by_name.get(name)) for name in generators])
            for variable, by_name in by_variable.items()
        ]
        bound = _bound(entries)
        meaning = metric_meaning(str(metric))
        if len(lines) <= MOST_VARIABLES:
            rows += [
                (Cell(words.label + (f", {variable}" if variable else ""), note=meaning), *cells, Cell(bound)) for variable, cells in lines
            ]
            continue
        groups[len(full)] = words.label
        full += [(Cell(variable), *cells) for variable, cells in lines]
        cells = [_spread(entries[entries["generator"] == name], words.decimals) for name in generators]
        rows.append((Cell(words.label, note=f"{meaning}; median over {len(lines)}, and the largest"), *cells, Cell(bound)))
    table = Table(caption, ("Metric", *headings, "Gate"), tuple(rows))
    return table, Table(f"{caption}, by variable", ("Variable", *headings), tuple(full), groups) if full else None


def _bound(entries: pd.DataFrame) -> str:
    gated = entries[entries["threshold"].notna()]
    return describe_bound(float(gated["threshold"].iloc[0]), gated["direction"].iloc[0]) if len(gated) else "reported"


def _metric_cell(metric: str, row: Mapping[str, object] | None) -> Cell:
    if row is None:
        return Cell(NOT_AVAILABLE, note="not measured", look="none")
    words = metric_words(metric)
    value = _number(row["value"])
    if value != value:
        return Cell(NOT_AVAILABLE, note=str(row["reason"]) if row["reason"] and not pd.isna(row["reason"]) else "", look="none")  # type: ignore[call-overload]
    look = "" if pd.isna(row["passed"]) else "good" if row["passed"] else "bad"  # type: ignore[call-overload]
    interval = format_interval(_number(row["lower"]), _number(row["upper"]), decimals=words.decimals)
    upper = _number(row["upper"])
    note = interval or (f"up to {format_number(upper, decimals=words.decimals)}" if upper == upper else "")
    return Cell(format_number(value, decimals=words.decimals), note=note, look=look)


def _spread(entries: pd.DataFrame, decimals: int) -> Cell:
    values = entries["value"].dropna()
    if not len(values):
        return Cell(NOT_AVAILABLE, look="none")
    worst = entries.loc[values.idxmax(), "variable"] if entries.index.is_unique else entries["variable"].iloc[int(entries["value"].argmax())]
    return Cell(format_number(float(values.median()), decimals=decimals), note=f"largest {format_number(float(values.max()), decimals=decimals)}, {worst}")


def tabulate_estimates(combined: Mapping[str, pd.DataFrame], *, labels: Mapping[str, str]) -> Table:
    """Every estimate of every dataset with its valid, naive and stacked interval."""
    rows: list[tuple[Cell, ...]] = []
    groups: dict[int, str] = {}
    targets = ["outcome", "contrast", "horizon_days", "design"]
    by_target = {
        name: {key: group.set_index("rule") for key, group in ((_target(dict(zip(targets, key, strict=True))), group) for key, group in _grouped(frame, targets))}
        for name, frame in combined.items()
    }
    seen = ""
    for key in by_target[REAL]:
        outcome, contrast, horizon, design = key
        words = CONTRASTS[str(contrast)]
        unit = f", {words.unit}" if words.unit else ""
        heading = f"{words.name[0].upper()}{words.name[1:]} of {plain(str(outcome))} {describe_horizon(horizon)}{unit} · {plain(str(design))}"  # type: ignore[arg-type]
        if heading != seen:
            groups[len(rows)] = seen = heading
        for name in combined:
            rules = by_target[name].get(key)
            rows.append(_estimate_row(labels[name], rules, str(contrast)))
    return Table("All estimates", ("Dataset", "Valid", "Naive (invalid)", "Stacked (invalid)", "p", "Patients, treated / comparator", "Events"), tuple(rows), groups)


def _estimate_row(label: str, rules: pd.DataFrame | None, contrast: str) -> tuple[Cell, ...]:
    main = next((rule for rule in ("none", "partial") if rules is not None and rule in rules.index), None)
    if rules is None or main is None:
        return (Cell(label), Cell("no result", look="none"), *[Cell("")] * 5)
    row = rules.loc[main]
    if row["status"] != "ok":
        return (Cell(label), Cell(f"not estimable: {row['reason']}", look="wide"), *[Cell("")] * 5)
    invalid = [_rule_words(rules, rule, contrast) for rule in ("naive", "stacked")]
    minimum = int(row["minimum_count"])
    counts = [
        " / ".join(format_count(_count(row[f"{name}_{arm}"]), minimum=minimum) if not pd.isna(row[f"{name}_{arm}"]) else f"<{minimum}" for arm in ARMS)
        for name in ("n", "events")
    ]
    p = _number(row["p_value"])
    return (
        Cell(label),
        Cell(estimate_words(contrast, row["estimate"], row["lower"], row["upper"])),
        *invalid,
        Cell("<0.001" if p < 0.001 else format_number(p, decimals=3)),
        *(Cell(text) for text in counts),
    )


def _rule_words(rules: pd.DataFrame, rule: str, contrast: str) -> Cell:
    if rule not in rules.index or rules.loc[rule, "status"] != "ok":
        return Cell(NOT_AVAILABLE, look="none")
    row = rules.loc[rule]
    return Cell(estimate_words(contrast, row["estimate"], row["lower"], row["upper"]), look="invalid")


def _grouped(frame: pd.DataFrame, targets: list[str]) -> list[tuple[tuple[object, ...], pd.DataFrame]]:
    return list(frame.groupby(targets, sort=False, dropna=False))


def _target(row: Mapping[str, object]) -> tuple[object, ...]:
    horizon = _number(row["horizon_days"])
    return (row["outcome"], row["contrast"], horizon if horizon == horizon else None, row["design"])


def _number(value: object) -> float:
    return float("nan") if value is None or pd.isna(value) else float(value)  # type: ignore[call-overload,arg-type]


def _count(value: object) -> float | None:
    number = _number(value)
    return number if number == number else None
