"""What leaves with a release and what does not; patients in the form of their source; two results beside each other: by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from parallax.checksums import SUMS
from parallax.cohort.selection import select_cohort
from parallax.errors import ReleaseError
from parallax.protocol import CohortSection, OutcomesSection, Protocol
from parallax.protocol.checks.sections import check_protocol
from parallax.protocol.generators import Guarantee
from parallax.release.card import Card, SiteCard, find_rare_levels, tell_limits
from parallax.release.comparison import Results, compare_results
from parallax.release.contents import SiteRelease, build_release, render_protocol
from parallax.release.patients import list_applied, restore_source
from parallax.validation.registration import register_protocol
from workflow.conftest import PROTOCOL as TINY

COHORT = CohortSection.of(
    {
        "arms": {"column": "drug", "treated": 1, "comparator": 0},
        "eligibility": [
            {"name": "adults", "keep": "age >= 18", "reason": "adults only"},
            {"name": "early", "keep": "stage in (1, 2)", "reason": "early stages"},
            {"name": "consent", "keep": "consented", "reason": "consent is needed"},
        ],
        "covariates": {"numeric": ["age", "marker"], "categorical": ["stage", "smoker", "ward"]},
    }
)
OUTCOMES = OutcomesSection.of(
    {
        "death": {
            "type": "survival", "days": "time", "event": "status", "event_code": 3, "competing": [7], "follow_up_days": 100,
            "horizons_days": [30], "contrasts": ["risk_difference"],
        },
        "visits": {"type": "count", "value": "visits", "person_days": "observed", "contrasts": ["rate_ratio"]},
    }
)  # fmt: skip
DRAWN = pd.DataFrame(
    {
        "replicate": [0, 0, 0],
        "patient_id": pd.array(["1", "2", "3"], dtype="string"),
        "treated": [True, False, True],
        "age": [50.0, 61.0, math.nan],
        "marker": [0.25, math.nan, -1.5],
        "stage": pd.array(["1", "2", "1"], dtype="string"),
        "smoker": pd.array(["true", None, "false"], dtype="string"),
        "ward": pd.array(["7", "7b", None], dtype="string"),
        "death_days": [10.0, 20.5, 30.0],
        "death_event": [0, 1, 2],
        "visits_value": [0.0, 2.0, 5.0],
        "visits_person_days": [90.0, 90.0, 45.0],
    }
)


def test_patients_take_the_form_of_their_source() -> None:
    restored = restore_source(DRAWN, COHORT, OUTCOMES)
    assert list(restored.columns) == [
        "replicate", "patient_id", "drug", "age", "marker", "stage", "smoker", "ward", "time", "status", "visits", "observed",
    ]  # fmt: skip
    assert restored["drug"].tolist() == [1, 0, 1]
    assert restored["status"].tolist() == [0, 3, 7]
    assert restored["stage"].tolist() == [1, 2, 1]
    assert restored["smoker"].fillna(False).tolist() == [True, False, False]
    assert restored["ward"].fillna("").tolist() == ["7", "7b", ""]
    assert [restored[name].dtype.kind for name in ("drug", "age", "marker", "stage", "smoker", "time")] == ["i", "i", "f", "i", "b", "f"]


def test_the_protocols_cohort_takes_them_back() -> None:
    restored = restore_source(DRAWN.assign(age=[50.0, 61.0, 70.0]), COHORT, OUTCOMES)
    applied = list_applied(COHORT, restored.columns)
    assert applied == ("consented",)
    selection = select_cohort(restored, COHORT, OUTCOMES, "patient_id", applied=applied)
    pd.testing.assert_frame_equal(selection.cohort, DRAWN.assign(age=[50.0, 61.0, 70.0]))
    assert selection.attrition["excluded"].sum() == 0
    assert selection.attrition["reason"].iloc[-1] == "consent is needed (applied before the release)"


def test_a_column_that_two_outcomes_drew_apart_is_refused() -> None:
    outcomes = OutcomesSection.of(
        {
            name: {"type": "survival", "days": "time", "event": name, "follow_up_days": 100, "horizons_days": [30], "contrasts": ["hazard_ratio"]}
            for name in ("death", "relapse")
        }
    )
    drawn = DRAWN.assign(death_event=[0, 1, 0], relapse_event=[0, 0, 1], relapse_days=DRAWN["death_days"])
    assert restore_source(drawn, COHORT, outcomes)["time"].tolist() == [10.0, 20.5, 30.0]
    with pytest.raises(ReleaseError, match='the column "time"'):
        restore_source(drawn.assign(relapse_days=[9.0, 20.5, 30.0]), COHORT, outcomes)


PROTOCOL = Protocol.of(
    TINY
    | {
        "synthesis": {"replicates": 2, "generators": {"sequential": {"method": "sequential"}}},
        "data": TINY["data"] | {"rare_levels": {"clinic": ["stage"]}},
    }
)
TINY_DRAWN = pd.DataFrame(
    {
        "replicate": [0, 0, 1, 1],
        "patient_id": pd.array(["1", "2"] * 2, dtype="string"),
        "treated": [True, False] * 2,
        "age": [50.0, 61.0, 40.0, 33.0],
        "marker": [0.25, math.nan, -1.5, 2.0],
        "stage": pd.array(["I", "II", "I", "III"], dtype="string"),
        "death_days": [10.0, 20.0, 30.0, 40.0],
        "death_event": [0, 1, 1, 0],
    }
)
SITE = SiteRelease(
    cohort=TINY_DRAWN,
    sha256="a" * 64,
    attrition=pd.DataFrame({"step": [0, 1], "remaining_treated": [400, 185], "remaining_comparator": [400, pd.NA]}),
    characteristics=pd.DataFrame(
        {
            "covariate": ["age", *["stage"] * 3],
            "kind": ["numeric", "categorical", "categorical", "missing"],
            "level": [None, "I", "(other levels)", None],
        }
    ),
    aggregates={
        "combined": pd.DataFrame({"estimate": [0.8]}),
        "robustness": pd.DataFrame({"measure": ["e_value", "added_error_mean", "calibrated_shift"], "value": [1.5, 0.07, 0.6]}),
        "agreement": pd.DataFrame({"value": [0.3]}),
        "fidelity": pd.DataFrame({"metric": ["rmst_gap"], "value": [1.25]}),
    },
)


def gate(metric: str, value: float, threshold: float) -> dict[str, Any]:
    return {"metric": metric, "variable": None, "value": value, "threshold": threshold, "outcome": "passed", "reason": f"{metric}: {value:.3f}."}


def verdict_of(outcome: str = "release", **changes: object) -> dict[str, Any]:
    gates = [gate("shift_in_real_se", -0.41, 1.0), gate("propensity_c_gap", 0.012, 0.03), gate("membership_auc", 0.52, 0.6)]
    gates += [gate("linkability", 0.0, 0.1) | {"outcome": "not_informative"}]
    passed = ["3 of 4 gates passed, none failed.", "Not informative, which is not the same as safe: linkability."]
    reasons = passed if outcome == "release" else ["One gate failed.", "Another too."]
    entry = {"verdict": outcome, "certified": False, "reasons": reasons, "gates": gates, "patients_sha256": "a" * 64}
    registration = {"attempt": 1, "before_effects": True, "changed": []}
    sites = {"clinic": {"sequential": entry | changes, "tvae": {"verdict": "do_not_release"}}}
    return {"study": "tiny", "protocol_digest": PROTOCOL.digest, "registration": registration, "certified": False, "sites": sites}


def build(verdict: dict[str, Any], protocol: Protocol = PROTOCOL) -> dict[str, bytes]:
    return build_release(protocol, "sequential", verdict=verdict, sites={"clinic": SITE}, signed=True, parallax="1.0")


def test_a_release_is_whole_and_the_same_every_time() -> None:
    files = build(verdict_of())
    assert files == build(verdict_of())
    listed = [line.split("  ")[1] for line in files[SUMS].decode().splitlines()]
    assert listed == sorted(set(files) - {SUMS})
    assert "aggregates/clinic/combined.csv" in files
    assert not {"aggregates/clinic/agreement.csv", "aggregates/clinic/fidelity.csv"} & set(files), "what sets it beside the real patients stays"
    assert files["aggregates/clinic/robustness.csv"] == b"measure,value\ne_value,1.5\n"
    with_pooled = build(verdict_of() | {"pooled": [{"way": "aggregates", "dataset": "tvae", "shift": 0.3}]})
    assert with_pooled["verdict.json"] == files["verdict.json"], "nothing of other generators, nor of pooled answers"
    assert b"tvae" not in files["verdict.json"]


def test_the_card_says_what_the_gates_tell() -> None:
    card = build(verdict_of())["MODEL_CARD.md"].decode()
    for said in (
        "AI-generated patients.",
        "| clinic | 185 | <10 | 2 |",
        "the real hazard ratio of death by day 60 (design overlap) lies within ±1 of its own standard errors of the synthetic one",
        "The shift found is -0.410.",
        "lies within ±0.03 of the synthetic one (it is -0.012 from it)",
        "report q with the variance v + b/2",
        "Epsilon | none: not differentially private",
        "Site clinic: **release**. 3 of 4 gates passed, none failed. Not informative, which is not the same as safe: linkability.",
        "A replicate has as many rows as the real cohort has patients",
    ):
        assert said in card


def test_rare_levels_leave_only_where_the_protocol_accepts_them() -> None:
    # the site's shown Table 1 names stage I alone; II and III were drawn
    card = build(verdict_of())["MODEL_CARD.md"].decode()
    assert "Levels that fewer than 10 real patients at clinic had stand here by name, which the study's own tables keep back" in card
    assert "the protocol accepts it for stage (`data.rare_levels`)" in card
    assert find_rare_levels(TINY_DRAWN.assign(stage="I"), SITE.characteristics) == ()
    strict = PROTOCOL.model_copy(update={"data": PROTOCOL.data.model_copy(update={"rare_levels": {}})})
    with pytest.raises(ReleaseError) as caught:
        build(verdict_of() | {"protocol_digest": strict.digest}, strict)
    told = str(caught.value)
    assert "clinic: a level that few real patients had, in stage\n" in told
    assert "accept them: data.rare_levels: {clinic: [stage]}" in told
    assert "II" not in told


def test_a_protocol_of_after_the_effects_stands_at_the_head_of_the_card() -> None:
    def head(protocol: Protocol, **registration: object) -> str:
        verdict = verdict_of() | {"protocol_digest": protocol.digest}
        files = build(verdict | {"registration": verdict["registration"] | registration}, protocol)
        return files["MODEL_CARD.md"].decode().partition("| Study |")[0]

    assert ">" not in head(PROTOCOL)
    content: Any = PROTOCOL.plain()
    content["validation"]["gates"] |= {"shift_in_real_se": 2.5, "km_gap": 0.02, "effective_patients": 5}
    late = head(Protocol.of(content), attempt=2, before_effects=False, changed=["validation.gates.shift_in_real_se"])
    changed = "attempt 2 of this study, was changed after real effects had been computed, in validation.gates.shift_in_real_se."
    assert f"> **The protocol, {changed}**" in late
    assert "which stand in brackets: `shift_in_real_se` 2.5 (1), `effective_patients` 5 (30)." in late


def test_levels_that_a_spreadsheet_takes_for_formulas_are_told() -> None:
    assert "formulas" not in build(verdict_of())["README.md"].decode()
    site = replace(SITE, cohort=TINY_DRAWN.assign(stage=pd.array(["I", "=1+1", "I", "III"], dtype="string")))
    files = build_release(PROTOCOL, "sequential", verdict=verdict_of(), sites={"clinic": site}, signed=True, parallax="1.0")
    assert "take some levels of stage for formulas" in files["README.md"].decode()
    assert b",=1+1," in files["patients/clinic.csv"], "what is released is what was drawn"


def test_a_private_generator_is_told_apart() -> None:
    card = Card(PROTOCOL, "sequential", (), (), "", fixed_before=True, formulas=(), certified=False, guarantee=None, parallax="1.0")
    assert any("names the seed" in text for text in tell_limits(card))
    assert any("one column of a synthetic patient may be a real patient's" in text for text in tell_limits(card))
    assert any("fitted without the held-out real patients" in text for text in tell_limits(card))
    turns = card.protocol.model_copy(update={"synthesis": card.protocol.synthesis.model_copy(update={"hold_out": 0.5, "hold_out_in_turn": True})})
    assert any("2 fits of the same procedure, each without another 50%" in text for text in tell_limits(replace(card, protocol=turns)))
    private = tell_limits(replace(card, guarantee=Guarantee(2.0, 1e-6, "one record", "all replicates", "the verdict")))
    assert any("epsilon 2 and delta 1e-06 (neighbours: one record). Covered: all replicates. Not covered: the verdict." in text for text in private)
    assert not any("seed" in text or "one column" in text for text in private)


def test_an_uncertified_generator_of_a_certified_study_is_told_apart() -> None:
    def told(gates: tuple[dict[str, str], ...], *, certified: bool = False) -> str:
        site = SiteCard("clinic", None, None, (4,), gates, (), ())
        card = Card(PROTOCOL, "sequential", (site,), (), "", fixed_before=True, formulas=(), certified=certified, guarantee=None, parallax="1.0")
        return tell_limits(card)[-1]

    assert told(()) == "Not certified: that these gates would have caught a bad generator was not simulated for this study."
    assert told(({"metric": "detection"},)).startswith("Not certified: that the agreement gate would have caught a flat copula was simulated")
    assert told(({"metric": "detection"},), certified=True).startswith("Certified:")


def test_the_dictionary_holds_no_smallest_and_no_largest_value() -> None:
    text = build(verdict_of())["dictionary.csv"].decode()
    assert "age,covariate,integer,,," in text
    assert "I | II | III" in text
    assert "days,outcome,integer,days,,follow-up time of death" in text
    assert not {"33", "61", "40"} & set(text.replace(",", " ").split())


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        (verdict_of("do_not_release"), ("do not release. One gate failed.", "Another too.")),
        (verdict_of("inconclusive"), ("inconclusive. One gate failed.",)),
        (verdict_of(patients_sha256="b" * 64), ("the patients are not those that the verdict is about",)),
        (verdict_of() | {"protocol_digest": "c" * 64}, ("verdict.json is of another protocol",)),
    ],
)
def test_what_did_not_pass_is_refused_with_every_reason(verdict: dict[str, Any], said: tuple[str, ...]) -> None:
    with pytest.raises(ReleaseError) as caught:
        build(verdict)
    for words in ("refused, nothing was written", *said):
        assert words in str(caught.value)


def test_the_released_protocol_is_the_study_but_for_its_data() -> None:
    content = yaml.safe_load(render_protocol(PROTOCOL))
    assert content["data"] == {"sites": {"clinic": {"source": "release", "path": ".", "site": "clinic"}}}
    released = Protocol.of(content)
    assert released.study_digest == PROTOCOL.study_digest
    assert released.digest != PROTOCOL.digest
    assert (released.ai_generated, PROTOCOL.ai_generated) == (True, False)
    with pytest.raises(ReleaseError, match="the patients of clinic are AI-generated themselves"):
        build(verdict_of() | {"protocol_digest": released.digest}, released)


def test_what_asks_for_other_places_stays_out_of_the_released_protocol() -> None:
    content: Any = PROTOCOL.plain()
    sites = dict.fromkeys(("clinic", "ward"), content["data"]["sites"]["clinic"])
    pooling = {"here": ["clinic"], "score": "common", "site_results": {"far": {"path": "/home/somebody/far.json", "public_key": "far.pem"}}}
    protocol = Protocol.of(content | {"data": {"sites": sites}, "pooling": pooling})
    text = render_protocol(protocol)
    assert "far" not in text
    released = Protocol.of(yaml.safe_load(text))
    assert check_protocol(released) == []
    assert (released.pooling.score, released.pooling.here) == ("common", ())
    assert released.study_digest == protocol.study_digest
    row = results("file", 0.5, 0.1).estimates
    assert len(compare_results(Results(protocol.plain(), row), Results(released.plain(), row))) == 1


def results(source: str, estimate: float, std_error: float, **changes: object) -> Results:
    plain: Any = PROTOCOL.plain()
    data = {"sites": {"clinic": {"source": source}}}
    lower, upper = (float(np.exp(np.log(estimate) + sign * 2 * std_error)) for sign in (-1, 1))
    row = {
        "site": "clinic", "dataset": "real", "design": "overlap", "outcome": "death", "contrast": "hazard_ratio", "horizon_days": 60.0,
        "estimate": estimate, "lower": lower, "upper": upper, "std_error": std_error, "status": "ok", "reason": None,
    }  # fmt: skip
    return Results(plain | {"data": data} | changes, pd.DataFrame([row, row | {"dataset": "sequential", "estimate": 9.0}]))


def test_the_difference_is_in_standard_errors_of_the_real_study() -> None:
    # log 0.8 − log 0.5 = log 1.6; 1.6 = e^0.47: with a real standard error of log(1.6)/2 the difference is 2
    unit = math.log(1.6) / 2
    real, synthetic = results("file", 0.5, unit), results("release", 0.8, unit / 2)
    for this, other, sign in ((real, synthetic, -1), (synthetic, real, 1)):
        table = compare_results(this, other)
        assert len(table) == 1
        assert table["difference_in_se"].iloc[0] == pytest.approx(sign * 2)
        # intervals on the logarithmic scale in units: real −2 … 2, synthetic 1 … 3 about log 0.5: shared 1 of 4 and of 2
        assert table["ci_overlap"].iloc[0] == pytest.approx((1 / 4 + 1 / 2) / 2)


@pytest.mark.parametrize(
    ("verdict", "estimates"),
    [
        ({}, {}),
        ({"protocol_digest": PROTOCOL.digest}, {"std_error": None}),
        ({"protocol_digest": PROTOCOL.digest}, {"std_error": "wide"}),
    ],
)
def test_what_is_no_result_is_seen_when_it_is_read(verdict: dict[str, Any], estimates: dict[str, Any]) -> None:
    register = register_protocol("", PROTOCOL, effects_known=False, registered="2026-01-01T00:00:00+00:00", parallax="1.0", commit=None)
    table = results("file", 0.5, 0.1).estimates
    assert Results.of(register, {"protocol_digest": PROTOCOL.digest}, table).sites == ("clinic",)
    with pytest.raises((KeyError, ValueError)):
        Results.of(register, verdict, table.assign(**estimates).drop(columns=[name for name, value in estimates.items() if value is None]))


def test_pooled_answers_are_not_compared() -> None:
    study = results("file", 0.5, 0.1)
    ways = [study.estimates.assign(site="pooled", way=way) for way in ("individual", "aggregates")]
    with_pooled = Results(study.protocol, pd.concat([study.estimates, *ways]))
    assert compare_results(with_pooled, with_pooled)["site"].tolist() == ["clinic"]


def test_other_studies_are_not_compared_and_the_keys_are_named() -> None:
    changed: Any = PROTOCOL.plain()
    changed["disclosure"]["minimum_count"] = 5
    changed["question"]["estimand"] = "ATT"
    with pytest.raises(ReleaseError, match=r"differ in question\.estimand, disclosure\.minimum_count"):
        compare_results(results("file", 0.5, 0.1), results("release", 0.8, 0.1, **{name: changed[name] for name in ("disclosure", "question")}))
    elsewhere = results("release", 0.8, 0.1, data={"sites": {"ward": {"source": "release"}}})
    with pytest.raises(ReleaseError, match="no site in common: clinic; ward"):
        compare_results(results("file", 0.5, 0.1), elsewhere)
