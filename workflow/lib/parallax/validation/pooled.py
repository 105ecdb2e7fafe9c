"""What synthesis costs a pooled answer: every way of pooling held against the real patients pooled, and against their aggregates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import pandas as pd

from parallax.protocol.question import Hypothesis
from parallax.protocol.validation import Gates
from parallax.tables import POOLED_COMPARISON
from parallax.validation.combining import TARGET, select_answers, target_of, to_analysis_scale
from parallax.vocabulary import REAL, Way

#: what a way is held against, the better one first
BENCHMARKS: Final[tuple[Way, ...]] = ("individual_real", "aggregates")

_NO_BENCHMARK: Final = "no real patients of two sites answer, neither pooled nor as aggregates, so that there is nothing to hold it against"

PooledOutcome = Literal["agrees", "differs", "inconclusive"]


@dataclass(frozen=True, slots=True)
class PooledVerdict:
    """Whether a way reaches the benchmark's primary answer: ``shift`` in the benchmark's standard errors, ``sites`` in it and those ``left_out``."""

    way: str
    dataset: str
    benchmark: str
    verdict: PooledOutcome
    shift: float | None
    threshold: float
    sites: str
    left_out: str | None
    reason: str

    def plain(self) -> dict[str, object]:
        """The record as JSON-ready values."""
        return asdict(self)


def compare_ways(pooled: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """POOLED_COMPARISON of the POOLED tables by dataset: every way against every benchmark that there is, target by target, but for the better
    benchmark against the other, which would say again what the other says against it.

    With Q, V of the benchmark and q, T of the way on the analysis scale, and n the benchmark's patients:

    * shift (q − Q)/√V,
    * width_ratio of the 95 % intervals, 1 where synthesis costs no precision,
    * effective_patients n·V/T: so many real patients pooled would tell as much.

    A target without an estimate on either side has missing numbers and the reason, and so has one whose benchmark is without a site of the way: what
    its patients say is no cost of synthesis.
    """
    answers = _answers(pooled)
    rows = []
    for place, benchmark in enumerate(BENCHMARKS):
        known = {target_of(row): row for row in answers.get((benchmark, REAL), [])}
        for (way, dataset), found in answers.items():
            if (dataset == REAL and way in BENCHMARKS[: place + 1]) or not known:
                continue
            for row in found:
                keys = {name: row[name] for name in TARGET} | {"way": way, "dataset": dataset, "benchmark": benchmark, "rule": row["rule"]}
                rows.append(keys | _compare(row, known.get(target_of(row))))
    return POOLED_COMPARISON.validate(pd.DataFrame(rows, columns=list(POOLED_COMPARISON.columns)))


def judge_ways(
    comparison: pd.DataFrame,
    pooled: Mapping[str, pd.DataFrame],
    *,
    primary: Hypothesis,
    gates: Gates,
    shifts: Mapping[str, Mapping[str, float]],
) -> tuple[PooledVerdict, ...]:
    """Every way's primary answer against the best benchmark that answers and has all of its sites, by the gate that a generator's own answer has;
    inconclusive without one.

    ``shifts`` by dataset and site: how far the site's own synthetic answer is from its real one, which says whose patients carry a difference.
    """
    answers, judged = _answers(pooled), []
    of_primary = comparison[[target_of(row) == primary.target for row in comparison[TARGET].to_dict("records")]]
    threshold = gates.shift_in_real_se
    for (way, dataset), rows in answers.items():
        if not any((benchmark, REAL) in answers for benchmark in BENCHMARKS):
            judged.append(PooledVerdict(way, dataset, "none", "inconclusive", None, threshold, *_named(rows[0]), _NO_BENCHMARK))
            continue
        compared = of_primary[(of_primary["way"] == way) & (of_primary["dataset"] == dataset)]
        if compared.empty:
            continue
        # in the order of BENCHMARKS; where none can be compared, the best one says why
        found = compared.iloc[int(compared["shift"].notna().to_numpy().argmax())]
        answer = next(row for row in rows if target_of(row) == primary.target)
        shift = float(found["shift"])
        verdict: PooledOutcome = "inconclusive" if math.isnan(shift) else "agrees" if abs(shift) <= threshold else "differs"
        judged.append(
            PooledVerdict(
                way,
                dataset,
                str(found["benchmark"]),
                verdict,
                None if math.isnan(shift) else shift,
                threshold,
                *_named(answer),
                _tell(found, verdict, threshold, shifts.get(dataset, {}), str(answer["sites"]).split(", ")),
            )
        )
    return tuple(judged)


def _named(answer: Any) -> tuple[str, str | None]:
    """The sites in an answer, and those left out."""
    return str(answer["sites"]), None if pd.isna(answer["left_out"]) else str(answer["left_out"])


def _tell(found: Any, verdict: PooledOutcome, threshold: float, shifts: Mapping[str, float], sites: list[str]) -> str:
    if verdict == "inconclusive":
        return str(found["reason"])
    told = f"the primary estimate lies {_signed(found['shift'])} of the benchmark's standard errors from it; allowed is plus or minus {threshold:g}"
    own = [f"{site} {_signed(shifts[site])}" for site in sites if site in shifts and not math.isnan(shifts[site])]
    return told + (f"; of the sites' own synthetic answers from their real ones: {', '.join(own)}" if verdict == "differs" and own else "")


def _signed(value: float) -> str:
    return "0.00" if abs(value) < 0.005 else f"{value:+.2f}".replace("-", "−")


def _answers(pooled: Mapping[str, pd.DataFrame]) -> dict[tuple[str, str], list[Any]]:
    """The answering rows by way and dataset, in the tables' order."""
    return {
        (str(way), dataset): select_answers(rows).to_dict("records")
        for dataset, table in pooled.items()
        for way, rows in table.groupby("way", sort=False)
    }


def _compare(row: Any, known: Any) -> dict[str, object]:
    missing = None
    if known is None or known["status"] != "ok":
        missing = "the benchmark has no estimate" + (f": {known['reason']}" if known is not None else "")
    elif row["status"] != "ok":
        missing = f"not estimable: {row['reason']}"
    elif absent := [site for site in str(row["sites"]).split(", ") if site not in str(known["sites"]).split(", ")]:
        missing = f"the benchmark is without the real patients of {' and '.join(absent)}"
    elif min(float(known["std_error"]), float(row["std_error"])) <= 0:
        missing = "an estimate has no standard error"
    if missing is not None:
        return {"reason": missing}
    contrast = str(row["contrast"])
    ends = [to_analysis_scale([float(side[name]) for name in ("estimate", "lower", "upper")], contrast) for side in (row, known)]
    variances = [float(side["std_error"]) ** 2 for side in (row, known)]
    patients = float(known["n_treated"]) + float(known["n_comparator"])
    return {
        "shift": float(ends[0][0] - ends[1][0]) / math.sqrt(variances[1]),
        "width_ratio": float((ends[0][2] - ends[0][1]) / (ends[1][2] - ends[1][1])),
        "effective_patients": patients * variances[1] / variances[0],
    }
