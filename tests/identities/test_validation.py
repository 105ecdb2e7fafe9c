"""A dataset compared with itself, and routes that must meet."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from parallax.protocol.outcomes import OutcomesSection
from parallax.protocol.validation import Gates
from parallax.tables import PERMUTATIONS, empty_table
from parallax.validation.agreement import measure_agreement
from parallax.validation.combining import combine, take_real
from parallax.validation.fidelity import measure_fidelity, measure_structure
from parallax.validation.robustness import assess_robustness
from parallax.validation.rules import combine_by
from validation_tables import COVARIATES, OUTCOMES, PRIMARY, combined_row, draw_cohort, estimate_rows, no_floor, replicate_of


def test_the_same_estimate_does_not_shift_and_overlaps_wholly() -> None:
    row = combined_row(0.3, 0.1, 0.1, 0.5)
    table = measure_agreement(row.assign(rule="none"), row, floor=no_floor(), primary=PRIMARY, gates=Gates()).set_index("metric")["value"]
    assert table.to_dict() == pytest.approx(
        {
            "shift_in_real_se": 0,
            "ci_overlap": 1,
            "decision_agreement": 1,
            "estimate_agreement": 1,
            "standardised_difference": 0,
            "same_side_of_null": 1,
            "shift_in_replicate_se": 0,
            "replicates_not_estimable": 0,
        }
    )


def test_equal_replicates_as_large_as_the_cohort_give_one_real_analysis() -> None:
    table = combine(estimate_rows([0.3] * 5, [0.1] * 5), patients=80, synthetic=80).set_index("rule")
    assert table.loc["partial", "std_error"] == pytest.approx(table.loc["naive", "std_error"], rel=1e-12)
    assert np.isinf(table.loc["partial", "df"])


def test_the_real_cohort_as_its_own_replicates_has_its_own_systematic_error() -> None:
    outcomes = OutcomesSection.of(
        {
            name: OUTCOMES["death"].model_dump() | {"negative_control": name != "death", "contrasts": ["hazard_ratio"]}
            for name in ("death", "a", "b", "c")
        }
    )
    sides = []
    for copies in (1, 4):
        rows = [
            estimate_rows([ratio] * copies, [error] * copies).assign(
                outcome=name, contrast="hazard_ratio", lower=ratio * np.exp(-1.96 * error), upper=ratio * np.exp(1.96 * error)
            )
            for name, ratio, error in (("death", 1.5, 0.1), ("a", 1.1, 0.12), ("b", 1.3, 0.2), ("c", 0.9, 0.15))
        ]
        sides.append(pd.concat(rows, ignore_index=True))
    real, synthetic = take_real(sides[0]), combine(sides[1], patients=80, synthetic=80)
    asked = {"primary": PRIMARY, "outcomes": outcomes}
    own = assess_robustness(real, empty_table(PERMUTATIONS), **asked).set_index("measure")
    found = assess_robustness(synthetic, empty_table(PERMUTATIONS), real=real, **asked).set_index("measure")
    numbers = ["value", "lower", "upper", "p_value"]
    shared = ["systematic_error_mean", "systematic_error_sd", "systematic_error", "calibrated"]
    assert found.loc[shared, numbers].to_numpy(float) == pytest.approx(own.loc[shared, numbers].to_numpy(float), rel=1e-9, nan_ok=True)
    added = found.loc[["added_error_mean", "added_error_sd", "calibrated_shift"], "value"]
    assert added.to_numpy(float) == pytest.approx(np.zeros(3), abs=1e-9)


def test_replicates_without_within_variance_give_the_variance_of_a_mean() -> None:
    q = [0.1, 0.4, 0.2, 0.7]
    combined = combine_by("partial", q, [0.0] * 4, patients=10, synthetic=10)
    assert combined.std_error == pytest.approx(np.std(q, ddof=1) / 2)
    assert combined.df == 3


def test_the_same_patients_have_no_gap() -> None:
    cohort = draw_cohort(300, rng=np.random.default_rng(3))
    overlap = pd.DataFrame({"design": ["overlap"], "c_statistic": [0.7]})
    table = measure_fidelity(
        cohort,
        replicate_of(cohort, 2),
        real_overlap=overlap,
        synthetic_overlap=pd.concat([overlap, overlap]),
        primary=PRIMARY,
        covariates=COVARIATES,
        outcomes=OUTCOMES,
        gates=Gates(),
        rng=np.random.default_rng(4),
    ).set_index("metric")
    gaps = table[~table.index.str.contains("half_split")].drop(index=["sdmetrics_quality", "classifier_auc"])["value"]
    assert gaps.abs().max() < 1e-9
    assert table.loc["classifier_auc", "value"] < 0.5  # every patient's copy has the other label
    assert table.loc["sdmetrics_quality", "value"] == pytest.approx(1.0)
    assert table.loc[["propensity_c_gap", "km_gap"], "passed"].all()
    assert list(table.loc["km_gap", "variable"]) == ["death/treated", "death/comparator"]
    assert set(table.loc["marginal_tv", "variable"]) == {"treated", "sex"}
    assert set(table.loc["marginal_ks", "variable"]) == {"age", "weight"}
    assert table.loc["missing_gap", "variable"] == "weight"


def test_the_same_patients_have_the_same_structure() -> None:
    cohort = draw_cohort(300, rng=np.random.default_rng(5))
    found = measure_structure(
        cohort, replicate_of(cohort, 2), primary=PRIMARY, covariates=COVARIATES, outcomes=OUTCOMES, rng=np.random.default_rng(6)
    )
    table = found.fidelity.set_index("metric")["value"]
    assert table[[name for name in table.index if not name.startswith("half_split")]].abs().max() < 1e-12
    assert (table[[name for name in table.index if name.startswith("half_split")]] > 0).all()
    assert (found.coefficients["gap"] == 0).all()
