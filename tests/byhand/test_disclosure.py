"""Disclosure on tables small enough to be done by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from parallax import tables
from parallax.cohort.characteristics import describe_arms
from parallax.cohort.concentration import measure_concentration
from parallax.disclosure.cohort import disclose_attrition, disclose_characteristics
from parallax.disclosure.combined import disclose_combined, disclose_external_control, disclose_subgroups, keep_horizons
from parallax.disclosure.counts import divide_shown, select_spaced, suppress_counts
from parallax.disclosure.curves import curve_grid, disclose_curves, disclose_hazard_course
from parallax.disclosure.designs import disclose_balance, disclose_calibration, disclose_overlap, disclose_positivity, disclose_score_histogram
from parallax.disclosure.numbers import round_digits, round_shares
from parallax.disclosure.validation import (
    disclose_agreement,
    disclose_coefficients,
    disclose_fidelity,
    disclose_interactions,
    disclose_robustness,
)
from parallax.protocol.cohort import Covariates
from parallax.protocol.disclosure import DisclosureSection
from parallax.protocol.outcomes import OutcomesSection
from parallax.protocol.question import Hypothesis
from parallax.validation.metrics import metric_row

TEN = DisclosureSection(minimum_count=10, round_to=5)


def plain(values: object) -> list[int | None]:
    return [None if pd.isna(value) else int(value) for value in values]  # type: ignore[attr-defined]


def test_counts_below_ten_are_suppressed_and_others_rounded_half_up() -> None:
    assert plain(suppress_counts([0, 3, 9, 10, 12, 13, 17.5, np.nan], TEN)) == [None, None, None, 10, 10, 15, 20, None]


def test_rounding_never_falls_below_the_minimum() -> None:
    assert plain(suppress_counts([11, 12, 15], DisclosureSection(minimum_count=11, round_to=5))) == [15, 15, 15]


def test_one_and_two_are_hidden_whatever_the_protocol_asks_for() -> None:
    assert plain(suppress_counts([2, 3, 7], DisclosureSection(minimum_count=3, round_to=2))) == [None, 4, 8]
    with pytest.raises(ValidationError, match="greater than or equal to 3"):
        DisclosureSection(minimum_count=2, round_to=1)


def test_attrition_hides_who_few_were_and_keeps_the_thresholds() -> None:
    exact = tables.ATTRITION.validate(
        pd.DataFrame([(0, "source", "all", 0, 101, 203), (1, "adults", "age", 7, 98, 199)], columns=list(tables.ATTRITION.columns))
    )
    shown = disclose_attrition(exact, TEN)
    assert plain(shown["excluded"]) == [None, None]
    assert plain(shown["remaining_treated"]) == [100, 100]
    assert plain(shown["remaining_comparator"]) == [205, 200]
    assert set(shown["minimum_count"]) == {10}
    assert set(shown["round_to"]) == {5}


def test_how_many_left_is_hidden_where_few_of_an_arm_did() -> None:
    """Three treated and seven comparators leave: ten, shown, less at most nine and six by the arms' own counts would bound either to four values."""
    columns = ["step", "name", "reason", "excluded", "remaining_treated", "remaining_comparator"]
    rows = [(0, "all", "", 0, 100, 200), (1, "adults", "", 10, 97, 193), (2, "first", "", 50, 77, 163)]
    shown = disclose_attrition(pd.DataFrame(rows, columns=columns), TEN)
    assert shown["excluded"].isna().tolist() == [True, True, False]
    assert shown["remaining_treated"].tolist() == [100, 95, 75]


def characteristics(*rows: tuple[object, ...]) -> pd.DataFrame:
    return tables.CHARACTERISTICS.validate(pd.DataFrame(rows, columns=list(tables.CHARACTERISTICS.columns)))


def test_a_rare_level_takes_its_complement_and_its_smd_with_it() -> None:
    exact = characteristics(
        ("sex", "female", "categorical", "treated", 100, 96, np.nan, np.nan, 0.3),
        ("sex", "male", "categorical", "treated", 100, 4, np.nan, np.nan, -0.3),
        ("sex", "female", "categorical", "comparator", 100, 61, np.nan, np.nan, 0.3),
        ("sex", "male", "categorical", "comparator", 100, 39, np.nan, np.nan, -0.3),
    )
    shown = disclose_characteristics(exact, TEN)
    assert plain(shown["count"]) == [None, None, 60, 40]
    assert shown["smd"].isna().all()
    assert list(shown["mean"][2:]) == [0.6, 0.4]


