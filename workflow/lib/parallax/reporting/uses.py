"""What a target rule beside the study found, in the words of the terminal."""

from __future__ import annotations

import pandas as pd

from parallax.protocol.question import Hypothesis
from parallax.reporting.numbers import format_number, format_signed
from parallax.reporting.wording import CONTRASTS, plain


def of_primary(truths: pd.DataFrame, primary: Hypothesis) -> pd.DataFrame:
    """The rows of twins.csv that answer the primary question, under any design."""
    asked = truths[(truths["outcome"] == primary.outcome) & (truths["contrast"] == primary.contrast)]
    return asked[asked["horizon_days"].isna() if primary.horizon_days is None else asked["horizon_days"].eq(primary.horizon_days)]


def summarise_twins(truths: pd.DataFrame, primary: Hypothesis, place: str) -> str:
    """A line for each design that answers the primary question on the twin cohort, and where the tables are."""
    lines = [f"{CONTRASTS[primary.contrast].name} on the twin cohort, where the truth is known:"]
    for row in of_primary(truths, primary).to_dict("records"):
        where = f"  {row['site']}, {row['generator']}, {plain(row['design'])} ({row['effective_estimand']}): "
        if pd.isna(row["truth"]):
            lines.append(f"{where}no truth: {row['reason']}")
            continue
        estimate, lower, upper, truth = (format_number(row[name]) for name in ("estimate", "lower", "upper", "truth"))
        held = "holds it" if row["covered"] else "misses it"
        lines.append(f"{where}{estimate} ({lower} to {upper}), truth {truth}; the interval {held}")
    if len(lines) == 1:
        lines.append("  no design answers for a stated population")
    return "\n".join([*lines, place])


def summarise_tuning(table: pd.DataFrame, *, generator: str, repetitions: int, cpu_seconds: float, place: str) -> str:
    """A line for each candidate over all simulated studies, the choice marked, and where the tables are."""
    lines = [f"settings of {generator} on simulated studies ({repetitions} repetitions, {cpu_seconds:.0f} CPU seconds), shift in standard errors:"]
    for row in table[table["effect"].isna()].to_dict("records"):
        mark = "→" if row["chosen"] else " "
        failed = f", failed {row['failed']} times" if row["failed"] else ""
        bias = format_signed(row["bias"], decimals=2)
        lines.append(f" {mark} {row['setting']}: root mean square {row['rmse']:.2f} ± {row['rmse_error']:.2f}, primary bias {bias}{failed}")
    lines.append("nothing is changed: a setting holds once it is written into the protocol")
    return "\n".join([*lines, place])
