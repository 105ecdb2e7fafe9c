"""Patients of two sites pooled, ways compared, and a log-rank test over two sites, on a handful of patients."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from parallax.disclosure.combined import disclose_combined
from parallax.disclosure.pooled import SiteAnswers, disclose_comparison, disclose_pooled, disclose_ways
from parallax.errors import CohortError, StatisticsError
from parallax.outcomes.observed import observe
from parallax.pooling import pool_cohorts, pool_settings
from parallax.protocol import Covariates, DesignsSection, DisclosureSection, OutcomesSection, PropensitySection
from parallax.protocol.pooling import PoolingSection
from parallax.protocol.question import Hypothesis
from parallax.protocol.validation import Gates
from parallax.reporting.results import collect_estimates
from parallax.statistics.log_rank import compare_hazards
from parallax.tables import COMBINED, POOLED, POOLED_COMPARISON, POOLED_OVERLAP, empty_table
from parallax.validation.pooled import compare_ways, judge_ways
from parallax.validation.ways import Released, answer, pool_generator, pool_real
from parallax.vocabulary import SITE

OUTCOMES = OutcomesSection.of(
    {"death": {"type": "survival", "days": "t", "event": "d", "follow_up_days": 9, "horizons_days": [5], "contrasts": ["hazard_ratio"]}}
)
DESIGNS = DesignsSection.of({"matched": {"method": "match"}, "overlap": {"method": "weight", "estimand": "ATO"}})
PRIMARY = Hypothesis(outcome="death", contrast="hazard_ratio", design="overlap")


def cohort(ages: list[float], replicate: int = 0) -> pd.DataFrame:
    rows = len(ages)
    return pd.DataFrame(
        {
            "replicate": replicate,
            "patient_id": pd.array([str(number) for number in range(1, rows + 1)], dtype="string"),
            "treated": [position % 2 == 0 for position in range(rows)],
            "age": ages,
            "death_days": [float(position + 1) for position in range(rows)],
            "death_event": 1,
        }
    )


def test_replicate_i_of_every_site_is_one_cohort_and_real_patients_stand_in_each() -> None:
    drawn = pd.concat([cohort([1.0, 2.0], replicate) for replicate in range(3)])
    pooled = pool_cohorts({"here": cohort([50.0, 60.0, 70.0])}, {"there": drawn})
    assert pooled.groupby("replicate").size().tolist() == [5, 5, 5]
    for _, patients in pooled.groupby("replicate"):
        assert patients[SITE].tolist() == ["here"] * 3 + ["there"] * 2
        assert patients["patient_id"].tolist() == ["here/1", "here/2", "here/3", "there/1", "there/2"]


def test_the_site_is_the_stratum_of_hazards() -> None:
    pooled = pool_cohorts({"b": cohort([1.0, 2.0]), "a": cohort([3.0])})
    assert observe(pooled, "death", OUTCOMES["death"]).stratum.tolist() == [1, 1, 0]
    assert observe(cohort([1.0]), "death", OUTCOMES["death"]).stratum is None


def test_the_same_patients_twice_and_other_numbers_of_replicates_are_refused() -> None:
    with pytest.raises(CohortError, match="the same patients at both"):
        pool_cohorts({"a": cohort([1.0, 2.0]), "b": cohort([1.0, 2.0]).iloc[::-1]})
    drawn = pd.concat([cohort([1.0, 2.0]), cohort([3.0, 4.0], 1)])
    with pytest.raises(CohortError, match="the same patients at both"):
        pool_cohorts({"here": cohort([50.0])}, {"a": drawn, "b": drawn.assign(patient_id=drawn["patient_id"].iloc[::-1].to_numpy())})
    with pytest.raises(StatisticsError, match="1 of a, 2 of b"):
        pool_cohorts({}, {"a": cohort([1.0]), "b": pd.concat([cohort([2.0]), cohort([2.0], 1)])})


def test_the_site_enters_the_score_and_matches_stay_within_it() -> None:
    given = {"covariates": Covariates(numeric=("age",)), "designs": DESIGNS, "propensity": PropensitySection.of({"main": {"model": "logistic"}})}
    by_site = pool_settings(PoolingSection(), **given)
    assert by_site.covariates.categorical == (SITE,)
    assert by_site.propensity["main"].interactions == (("age", SITE),)
    assert by_site.designs["matched"].exact == (SITE,)
    assert by_site.designs["overlap"] == DESIGNS["overlap"]
    common = pool_settings(PoolingSection(score="common"), **given)
    assert common.covariates == by_site.covariates
    assert (common.designs, common.propensity) == (given["designs"], given["propensity"])


def test_a_log_rank_test_over_two_sites_adds_what_each_says() -> None:
    """Site 0: events at 1 (treated; 2 of 4 at risk treated), 2 (comparator; 1 of 3). Site 1: an event at 5 (treated; 1 of 2 treated)."""
    time, event = [1, 2, 3, 4, 5, 6], [1, 1, 0, 0, 1, 0]
    treated, site = [1, 0, 1, 0, 1, 0], [0, 0, 0, 0, 1, 1]
    expected = Fraction(2, 4) + Fraction(1, 3) + Fraction(1, 2)
    variance = Fraction(2, 4) * Fraction(2, 4) + Fraction(1, 3) * Fraction(2, 3) + Fraction(1, 2) * Fraction(1, 2)
    found = compare_hazards(time, event, treated, strata=site)
    assert (found.observed, found.expected, 1 / found.variance) == pytest.approx((2.0, float(expected), float(variance)))
    assert found.log_ratio == pytest.approx(float((2 - expected) / variance))
    assert found.influence.sum() == pytest.approx(found.log_ratio)


def test_who_is_in_a_pool_and_what_has_to_leave_a_site() -> None:
    real = {"here": cohort([1.0] * 4), "there": cohort([2.0] * 6), "far": cohort([3.0] * 5)}
    drawn = {site: pd.concat([found, found.assign(replicate=1)]) for site, found in real.items()}
    assert pool_real(real).shared == "real patients of here and there and far"
    verdicts = {"here": "inconclusive", "there": "release", "far": "do_not_release"}
    synthetic, mixed = pool_generator(real, drawn, generator="sequential", verdicts=verdicts, here=("here",))
    assert (synthetic.sites, synthetic.known) == (("there",), 6)
    assert synthetic.told == "here: verdict inconclusive; far: verdict do not release"
    assert synthetic.obstacle == f"fewer than two sites have synthetic patients that were released ({synthetic.told})"
    assert (mixed.sites, mixed.known, mixed.shared) == (("here", "there"), 10, "synthetic patients of there")
    assert mixed.told == "far: verdict do not release"
    assert mixed.obstacle is None
    (_, two) = pool_generator(real, drawn, generator="sequential", verdicts=dict.fromkeys(real, "release"), here=("here", "there"))
    assert (two.sites, two.shared) == (("here", "there", "far"), "real patients of here and there; synthetic patients of far")
    (only,) = pool_generator(real, drawn, generator="sequential", verdicts=dict.fromkeys(real, "release"), here=())
    assert (only.way, only.sites, only.known, only.obstacle) == ("individual_synthetic", ("here", "there", "far"), 15, None)


def test_a_release_is_in_the_pools_of_its_generator_and_in_none_of_real_patients() -> None:
    """Four real patients here; a release of three a replicate, made of six (c = 0.5): n = 4 + 6 in both ways."""
    real = {"here": cohort([1.0] * 4)}
    drawn = {"here": pd.concat([cohort([1.5] * 2), cohort([1.5] * 2, 1)])}
    sent = pd.concat([cohort([2.0] * 3), cohort([2.5] * 3, 1)])
    how = {"verdicts": {"here": "release"}, "here": ("here",), "elsewhere": {"far": Released(sent, "sequential", patients=6, signed=False)}}
    synthetic, mixed = pool_generator(real, drawn, generator="sequential", **how)
    assert (synthetic.sites, synthetic.known, synthetic.told) == (("here", "far"), 10, None)
    assert (mixed.sites, mixed.known) == (("here", "far"), 10)
    assert mixed.shared == "synthetic patients of far; not verified by a signature: far"
    pooled = pool_cohorts(mixed.real, mixed.synthetic)
    assert pooled.loc[pooled["replicate"] == 1, "age"].tolist() == [1.0] * 4 + [2.5] * 3
    synthetic, mixed = pool_generator(real, drawn, generator="gaussian_copula", **how)
    assert (synthetic.sites, synthetic.told) == (("here",), "far: its release is of sequential")
    assert mixed.obstacle == "no other site has synthetic patients that were released (far: its release is of sequential)"
    only = pool_real(real | {"near": cohort([3.0])}, left_out={"far": "its real patients are elsewhere"})
    assert (only.sites, only.told, only.shared) == (("here", "near"), "far: its real patients are elsewhere", "real patients of here and near")


def test_a_benchmark_without_a_site_of_the_way_and_no_benchmark_decide_nothing() -> None:
    way = {"generator": pooled(answered("individual_mixed", -0.3, 0.25, rule="partial") | {"sites": "a, b, c"})}
    tables = {"real": pooled(answered("aggregates", -0.5, 0.2, rule="fixed_effect"))} | way
    comparison = compare_ways(tables)
    assert comparison["shift"].isna().all()
    (found,) = judge_ways(comparison, tables, primary=PRIMARY, gates=Gates(), shifts={})
    assert (found.verdict, found.reason) == ("inconclusive", "the benchmark is without the real patients of c")
    (found,) = judge_ways(compare_ways(way), way, primary=PRIMARY, gates=Gates(), shifts={})
    assert (found.verdict, found.benchmark, found.shift, found.sites) == ("inconclusive", "none", None, "a, b, c")


def test_a_way_is_held_against_the_first_benchmark_that_answers_for_all_of_its_sites() -> None:
    """Patients of a and b pooled, aggregates of a, b and c: Q = −0.45, √V = 0.18; q = −0.36 of three sites lies 0.5 from the aggregates."""
    real = answered("individual_real", -0.5, 0.2)
    aggregates = answered("aggregates", -0.45, 0.18, rule="fixed_effect") | {"sites": "a, b, c"}
    ways = {
        "of_three": pooled(answered("individual_synthetic", -0.36, 0.22, rule="partial") | {"sites": "a, b, c"}),
        "of_two": pooled(answered("individual_synthetic", -0.36, 0.22, rule="partial")),
    }

    def judge(*benchmarks: dict[str, object]) -> dict[str, tuple[str, str, float | None]]:
        tables = {"real": pooled(*benchmarks)} | ways
        found = judge_ways(compare_ways(tables), tables, primary=PRIMARY, gates=Gates(), shifts={})
        return {each.dataset: (each.benchmark, each.verdict, each.shift) for each in found if each.dataset != "real"}

    found = judge(real, aggregates)
    assert found["of_three"] == ("aggregates", "agrees", pytest.approx(0.5))
    assert found["of_two"] == ("individual_real", "agrees", pytest.approx(0.7))
    found = judge(real | {"status": "not_estimable", "estimate": np.nan, "std_error": np.nan, "reason": "not balanced"}, aggregates)
    assert found["of_two"] == ("aggregates", "agrees", pytest.approx(0.5))
    assert judge(real, aggregates | {"sites": "a, b"})["of_three"] == ("individual_real", "inconclusive", None)


def combined(**values: object) -> dict[str, object]:
    row = {"design": "overlap", "outcome": "death", "contrast": "hazard_ratio", "horizon_days": np.nan, "rule": "none", "replicates": 1}
    row |= {"not_estimable": 0, "n_treated": 40.0, "n_comparator": 60.0, "effective_estimand": "ATO", "variance_method": "robust", "status": "ok"}
    return row | values


def pooled(*rows: dict[str, object]) -> pd.DataFrame:
    described = {"sites": "a, b", "left_out": None, "shared": "nothing"}
    return POOLED.validate(pd.DataFrame([described | row for row in rows], columns=list(POOLED.columns)))


def answered(way: str, log_ratio: float, std_error: float, **more: object) -> dict[str, object]:
    ends = {name: math.exp(log_ratio + sign * 2 * std_error) for name, sign in (("estimate", 0), ("lower", -1), ("upper", 1))}
    return combined(way=way, std_error=std_error, **ends, **more)


def test_what_a_way_costs_by_hand() -> None:
    """Q = −0.5, √V = 0.2 over 100 patients; q = −0.3, √T = 0.25: shift 0.2/0.2, width 0.25/0.2, 100·(0.2/0.25)² = 64 patients."""
    tables = {
        "real": pooled(answered("individual_real", -0.5, 0.2)),
        "generator": pooled(answered("individual_synthetic", -0.3, 0.25, rule="partial"), answered("individual_synthetic", 0.9, 0.1, rule="naive")),
    }
    (row,) = compare_ways(tables).to_dict("records")
    assert (row["way"], row["dataset"], row["benchmark"], row["rule"]) == ("individual_synthetic", "generator", "individual_real", "partial")
    assert (row["shift"], row["width_ratio"], row["effective_patients"]) == pytest.approx((1.0, 1.25, 64.0))


@pytest.mark.parametrize(("log_ratio", "verdict"), [(-0.32, "agrees"), (-0.29, "differs")])
def test_a_way_is_judged_by_the_gate_of_a_generators_own_answer(log_ratio: float, verdict: str) -> None:
    tables = {
        "real": pooled(answered("individual_real", -0.5, 0.2)),
        "generator": pooled(answered("individual_synthetic", log_ratio, 0.25, rule="partial")),
    }
    shifts = {"generator": {"a": 0.1, "b": 1.7}}
    (found,) = judge_ways(compare_ways(tables), tables, primary=PRIMARY, gates=Gates(), shifts=shifts)
    assert (found.way, found.dataset, found.benchmark, found.verdict) == ("individual_synthetic", "generator", "individual_real", verdict)
    assert ("a +0.10, b +1.70" in found.reason) == (verdict == "differs")


def test_a_verdict_names_the_sites_of_the_primary_answer() -> None:
    """Another answer, from other sites, comes first in the table."""
    first = answered("aggregates", -0.2, 0.2, rule="fixed_effect", horizon_days=5.0) | {"sites": "a", "left_out": "b: does not answer this"}
    tables = {"real": pooled(answered("individual_real", -0.5, 0.2), first, answered("aggregates", -0.5, 0.2, rule="fixed_effect"))}
    (found,) = judge_ways(compare_ways(tables), tables, primary=PRIMARY, gates=Gates(), shifts={})
    assert (found.way, found.sites, found.left_out) == ("aggregates", "a, b", None)


def test_a_way_without_an_answer_is_inconclusive_and_says_why() -> None:
    real = {"a": cohort([1.0] * 4), "b": cohort([2.0] * 6)}
    (pool,) = pool_generator(real, real, generator="sequential", verdicts=dict.fromkeys(real, "do_not_release"), here=())
    targets = COMBINED.validate(pd.DataFrame([combined(estimate=0.6)], columns=list(COMBINED.columns)))
    settings = pool_settings(PoolingSection(), covariates=Covariates(numeric=("age",)), designs=DESIGNS, propensity=PropensitySection({}))
    found, overlap = answer(pool, settings, targets=targets, outcomes=OUTCOMES, gates=Gates(), fit="single", seed=1)
    assert found["reason"].tolist() == [
        "fewer than two sites have synthetic patients that were released (a: verdict do not release; b: verdict do not release)"
    ]
    assert found["shared"].tolist() == ["nothing"]
    pd.testing.assert_frame_equal(overlap, empty_table(POOLED_OVERLAP))
    tables = {"real": pooled(answered("individual_real", -0.5, 0.2)), "generator": found}
    (judged,) = judge_ways(compare_ways(tables), tables, primary=PRIMARY, gates=Gates(), shifts={})
    assert (judged.verdict, judged.shift) == ("inconclusive", None)
    assert "fewer than two sites" in judged.reason


LIMITS = DisclosureSection(minimum_count=10, round_to=5)


def of_site(*rows: dict[str, object], concentration: pd.DataFrame | None = None) -> SiteAnswers:
    """A site's answers, exact and shown; 200 patients in each arm, 50 of them with an event, where a row says nothing else."""
    filled = [combined(n_treated=200.0, n_comparator=200.0, events_treated=50.0, events_comparator=50.0) | row for row in rows]
    exact = COMBINED.validate(pd.DataFrame(filled, columns=list(COMBINED.columns)))
    return SiteAnswers(exact, disclose_combined(exact, LIMITS, concentration=concentration))


