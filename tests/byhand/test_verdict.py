"""The three verdicts, from tables of one gate each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import nan

import pandas as pd
import pytest

from parallax.protocol.validation import Gates
from parallax.tables import AGREEMENT, ATTRIBUTION, FIDELITY, GENERATION, PRIVACY, SHADOW, empty_table
from parallax.validation.metrics import METRICS, NOT_INFORMATIVE, SHADOWED, metric_row
from parallax.validation.shadow_attack import attack_by_shadows
from parallax.validation.verdict import VerdictRecord, reach_verdict
from validation_tables import harmless_privacy

FARED_WELL = pd.DataFrame({"generator": ["g", "g", "g"], "stage": ["fit", "draw", "refit"], "status": "ok", "reason": None})


def judge(
    *,
    shift: float = 0.5,
    gap: float = 0.01,
    auc: float = 0.52,
    tables: tuple[bool, bool, bool] = (True, True, True),
    generation: pd.DataFrame = FARED_WELL,
    certified: bool = False,
    attribution: pd.DataFrame | None = None,
    metric: str = "km_gap",
    certificate: dict[str, object] | None = None,
    privacy: dict[str, dict[str, object]] | None = None,
    shadows: Sequence[dict[str, object]] = (),
) -> VerdictRecord:
    gates = Gates()
    rows = [
        [
            metric_row("shift_in_real_se", shift, threshold=1.0),
            metric_row("shift_in_real_se", 7.0),
            metric_row("ci_overlap", -3.0),
            metric_row("replicates_not_estimable", 0.0, threshold=0.1),
        ],
        [
            metric_row("propensity_c_gap", -0.02, threshold=0.03),
            {"variable": "death/treated"} | metric_row(metric, gap, threshold=0.03),
            {"variable": "death/comparator"} | metric_row(metric, 0.02, threshold=0.03),
        ],
        [*harmless_privacy(gates, membership_auc={"value": 0.5, "upper": auc}, **privacy or {}), *shadows],
    ]
    schemas = (AGREEMENT, FIDELITY, PRIVACY)
    frames = [pd.DataFrame(part if kept else [], columns=list(schema.columns)) for part, kept, schema in zip(rows, tables, schemas, strict=True)]
    measured = dict(zip(("agreement", "fidelity", "privacy"), frames, strict=True)) | {"attribution": attribution}
    return reach_verdict("g", **measured, generation=generation, gates=gates, certified=certified, certificate=certificate)


def judge_certified(certificate: dict[str, object], *, shift: float = 0.5) -> VerdictRecord:
    return judge(shift=shift, certified=True, certificate=certificate)


def failed_at(stage: str) -> pd.DataFrame:
    rows = [{"generator": "g", "stage": stage, "status": "failed", "reason": "it diverged"}, {"generator": "h", "stage": "fit", "status": "ok"}]
    return pd.DataFrame(rows, columns=list(GENERATION.columns))


def test_release() -> None:
    record = judge()
    assert record.verdict == "release"
    assert {gate.outcome for gate in record.gates} == {"passed"}
    assert len(record.gates) == 20
    assert record.reasons == ("All 20 gates passed; that they would catch a bad generator was not certified.",)
    assert judge(certified=True).reasons == ("All 20 gates passed.",)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"shift": -1.5}, "Shift of the primary estimate in standard errors of the real one: -1.500; allowed is plus or minus 1."),
        ({"gap": 0.2}, "Largest gap between the synthetic and the real survival or incidence curve (death/treated): 0.200; allowed is at most 0.03."),
        ({"auc": 0.7}, "Membership attack: area under the ROC curve: 0.500, with 95 % confidence at most 0.700; allowed is at most 0.6."),
    ],
)
def test_one_failed_gate_forbids(values: dict[str, float], words: str) -> None:
    record = judge(**values)  # type: ignore[arg-type]
    assert record.verdict == "do_not_release"
    assert record.reasons == (words,)


def test_an_outcome_without_follow_up_passes_the_gate_of_curves_by_its_distribution() -> None:
    record = judge(metric="outcome_gap")
    assert record.verdict == "release"
    assert [gate.metric for gate in record.gates].count("outcome_gap") == 2
    assert "km_gap" not in {gate.metric for gate in record.gates}
    assert judge(metric="outcome_gap", gap=0.2).reasons == (
        "Largest gap between the synthetic and the real distribution of the outcome (death/treated): 0.200; allowed is at most 0.03.",
    )
    assert judge(metric="outcome_gap", gap=nan).verdict == "inconclusive"
    assert [gate.metric for gate in judge(tables=(True, False, True)).gates].count("km_gap") == 1


def test_a_gate_that_was_not_evaluated_leaves_it_open() -> None:
    record = judge(shift=nan)
    assert record.verdict == "inconclusive"
    assert len(record.reasons) == 1
    assert "not evaluated" in record.reasons[0]


def test_a_failed_gate_outweighs_one_that_was_not_evaluated() -> None:
    assert judge(shift=nan, gap=0.2).verdict == "do_not_release"


def test_a_generator_that_crashed_is_inconclusive_with_its_reason() -> None:
    record = judge(tables=(False, False, True), generation=failed_at("fit"))
    assert record.verdict == "inconclusive"
    assert len(record.reasons) == 4
    assert all("the generator failed at fit: it diverged" in reason for reason in record.reasons)


def test_a_crash_of_the_refit_concerns_privacy_alone() -> None:
    record = judge(tables=(True, True, False), generation=failed_at("refit"))
    assert [gate.outcome for gate in record.gates] == ["passed"] * 5 + ["not_evaluated"] * len(
        {metric.gate for metric in METRICS.values() if metric.table == "privacy" and metric.gate}
    )


def test_a_crash_of_a_shadow_model_concerns_its_gates_alone() -> None:
    record = judge(shadows=attack_by_shadows([empty_table(SHADOW)] * 4, Gates()), generation=failed_at("shadow"), privacy={"linkability": SILENT})
    assert record.verdict == "inconclusive"
    assert [gate.metric for gate in record.gates if gate.outcome == "not_evaluated"] == [name for name in SHADOWED if METRICS[name].gate]
    assert all("the generator failed at shadow: it diverged" in reason for reason in record.reasons)
    assert judge(shadows=attack_by_shadows([], Gates())).verdict == "release"


def test_a_missing_table_is_never_a_pass() -> None:
    assert judge(tables=(True, True, False)).verdict == "inconclusive"


SILENT = {"undecided": True, "reason": f"{NOT_INFORMATIVE}the attack does no better than guessing"}


def test_an_attack_that_tells_nothing_is_named_and_no_pass() -> None:
    record = judge(privacy={"linkability": SILENT}, certified=True)
    assert record.verdict == "release"
    assert [gate.metric for gate in record.gates if gate.outcome == "not_informative"] == ["linkability"]
    assert record.reasons == (
        "19 of 20 gates passed, none failed.",
        "Not informative, which is not the same as safe: risk that two halves of a record are linked.",
    )
    assert judge(privacy={"linkability": SILENT}, gap=0.2).verdict == "do_not_release"
    assert judge(privacy={"linkability": SILENT}, shift=nan).verdict == "inconclusive"


def test_membership_without_an_answer_leaves_it_open() -> None:
    record = judge(privacy={"membership_tpr_at_1pct_fpr": {"undecided": True, "reason": "the hold-out patients are too few"}})
    assert record.verdict == "inconclusive"
    assert record.reasons[0].endswith("not evaluated, the hold-out patients are too few.")


def test_a_failed_attack_forbids_though_every_effect_agrees() -> None:
    record = judge(privacy={"excess_copied_outliers": {"value": 0.03, "upper": 0.04}})
    assert record.verdict == "do_not_release"
    assert record.reasons == (
        "Verbatim copies among outliers: of patients seen, beyond not seen: 0.030, with 95 % confidence at most 0.040; allowed is at most 0.01.",
    )


def test_the_record_is_json() -> None:
    text = json.dumps(judge(shift=nan).plain(), allow_nan=False)
    assert json.loads(text)["gates"][0]["value"] is None


def test_a_failed_shift_names_the_mechanism_that_carries_it() -> None:
    rows = [
        {"quantity": "shift_in_real_se", "mechanism": name, "value": value, "lower": value - 0.2, "upper": value + 0.2, "replicates": 10}
        for name, value in (("covariates", 0.1), ("treatment", -0.3), ("outcome", -1.4), ("censoring", 0.0), ("together", -1.6), ("remainder", 0.1))
    ]
    attribution = pd.DataFrame(rows).reindex(columns=list(ATTRIBUTION.columns))
    record = judge(shift=-1.5, attribution=attribution)
    assert record.gates[0].mechanism == "outcome"
    assert record.reasons[0].endswith(
        "The outcome given covariates and treatment carries -1.40 of it, all mechanisms together -1.60, "
        "a remainder of +0.10 is seen by none of their models."
    )
    assert judge(attribution=attribution).gates[0].mechanism is None  # nothing failed
    silent = judge(shift=-1.5, attribution=attribution.assign(lower=-9.0, upper=9.0))
    assert silent.gates[0].mechanism is None
    assert silent.reasons[0].endswith(
        "No single mechanism carries it (all mechanisms together -1.60, a remainder of +0.10 is seen by none of their models)."
    )
    unknown = judge(shift=-1.5, attribution=attribution.assign(value=nan, lower=nan, upper=nan))
    assert unknown.gates[0].mechanism is None
    assert unknown.reasons[0].endswith("Which mechanism carries it is not known: they could not be taken apart.")
