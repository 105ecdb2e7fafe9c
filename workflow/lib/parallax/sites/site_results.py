"""The file that one site sends to the others: answers with their variances, counts, balance, and the protocol that they answer; no patient.

It is built from shown tables only, and read as if a stranger had written it: whatever cannot be true is a fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from parallax.protocol.base import Name, Section
from parallax.protocol.protocol import Protocol
from parallax.statistics.intervals import t_interval, t_p_value
from parallax.tables import COMBINED
from parallax.validation.combining import select_answers, to_analysis_scale
from parallax.vocabulary import RATIO_CONTRASTS, REAL, Arm, Contrast, Rule, Verdict

FORMAT: Final = "parallax site results 1"

#: on one line, and nothing that a spreadsheet would take for a formula: these texts come to stand in CSV files
Words = Annotated[str, Field(max_length=1000, pattern=r"^[^=+\-@\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$")]
#: likewise, but for a sign alone or before a number
Label = Annotated[str, Field(max_length=200, pattern=r"^([^=+\-@\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*|[+-][0-9.]*)$")]
#: sizes that no study has and that arithmetic still survives
Count = Annotated[int, Field(ge=0, le=10**9)]
Share = Annotated[float, Field(ge=0, le=1)]
Number = Annotated[float, Field(ge=-1e12, le=1e12)]
Positive = Annotated[float, Field(gt=0, le=1e12)]
Least = Annotated[float, Field(ge=0, le=1e12)]
Variance = Annotated[float, Field(ge=1e-18, le=1e24)]
#: of the logarithm of a ratio, beyond which the ratio is no number
LARGEST_LOG: Final = 500.0
#: an interval as wide as its variance has it, within what rounding to two digits moves both
_WIDTHS: Final = (0.75, 1.33)
#: in standard errors: how far rounding moves an interval's middle from its estimate, at most a tenth, and more
_CENTRE: Final = 0.25
#: how far rounding moves a test statistic, absolutely and relatively: a twentieth of the estimate's and of the error's own last digit, twice
_STATISTIC: Final = 0.1
#: of which no estimate is shown where the events are not (parallax.disclosure.combined)
_TELLING_EVENTS: Final = frozenset({"risk_difference", "risk_ratio", "odds_ratio", "rate_ratio"})


class Answer(Section):
    """One estimate of a dataset (``real`` or a generator) by its study's rule, on the analysis scale: the logarithm for ratios.

    ``variance`` is that of the estimate, of a generator the rule's T; ``df`` of its t interval, null: normal. Counts are null where suppressed.
    """

    dataset: Name
    design: Name
    outcome: Name
    contrast: Contrast
    horizon_days: Positive | None
    rule: Rule
    estimate: Number | None
    variance: Variance | None
    lower: Number | None
    upper: Number | None
    p_value: Share | None
    df: Positive | None
    replicates: Annotated[int, Field(ge=0, le=10**6)]
    """None where the generator crashed: its answers are not estimable, and say why."""
    not_estimable: Count
    n_treated: Count | None
    n_comparator: Count | None
    events_treated: Count | None
    events_comparator: Count | None
    effective_estimand: Words
    variance_method: Words
    status: Literal["ok", "not_estimable"]
    reason: Words | None

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        numbers = (self.estimate, self.variance, self.lower, self.upper)
        if self.status == "not_estimable":
            if any(number is not None for number in numbers):
                raise ValueError("an answer that is not estimable, with numbers")
            return self
        if self.estimate is None or self.variance is None or self.lower is None or self.upper is None:
            raise ValueError("an estimate without its variance or its interval")
        if not self.lower <= self.estimate <= self.upper:
            raise ValueError("an interval that does not contain its estimate")
        if self.contrast in RATIO_CONTRASTS and max(abs(self.lower), abs(self.upper)) > LARGEST_LOG:
            raise ValueError("a logarithm of a ratio that is no number")
        if self.contrast == "risk_difference" and abs(self.estimate) > 1:
            raise ValueError("a difference of risks beyond −1 … 1")
        if self.contrast == "rmst_difference" and abs(self.estimate) > (self.horizon_days or 0.0):
            raise ValueError("a difference of restricted means beyond its horizon")
        if self.n_treated is None or self.n_comparator is None:
            raise ValueError("an estimate of patients who are not counted")
        if self.contrast in _TELLING_EVENTS and any(events is None for _, events in self.arms):
            raise ValueError("an estimate made of events that are not counted")
        lower, upper = t_interval(0.0, float(np.sqrt(self.variance)), self.df or np.inf)
        if not _WIDTHS[0] <= (self.upper - self.lower) / (upper - lower) <= _WIDTHS[1]:
            raise ValueError("an interval of another width than its variance has")
        if abs((self.lower + self.upper) / 2 - self.estimate) > _CENTRE * np.sqrt(self.variance):
            raise ValueError("an interval whose middle is not its estimate")
        if not self._agrees_with_p_value(abs(self.estimate) / float(np.sqrt(self.variance))):
            raise ValueError("a p-value that its estimate and its variance do not give")
        if self.not_estimable >= self.replicates:
            raise ValueError("an estimate without a replicate that has one")
        if self.contrast != "rate_ratio" and any(events is not None and events > patients for patients, events in self.arms):
            raise ValueError("more events than patients")
        return self

    def _agrees_with_p_value(self, statistic: float) -> bool:
        """Whether the p-value, which has two digits, is that of some statistic as near as rounding lets it be."""
        if self.p_value is None:
            return True
        ends = (max(statistic * (1 - _STATISTIC) - _STATISTIC, 0.0), statistic * (1 + _STATISTIC) + _STATISTIC)
        largest, least = (t_p_value(end, 1.0, self.df or np.inf) for end in ends)
        return 0.8 * least <= self.p_value <= 1.25 * largest

    @property
    def arms(self) -> tuple[tuple[int, int | None], ...]:
        """Patients and events of the treated and of the comparators, where the patients of an arm are counted; of a rate ratio, events are a sum."""
        counts = ((self.n_treated, self.events_treated), (self.n_comparator, self.events_comparator))
        return tuple((patients, events) for patients, events in counts if patients is not None)

    @property
    def target(self) -> tuple[str, str, str, str, float | None]:
        """What it answers, and for which dataset."""
        return self.dataset, self.design, self.outcome, self.contrast, self.horizon_days


class Characteristic(Section):
    """A row of Table 1 of the real patients as it is shown (parallax.tables.CHARACTERISTICS)."""

    covariate: Name
    level: Label | None
    kind: Literal["numeric", "categorical", "missing"]
    arm: Arm
    n: Count | None
    count: Count | None
    mean: Number | None
    standard_deviation: Least | None

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if self.count is not None and (self.n is None or self.count > self.n):
            raise ValueError("more patients of a level than there are patients")
        if self.kind != "numeric" and self.mean is not None and not 0 <= self.mean <= 1:
            raise ValueError("a share beyond 0 … 1")
        return self


class Balance(Section):
    """How far the arms differ in a covariate under a design."""

    dataset: Name
    design: Name
    covariate: Name
    level: Label | None
    smd: Number | None


class Overlap(Section):
    """How well a design could be applied; effective sample sizes are null where suppressed."""

    dataset: Name
    design: Name
    ess_treated: Count | None
    ess_comparator: Count | None
    c_statistic: Share | None
    equipoise: Share | None
    max_weight: Least | None
    max_abs_smd: Least | None
    failure: Words | None


class FollowUp(Section):
    """Median follow-up of both arms for a survival outcome, rounded (parallax.disclosure.follow_up); null where suppressed."""

    outcome: Name
    median_days: Positive | None


class SiteResults(Section):
    """Everything in the file; ``protocol`` is the study's without what is of one place, ``study_digest`` its digest."""

    format: Literal["parallax site results 1"]
    site: Name
    study: Name
    study_digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    protocol: dict[str, Any]
    parallax: Label
    commit: Label | None
    answers: Annotated[tuple[Answer, ...], Field(min_length=1)]
    characteristics: tuple[Characteristic, ...]
    balance: tuple[Balance, ...]
    overlap: tuple[Overlap, ...]
    follow_up: tuple[FollowUp, ...]
    verdicts: dict[Name, Verdict]

    def combined(self, dataset: str) -> pd.DataFrame:
        """The answers of a dataset as a COMBINED table, ratios as ratios."""
        rows = [answer.model_dump() for answer in self.answers if answer.dataset == dataset]
        for row in rows:
            row["std_error"] = None if row["variance"] is None else float(np.sqrt(row["variance"]))
            row["df"] = np.inf if row["df"] is None and row["status"] == "ok" else row["df"]
            if row["contrast"] in RATIO_CONTRASTS:
                row |= {name: None if row[name] is None else float(np.exp(row[name])) for name in ("estimate", "lower", "upper")}
        return COMBINED.validate(pd.DataFrame(rows, columns=list(COMBINED.columns)).infer_objects().astype(dict.fromkeys(_COUNTS, float)))

    @property
    def median_follow_up(self) -> dict[str, float]:
        """In days, by survival outcome, where it is told."""
        return {row.outcome: row.median_days for row in self.follow_up if row.median_days is not None}

    def table_1(self) -> pd.DataFrame:
        """The characteristics as rows."""
        return pd.DataFrame([row.model_dump() for row in self.characteristics], columns=list(Characteristic.model_fields))