def show_pooled(
    *rows: dict[str, object],
    real: dict[str, SiteAnswers],
    synthetic: dict[str, SiteAnswers] | None = None,
    way: str = "individual_real",
    here: tuple[str, ...] = (),
) -> list[dict[str, object]]:
    table = pooled(*(answered(way, -0.5, 0.2) | {"sites": ", ".join(synthetic or real), "shared": "patients"} | row for row in rows))
    return disclose_pooled(table, LIMITS, real=real, synthetic=synthetic or {}, here=here).to_dict("records")


def test_a_pooled_count_is_hidden_where_a_sites_own_is() -> None:
    """100 treated of two sites, 4 of them at one: the total beside the other site's 96 would give the 4 away. Counts at both sites are shown."""
    rows = pooled(
        answered("individual_real", -0.5, 0.2, n_treated=100.0, n_comparator=123.0, events_treated=61.0, events_comparator=43.0)
        | {"shared": "patients"}
    )
    failed = pd.DataFrame([{"way": "individual_real", "design": "overlap", "failure": "not balanced"}])
    overlap = failed.reindex(columns=list(POOLED_OVERLAP.columns))
    real = {
        "a": of_site({"n_treated": 96.0, "n_comparator": 60.0, "events_treated": 59.0, "events_comparator": 22.0}),
        "b": of_site({"n_treated": 4.0, "n_comparator": 63.0, "events_treated": 2.0, "events_comparator": 21.0}),
    }
    (shown,) = disclose_pooled(rows, LIMITS, real=real, synthetic={}, overlap=overlap).to_dict("records")
    assert pd.isna(shown["n_treated"])
    assert pd.isna(shown["events_treated"])
    assert (shown["status"], pd.isna(shown["estimate"])) == ("suppressed", True)
    assert (shown["n_comparator"], shown["events_comparator"], shown["design_failure"]) == (125, 45, "not balanced")


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ((3, 4), False),  # seven are no crowd
        ((5, 6), True),  # eleven: either may have from 2 to 9
        ((7, 7), True),  # fourteen: either has from 5 to 9, five values as rounding leaves
        ((7, 8), False),  # fifteen: from 6 on, four values
        ((9, 9), False),  # eighteen: nine each, to the patient
        ((7, 8, 8), True),  # 23 of three: from 5 on
        ((8, 8, 8), False),  # 24 of three: from 6 on
    ],
)
def test_sites_with_few_events_hide_in_a_pool_only_where_they_leave_room(events: tuple[int, ...], told: bool) -> None:
    """A large site beside them shows its own, so that the pool less its 100 is theirs; the same of patients without an event."""
    real = {name: of_site({"events_treated": float(count)}) for name, count in zip("abd", events, strict=False)} | {
        "c": of_site({"events_treated": 100.0})
    }
    total = {"n_treated": 200.0 * len(real), "n_comparator": 200.0 * len(real), "events_comparator": 50.0 * len(real)}
    (shown,) = show_pooled(total | {"events_treated": 100.0 + sum(events)}, real=real)
    assert (shown["status"] == "ok", pd.notna(shown["estimate"]), pd.notna(shown["events_treated"])) == (told,) * 3
    assert shown["events_comparator"] == 50 * len(real)
    # without an event: 200 − 100 at the large site
    real = {name: of_site({"events_treated": 200.0 - count}) for name, count in zip("abd", events, strict=False)} | {
        "c": of_site({"events_treated": 100.0})
    }
    (shown,) = show_pooled(total | {"events_treated": 200.0 * len(real) - 100.0 - sum(events)}, real=real)
    assert pd.notna(shown["events_treated"]) == told


