"""What the survival-aware generator learns from simulated patients, beside the truth that made them and beside the patients themselves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from parallax.analysis.effects import analyse
from parallax.protocol import DesignsSection, SequentialGenerator
from parallax.seeds import derive_seed
from parallax.statistics.survival import kaplan_meier
from parallax.synthesis.registry import draw_replicates, fit_generator
from parallax.validation.combining import combine, take_real
from simulated_cohorts import COVARIATES, OUTCOMES, simulate_cohort

DESIGNS = DesignsSection.of({"overlap": {"method": "weight", "estimand": "ATO"}})
TARGET = ["design", "contrast", "horizon_days"]


def fit_and_draw(real: pd.DataFrame, *, replicates: int, seed: int) -> pd.DataFrame:
    fitted = fit_generator(SequentialGenerator(method="sequential"), real, covariates=COVARIATES, outcomes=OUTCOMES, seed=seed)
    return draw_replicates(fitted, replicates=replicates, patients=len(real), seeds=[derive_seed(seed, "draw", i) for i in range(replicates)])


def shifts(real: pd.DataFrame, drawn: pd.DataFrame) -> pd.Series:
    """Shift of each overlap-weighted estimate in real standard errors, and the estimates themselves."""
    settings = {"covariates": COVARIATES, "designs": DESIGNS, "outcomes": OUTCOMES}
    of_real = take_real(analyse(real, **settings).estimates)
    of_drawn = combine(analyse(drawn, **settings).estimates, patients=len(real), synthetic=len(real)).query("rule == 'partial'")
    both = of_real.merge(of_drawn, on=TARGET, suffixes=("", "_drawn")).dropna(subset="horizon_days").set_index(TARGET)
    scale = np.where(both.index.get_level_values("contrast") == "hazard_ratio", 1 / both["estimate"], 1.0)
    return (both["estimate_drawn"] - both["estimate"]) * scale / both["std_error"]


def hold(real: pd.DataFrame, drawn: pd.DataFrame) -> None:
    """Curves per arm, censoring, shares and dependences of the drawn patients against those they were learnt from."""
    for arm in (True, False):
        observed, made = (table[table["treated"] == arm] for table in (real, drawn))
        for ends in (1, 0):
            days = np.arange(1.0, 399.0)
            left, right = (kaplan_meier(table["death_days"], table["death_event"] == ends).at(days) for table in (observed, made))
            assert np.abs(left - right).max() < 1.6 / np.sqrt(len(observed)) + 0.01, (arm, ends)
    assert drawn["treated"].mean() == pytest.approx(real["treated"].mean(), abs=0.03)
    for columns in (["age", "albumin"], ["age", "visits"], ["visits", "albumin"]):
        between = [table[columns].corr(method="spearman").iloc[0, 1] for table in (real, drawn)]
        assert between[1] == pytest.approx(between[0], abs=0.06)
    for disease in ("heart", "liver"):
        ages = [table.loc[table["disease"] == disease, "age"].mean() for table in (real, drawn)]
        assert ages[1] == pytest.approx(ages[0], abs=2.0)
    gaps = [table["lactate"].isna().groupby(table["sex"]).mean() for table in (real, drawn)]
    pd.testing.assert_series_equal(gaps[1], gaps[0], atol=0.06, check_dtype=False)


def test_one_cohort_and_its_replicates():
    real = simulate_cohort(1200, seed=11)
    drawn = fit_and_draw(real, replicates=6, seed=1)
    hold(real, drawn)
    assert shifts(real, drawn).abs().max() < 1.5


@pytest.mark.slow
def test_over_cohorts_the_effect_does_not_shift_and_the_truth_is_found():
    found, truths = [], []
    for seed in range(40):
        real = simulate_cohort(1500, seed=100 + seed, effect=0.5)
        drawn = fit_and_draw(real, replicates=10, seed=seed)
        hold(real, drawn)
        found.append(shifts(real, drawn))
        made = analyse(drawn, covariates=COVARIATES, designs=DESIGNS, outcomes=OUTCOMES).estimates
        truths.append(np.log(made.query("contrast == 'hazard_ratio' and horizon_days == 30")["estimate"]).mean())
    table = pd.concat(found, axis=1)
    error = table.std(axis=1) / np.sqrt(table.shape[1])
    assert (table.mean(axis=1).abs() < 0.3 + 3 * error).all()
    assert ((table.abs() <= 1).mean(axis=1) >= 0.85).all()
    # marginal and conditional log hazard ratios differ little over 30 days, when few have died
    assert np.mean(truths) == pytest.approx(0.5, abs=0.05 + 3 * np.std(truths) / np.sqrt(len(truths)))