def test_of_three_levels_the_smallest_other_one_hides_the_rare_one() -> None:
    exact = characteristics(
        *((("grade", level, "categorical", "treated", 100, count, np.nan, np.nan, 0.1)) for level, count in (("I", 5), ("II", 30), ("III", 65)))
    )
    assert plain(disclose_characteristics(exact, TEN)["count"]) == [None, 65, None]  # II and III, then the other levels


def test_two_rare_levels_are_not_named_and_take_a_third_with_them() -> None:
    exact = characteristics(
        *((("grade", level, "categorical", "treated", 100, count, np.nan, np.nan, 0.1)) for level, count in (("I", 5), ("II", 3), ("III", 92)))
    )
    shown = disclose_characteristics(exact, TEN)
    assert list(shown["level"]) == ["III", "(other levels)"]
    assert plain(shown["count"]) == [None, None]  # 100 less 92 would be the eight others


def test_the_mean_of_a_zero_one_column_is_hidden_where_a_value_is_rare() -> None:
    share = 4 / 100
    spread = np.sqrt(share * (1 - share) * 100 / 99)
    exact = characteristics(
        ("smoker", None, "numeric", "treated", 100, pd.NA, share, spread, 0.2),
        ("smoker", None, "numeric", "comparator", 100, pd.NA, 0.5, np.sqrt(0.25 * 100 / 99), 0.2),
        ("age", None, "numeric", "treated", 100, pd.NA, 60.0, 9.0, 0.1),
        ("age", None, "numeric", "comparator", 100, pd.NA, 58.0, 9.0, 0.1),
    )
    shown = disclose_characteristics(exact, TEN)
    assert list(shown["mean"].isna()) == [True, False, False, False]
    assert list(shown["smd"].isna()) == [True, True, False, False]


def test_balance_leaves_out_levels_whose_count_is_hidden() -> None:
    table_one = characteristics(
        ("sex", "female", "categorical", "treated", 100, 96, np.nan, np.nan, 0.3),
        ("sex", "male", "categorical", "treated", 100, 4, np.nan, np.nan, -0.3),
        ("age", None, "numeric", "treated", 100, pd.NA, 60.0, 9.0, 0.1),
        ("age", None, "missing", "treated", 100, 5, np.nan, np.nan, 0.1),
    )
    exact = tables.BALANCE.validate(
        pd.DataFrame(
            [
                (replicate, "crude", name, level, smd, np.nan, 0.1)
                for replicate, smd in ((0, 0.2), (1, 0.4))
                for name, level in (("sex", "male"), ("age", None), ("age", "(missing)"))
            ],
            columns=list(tables.BALANCE.columns),
        )
    )
    shown = disclose_balance(exact, TEN, characteristics=disclose_characteristics(table_one, TEN))
    assert list(zip(shown["covariate"], shown["level"].isna(), strict=True)) == [("age", True)]
    assert shown["smd"].iloc[0] == 0.3


def test_overlap_averages_what_could_be_applied_and_counts_what_failed() -> None:
    row = ("ATO", 101, 203, 88.0, 181.0, 0.8, 0.5, 3.0, 0.05, 0.2)
    failure = "not balanced: largest SMD 0.20, allowed is 0.1"
    exact = tables.OVERLAP.validate(
        pd.DataFrame(
            [
                (0, "overlap", *row, 0, failure, "ok", None),
                (1, "overlap", *row[:-1], 0.0, 0, None, "ok", None),
                (2, "overlap", "ATO", 0, 0, *[np.nan] * 7, None, None, "not_estimable", "separated"),
            ],
            columns=list(tables.OVERLAP.columns),
        )
    )
    shown = disclose_overlap(exact, TEN).iloc[0]
    assert (shown["replicates"], shown["applied"], shown["failed"], shown["failure"]) == (3, 2, 1, failure)
    assert shown["max_abs_smd"] == 0.1
    assert (shown["n_treated"], shown["n_comparator"]) == (100, 205)
    assert (shown["ess_treated"], shown["ess_comparator"]) == (90, 180)
    assert shown["reason"] == "separated"


