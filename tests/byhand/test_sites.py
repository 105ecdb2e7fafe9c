"""Sites pooled on paper. Two sites at −0.2 and −0.6 with standard errors 0.1 and 0.2: weights 100 and 25, so −35/125 = −0.28 with 1/√125."""

from __future__ import annotations

from math import exp, log, sqrt

import numpy as np
import pandas as pd
import pytest

from parallax.disclosure.combined import disclose_combined
from parallax.disclosure.follow_up import disclose_follow_up
from parallax.disclosure.pooled import disclose_heterogeneity, disclose_site_overlap
from parallax.protocol.disclosure import DisclosureSection
from parallax.sites.aggregates import list_excluded, pool_aggregates, withhold
from parallax.sites.heterogeneity import measure_heterogeneity
from parallax.sites.overlap import compare_sites
from parallax.sites.site_results import SiteResults
from parallax.statistics.preferred_numbers import nearest_step
from parallax.tables import SITE_OVERLAP
from simulated_cohorts import COVARIATES, simulate_cohort
from site_tables import answers, sound_results, table_1

TWO = {"clinic": answers((-0.2, 0.1)), "harbour": answers((-0.6, 0.2))}


def pool(tables: dict[str, pd.DataFrame], **others: object) -> pd.DataFrame:
    return pool_aggregates(tables, **{"way": "aggregates", "excluded": {}} | others).set_index("rule")  # type: ignore[arg-type]


def test_two_sites() -> None:
    pooled = pool(TWO)
    fixed = pooled.loc["fixed_effect"]
    assert log(fixed["estimate"]) == pytest.approx(-0.28)
    assert fixed["std_error"] == pytest.approx(1 / sqrt(125))
    assert log(fixed["upper"]) == pytest.approx(-0.28 + 1.959964 / sqrt(125), abs=1e-6)
    assert (fixed["sites"], pd.isna(fixed["left_out"]), fixed["way"]) == ("clinic, harbour", True, "aggregates")
    assert tuple(fixed[["n_treated", "n_comparator", "events_treated", "events_comparator"]]) == (200, 400, 80, 100)
    # Q = 100 · 0.08² + 25 · 0.32² = 3.2; τ² = 2.2/(125 − 10625/125) = 0.055; weights 1/0.065 and 1/0.095
    weights = np.array([1 / 0.065, 1 / 0.095])
    random = pooled.loc["random_effects"]
    assert log(random["estimate"]) == pytest.approx(weights @ [-0.2, -0.6] / weights.sum())
    assert random["std_error"] == pytest.approx(weights.sum() ** -0.5)
    assert (np.isinf(random["df"]), pooled.loc["hartung_knapp", "df"]) == (True, 1.0)


def test_differences_are_pooled_as_they_are() -> None:
    tables = {site: answers((estimate, 0.1), contrast="risk_difference") for site, estimate in (("clinic", 0.1), ("harbour", 0.3))}
    assert pool(tables).loc["fixed_effect", "estimate"] == pytest.approx(0.2)


def test_a_site_without_an_estimate_is_left_out_and_said() -> None:
    pooled = pool(TWO | {"island": answers((np.nan, np.nan)), "valley": answers((-0.1, 0.0))})
    row = pooled.loc["fixed_effect"]
    assert (row["sites"], row["not_estimable"]) == ("clinic, harbour", 0), "sites are no replicates"
    assert row["left_out"] == "island: no event in the treated arm; valley: its estimate has no variance"
    assert log(row["estimate"]) == pytest.approx(-0.28)


def test_a_site_that_does_not_answer_one_target() -> None:
    pooled = pool_aggregates({"clinic": answers((-0.2, 0.1), (-0.3, 0.1)), "harbour": answers((-0.6, 0.2))}, way="aggregates", excluded={})
    later = pooled[(pooled["horizon_days"] == 60)].set_index("rule")
    assert later.loc["fixed_effect", "left_out"] == "harbour: does not answer this"
    assert set(later["reason"]) == {"fewer than two sites have an estimate (harbour: does not answer this)"}
    assert set(later["shared"]) == {"nothing"}


def test_no_site_is_left() -> None:
    pooled = pool(TWO, excluded={"clinic": "its generator was not released", "harbour": "its generator was not released"})
    assert set(pooled["status"]) == {"not_estimable"}
    told = "clinic: its generator was not released; harbour: its generator was not released"
    assert set(pooled["reason"]) == {f"fewer than two sites have an estimate ({told})"}
    assert set(pooled["shared"]) == {"nothing"}
    assert pooled["estimate"].isna().all()


def test_a_suppressed_count_stays_suppressed_in_the_sum() -> None:
    pooled = pool({"clinic": TWO["clinic"], "harbour": answers((-0.6, 0.2), events_treated=np.nan)})
    assert pooled["events_treated"].isna().all()
    assert (pooled["events_comparator"] == 100).all()