def test_few_with_and_few_without_an_event_do_not_hide_each_other() -> None:
    """Of a, 4 of 200 had an event: its hazard ratio is hidden. Of b all but 5 had one: its count is hidden, its hazard ratio is not, and with the
    pooled one a's could be solved for."""
    real = {"a": of_site({"events_treated": 4.0}), "b": of_site({"events_treated": 195.0})}
    assert [site.shown["status"].iloc[0] for site in real.values()] == ["suppressed", "ok"]
    (shown,) = show_pooled({"n_treated": 400.0, "n_comparator": 400.0, "events_treated": 199.0, "events_comparator": 100.0}, real=real)
    assert (shown["status"], pd.isna(shown["events_treated"])) == ("suppressed", True)


def test_a_sites_few_visits_are_hidden_in_a_pool_where_the_others_visits_outnumber_its_patients() -> None:
    """Of a count outcome events are a sum: 300 visits of 200 patients are no few patients without one. 305 − 300 are a's five."""
    visits = {"contrast": "rate_ratio", "outcome": "visits"}
    real = {"a": of_site(visits | {"events_treated": 5.0}), "b": of_site(visits | {"events_treated": 300.0, "events_comparator": 300.0})}
    total = visits | {"n_treated": 400.0, "n_comparator": 400.0, "events_treated": 305.0, "events_comparator": 350.0}
    (shown,) = show_pooled(total, real=real)
    assert (shown["status"], pd.isna(shown["estimate"]), pd.isna(shown["events_treated"])) == ("suppressed", True, True)