_COUNTS: Final = ("n_treated", "n_comparator", "events_treated", "events_comparator")


def build_site_results(
    site: str,
    protocol: Protocol,
    shown: Mapping[tuple[str, str], pd.DataFrame],
    *,
    follow_up: Mapping[str, float | None],
    verdicts: Mapping[str, str],
    parallax: str,
    commit: str | None,
) -> dict[str, Any]:
    """The file's content from a site's shown tables by (dataset, table): ``combined``, ``balance`` and ``overlap`` of each dataset, and of the
    real patients ``characteristics``; ``follow_up`` as :func:`parallax.disclosure.follow_up.disclose_follow_up` has it. Only the answers by the
    study's own rule are in it.

    Rounding: as shown, an estimate to two digits of its standard error; on the analysis scale to a thousandth of it, other numbers to four digits.
    """
    datasets = (REAL, *protocol.generators)
    content = {
        "format": FORMAT,
        "site": site,
        "study": protocol.study.name,
        "study_digest": protocol.study_digest,
        "protocol": protocol.shared,
        "parallax": parallax,
        "commit": commit,
        "answers": [_answer(dataset, row) for dataset in datasets for row in _records(shown, dataset, "combined")],
        "characteristics": [_pick(Characteristic, row) for row in _records(shown, REAL, "characteristics")],
        "balance": [_pick(Balance, row | {"dataset": name}) for name in datasets for row in _records(shown, name, "balance")],
        "overlap": [_pick(Overlap, row | {"dataset": name}) for name in datasets for row in _records(shown, name, "overlap")],
        "follow_up": [{"outcome": outcome, "median_days": days} for outcome, days in follow_up.items()],
        "verdicts": dict(verdicts),
    }
    return SiteResults.model_validate(content).model_dump(mode="json")