def test_who_is_left_out_for_a_generator_that_was_not_released() -> None:
    here = {"clinic": {"sequential": {"verdict": "release"}}, "valley": {"sequential": {"verdict": "do_not_release"}}}
    elsewhere = {"harbour": {"sequential": "release"}, "island": {}}
    nothing = {"island": {}}
    assert list_excluded("sequential", here, elsewhere, released=()) == {"valley": "verdict do not release", "island": "verdict not known"}
    assert list_excluded("real", here, elsewhere, released=()) == {}
    absent = {"harbour": "its real patients are elsewhere, and it sent no site results"}
    assert list_excluded("real", here, nothing, released=("harbour", "island")) == absent
    assert list_excluded("sequential", here, nothing, released=("harbour",)) == absent | {
        "valley": "verdict do not release",
        "island": "verdict not known",
    }


def test_what_a_site_may_not_tell_is_not_pooled() -> None:
    """Nine events: the exact estimate stays, its status does not, and the site is left out."""
    few = answers((-0.6, 0.2), events_treated=9.0)
    held = withhold(few, disclose_combined(few, DisclosureSection()))
    assert (held.loc[0, "status"], pd.isna(held.loc[0, "events_treated"])) == ("suppressed", True)
    assert pool({"clinic": TWO["clinic"], "harbour": held}).loc["fixed_effect", "left_out"] == "harbour: it would tell of fewer than 10 patients"
    kept = withhold(TWO["harbour"], disclose_combined(TWO["harbour"], DisclosureSection()))
    assert kept.loc[0, "std_error"] == 0.2
    assert pool({"clinic": TWO["clinic"], "harbour": kept}).loc["fixed_effect", "sites"] == "clinic, harbour"


def test_what_no_key_vouches_for_is_said() -> None:
    assert pool(TWO, unverified=("harbour",))["shared"].unique() == ["estimates, variances and counts; not verified by a signature: harbour"]


def test_a_crashed_generator_is_told_with_its_reason_and_without_replicates() -> None:
    content = sound_results()
    crashed = content["answers"][0] | {"dataset": "sequential", "rule": "partial", "replicates": 0, "status": "not_estimable", "reason": "it crashed"}
    crashed |= dict.fromkeys(("estimate", "variance", "lower", "upper", "p_value", "df"))
    content["answers"] += [crashed]
    assert SiteResults.of(content).combined("sequential")["reason"].tolist() == ["it crashed"]
    with pytest.raises(ValueError, match="without a replicate"):
        SiteResults.of(content | {"answers": [content["answers"][0] | {"replicates": 0}]})


def test_heterogeneity_of_two_sites() -> None:
    """The interaction site × treatment: z = 0.4/√(0.01 + 0.04), Q = z² = 3.2."""
    found = measure_heterogeneity(TWO, excluded={}).set_index("measure")
    assert (found.loc["q", "value"], found.loc["q", "df"]) == (pytest.approx(3.2), 1)
    assert (found.loc["tau2", "value"], found.loc["i2", "value"]) == (pytest.approx(0.055), pytest.approx(2.2 / 3.2))
    assert found.loc["prediction", "reason"] == "fewer than three independent estimates"
    left = found.loc["left_out"].set_index("site")["value"]
    assert (left["clinic"], left["harbour"]) == (pytest.approx(exp(-0.6)), pytest.approx(exp(-0.2)))


def test_heterogeneity_of_one_site() -> None:
    found = measure_heterogeneity({"clinic": TWO["clinic"]}, excluded={}).set_index("measure")
    assert list(found.index) == ["site", "q", "tau2", "i2", "prediction"]
    assert log(found.loc["site", "value"]) == pytest.approx(-0.2)
    assert found["value"].drop("site").isna().all()


def test_sites_that_differ_less_than_by_chance() -> None:
    alike = {site: answers((-0.3, 0.1)) for site in ("clinic", "harbour", "island")}
    found = measure_heterogeneity(alike, excluded={}).set_index("measure")
    assert (found.loc["tau2", "value"], found.loc["i2", "value"]) == (0.0, 0.0)
    assert found.loc["i2", "reason"].startswith("the sites differ less than chance")
    assert log(found.loc["prediction", "value"]) == pytest.approx(-0.3)


def test_patients_of_two_sites_by_table_1() -> None:
    """Age 60 and 63; its variance over both arms of 100: {2 · 99 · 100 + 200 · 1²}/199 = 20000/199. Of women 0.4 and 0.6: p(1 − p) = 0.24."""
    tables = {"clinic": table_1(), "harbour": table_1(age=63.0, women=60)}
    for site, women in (("clinic", 0.4), ("harbour", 0.6)):
        share = tables[site]["level"].map({"female": women, "male": 1 - women})
        tables[site] = tables[site].assign(mean=tables[site]["mean"].fillna(share))
    found = compare_sites(tables, {}, COVARIATES).set_index(["covariate", "level"])["value"]
    assert found["age"].item() == pytest.approx(-3 / sqrt(20000 / 199))
    assert found["sex", "female"] == pytest.approx(-0.2 / sqrt(0.24))
    assert found["sex", "male"] == pytest.approx(0.2 / sqrt(0.24))