def test_a_sum_that_few_carry_at_one_site_is_not_told_by_the_pool() -> None:
    """75 treated at each of two sites, one bill of 1,234,000 at a: the pooled mean difference times 150 is that bill."""
    cost = {
        "contrast": "mean_difference",
        "outcome": "cost",
        "n_treated": 75.0,
        "n_comparator": 75.0,
        "events_treated": np.nan,
        "events_comparator": np.nan,
    }
    bill = pd.DataFrame({"variable": ["cost"], "arm": ["treated"], "carriers": [75], "top_two": [0.99]})
    total = cost | {"n_treated": 150.0, "n_comparator": 150.0, "estimate": 8200.0}
    (shown,) = show_pooled(total, real={"a": of_site(cost, concentration=bill), "b": of_site(cost)})
    assert (shown["status"], pd.isna(shown["estimate"]), shown["n_treated"]) == ("suppressed", True, 150)
    (shown,) = show_pooled(total, real={"a": of_site(cost), "b": of_site(cost)})
    assert (shown["status"], shown["n_treated"]) == ("ok", 150)


def test_real_patients_are_not_hidden_by_synthetic_ones_that_whoever_has_the_release_knows() -> None:
    """Five of a's real patients had an event, six of b's; b's part in the mixed pool is synthetic, 60 of them known: 65 − 60 are a's five."""
    real = {"a": of_site({"events_treated": 5.0}), "b": of_site({"events_treated": 6.0})}
    total = {"n_treated": 400.0, "n_comparator": 400.0, "events_treated": 65.0, "events_comparator": 100.0, "rule": "partial"}
    how = {"way": "individual_mixed", "here": ("a",)}
    drawn = {"a": of_site({"events_treated": 40.0, "rule": "partial"}), "b": of_site({"events_treated": 60.0, "rule": "partial"})}
    (shown,) = show_pooled(total, real=real, synthetic=drawn, **how)
    assert (shown["status"], pd.isna(shown["events_treated"])) == ("suppressed", True)
    # b's synthetic patients are few too: no crowd for a's real ones, though eleven together
    few = drawn | {"b": of_site({"events_treated": 6.0, "rule": "partial"})}
    (shown,) = show_pooled(total | {"events_treated": 11.0}, real=real, synthetic=few, **how)
    assert (shown["status"], pd.isna(shown["events_treated"])) == ("suppressed", True)
    # a's real patients are many, whatever b's real ones are, who are not in it
    (shown,) = show_pooled(total | {"events_treated": 110.0}, real=real | {"a": of_site({})}, synthetic=drawn, **how)
    assert (shown["status"], shown["events_treated"]) == ("ok", 110)
    # nor are a's real ones in a pool of synthetic ones
    (shown,) = show_pooled(total | {"events_treated": 100.0}, real=real, synthetic=drawn, way="individual_synthetic", here=("a",))
    assert (shown["status"], shown["events_treated"]) == ("ok", 100)


