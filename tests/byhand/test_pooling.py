"""Patients of two sites pooled, ways compared, and a log-rank test over two sites, on a handful of patients."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from parallax.disclosure.pooled import disclose_comparison, disclose_pooled, disclose_ways
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


def of_site(**counts: object) -> pd.DataFrame:
    return COMBINED.validate(pd.DataFrame([combined(**{"events_treated": 30.0, "events_comparator": 20.0} | counts)], columns=list(COMBINED.columns)))


def test_a_pooled_count_is_hidden_where_a_sites_own_is() -> None:
    """100 treated of two sites, 4 of them at one: the total beside the other site's 96 would give the 4 away. Counts at both sites are shown."""
    limits = DisclosureSection(minimum_count=10, round_to=5)
    rows = pooled(answered("individual_real", -0.5, 0.2, events_treated=61.0, events_comparator=43.0) | {"n_treated": 100.0, "n_comparator": 123.0})
    failed = pd.DataFrame([{"way": "individual_real", "design": "overlap", "failure": "not balanced"}])
    overlap = failed.reindex(columns=list(POOLED_OVERLAP.columns))
    sites = {"a": [of_site(n_treated=96.0, n_comparator=60.0)], "b": [of_site(n_treated=4.0, n_comparator=63.0)]}
    (shown,) = disclose_pooled(rows, limits, sites=sites, overlap=overlap).to_dict("records")
    assert pd.isna(shown["n_treated"])
    assert (shown["status"], pd.isna(shown["estimate"])) == ("suppressed", True)
    # 4 treated with 30 events cannot be: the patients without an event are few too
    assert pd.isna(shown["events_treated"])
    assert (shown["n_comparator"], shown["events_comparator"], shown["design_failure"]) == (125, 45, "not balanced")


def test_a_pooled_risk_is_shown_at_the_horizons_that_every_site_keeps() -> None:
    """At site b three of the treated die between days 30 and 180; 60 − 42 and 33 − 18 of the pooled would tell them."""
    limits = DisclosureSection(minimum_count=10, round_to=5)

    def at(*horizons: tuple[float, float, float]) -> list[dict[str, object]]:
        rows = [
            {"contrast": "risk_difference", "horizon_days": day, "events_treated": treated, "events_comparator": other}
            for day, treated, other in horizons
        ]
        return [row | {"n_treated": 200.0, "n_comparator": 200.0} for row in rows]

    both = pd.concat([pooled(answered("individual_real", -0.1, 0.1) | row) for row in at((30.0, 33.0, 60.0), (180.0, 60.0, 90.0))], ignore_index=True)
    a = pd.concat([of_site(**row) for row in at((30.0, 18.0, 30.0), (180.0, 42.0, 45.0))], ignore_index=True)
    b = pd.concat([of_site(**row) for row in at((30.0, 15.0, 30.0), (180.0, 18.0, 45.0))], ignore_index=True)
    overlap = empty_table(POOLED_OVERLAP)
    assert disclose_pooled(both, limits, sites={"a": [a], "b": [b]}, overlap=overlap)["status"].tolist() == ["suppressed", "ok"]
    assert disclose_pooled(both, limits, sites={"a": [a], "b": [a]}, overlap=overlap)["status"].tolist() == ["ok", "ok"]


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
    site = disclose_pooled(table, limits, sites={}, overlap=empty_table(POOLED_OVERLAP))
    found = collect_estimates({("a", "real"): site.drop(columns=["design_failure"])}, {}, {("pooled", "real"): site})
    assert found["site"].tolist() == ["a", "pooled"]
    assert found["way"].fillna("").tolist() == ["", "individual_real"]
    assert found["shared"].fillna("").tolist() == ["", "nothing"]
