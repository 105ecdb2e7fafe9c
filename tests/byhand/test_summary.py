"""A family of hypotheses, subgroups and robustness over a dataset's combined estimates, on numbers worked by hand."""

from __future__ import annotations

from math import exp, log, sqrt

import numpy as np
import pandas as pd
import pytest

from parallax.protocol.outcomes import OutcomesSection
from parallax.protocol.question import Hypothesis
from parallax.tables import COMBINED, PERMUTATIONS, SUBGROUPS, empty_table
from parallax.validation.combining import adjust_family
from parallax.validation.robustness import assess_robustness
from parallax.validation.subgroups import measure_interactions
from validation_tables import combined_row

SURVIVAL = {"type": "survival", "days": "d", "event": "e", "follow_up_days": 365, "horizons_days": [30], "contrasts": ["hazard_ratio"]}
OUTCOMES = OutcomesSection.of({"death": SURVIVAL, "fall": SURVIVAL | {"negative_control": True}, "cold": SURVIVAL | {"negative_control": True}})
PRIMARY = Hypothesis(outcome="death", contrast="hazard_ratio", design="overlap", horizon_days=30)


def row(outcome: str, ratio: float, error: float, *, p: float = 0.01, rule: str = "none") -> pd.DataFrame:
    target = {"design": "overlap", "outcome": outcome, "contrast": "hazard_ratio", "horizon_days": 30.0, "p_value": p}
    counts = {"n_treated": 100.0, "n_comparator": 100.0, "events_treated": 5.0, "events_comparator": 5.0}
    return combined_row(ratio, error, ratio * exp(-1.96 * error), ratio * exp(1.96 * error), rule=rule, **target, **counts)


def stack(*rows: pd.DataFrame) -> pd.DataFrame:
    return COMBINED.validate(pd.concat(rows, ignore_index=True))


def test_each_rule_has_its_own_family() -> None:
    family = [PRIMARY, PRIMARY.model_copy(update={"outcome": "fall"})]
    combined = stack(
        row("death", 1.5, 0.1, p=0.03), row("fall", 1.5, 0.1, p=0.02), row("cold", 1.5, 0.1, p=0.001), row("death", 1.4, 0.1, p=0.04, rule="naive")
    )
    adjusted = adjust_family(combined, family)["p_adjusted"].to_numpy()
    assert adjusted[:2] == pytest.approx([0.04, 0.04])
    assert np.isnan(adjusted[2])
    assert adjusted[3] == 0.04
    assert adjust_family(combined, ())["p_adjusted"].isna().all()


def test_interaction_of_two_levels() -> None:
    rows = stack(row("death", 2.0, 0.3), row("death", 1.0, 0.4)).assign(subgroup="sex", level=["women", "men"])
    found = measure_interactions(SUBGROUPS.validate(rows[list(SUBGROUPS.columns)])).iloc[0]
    assert (found["statistic"], found["df"]) == pytest.approx(((log(2) / 0.5) ** 2, 1))
    missing = rows.assign(status=["ok", "not_estimable"], reason=[None, "no events"])
    told = measure_interactions(SUBGROUPS.validate(missing[list(SUBGROUPS.columns)])).iloc[0]
    assert np.isnan(told["p_value"])
    assert told["reason"] == "the effect in men is not estimable"
    assert len(measure_interactions(empty_table(SUBGROUPS))) == 0


def test_negative_controls_calibrate_the_others() -> None:
    combined = stack(row("death", 1.5, 0.1), row("fall", exp(0.3), 0.1), row("cold", exp(0.1), 0.1))
    found = assess_robustness(combined, empty_table(PERMUTATIONS), primary=PRIMARY, outcomes=OUTCOMES)
    assert set(found["outcome"]) == {"death"}
    by_measure = found.set_index("measure")
    # two controls of equal precision: mean 0.2, variance 0.01 − 0.01 = 0
    assert by_measure.loc["calibrated", "value"] == pytest.approx(1.5 * exp(-0.2))
    assert by_measure.loc["systematic_error", "value"] == pytest.approx(0.2, abs=1e-6)
    assert by_measure.loc["e_value", "value"] == pytest.approx(1.5 + sqrt(1.5 * 0.5))  # 5 % have the event: rare
    alone = assess_robustness(stack(row("death", 1.5, 0.1), row("fall", 1.1, 0.1)), empty_table(PERMUTATIONS), primary=PRIMARY, outcomes=OUTCOMES)
    assert "fewer than two" in alone.set_index("measure").loc["calibrated", "reason"]


def test_what_a_generator_adds_to_the_systematic_error() -> None:
    real = stack(row("death", exp(0.5), 0.1), row("fall", exp(0.3), 0.1), row("cold", exp(0.1), 0.1))
    synthetic = stack(*(row(name, exp(value), 0.1, rule="partial") for name, value in (("death", 0.6), ("fall", 0.3), ("cold", 0.3))))
    asked = {"primary": PRIMARY, "outcomes": OUTCOMES}
    found = assess_robustness(synthetic, empty_table(PERMUTATIONS), real=real, **asked).set_index("measure")
    # means 0.2 and 0.3, both without a scatter beyond the errors
    assert found.loc["systematic_error_mean", "value"] == pytest.approx(0.3)
    assert found.loc["systematic_error_sd", "value"] == 0
    assert found.loc["added_error_mean", "value"] == pytest.approx(0.1)
    assert found.loc["added_error_sd", "value"] == pytest.approx(0, abs=1e-6)
    # calibrated 0.6 − 0.3 and 0.5 − 0.2: the generator carried the error and its effect with it
    assert found.loc["calibrated_shift", "value"] == pytest.approx(0, abs=1e-6)
    assert found.loc["systematic_error_mean", "reason"] == "over 2 negative controls"
    alone = assess_robustness(real, empty_table(PERMUTATIONS), **asked)
    assert not alone["measure"].isin(["added_error_mean", "added_error_sd", "calibrated_shift"]).any()
    lacking = assess_robustness(synthetic, empty_table(PERMUTATIONS), real=real[real["outcome"] != "cold"], **asked).set_index("measure")
    assert "fewer than two" in lacking.loc["added_error_mean", "reason"]
    assert found.loc["calibrated", "value"] == lacking.loc["calibrated", "value"] == pytest.approx(exp(0.3))


def test_permutations_count_themselves() -> None:
    permutations = pd.DataFrame(
        {"permutation": range(4), "estimate": np.exp([0.1, -0.1, 0.3, np.nan]), "std_error": 0.1, "p_value": [0.3, 0.3, 0.003, np.nan]}
    )
    found = assess_robustness(stack(row("death", exp(0.2), 0.1)), permutations, primary=PRIMARY, outcomes=OUTCOMES).set_index("measure")
    # |z| of the estimate is 2; of the three known permutations one is as large: (1 + 1)/(1 + 3)
    assert found.loc["permuted_estimate", "p_value"] == 0.5
    assert found.loc["permuted_estimate", "value"] == pytest.approx(exp(0.1))
    assert found.loc["permuted_rejections", "value"] == pytest.approx(1 / 3)