def test_risks_that_lie_a_few_events_apart_at_one_site_are_not_told_by_the_pool() -> None:
    """At a three events lie between day 30 and day 60, at b twenty: b's risks and pooled ones would give a's at day 30."""

    def risks(treated: tuple[float, float], size: float = 200.0) -> list[dict[str, object]]:
        count = {"contrast": "risk_difference", "n_treated": size, "n_comparator": size}
        return [count | {"horizon_days": day, "events_treated": n, "events_comparator": n} for day, n in zip((30.0, 60.0), treated, strict=True)]

    real = {"a": of_site(*risks((50.0, 53.0))), "b": of_site(*risks((50.0, 70.0)))}
    assert [real["a"].shown["status"].tolist(), real["b"].shown["status"].tolist()] == [["suppressed", "ok"], ["ok", "ok"]]
    first, second = show_pooled(*risks((100.0, 123.0), 400.0), real=real)
    assert (first["status"], pd.isna(first["estimate"])) == ("suppressed", True)
    assert (second["status"], second["events_treated"]) == ("ok", 125)


def test_aggregates_and_pools_of_nobody_give_nothing_away() -> None:
    """Aggregates hold what sites show; a way without patients says why."""
    real = {"a": of_site({"events_treated": 4.0}), "b": of_site({}), "c": of_site({})}
    total = {"n_treated": 400.0, "n_comparator": 400.0, "events_treated": 100.0, "events_comparator": 100.0, "sites": "b, c", "rule": "fixed_effect"}
    (shown,) = show_pooled(total, real=real, way="aggregates")
    assert (shown["status"], shown["events_treated"]) == ("ok", 100)
    nobody = {"status": "not_estimable", "reason": "no other site has synthetic patients", "shared": "nothing", "sites": "a", "estimate": np.nan}
    (shown,) = show_pooled(nobody | {"n_treated": np.nan, "n_comparator": np.nan}, real=real, way="individual_mixed", here=("a",))
    assert (shown["status"], shown["reason"]) == ("not_estimable", "no other site has synthetic patients")


