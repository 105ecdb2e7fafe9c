"""Rates, Monte-Carlo errors and counting of simulated studies; the power of the gate; the certificate in a verdict."""

from __future__ import annotations

from math import inf, log, nan, sqrt

import pandas as pd
import pytest
from scipy.special import ndtr

from byhand.test_verdict import judge, judge_certified
from parallax.certification.certificate import certify, record
from parallax.certification.power import GatePower
from parallax.certification.studies import list_effects
from parallax.certification.summary import summarise
from parallax.errors import NotEstimable, ProtocolError
from parallax.protocol.protocol import Protocol
from parallax.protocol.validation import Certification
from parallax.reporting.certificates import tell_certificate
from parallax.statistics.intervals import wilson_interval
from parallax.tables import SIMULATED_STUDIES
from parallax.validation.evidence import share_to_show, studies_to_show
from parallax.validation.verdict import VerdictRecord
from workflow.conftest import PROTOCOL


def studies(generator: str, effect: str, rule: str, truth: float, answers: list[tuple], gate: list[tuple] | None = None) -> pd.DataFrame:
    """Answers are (estimate, standard error, lower, upper) or () where there is none; gates (shift, passed, overlap, between)."""
    rows = []
    for number, answer in enumerate(answers):
        row = {"generator": generator, "effect": effect, "repetition": number, "rule": rule, "truth": truth, "reason": None if answer else "why"}
        row |= dict(zip(("estimate", "std_error", "lower", "upper"), answer, strict=False))
        if gate is not None:
            row |= dict(zip(("shift", "passed", "ci_overlap", "between"), gate[number], strict=True))
        rows.append(row)
    return SIMULATED_STUDIES.validate(pd.DataFrame(rows, columns=list(SIMULATED_STUDIES.columns)))


FOUR = [(0.1, 0.1, -0.1, 0.3), (0.3, 0.1, 0.1, 0.5), (-0.1, 0.2, -0.5, 0.3), (0.5, 0.2, 0.1, 0.9)]
GATES = [(0.5, True, 0.9, 1.0), (1.5, False, 0.7, 1.0), (-2.5, False, 0.5, 1.0), (nan, pd.NA, nan, nan)]


def value(table: pd.DataFrame, metric: str, column: str = "value", **labels: str) -> float:
    for name, label in labels.items():
        table = table[table[name] == label]
    (found,) = table.loc[table["metric"] == metric, column]
    return float(found)


def test_rates_of_four_studies() -> None:
    table = summarise(studies("g", "minimal_important", "naive", 0.2, FOUR), patients=100, replicates=10)
    # errors −0.1, 0.1, −0.3, 0.3: mean 0, sum of squares 0.2
    assert value(table, "bias") == pytest.approx(0)
    assert value(table, "bias", "monte_carlo_error") == pytest.approx(sqrt(0.2 / 3 / 4))
    assert value(table, "empirical_se") == pytest.approx(sqrt(0.2 / 3))
    assert value(table, "empirical_se", "monte_carlo_error") == pytest.approx(sqrt(0.2 / 3) / sqrt(6))
    # variances 0.01, 0.01, 0.04, 0.04: mean 0.025, variance 0.0003
    assert value(table, "model_se") == pytest.approx(sqrt(0.025))
    assert value(table, "model_se", "monte_carlo_error") == pytest.approx(sqrt(0.0003 / (4 * 4 * 0.025)))
    assert value(table, "coverage") == 1.0
    assert value(table, "power") == 0.5
    assert value(table, "power", "monte_carlo_error") == 0.25
    assert value(table, "estimable") == 1.0
    assert set(table["metric"]).isdisjoint({"type_1_error", "gate_failure"})
    assert set(table["repetitions"]) == {4}


def test_coverage_is_of_the_truth_and_rejection_of_the_null() -> None:
    table = summarise(studies("g", "no_effect", "naive", 0.0, FOUR), patients=100, replicates=10)
    assert value(table, "coverage") == 0.5
    assert value(table, "type_1_error") == 0.5


def test_what_the_gate_cannot_judge_is_neither_caught_nor_spared() -> None:
    table = summarise(studies("g", "no_effect", "partial", 0.0, [*FOUR[:3], ()], GATES), patients=100, replicates=10)
    assert value(table, "gate_failure") == pytest.approx(2 / 3)
    assert value(table, "gate_failure", "repetitions") == 3
    assert value(table, "gate_failure", "monte_carlo_error") == pytest.approx(sqrt(2 / 9 / 3))
    assert value(table, "gate_undecided") == 0.25
    assert value(table, "gate_undecided", "repetitions") == 4
    assert value(table, "mean_shift") == pytest.approx(-0.5 / 3)
    assert value(table, "estimable") == 0.75
    assert value(table, "ci_overlap_5") == pytest.approx(0.5 + 0.1 * 0.2)
    assert value(table, "bias", "repetitions") == 3