def test_equipoise_names_no_patient() -> None:
    # 41 of 50 patients are 0.82, and two decimals would say 41
    row = ("crude", "ATE", 20, 30, 20.0, 30.0, 0.8, 41 / 50, 1.0, 0.05, 0.05, 0, None, "ok", None)
    shown = disclose_overlap(tables.OVERLAP.validate(pd.DataFrame([(0, *row)], columns=list(tables.OVERLAP.columns))), TEN)
    assert shown["equipoise"].tolist() == [0.8]


def test_an_empty_overlap_stays_empty() -> None:
    assert len(disclose_overlap(pd.DataFrame(columns=list(tables.OVERLAP.columns)), TEN)) == 0


def test_score_histogram_is_averaged_then_suppressed() -> None:
    exact = pd.DataFrame(
        {
            "replicate": [0, 1, 0, 1],
            "score": "main",
            "arm": "treated",
            "bin_lower": [0.0, 0.0, 0.5, 0.5],
            "bin_upper": [0.5, 0.5, 1.0, 1.0],
            "count": [8, 10, 20, 25],
        }
    )
    assert plain(disclose_score_histogram(exact, TEN)["count"]) == [None, 25]


def test_calibration_leaves_out_tenths_of_few_treated_or_few_comparators() -> None:
    tenths = {"bin": [0, 1, 2], "predicted": [0.1, 0.51234, 0.96], "observed": [0.05, 0.5, 0.95], "count": 100}
    shown = disclose_calibration(tables.CALIBRATION.validate(pd.DataFrame({"replicate": 0, "score": "main", **tenths})), TEN)
    assert shown[["bin", "predicted", "observed"]].to_numpy().tolist() == [[1.0, 0.51, 0.5]]


def test_positivity_tells_large_strata_with_an_all_but_empty_arm() -> None:
    strata = {"covariate": "stage", "level": ["I", "II", "III", "IV"], "n": [1436, 300, 40, 120], "n_treated": [0, 150, 0, 115]}
    shown = disclose_positivity(tables.POSITIVITY.validate(pd.DataFrame({"replicate": 0, **strata})), TEN)
    assert shown[["level", "arm", "n"]].to_numpy().tolist() == [["I", "treated", 1435], ["IV", "comparator", 120]]


def test_events_are_hidden_where_nearly_all_or_hardly_any_patient_has_one() -> None:
    row = ("crude", "death", "hazard_ratio", 30.0, "none", 1.2, 0.1, 1.0, 1.4, 0.05, np.nan, np.nan, 1, 0)
    exact = tables.COMBINED.validate(
        pd.DataFrame(
            [(*row, 101.0, 203.0, *events, "unadjusted", "model-based", "ok", None) for events in ((97.0, 4.0), (52.0, 103.0))],
            columns=list(tables.COMBINED.columns),
        )
    )
    shown = disclose_combined(exact, TEN)
    assert plain(shown["events_treated"]) == [None, 50]
    assert plain(shown["events_comparator"]) == [None, 105]
    assert shown["estimate"].tolist()[1:] == [1.2]
    assert pd.isna(shown["estimate"].iloc[0])
    assert list(shown["status"]) == ["suppressed", "ok"]
    assert shown["reason"].iloc[0] == "it would tell of fewer than 10 patients"


def test_a_level_of_few_events_takes_the_smallest_other_one_with_it() -> None:
    row = ("crude", "death", "hazard_ratio", 30.0, "none", 1.2, 0.1, 1.0, 1.4, 0.05, np.nan, np.nan, 1, 0)
    levels = (("young", 4.0), ("middle", 30.0), ("old", 60.0))
    exact = tables.SUBGROUPS.validate(
        pd.DataFrame(
            [("age", level, *row, 101.0, 203.0, events, 50.0, "unadjusted", "model-based", "ok", None) for level, events in levels],
            columns=list(tables.SUBGROUPS.columns),
        )
    )
    shown = disclose_subgroups(exact, TEN)
    assert plain(shown["events_treated"]) == [None, None, 60]
    assert plain(shown["events_comparator"]) == [50, 50, 50]
    assert plain(shown["n_treated"]) == [100, 100, 100]