def test_the_shift_of_a_pooled_primary_estimate_that_is_not_shown_is_not_told() -> None:
    """Where the way's own estimate or the benchmark's is suppressed, shift and the sites' own shifts would tell it; the verdict stands."""
    limits = DisclosureSection(minimum_count=10, round_to=5)
    tables = {
        "real": pooled(answered("individual_real", -0.5, 0.2)),
        "generator": pooled(answered("individual_synthetic", -0.2, 0.25, rule="partial")),
    }
    judged = judge_ways(compare_ways(tables), tables, primary=PRIMARY, gates=Gates(), shifts={"generator": {"a": 0.12, "b": 1.73}})
    entries = [entry.plain() for entry in judged]
    (told,) = disclose_ways(entries, limits, primary=PRIMARY, suppressed={})
    assert (told["shift"], "+1.73" in str(told["reason"])) == (1.5, True)
    for dataset in ("real", "generator"):
        (hidden,) = disclose_ways(entries, limits, primary=PRIMARY, suppressed={dataset: {PRIMARY.target}})
        assert (hidden["verdict"], hidden["shift"]) == ("differs", None)
        assert hidden["reason"] == "how far it lies from the benchmark is not shown: it would tell of fewer than 10 patients"
        (untold,) = disclose_ways(
            [entries[0] | {"shift": None, "reason": "the benchmark has no estimate: no events"}],
            limits,
            primary=PRIMARY,
            suppressed={dataset: {PRIMARY.target}},
        )
        assert untold["reason"] == "why it cannot be compared is not shown: it would tell of fewer than 10 patients"
    (other,) = disclose_ways(entries, limits, primary=PRIMARY, suppressed={"other": {PRIMARY.target}, "real": {("matched", *PRIMARY.target[1:])}})
    assert other == told