def test_a_study_with_a_shift_that_the_gate_does_not_judge_is_in_no_other_number_of_it() -> None:
    untestable = (9.0, pd.NA, -3.0, 1.0)
    table, judged = (
        summarise(studies("g", "no_effect", "partial", 0.0, FOUR[:size], [*GATES[:3], untestable][:size]), patients=100, replicates=10)
        for size in (4, 3)
    )
    assert value(table, "gate_undecided") == 0.25
    for metric in ("gate_failure", "mean_shift", "sd_shift", "ci_overlap_5"):
        assert value(table, metric) == value(judged, metric)
    nothing = summarise(studies("g", "no_effect", "partial", 0.0, FOUR, [untestable] * 4), patients=100, replicates=10)
    assert value(nothing, "gate_undecided") == 1.0
    assert set(nothing["metric"]).isdisjoint({"gate_failure", "mean_shift", "sd_shift", "ci_overlap_5"})


def test_the_studys_own_answer_is_counted_once() -> None:
    own = studies("real", "no_effect", "none", 0.0, FOUR)
    table = summarise(pd.concat([own, own, own]), patients=100, replicates=10)
    assert value(table, "bias", "repetitions") == 4


def test_wilson_interval_of_newcombes_examples() -> None:
    # Newcombe 1998, table I, method 3
    for successes, size, lower, upper in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)):
        assert wilson_interval(successes, size) == pytest.approx((lower, upper), abs=6e-5)


def test_power_of_the_gate_is_that_of_a_normal_shift() -> None:
    power = GatePower(shift=1.5, deviation=0.5, between=1.0, patients=400, replicates=10, threshold=1.0)
    assert power.at() == pytest.approx(ndtr(1.0) + ndtr(-5.0))
    assert power.at(patients=1600) == pytest.approx(ndtr(4.0) + ndtr(-8.0))
    # 0.25 − 0.1 + 0.02
    assert power.at(replicates=50) == pytest.approx(ndtr(0.5 / sqrt(0.17)) + ndtr(-2.5 / sqrt(0.17)))


def test_patients_and_replicates_that_would_do() -> None:
    power = GatePower(shift=1.2, deviation=0.6, between=2.0, patients=1000, replicates=10, threshold=1.0)
    found = power.patients_for(0.8)
    # 1.2 √(n/1000) − 1 = 0.6 · 0.8416
    assert found == pytest.approx(1000 * ((1 + 0.6 * 0.8416) / 1.2) ** 2, rel=0.07)
    assert power.at(patients=found) >= 0.8
    # {(1.2 − 1)/0.8416}² = 0.0565 = 0.36 − 0.2 + 2/m is out of reach
    assert power.replicates_for(0.8) is None
    assert GatePower(1.6, 0.8, 4.0, 1000, 10, 1.0).replicates_for(0.8) == 15  # 0.24 + 4/m ≤ (0.6/0.8416)² = 0.5083, m ≥ 14.9
    assert GatePower(0.0, 0.6, 2.0, 1000, 10, 1.0).patients_for(0.8) is None
    assert GatePower(-3.0, 0.6, 2.0, 1000, 10, 1.0).patients_for(0.8) == 1000


def test_one_study_has_no_power() -> None:
    with pytest.raises(NotEstimable):
        GatePower.of(studies("g", "no_effect", "partial", 0.0, FOUR[:1], GATES[:1]), patients=100, replicates=10, threshold=1.0)


def test_effects_of_a_protocol() -> None:
    assert list_effects(Certification(minimal_important_effect=0.8), ratio=True) == pytest.approx(
        {"no_effect": 0.0, "minimal_important": log(0.8), "stronger": 2 * log(0.8)}
    )
    assert list_effects(Certification(minimal_important_effect=-0.1, stronger_effect=-0.3), ratio=False) == pytest.approx(
        {"no_effect": 0.0, "minimal_important": -0.1, "stronger": -0.3}
    )
    with pytest.raises(ProtocolError, match="minimal_important_effect"):
        list_effects(Certification(), ratio=True)


def protocol(**certification: object) -> Protocol:
    return Protocol.of(PROTOCOL | {"validation": {"certification": {"repetitions": 200, "minimal_important_effect": 0.8} | certification}})