def curve(at_risk: list[float], survival: list[float], *, design: str = "crude", replicate: int = 0) -> pd.DataFrame:
    n = len(survival)
    return pd.DataFrame(
        {
            "replicate": replicate, "design": design, "outcome": "death", "arm": "treated", "time_days": np.arange(n, dtype=float),
            "survival": survival, "lower": survival, "upper": survival, "at_risk": at_risk,
        }
    )  # fmt: skip


def test_curve_skips_steps_of_few_patients_and_ends_where_few_are_left() -> None:
    # 40 patients; deaths on days 1 to 5: 10, 3, 7, 4, 8; then eight are left
    exact = curve([40, 40, 30, 27, 20, 16, 8], [1, 30 / 40, 27 / 40, 20 / 40, 16 / 40, 8 / 40, 8 / 40])
    shown = disclose_curves(exact, TEN, grids={"death": np.arange(7.0)})
    # day 1: ten deaths; day 2: three only; day 3: ten since day 1, and day 4, the last with ten at risk, takes its place
    assert list(shown["time_days"]) == [0.0, 1.0, 4.0]
    assert list(shown["survival"]) == [1.0, 0.75, 0.4]
    assert plain(shown["at_risk"]) == [40, 30, 15]


def test_a_large_weight_does_not_stand_for_a_crowd() -> None:
    crude = curve([40, 40, 39, 39], [1, 39 / 40, 39 / 40, 39 / 40])
    heavy = curve([40, 40, 20, 20], [1, 0.5, 0.5, 0.5], design="iptw")
    shown = disclose_curves(pd.concat([crude, heavy]), TEN, grids={"death": np.arange(4.0)})
    assert set(shown["time_days"]) == {0.0}


def test_replicates_are_averaged_and_their_range_is_the_band() -> None:
    parts = [curve([40, 40, 20, 20], [1, level, level, level], replicate=number) for number, level in enumerate((0.5, 0.6))]
    shown = disclose_curves(pd.concat(parts), TEN, grids={"death": np.arange(3.0)})
    assert shown.iloc[-1][["survival", "lower", "upper"]].tolist() == [0.55, 0.5, 0.6]


def test_the_grid_holds_every_horizon() -> None:
    grid = curve_grid([30.5, 180])
    assert {0.0, 30.5, 180.0} <= set(grid)
    assert len(grid) == 62


def course(value: float, replicate: int) -> pd.DataFrame:
    exact = {"time_days": [1.0, 2.0, 3.0, 4.0], "log_hazard_ratio": [value, value, value, value + 1], "lower": value - 0.1, "upper": value + 0.1}
    return pd.DataFrame({"replicate": replicate, "design": "crude", "outcome": "death"} | exact)


def test_the_course_of_the_hazard_ratio_ends_with_the_shorter_curve() -> None:
    ends = pd.DataFrame({"outcome": "death", "arm": ["treated", "treated", "comparator", "comparator"], "time_days": [0.0, 3.0, 0.0, 4.0]})
    exact = pd.concat([course(0.2, 0), course(0.40123, 1)])
    grid = np.array([0.0, 0.5, 1.0, 2.5, 3.0, 3.5, 4.0])
    shown = disclose_hazard_course(exact, TEN, curves=ends, grids={"death": grid})
    assert list(shown["time_days"]) == [1.0, 2.5, 3.0]
    assert list(shown["log_hazard_ratio"]) == [0.301, 0.301, 0.301]
    assert list(shown["upper"]) == [0.401, 0.401, 0.401]
    assert set(shown["minimum_count"]) == {10}


def test_no_course_where_an_arm_has_no_curve() -> None:
    one = pd.DataFrame({"outcome": "death", "arm": ["treated"], "time_days": [4.0]})
    assert len(disclose_hazard_course(course(0.2, 0), TEN, curves=one, grids={"death": np.arange(5.0)})) == 0


def test_of_counts_that_grow_no_two_shown_ones_differ_by_few() -> None:
    # the last and the third are asked for first; 25 is too near to 30, 12 is 12 away from 0 and 18 from 30
    assert select_spaced([0, 5, 12, 25, 30, 55], [0, 5, 4, 1, 2, 3], 10) == [0, 2, 4, 5]
    assert select_spaced([[0, 0], [12, 9], [20, 10]], [0, 1, 2], 10) == [0, 2]