def test_the_benchmarks_are_compared_once() -> None:
    tables = {"real": pooled(answered("individual_real", -0.5, 0.2), answered("aggregates", -0.4, 0.2, rule="fixed_effect"))}
    assert compare_ways(tables)[["way", "benchmark"]].to_numpy().tolist() == [["aggregates", "individual_real"]]


def test_effective_patients_are_rounded_as_counts_are() -> None:
    row = {"way": "aggregates", "dataset": "real", "benchmark": "individual_real", "rule": "partial", "effective_patients": 1957.2}
    comparison = pd.DataFrame([row | combined()], columns=list(POOLED_COMPARISON.columns)).assign(rule="partial")
    assert disclose_comparison(comparison, DisclosureSection(minimum_count=10, round_to=5), suppressed={})["effective_patients"].tolist() == [1955]


def test_only_pooled_rows_of_the_estimates_have_a_way() -> None:
    limits = DisclosureSection(minimum_count=10, round_to=5)
    table = pooled(answered("individual_real", -0.5, 0.2, events_treated=61.0, events_comparator=43.0))
    site = disclose_pooled(table, limits, real={}, synthetic={})
    found = collect_estimates({("a", "real"): site.drop(columns=["design_failure"])}, {}, {("pooled", "real"): site})
    assert found["site"].tolist() == ["a", "pooled"]
    assert found["way"].fillna("").tolist() == ["", "individual_real"]
    assert found["shared"].fillna("").tolist() == ["", "nothing"]