def test_which_generators_are_certified() -> None:
    assert protocol().certified_generators == ("sequential", "gaussian_copula")
    assert protocol().flat_copula == "gaussian_copula"
    assert protocol().simulated_generators == ("sequential", "gaussian_copula", "correct")
    assert protocol(generators=["sequential"]).simulated_generators == ("sequential", "correct", "flat_copula")
    with_network = PROTOCOL | {"synthesis": {"generators": {"net": {"method": "tvae"}, "cart": {"method": "cart"}}}}
    assert Protocol.of(with_network).certified_generators == ("cart",)


@pytest.mark.parametrize("own", [{"default_distribution": "norm"}, {}])
def test_a_copula_that_is_flat_at_some_sites_only_stands_in_for_nothing(own: dict[str, str]) -> None:
    content = protocol().plain()
    content["data"]["sites"] |= {"ward": content["data"]["sites"]["clinic"]}
    content["synthesis"]["at_sites"] = {"ward": {"gaussian_copula": {"method": "gaussian_copula"} | own}}
    found = Protocol.of(content)
    assert found.flat_copula == (None if own else "gaussian_copula")
    assert ("flat_copula" in found.simulated_generators) == bool(own)


def test_the_protocols_own_flat_copula_stands_in_for_the_reference() -> None:
    caught = studies("gaussian_copula", "minimal_important", "partial", -0.2, FOUR, [*GATES[:3], (3.0, False, 0.1, 1.0)])
    spared = studies("correct", "minimal_important", "partial", -0.2, FOUR, [GATES[0]] * 4)
    table, needed = certify(pd.concat([caught, spared]), protocol(), patients=400)
    found = record(table, needed, protocol())
    assert found["detection"]["value"] == 0.75
    assert found["false_alarm"]["value"] == 0.0
    assert found["undecided"]["value"] == 0.0
    assert (found["threshold"], found["undecided_allowed"]) == (0.8, 0.1)
    assert value(table, "gate_failure", generator="flat_copula") == value(table, "gate_failure", generator="gaussian_copula")
    told = tell_certificate(table, protocol())
    assert told[0] == (
        "Where the smallest effect that matters is the truth, the agreement gate catches a flat copula in 75.0% (30.1–95.4%) of the studies, "
        "and the interval must begin at 80%: its pass is no evidence here."
    )


def test_an_interval_begins_at_the_threshold_where_the_score_test_just_rejects_it() -> None:
    for size in (16, 200, 1000):
        asked = share_to_show(0.8, size)
        # Wilson's interval at a share that is no count
        lower, upper = ((asked + 1.96**2 / (2 * size) + side * _half(asked, size)) / (1 + 1.96**2 / size) for side in (-1, 1))
        assert lower == pytest.approx(0.8, abs=1e-5)
        assert upper > asked
    assert share_to_show(0.8, 200) == pytest.approx(0.855436)
    assert wilson_interval(172, 200)[0] >= 0.8 > wilson_interval(171, 200)[0]
    assert studies_to_show(0.8, 0.8555) == 200
    assert studies_to_show(0.8, 0.82) == 1537  # 1.96² · 0.16 / 0.02²
    assert studies_to_show(0.8, 0.8) is None


def _half(share: float, size: int) -> float:
    return 1.96 * sqrt((share * (1 - share) + 1.96**2 / (4 * size)) / size)


@pytest.mark.parametrize(("detection", "fewest"), [(0.5, 4), (0.8, 16), (0.95, 73)])
def test_fewer_studies_cannot_show_it(detection: float, fewest: int) -> None:
    assert Certification(detection=detection).fewest_repetitions == fewest
    assert wilson_interval(fewest, fewest)[0] >= detection > wilson_interval(fewest - 1, fewest - 1)[0]


def certified_copulas(caught: int, missed: int, undecided: int) -> tuple[pd.DataFrame, dict]:
    gates = [(1.5, False, 0.7, 1.0)] * caught + [(0.5, True, 0.9, 1.0)] * missed + [(2.5, pd.NA, 0.5, 1.0)] * undecided
    table, needed = certify(
        studies("flat_copula", "minimal_important", "partial", -0.2, [FOUR[0]] * len(gates), gates), protocol(generators=["sequential"]), patients=400
    )
    return table, record(table, needed, protocol())