def test_shares_are_those_of_shown_counts() -> None:
    # 13 of 187 are 0.0695…, which no other fraction of so few is; 15 of 185 is what both rounded counts say
    assert divide_shown([13, 4], [187, 187], TEN).tolist()[:1] == [15 / 185]
    assert np.isnan(divide_shown([13, 4], [187, 187], TEN)[1])


def test_digits_are_those_of_the_standard_error() -> None:
    assert round_digits([0.2110917, -7.4458841], 2, of=[0.0486849, 2.0724443]).tolist() == [0.211, -7.4]
    assert round_digits([169 / 187, 0.0, np.nan, np.inf, 1234.5]).tolist()[:2] == [0.904, 0.0]
    assert round_digits([1234.5]).tolist() == [1230.0]
    assert round_shares([169 / 187], 187).tolist() == [0.9]
    assert round_shares([1690 / 1870], 20_000).tolist() == [0.9037]


def test_a_step_of_a_share_is_two_patients_or_more() -> None:
    # of 50 patients 2/50 = 0.04, the next step is 0.05: 43, 44 and 45 alive are all the same; 46 are 0.92
    assert round_shares([alive / 50 for alive in (43, 44, 45, 46, 50)], 50).tolist() == [0.85, 0.9, 0.9, 0.9, 1.0]
    for patients in (4, 19, 50, 99, 100, 187, 199, 200, 5735):
        steps = np.unique(round_shares(np.arange(patients + 1) / patients, patients))
        assert (np.diff(steps) * patients >= 2 - 1e-9).all()


def test_a_mean_that_two_patients_carry_is_hidden() -> None:
    # eleven treated without a cost and one of a million: the mean times twelve is that patient's cost
    cohort = pd.DataFrame({"treated": [True] * 12 + [False] * 12, "cost": [0.0] * 11 + [1e6] + [float(cost) for cost in range(12)]})
    covariates = Covariates(numeric=("cost",), categorical=())
    concentration = measure_concentration(cohort, covariates, OutcomesSection({}))
    assert concentration["carriers"].tolist() == [1, 11]
    # (1 − 1/12)² and (1/12)² over the sum (1 − 1/12)² + 11·(1/12)² = 132/144
    assert concentration["top_two"].iloc[0] == pytest.approx((121 + 1) / 132)
    # of 0 … 11 the mean is 5.5, Σ(x − mean)² = 143, the two farthest are 5.5² each
    assert concentration["top_two"].iloc[1] == pytest.approx(60.5 / 143)
    shown = disclose_characteristics(describe_arms(cohort, covariates), TEN, concentration=concentration)
    assert shown["mean"].isna().tolist() == [True, False]
    assert shown["smd"].isna().all()


def risks(*rows: tuple[float, float, float], rule: str = "none") -> pd.DataFrame:
    numbers, named = (0.1, 0.05, 0.0, 0.2, 0.05, np.nan, np.inf, 1, 0, 100.0, 100.0), ("unadjusted", "influence function", "ok", None)
    described = [("crude", "death", "risk_difference", horizon, rule, *numbers, *events, *named) for horizon, *events in rows]
    return tables.COMBINED.validate(pd.DataFrame(described, columns=list(tables.COMBINED.columns)))


def test_risks_between_whose_horizons_few_events_lie_are_not_both_shown() -> None:
    exact = risks((30.0, 20.0, 30.0), (60.0, 24.0, 45.0), (90.0, 40.0, 60.0))
    # 24 of the treated by day 60 is four from 20 and sixteen from 40
    assert list(disclose_combined(exact, TEN)["status"]) == ["suppressed", "ok", "ok"]
    primary = Hypothesis(outcome="death", contrast="risk_difference", design="crude", horizon_days=30.0)
    assert list(disclose_combined(exact, TEN, primary=primary)["status"]) == ["ok", "suppressed", "ok"]