def _records(shown: Mapping[tuple[str, str], pd.DataFrame], dataset: str, name: str) -> list[dict[str, Any]]:
    """A table's rows with None for whatever is missing; none where the table is not there."""
    table = shown.get((dataset, name))
    if table is None:
        return []
    table = select_answers(table) if name == "combined" else table
    return [{str(key): None if pd.isna(value) else value for key, value in row.items()} for row in table.to_dict("records")]


def _pick(model: type[Section], row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _written(row[name]) for name in model.model_fields}


def _written(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.4g}")
    return " ".join(value.split())[:1000] if isinstance(value, str) else value


def _answer(dataset: str, row: dict[str, Any]) -> dict[str, Any]:
    """A COMBINED row on the analysis scale; a standard error of zero, from patients without an event, is no variance to pool by."""
    estimable = row["status"] == "ok" and row["std_error"] is not None and row["std_error"] > 0 and row["lower"] is not None
    found, asked = row | {"dataset": dataset}, {"horizon_days": row["horizon_days"]}
    if not estimable:
        blank = dict.fromkeys(("estimate", "variance", "lower", "upper", "p_value", "df"))
        reason = row["reason"] or "the estimate has no variance"
        return _pick(Answer, found | blank | {"status": "not_estimable", "reason": reason}) | asked
    df = None if row["df"] is None or np.isinf(row["df"]) else row["df"]
    numbers = to_analysis_scale([row[name] for name in ("estimate", "lower", "upper")], row["contrast"])
    decimals = 3 - int(np.floor(np.log10(row["std_error"])))
    scaled = {name: round(float(number), decimals) for name, number in zip(("estimate", "lower", "upper"), numbers, strict=True)}
    return _pick(Answer, found | {"variance": row["std_error"] ** 2, "df": df}) | scaled | asked