@pytest.mark.parametrize(
    ("counts", "verdict"),
    [
        ((172, 28, 0), "release"),
        ((171, 29, 0), "inconclusive"),
        ((164, 36, 0), "inconclusive"),
        ((1, 0, 0), "inconclusive"),
        ((15, 0, 0), "inconclusive"),
        ((16, 0, 0), "release"),
        ((180, 0, 20), "release"),
        ((179, 0, 21), "inconclusive"),
        ((1, 1, 18), "inconclusive"),
        ((0, 0, 20), "inconclusive"),
    ],
)
def test_detection_must_be_shown_in_studies_that_the_gate_could_judge(counts: tuple[int, int, int], verdict: str) -> None:
    table, found = certified_copulas(*counts)
    assert judge_certified(found).verdict == verdict
    told = tell_certificate(table, protocol(generators=["sequential"]))[0]
    assert ("no evidence" in told) == (verdict == "inconclusive")


def test_what_is_not_shown_says_what_would_show_it() -> None:
    (reason,) = judge_certified(certified_copulas(164, 36, 0)[1]).reasons
    assert reason.endswith(
        "would catch 0.820 (95 % interval 0.761 to 0.867) where the interval must begin at 0.8, so that its pass is no evidence; "
        "about 1 537 simulated studies that it can judge would do."
    )
    (reason,) = judge_certified(certified_copulas(1, 1, 18)[1]).reasons
    assert reason.endswith(
        "not evaluated, the agreement gate could not judge 0.900 of the simulated studies, at most 0.1 are allowed, so that what it catches of the "
        "others, 0.500 (95 % interval 0.095 to 0.905), is no evidence."
    )
    assert tell_certificate(certified_copulas(1, 1, 18)[0], protocol(generators=["sequential"]))[0] == (
        "Where the smallest effect that matters is the truth, the agreement gate catches a flat copula in 50.0% (9.5–90.5%) of the studies that it "
        "can judge; 90.0% it cannot, at most 10% are allowed: its pass is no evidence here."
    )


def test_patients_that_would_do_are_those_whose_detection_would_be_shown() -> None:
    _, found = certified_copulas(120, 80, 0)
    table = studies(
        "flat_copula", "minimal_important", "partial", -0.2, [FOUR[0]] * 200, [(1.5, False, 0.7, 1.0)] * 120 + [(0.5, True, 0.9, 1.0)] * 80
    )
    power = GatePower.of(table, patients=400, replicates=3, threshold=1.0)
    assert found["needed"]["patients"] == power.patients_for(0.855436)
    assert power.at(patients=found["needed"]["patients"]) >= 0.855436
    assert found["needed"]["studies"] is None


def certificate_of(value: float, lower: float, upper: float, **needed: int | None) -> dict[str, object]:
    detection = {"value": value, "lower": lower, "upper": upper}
    wanted = {"patients": None, "replicates": None, "studies": None} | needed
    return {"threshold": 0.8, "undecided_allowed": 0.1, "detection": detection, "undecided": {"value": 0.0}, "needed": wanted}


def test_a_pass_is_evidence_where_the_gate_would_catch_a_flat_copula() -> None:
    found = judge_certified(certificate_of(0.9, 0.85, 0.935))
    assert found.verdict == "release"
    assert found.reasons == ("All 21 gates passed.",)
    gate = found.gates[-1]
    assert (gate.metric, gate.outcome, gate.judged) == ("detection", "passed", "lower")
    assert gate.reason.endswith(": 0.900 (95 % interval 0.850 to 0.935); the interval must begin at 0.8 or above.")


def test_a_generator_that_is_not_certified_in_a_certified_study_is_told_so() -> None:
    assert judge(certificate=certificate_of(0.9, 0.85, 0.935)).reasons == (
        "All 21 gates passed; that they would catch a flat copula is certified, how often they fail this generator though the effect is right "
        "was not simulated.",
    )


def test_a_pass_of_a_blind_gate_is_inconclusive_and_a_failure_still_counts() -> None:
    certificate = certificate_of(0.5, 0.43, 0.57, patients=2300)
    found = judge_certified(certificate)
    assert found.verdict == "inconclusive"
    assert found.reasons == (
        "Share of flat copulas that the agreement gate would catch in studies like this one: not evaluated, the agreement gate would catch "
        "0.500 (95 % interval 0.430 to 0.570) where the interval must begin at 0.8, so that its pass is no evidence; about 2 300 patients would do.",
    )
    assert judge_certified(certificate, shift=1.5).verdict == "do_not_release"


def test_a_certificate_without_a_judged_study_is_inconclusive() -> None:
    found: VerdictRecord = judge_certified(certified_copulas(0, 0, 20)[1])
    assert found.verdict == "inconclusive"
    assert "no simulated study could be judged" in found.reasons[0]
    assert found.plain()["gates"][-1]["value"] is None
    assert inf not in found.plain()["gates"][-1].values()