def test_suppressed_characteristics_give_no_difference() -> None:
    hidden = table_1().assign(mean=np.nan)
    found = compare_sites({"clinic": table_1(), "harbour": hidden}, {}, COVARIATES)
    assert found["value"].isna().all()
    assert set(found["reason"]) == {"suppressed or not there at one of the sites"}


def test_patients_who_are_alike_and_patients_who_are_not() -> None:
    here, alike = simulate_cohort(600, seed=1), simulate_cohort(600, seed=2)
    other = alike.assign(age=alike["age"] + 60)
    near = compare_sites({}, {"clinic": here, "harbour": alike}, COVARIATES).set_index("measure")["value"]
    far = compare_sites({}, {"clinic": here, "harbour": other}, COVARIATES).set_index("measure")["value"]
    assert 0.5 <= near["membership_c"] < 0.6, "in sample: a dozen columns fit a little"
    assert near["common_support"] > 0.95
    assert far["membership_c"] > 0.98
    assert far["common_support"] < 0.1


def test_differences_between_sites_are_shown_as_exactly_as_the_sites_show_themselves() -> None:
    """−0.2 ± 0.1 is a ratio of 0.8187 with an error of 0.08: its own table says 0.819. Of two sites it is what is left without the other."""
    found = disclose_heterogeneity(measure_heterogeneity(TWO, excluded={}))
    own = disclose_combined(TWO["clinic"], DisclosureSection()).iloc[0]
    told = ["lower", "upper", "std_error", "p_value"]
    for measure, site in (("site", "clinic"), ("left_out", "harbour")):
        row = found[(found["measure"] == measure) & (found["site"] == site)].iloc[0]
        assert (row["value"], *row[told]) == (own["estimate"], *own[told])
    assert own["estimate"] == 0.819
    rest = found[found["std_error"].isna()].set_index("measure")
    assert (rest.loc["q", "value"], rest.loc["q", "df"], rest.loc["tau2", "value"], rest.loc["i2", "value"]) == (3.2, 1, 0.055, 0.688)


def test_shares_of_patients_at_two_sites_name_no_fraction() -> None:
    """251 of 400 patients with their like at the other site are 0.63; of how unlike they are no more is said than of the arms within a site."""
    rows = [("smd", 0.123456), ("membership_c", 0.71234), ("common_support", 251 / 400), ("smd", np.nan)]
    overlap = SITE_OVERLAP.validate(
        pd.DataFrame([{"site": "a", "other": "b", "measure": measure, "value": value} for measure, value in rows], columns=list(SITE_OVERLAP.columns))
    )
    assert disclose_site_overlap(overlap)["value"].tolist()[:3] == [0.12, 0.712, 0.63]
    assert disclose_site_overlap(overlap)["value"].isna().tolist() == [False, False, False, True]


@pytest.mark.parametrize(("days", "step"), [(1.0, 1.0), (69.0, 63.1), (71.0, 79.4), (100.0, 100.0), (3.29, 3.16), (1826.0, 2000.0), (0.0, None)])
def test_follow_up_is_told_in_ten_steps_to_a_factor_of_ten(days: float, step: float | None) -> None:
    """10^1.8 = 63.1 and 10^1.9 = 79.4, between which 10^1.85 = 70.8 decides."""
    assert nearest_step(days) == step
    assert step is None or nearest_step(step) == step


def test_a_median_that_few_patients_are_near_is_not_told() -> None:
    """Eleven patients at 90, 91, …, 100 days, of whom 90 to 100 come to the step 100 (89.1 to 112.2); with nine more at 1
    and at 1000 the median stays 95. Of 1, 2, 4, …, 1024 days the middle one is 32, and no other patient is near."""
    near, far = [90.0 + day for day in range(11)], [1.0] * 9 + [1000.0] * 9
    cohort = pd.DataFrame({"death_days": near + far, "relapse_days": [2.0**power for power in range(11)] + far})
    limits = DisclosureSection(minimum_count=10, round_to=5)
    assert disclose_follow_up(cohort, ["death"], limits) == {"death": 100.0}
    assert disclose_follow_up(cohort, ["death"], DisclosureSection(minimum_count=12, round_to=10)) == {"death": None}
    assert disclose_follow_up(cohort, ["relapse"], limits) == {"relapse": None}
    assert disclose_follow_up(cohort.iloc[:0], ["death"], limits) == {"death": None}