def test_horizons_are_kept_over_both_arms_all_designs_and_what_others_keep() -> None:
    # the primary horizon is day 180; five comparators die between days 90 and 180, 20 of either arm between 60 and 180
    exact = risks((60.0, 30.0, 30.0), (90.0, 35.0, 45.0), (180.0, 60.0, 50.0))
    primary = Hypothesis(outcome="death", contrast="risk_difference", design="crude", horizon_days=180.0)
    assert keep_horizons(exact, TEN, primary=primary) == {"death": [180.0, 60.0]}
    matched = risks((60.0, 25.0, 25.0), (90.0, 30.0, 35.0), (180.0, 50.0, 30.0)).assign(design="matched")
    assert keep_horizons(pd.concat([exact, matched]), TEN, primary=primary) == {"death": [180.0]}
    # a count that is hidden by itself is near to nothing
    rare = risks((60.0, 3.0, 2.0), (90.0, 4.0, 2.0), (180.0, 5.0, 5.0)).assign(design="matched")
    assert keep_horizons(pd.concat([exact, rare]), TEN, primary=primary) == {"death": [180.0, 60.0]}
    assert keep_horizons(exact, TEN, primary=primary, horizons={"death": [60.0, 90.0]}) == {"death": [90.0]}


def test_a_curve_shows_no_time_a_few_events_from_a_horizon_that_estimates_show() -> None:
    # of 100 treated 30, 35 and 60 are dead by days 1, 2 and 3, when 40 are left; estimates show days 3 and 1
    grids = {"death": np.arange(4.0)}
    exact = curve([100, 100, 70, 65, 40], [1, 0.7, 0.65, 0.4, 0.4])
    assert list(disclose_curves(exact, TEN, grids=grids, horizons={"death": [3.0, 1.0]})["time_days"]) == [0.0, 1.0, 3.0]
    # 55 by day 2 and 60 by day 3, beyond which nobody is followed: the curve shows neither, for the estimates show day 3
    short = curve([100, 100, 70, 45], [1, 0.7, 0.45, 0.4])
    assert list(disclose_curves(short, TEN, grids=grids, horizons={"death": [3.0]})["time_days"]) == [0.0, 1.0]
    assert list(disclose_curves(short, TEN, grids=grids)["time_days"]) == [0.0, 1.0, 2.0]


def test_treated_patients_beside_others_are_shown_at_no_other_horizon_than_at_home() -> None:
    # 12 and 17 treated dead by days 30 and 180: at home the primary horizon, day 30, is shown
    exact = risks((30.0, 12.0, 30.0), (180.0, 17.0, 60.0)).assign(rule="partial")
    primary = Hypothesis(outcome="death", contrast="risk_difference", design="crude", horizon_days=30.0)
    nothing = tables.empty_table(tables.CONCENTRATION)
    for compared_here in (True, False):
        shown = disclose_external_control(exact, TEN, concentration=nothing, primary=primary, compared_here=compared_here)
        assert list(shown["status"]) == ["ok", "suppressed"]
    far = exact.assign(events_treated=[12.0, 40.0])
    alone = disclose_external_control(far, TEN, concentration=nothing, primary=primary, compared_here=False)
    assert list(alone["status"]) == ["ok", "ok"]
    # at home few comparators may hide day 180, or the curve show another day near to it
    both = disclose_external_control(far, TEN, concentration=nothing, primary=primary, compared_here=True)
    assert list(both["status"]) == ["ok", "suppressed"]


def test_patients_in_no_level_take_the_smallest_level_with_them() -> None:
    whole = risks((30.0, 30.0, 30.0))
    levels = pd.concat([risks((30.0, 18.0, 15.0)).assign(n_treated=40.0), risks((30.0, 12.0, 15.0)).assign(n_treated=56.0)])
    levels = levels.assign(n_comparator=50.0, subgroup="age", level=["young", "old"])
    shown = disclose_subgroups(levels, TEN, whole=whole)
    # four of the treated are neither young nor old: 100 − 40 − 56
    assert plain(shown["n_treated"]) == [None, 55]
    assert list(shown["status"]) == ["suppressed", "ok"]
    assert list(disclose_subgroups(levels, TEN)["status"]) == ["ok", "ok"]


