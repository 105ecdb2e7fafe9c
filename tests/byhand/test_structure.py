"""What an effect rests on: curves' differences, coefficients, balance and joint distributions of a handful of patients."""

from __future__ import annotations

from math import isnan, sqrt

import numpy as np
import pandas as pd
import pytest

from parallax.protocol.cohort import Covariates
from parallax.protocol.outcomes import OutcomesSection
from parallax.protocol.question import PrimaryEstimate
from parallax.statistics.logistic import fit_logistic
from parallax.validation.distribution import measure_classifier_auc, measure_pairwise_gap, measure_pmse_ratio, standardise_records
from parallax.validation.structure import Structure, StructureMeter, compare_structures, split_structures, tabulate_coefficients
from parallax.validation.survival_fidelity import FollowUp, measure_curve_differences, split_curve_differences
from validation_tables import COVARIATES, OUTCOMES, PRIMARY, draw_cohort


def arm(*days: float) -> FollowUp:
    return FollowUp(np.array(days, dtype=float), np.ones(len(days), dtype=np.int64))


def test_differences_of_two_curves() -> None:
    # real: 1/2 from 1, 0 from 3; synthetic: 1/2 from 2, 0 from 4. Synthetic minus real: 1/2 on [1, 2), 1/2 on [3, 4); the real last day is 3
    found = measure_curve_differences(arm(1, 3), [arm(2, 4)], horizon_days=10)
    assert found == pytest.approx({"optimism": 1 / 6, "km_divergence": 1 / 6, "rmst_gap": 1 / 2, "short_sightedness": -1 / 3})
    # against 1/2 from 1/2 and 0 from 5: −1/2 on [1/2, 1), then 1/2 on [3, 5), of which nothing lies before day 3
    crossing = measure_curve_differences(arm(1, 3), [arm(0.5, 5)], horizon_days=10)
    assert (crossing["optimism"], crossing["km_divergence"]) == pytest.approx((-1 / 12, 1 / 12))
    # the mean of the two replicates' curves: −1/4 on [1/2, 1), 1/4 on [1, 2)
    mean = measure_curve_differences(arm(1, 3), [arm(2, 4), arm(0.5, 5)], horizon_days=10)
    assert (mean["rmst_gap"], mean["km_divergence"]) == pytest.approx((1 / 8, 1 / 8))
    assert mean["short_sightedness"] == pytest.approx(-1 / 2)


def test_the_horizon_cuts_the_difference_and_equal_curves_have_none() -> None:
    assert measure_curve_differences(arm(1, 3), [arm(2, 4)], horizon_days=1.5)["optimism"] == pytest.approx(1 / 6)  # 1/2 · 1/2 over 1.5 days
    assert set(measure_curve_differences(arm(1, 3), [arm(1, 3)] * 2, horizon_days=10).values()) == {0.0}


def test_halves_of_two_patients_differ_by_one_whole_curve() -> None:
    # deaths at 1 and 3: where the half that dies at 1 is the real one, nothing is measured beyond day 1; else 2 of 3 days
    found = split_curve_differences(arm(1, 3), horizon_days=10, rng=np.random.default_rng(1), splits=50)
    assert found["km_divergence"] == pytest.approx(2 / 3)
    assert found["short_sightedness"] == pytest.approx(2.0)  # (1 − 3)/1


def structure(extreme: float, balance: list[float], treatment: list[float], outcome: list[float], error: float = 1.0) -> Structure:
    errors = {"treatment": np.full(len(treatment), error), "outcome": np.full(len(outcome), error)}
    return Structure(extreme, np.array(balance), {"treatment": np.array(treatment), "outcome": np.array(outcome)}, errors)


def test_structures_compared() -> None:
    real = structure(0.2, [0.1, 0.5], [1.0, 2.0], [9.0, 1.0, 1.0], error=0.5)
    drawn = [structure(0.1, [0.1, 0.0], [1.0, 0.0], [0.0, 1.0, 1.0]), structure(0.0, [0.1, 0.2], [1.0, 1.0], [0.0, 1.0, 0.0])]
    found = compare_structures(real, drawn)
    # mean balance (0.1, 0.1), treatment (1, 1/2), outcome's covariates (1, 1/2): the effect itself, 9 against 0, is no structure
    assert found == pytest.approx(
        {
            "extreme_score_gap": -0.15,
            "balance_profile_gap": sqrt(0.4**2 / 2),
            "treatment_coefficients_gap": sqrt((1.5 / 0.5) ** 2 / 2),
            "outcome_coefficients_gap": sqrt((0.5 / 0.5) ** 2 / 2),
        }
    )
    assert set(compare_structures(real, [real, real]).values()) == {0.0}


