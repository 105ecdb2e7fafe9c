"""Numbers and sentences as a reader meets them."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from parallax.protocol.designs import DesignsSection
from parallax.reporting.answers import tell_hazards
from parallax.reporting.numbers import format_count, format_estimate, format_number, format_share, format_signed
from parallax.reporting.sections import number_needed
from parallax.reporting.verdicts import decisive_reason, describe_registration, headline, read_verdicts, summarise
from parallax.reporting.wording import CONTRASTS, describe_design, describe_effect, describe_variable, estimate_words
from parallax.vocabulary import CONTRASTS as ALL_CONTRASTS
from parallax.vocabulary import RATIO_CONTRASTS

ARMS = {"treated": "treated (RHC)", "comparator": "comparator (No RHC)"}


@pytest.mark.parametrize(
    ("value", "text"), [(1.1755, "1.18"), (-0.94, "−0.940"), (123.4, "123"), (0.0123, "0.0123"), (0.0, "0"), (math.nan, "–"), (1e-9, "1.0e-09")]
)
def test_three_significant_digits(value: float, text: str) -> None:
    assert format_number(value) == text


def test_estimates_carry_their_interval_and_a_true_minus() -> None:
    assert format_estimate(1.1755, 1.0561, 1.3083, decimals=2) == "1.18 (1.06–1.31)"
    assert format_estimate(-0.94, -1.561, -0.319, decimals=2) == "−0.94 (−1.56 to −0.32)"
    assert format_estimate(1.2, math.nan, 2.0, decimals=1) == "1.2"
    assert format_number(-0.001, decimals=2) == "0.00"


def test_contrasts_have_units() -> None:
    assert estimate_words("risk_difference", 0.0444, 0.0146, 0.0743) == "4.4 (1.5–7.4)"
    assert estimate_words("rmst_difference", -8.18, -13.06, -3.3) == "−8.2 (−13.1 to −3.3)"
    assert describe_effect("death", "hazard_ratio", 30) == "hazard ratio of death by day 30"
    assert describe_effect("relapse_free", "hazard_ratio", math.nan) == "hazard ratio of relapse free over all follow-up"
    assert describe_variable("death/treated", ARMS) == "death, treated (RHC)"


def test_every_contrast_has_words_and_ratios_are_null_at_one() -> None:
    assert set(CONTRASTS) == set(ALL_CONTRASTS)
    assert {name for name, words in CONTRASTS.items() if words.null == 1} == RATIO_CONTRASTS


@pytest.mark.parametrize(
    ("contrast", "horizon", "words"),
    [
        ("interval_hazard_ratio", 180, "hazard ratio of death in the interval that ends on day 180"),
        ("interval_hazard_ratio", None, "hazard ratio of death after the last horizon"),
        ("hazard_ratio_trend", None, "late over early hazard ratio of death over all follow-up (p: test of proportional hazards)"),
        ("log_rank", 30, "Peto's one-step hazard ratio of death by day 30 (p: log-rank test)"),
        ("mean_difference", None, "mean difference of death"),
        ("odds_ratio", math.nan, "odds ratio of death"),
    ],
)
def test_effects_in_words(contrast: str, horizon: float | None, words: str) -> None:
    assert describe_effect("death", contrast, horizon) == words


def test_hazards_are_cause_specific_where_events_compete() -> None:
    assert describe_effect("relapse", "hazard_ratio", 30, competing={"relapse"}) == "cause-specific hazard ratio of relapse by day 30"
    assert describe_effect("relapse", "risk_difference", 30, competing={"relapse"}) == "risk difference (cumulative incidence) of relapse by day 30"
    assert describe_effect("death", "hazard_ratio", 30, competing={"relapse"}) == "hazard ratio of death by day 30"


def test_numbers_needed_are_one_over_the_difference() -> None:
    assert number_needed(0.05, 0.02, 0.1) == "number needed to harm 20 (10–50)"
    assert number_needed(-0.05, -0.1, -0.02) == "number needed to benefit 20 (10–50)"
    assert number_needed(0.05, -0.01, 0.1) == "number needed to harm 20, its interval through infinity to benefit"
    assert number_needed(-0.05, math.nan, math.nan) == "number needed to benefit 20"
    assert number_needed(0.0, -0.1, 0.1) == ""


def hazards(*rows: tuple[str, float, float, float, float, float]) -> pd.DataFrame:
    columns = ["contrast", "horizon_days", "estimate", "lower", "upper", "p_value"]
    return pd.DataFrame(rows, columns=columns).assign(outcome="death", design="overlap", status="ok", rule="none")


def test_a_hazard_ratio_that_changes_is_told_by_horizon() -> None:
    ratios = (("hazard_ratio", math.nan, 1.16, 1.05, 1.28, 0.004), ("hazard_ratio", 30.0, 1.31, 1.12, 1.5, 0.001))
    changing = tell_hazards(hazards(*ratios, ("hazard_ratio_trend", math.nan, 0.8, 0.7, 0.9, 0.003)), outcome="death", design="overlap")
    assert changing.startswith(
        "The hazard ratio of death is not constant (p = 0.003): 1.31 (1.12–1.50) by day 30; 1.16 (1.05–1.28) over all follow-up. "
    )
    apart = (("interval_hazard_ratio", 30.0, 2.0, 1.6, 2.4, 0.001), ("interval_hazard_ratio", math.nan, 1.1, 0.9, 1.3, 0.2))
    assert "the intervals of follow-up differ" in tell_hazards(hazards(*ratios, *apart), outcome="death", design="overlap")
    constant = tell_hazards(hazards(*ratios, ("hazard_ratio_trend", math.nan, 0.98, 0.9, 1.1, 0.6)), outcome="death", design="overlap")
    assert constant == "No departure from proportional hazards of death was found (p = 0.60)."
    assert tell_hazards(hazards(*ratios), outcome="death", design="overlap") == ""


def test_designs_that_model_the_outcome_in_words() -> None:
    plain = {
        "regression": {"method": "regression"},
        "standardised": {"method": "g_computation", "estimand": "ATT"},
        "tmle": {"method": "tmle", "estimand": "ATE"},
    }
    assert [describe_design(design) for _, design in DesignsSection.model_validate(plain).items()] == [
        "regression of the outcome on treatment and covariates",
        "g-computation, ATT",
        "doubly robust: targeted maximum likelihood, ATE",
    ]


def test_shifts_counts_and_shares() -> None:
    assert format_signed(0.42, decimals=2) == "+0.42"
    assert format_signed(-2.3, decimals=2) == "−2.30"
    assert format_count(None, minimum=10) == "<10"
    assert format_count(5735, minimum=10) == "5,735"
    assert format_share(0.381) == "38.1%"


def gate(metric: str, value: float | None, threshold: float, outcome: str, **other: object) -> dict[str, object]:
    return {
        "metric": metric, "variable": None, "value": value, "lower": None, "upper": None, "threshold": threshold, "direction": "absolute_at_most",
        "judged": "value", "outcome": outcome, "reason": "", **other,
    }  # fmt: skip


RECORD = {
    "study": "rhc",
    "registration": {"attempt": 1, "before_effects": True, "changed": []},
    "certified": False,
    "sites": {
        "support": {
            "sequential": {
                "verdict": "release",
                "gates": [gate("shift_in_real_se", -0.41, 1.0, "passed"), gate("propensity_c_gap", 0.01, 0.03, "passed")],
            },
            "gaussian_copula": {
                "verdict": "do_not_release",
                "gates": [gate("shift_in_real_se", -2.5, 1.0, "failed"), gate("propensity_c_gap", -0.15, 0.03, "failed")],
            },
            "tvae": {
                "verdict": "inconclusive",
                "gates": [
                    gate(
                        "shift_in_real_se",
                        None,
                        1.0,
                        "not_evaluated",
                        reason="Shift of the primary estimate: not evaluated, the generator failed at fit: no memory.",
                    )
                ],
            },
        }
    },
}


def test_one_plain_sentence_decides() -> None:
    verdicts = read_verdicts(RECORD)
    told = [decisive_reason(verdict, primary="hazard ratio of death by day 30", arm_labels=ARMS) for verdict in verdicts]
    assert told[0] == "Every gate passed: the hazard ratio of death by day 30 lies 0.41 real standard errors from the real one."
    assert (
        told[1]
        == "The hazard ratio of death by day 30 lies 2.50 real standard errors from the real one (at most 1 is allowed); one other gate fails too."
    )
    assert told[2] == "Shift of the primary estimate: not evaluated, the generator failed at fit: no memory."
    assert decisive_reason(verdicts[2], primary="", arm_labels=ARMS, crash="the generator stopped") == "The generator stopped."


def test_an_upper_bound_is_told_where_it_was_judged() -> None:
    entry = gate("membership_auc", 0.58, 0.6, "failed", upper=0.63, judged="upper", direction="at_most")
    record = {"sites": {"support": {"copier": {"verdict": "do_not_release", "gates": [entry]}}}}
    told = decisive_reason(read_verdicts(record)[0], primary="", arm_labels=ARMS)
    assert told == "An attacker may tell whom the generator saw: AUC up to 0.630 (at most 0.6 is allowed)."


def test_headline_names_who_may_be_released() -> None:
    assert headline(read_verdicts(RECORD)) == "One of three generators may be released: sequential."
    two = {"sites": RECORD["sites"] | {"oslo": RECORD["sites"]["support"]}}  # type: ignore[operator]
    assert headline(read_verdicts(two)) == "Two of six verdicts allow a release: sequential (support), sequential (oslo)."
    alone = {"sites": {"support": {"sequential": RECORD["sites"]["support"]["sequential"]}}}  # type: ignore[index]
    assert headline(read_verdicts(alone)) == "The only generator may be released: sequential."


def test_decimals_follow_the_size_unless_told() -> None:
    assert estimate_words("rmst_difference", -5.19, -9.99, -0.39) == "−5.19 (−9.99 to −0.39)"
    assert estimate_words("rmst_difference", -5.19, -9.99, -0.39, decimals=1) == "−5.2 (−10.0 to −0.4)"


def test_summary_of_a_run() -> None:
    assert summarise(RECORD, "results/rhc/report.html").splitlines() == [
        "Verdicts of the study rhc",
        "",
        "  ✓ sequential       release         effect shift −0.41 SE (at most 1)",
        "  ✕ gaussian_copula  do not release  effect shift −2.50 SE (at most 1), and one more",
        "  ? tvae             inconclusive    the generator failed at fit: no memory.",
        "",
        "  the protocol was registered before any real effect was computed",
        "  not certified: the false-alarm rate of these gates has not been simulated for this study",
        "  report  results/rhc/report.html",
    ]


@pytest.mark.parametrize(
    ("registration", "words"),
    [
        ((1, True, []), "The protocol was registered before any real effect was computed."),
        ((3, True, []), "The protocol, attempt 3 of this study, was registered before any real effect was computed."),
        ((1, False, []), "The protocol was registered after real effects had been computed."),
        (
            (2, False, ["validation.gates.km_gap"]),
            "The protocol, attempt 2 of this study, was changed after real effects had been computed, in validation.gates.km_gap.",
        ),
        (
            (9, False, ["a", "b", "c", "d", "e", "f"]),
            "The protocol, attempt 9 of this study, was changed after real effects had been computed, in a, b, c, d and two more.",
        ),
    ],
)
def test_when_a_protocol_was_registered(registration: tuple[int, bool, list[str]], words: str) -> None:
    assert describe_registration(dict(zip(("attempt", "before_effects", "changed"), registration, strict=True))) == words