def test_what_would_let_a_suppressed_estimate_be_solved_for_is_withheld() -> None:
    real = disclose_combined(risks((30.0, 3.0, 30.0)), TEN)
    target = {"design": "crude", "outcome": "death", "contrast": "risk_difference", "horizon_days": 30.0}
    metrics = [metric_row("shift_in_real_se", 0.5, threshold=1.0), metric_row("ci_overlap", 0.81234567), metric_row("standardised_difference", 0.4)]
    exact = tables.AGREEMENT.validate(pd.DataFrame([target | row for row in metrics], columns=list(tables.AGREEMENT.columns)))
    shown = disclose_agreement(exact, TEN, real=real).set_index("metric")
    assert shown.loc["shift_in_real_se", "value"] == 0.5
    assert shown.loc["shift_in_real_se", "passed"]
    assert shown.loc[["ci_overlap", "standardised_difference"], "value"].isna().all()
    told = disclose_agreement(exact, TEN, real=disclose_combined(risks((30.0, 30.0, 30.0)), TEN)).set_index("metric")
    assert told.loc["ci_overlap", "value"] == 0.812


def rare_level() -> pd.DataFrame:
    rows = [("ward", level, "categorical", "treated", 100, count, np.nan, np.nan, 0.1) for level, count in (("A", 96), ("Mr Smith's", 4))]
    rows += [("ward", level, "categorical", "comparator", 100, count, np.nan, np.nan, 0.1) for level, count in (("A", 98), ("Mr Smith's", 2))]
    return disclose_characteristics(characteristics(*rows), TEN)


def test_a_level_of_few_is_named_nowhere() -> None:
    shown = rare_level()
    assert set(shown["level"]) == {"A", "(other levels)"}
    strata = {"covariate": "ward", "level": ["A", "Mr Smith's", "not Mr Smith's", "part 1 of 5, from low to high"], "n": 200, "n_treated": 3}
    exact = tables.POSITIVITY.validate(pd.DataFrame({"replicate": 0, **strata}))
    assert set(disclose_positivity(exact, TEN, characteristics=shown)["level"]) == {"A", "part 1 of 5, from low to high"}
    terms = pd.DataFrame({"model": "outcome", "term": ["treatment", "ward Mr Smith's"], "real": 0.1, "std_error": 0.1, "synthetic": 0.1, "gap": 0.0})
    coefficients = tables.COEFFICIENTS.validate(terms.assign(band=1.0))
    assert list(disclose_coefficients(coefficients, TEN, characteristics=shown)["term"]) == ["treatment"]


def test_the_distance_of_a_hidden_share_is_withheld() -> None:
    rows = [{"variable": "ward"} | metric_row("marginal_tv", 0.0123456), {"variable": "treated"} | metric_row("marginal_tv", 0.0123456)]
    exact = tables.FIDELITY.validate(pd.DataFrame(rows, columns=list(tables.FIDELITY.columns)))
    shown = disclose_fidelity(exact, TEN, characteristics=rare_level())
    assert shown["value"].isna().tolist() == [True, False]
    assert shown["value"].iloc[1] == 0.012


def test_a_test_between_levels_is_withheld_with_a_levels_estimate() -> None:
    levels = pd.concat([risks((30.0, 3.0, 30.0)), risks((30.0, 30.0, 30.0))]).assign(subgroup="age", level=["young", "old"])
    row = {"subgroup": "age", "design": "crude", "outcome": "death", "contrast": "risk_difference", "horizon_days": 30.0, "rule": "none"}
    exact = tables.INTERACTIONS.validate(pd.DataFrame([row | {"statistic": 3.2, "df": 1.0, "p_value": 0.07, "reason": None}]))
    shown = disclose_interactions(exact, TEN, subgroups=disclose_subgroups(levels, TEN))
    assert shown[["statistic", "p_value"]].isna().all().all()


def test_an_e_value_is_withheld_with_its_estimate() -> None:
    row = {"design": "crude", "outcome": "death", "contrast": "risk_difference", "horizon_days": 30.0}
    exact = tables.ROBUSTNESS.validate(
        pd.DataFrame([row | {"measure": "e_value", "value": 2.34567, "lower": 1.1, "upper": np.nan, "p_value": np.nan, "reason": None}])
    )
    assert disclose_robustness(exact, TEN, combined=disclose_combined(risks((30.0, 3.0, 30.0)), TEN))["value"].isna().all()
    assert disclose_robustness(exact, TEN, combined=disclose_combined(risks((30.0, 30.0, 30.0)), TEN))["value"].tolist() == [2.35]