def test_coefficients_of_the_real_patients_and_their_terms() -> None:
    cohort = draw_cohort(400, rng=np.random.default_rng(2))
    meter = StructureMeter.of(cohort, covariates=COVARIATES, outcomes=OUTCOMES, primary=PRIMARY)
    real = meter.measure(cohort)
    assert meter.terms["treatment"] == ("age", "weight", "weight missing", "sex female", "sex missing")
    assert meter.terms["outcome"][0] == "treatment"
    halves = split_structures(cohort, meter, rng=np.random.default_rng(3), splits=5)
    table = tabulate_coefficients(meter, real, [real, real], halves)
    assert list(table["model"].value_counts()[["treatment", "outcome"]]) == [5, 6]
    assert (table["gap"] == 0).all()
    assert (table["band"] > 0).all()
    x = meter.predictors.standardise(cohort)
    plain = fit_logistic(np.column_stack([np.ones(len(x)), x]), cohort["treated"].to_numpy(), ridge=[0, 1, 1, 1, 1, 1])
    assert table["real"].to_numpy()[:5] == pytest.approx(plain.coefficients[1:])


@pytest.mark.parametrize("kind", ["binary", "continuous", "count"])
def test_the_outcome_model_follows_the_outcome(kind: str) -> None:
    rng = np.random.default_rng(4)
    treated = rng.random(4000) < 0.5
    age = rng.normal(size=4000)
    eta = 0.5 * treated + 1.0 * age
    value = {"binary": rng.random(4000) < 1 / (1 + np.exp(-eta)), "continuous": eta + rng.normal(size=4000), "count": rng.poisson(np.exp(eta))}[kind]
    section = {"type": kind, "value": "v", "contrasts": [{"binary": "odds_ratio", "continuous": "mean_difference", "count": "rate_ratio"}[kind]]}
    outcomes = OutcomesSection.of({"y": section})
    cohort = pd.DataFrame({"treated": treated, "age": age, "y_value": value.astype(float)})
    primary = PrimaryEstimate(outcome="y", contrast=section["contrasts"][0], design="overlap")
    meter = StructureMeter.of(cohort, covariates=Covariates(numeric=("age",)), outcomes=outcomes, primary=primary)
    found = meter.measure(cohort)
    error = found.errors["outcome"]
    assert abs(found.coefficients["outcome"][0] - 0.5) < 4 * error[0]
    assert abs(found.coefficients["outcome"][1] - age.std()) < 4 * error[1]


def test_pairs_of_columns() -> None:
    up, down = np.array([[1.0, 1.0], [2.0, 2.0]]), np.array([[1.0, 2.0], [2.0, 1.0]])
    assert measure_pairwise_gap(up, down) == pytest.approx(2.0)
    assert measure_pairwise_gap(up, up) == 0.0
    assert measure_pairwise_gap(up, np.ones((3, 2))) == pytest.approx(1.0)
    assert isnan(measure_pairwise_gap(up[:, :1], up[:, :1]))


def test_pmse_of_one_binary_column() -> None:
    # real 1 of 4, synthetic 3 of 4 have it: p̂ is 3/4 with it, 1/4 without; mean (p̂ − 1/2)² = 1/16, expected 1 · 1/8 / 800 of 800 patients
    real, synthetic = (np.repeat(side, 100)[:, None] for side in ([1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 0.0]))
    assert measure_pmse_ratio(real, synthetic) == pytest.approx((1 / 16) / (1 / 6400), rel=1e-3)
    assert measure_pmse_ratio(real, real) == pytest.approx(0.0, abs=1e-12)
    assert measure_pmse_ratio(np.zeros((900, 1)), np.ones((900, 1))) == pytest.approx(0.25 / (1 / 8 / 1800), rel=0.02)  # disjoint: p̂ − c is 1/2
    assert isnan(measure_pmse_ratio(np.zeros((3, 0)), np.zeros((3, 0))))


def test_a_classifier_tells_disjoint_sides_and_no_equal_distributions() -> None:
    rng = np.random.default_rng(5)
    real = rng.normal(size=(400, 2))
    assert measure_classifier_auc(real, real + 100, rng=rng) > 0.99
    assert measure_classifier_auc(real, rng.normal(size=(400, 2)), rng=rng) == pytest.approx(0.5, abs=0.1)
    assert measure_classifier_auc(real, real, rng=rng) < 0.55
    assert isnan(measure_classifier_auc(real[:1], real[:1], rng=rng))


def test_records_are_standardised_by_the_real_patients() -> None:
    cohort = draw_cohort(300, rng=np.random.default_rng(6))
    real, same = standardise_records(cohort, cohort, COVARIATES)
    assert np.array_equal(real, same)
    assert real.mean(axis=0) == pytest.approx(np.zeros(real.shape[1]), abs=1e-12)
    assert real.std(axis=0) == pytest.approx(np.ones(real.shape[1]))
    one_arm = standardise_records(cohort.assign(treated=True), cohort, COVARIATES)
    assert one_arm[0].shape[1] == real.shape[1] - 1
