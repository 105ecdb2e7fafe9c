"""Numbers and sentences as a reader meets them."""

from __future__ import annotations

import math

import pytest

from parallax.reporting.numbers import format_count, format_estimate, format_number, format_share, format_signed
from parallax.reporting.verdicts import decisive_reason, headline, read_verdicts, summarise
from parallax.reporting.wording import describe_effect, describe_variable, estimate_words

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
        "  not certified: the false-alarm rate of these gates has not been simulated for this study",
        "  report  results/rhc/report.html",
    ]
