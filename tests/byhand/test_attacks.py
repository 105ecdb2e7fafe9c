"""Every attack on a handful of patients."""

from __future__ import annotations

from math import inf, nan, sqrt

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from parallax.errors import NotEstimable
from parallax.protocol.validation import Gates
from parallax.statistics.statements import ABOVE, AT_LEAST, AT_MOST, BELOW, EQUAL, MISSING, PRESENT, UNEQUAL, count_matches
from parallax.validation import singling_out
from parallax.validation.bounds import Bounded
from parallax.validation.inference import attack_attribute, find_right
from parallax.validation.judging import judge_auc, judge_excess, judge_risk, judge_worst_risk
from parallax.validation.linkability import attack_links, find_links
from parallax.validation.membership import attack_by_distance, measure_true_positives
from parallax.validation.metrics import NOT_INFORMATIVE
from parallax.validation.neighbours import RecordSpace, find_distance_ratios
from parallax.validation.quasi_identifiers import coarsen, find_replicated_uniques, measure_anonymity
from parallax.validation.risk import Outcome, Trials, estimate_rate, measure_risk
from parallax.validation.vulnerable import find_outliers, find_rare
from validation_tables import distances_between

GATES = Gates()


def records(*rows: tuple[float, ...]) -> NDArray[np.float32]:
    return np.array(rows, dtype=np.float32)


def flags(true: int, size: int) -> NDArray[np.bool_]:
    return np.arange(size) < true


def test_wilson_rate_and_risk() -> None:
    # z² = 4: centre (3 + 2)/(10 + 4), half-width 2/14 · √(3·7/10 + 1)
    confidence = 0.9544997361036416  # two normal standard deviations, from any table
    assert estimate_rate(Trials(3, 10), confidence=confidence) == (pytest.approx(5 / 14), pytest.approx(sqrt(3.1) / 7))
    found = measure_risk(Trials(8, 10), Trials(3, 10), confidence=confidence)
    # a = 10/14, c = 5/14: R = 5/9; δa = √2.6/7, δc = √3.1/7
    margin = sqrt((sqrt(2.6) / 7 * 14 / 9) ** 2 + (sqrt(3.1) / 7 * (4 / 14) / (9 / 14) ** 2) ** 2)
    assert (found.value, found.lower, found.upper) == (pytest.approx(5 / 9), pytest.approx(5 / 9 - margin), pytest.approx(5 / 9 + margin))
    assert measure_risk(Trials(3, 10), Trials(8, 10)).value == 0.0


def test_predicates_and_missing_values() -> None:
    table = np.array([[1.0], [2.0], [3.0], [nan]])
    counts = {}
    for operator in (EQUAL, UNEQUAL, ABOVE, BELOW, AT_LEAST, AT_MOST, MISSING, PRESENT):
        one = np.array([[operator]])
        counts[operator] = int(count_matches(np.zeros((1, 1), np.int64), one, np.array([[2.0]]), table, 9)[0])
    assert counts == {EQUAL: 1, UNEQUAL: 2, ABOVE: 1, BELOW: 1, AT_LEAST: 2, AT_MOST: 2, MISSING: 1, PRESENT: 3}


def test_statements_on_one_column() -> None:
    # numbers 1, 1, 5 and one missing: 5 is the largest and occurs once, 1 neither; level 0 twice, level 1 once, one missing
    table = np.array([[1.0, 0.0], [1.0, 0.0], [5.0, 1.0], [nan, nan]])
    found = singling_out.state_univariate(table, 1)
    stated = {tuple(row) for row in zip(found.column[:, 0], found.operator[:, 0], found.value[:, 0], strict=True)}
    assert stated == {(0, MISSING, 0.0), (0, AT_LEAST, 5.0), (0, EQUAL, 5.0), (1, MISSING, 0.0), (1, EQUAL, 1.0)}
    assert singling_out.hold_once(found, table).all()


def test_singling_out_counts_exactly_one() -> None:
    statements = singling_out.Statements(np.array([[0, 1], [0, 1]]), np.array([[AT_LEAST, EQUAL]] * 2), np.array([[5.0, 1.0], [2.0, 0.0]]))
    seen = np.array([[6.0, 1.0], [6.0, 1.0], [3.0, 0.0], [4.0, 0.0]])  # the first two are one record
    outcome = singling_out.attack_by_statements(statements, statements.pick(slice(1, 2)), seen, seen[2:3])
    assert outcome == Outcome(Trials(1, 2), Trials(1, 2), Trials(0, 1))


def test_statements_on_several_columns_hold_for_one_record() -> None:
    rng = np.random.default_rng(1)
    table = np.column_stack([rng.normal(size=40), rng.normal(size=40), rng.integers(0, 3, 40)])
    found = singling_out.state_multivariate(table, 2, wanted=20, rng=rng)
    assert len(found) == 20
    assert found.column.shape == (20, 3)
    assert (np.diff(found.column, axis=1) > 0).all()
    assert singling_out.hold_once(found, table).all()
    # records that are all the same can be told apart by nothing
    assert len(singling_out.state_multivariate(np.ones((40, 3)), 2, wanted=25, rng=rng)) == 0


def test_links() -> None:
    # synthetic (0, 0), (10, 10), (0, 10): a patient near the first on both sides is linked; one near the first and the third is not
    synthetic, sides = records((0, 0), (10, 10), (1, 9)), (np.array([0]), np.array([1]))
    seen = records((0.1, 0.2), (0.1, 9.1), (9.9, 9.9))
    assert list(find_links(seen, synthetic, sides=sides)) == [True, False, True]
    outcome = attack_links(seen, seen[1:2], synthetic, sides=sides, rng=np.random.default_rng(1))
    assert (outcome.seen, outcome.control, outcome.baseline.attempts) == (Trials(2, 3), Trials(0, 1), 3)


def test_right_guesses() -> None:
    guesses, truth = np.array([100.0, 100.0, -100.0, nan, 5.0]), np.array([105.0, 105.1, -96.0, nan, nan])
    assert list(find_right(guesses, truth, number=True)) == [True, False, True, True, False]
    assert list(find_right(np.array([1.0, 2.0]), np.array([1.0, 1.9999]), number=False)) == [True, False]


def test_inference() -> None:
    synthetic, secrets = records((0,), (10,)), (np.array([0.0, 0.0]), np.array([1.0]), np.array([0.0, 1.0]))
    outcome = attack_attribute(
        records((1,), (9,)), records((8,)), synthetic, known=np.array([0]), secrets=secrets, number=False, rng=np.random.default_rng(1)
    )
    assert (outcome.seen, outcome.control) == (Trials(1, 2), Trials(1, 1))


def test_nearest_record_attack_and_a_thousandth_of_false_positives() -> None:
    distances = distances_between(records((0,), (4,)), records((9,), (11,)), records((20,), (22,)), synthetic=records((0,), (10,)))
    attack = attack_by_distance(distances)
    assert list(attack.members[0]) == list(attack.members[1]) == [0.0, -4.0]
    assert [list(part) for part in attack.others] == [[-1.0, -1.0], [-10.0, -12.0]]
    assert measure_true_positives(attack, 0.001).value == 1 / 2  # of four others none may lie above: −1 is the threshold
    only = attack.among(np.array([True, True]), (np.array([True, True]), np.array([True, True])))
    assert (only.members == attack.members).all()
    with pytest.raises(NotEstimable):
        attack.among(np.array([True, False]), (np.array([True, True]), np.array([True, True])))


def test_quasi_identifiers() -> None:
    real = pd.DataFrame({"age": [41.2, 41.9, 60.0, 77.0], "sex": pd.array(["f", "f", "m", None], dtype="string")})
    drawn = pd.DataFrame({"age": [60.7, 60.1, 77.5, 41.0], "sex": pd.array(["m", "m", None, "f"], dtype="string")})
    classes = [coarsen(frame, ["age", "sex"], widths={"age": 1}, numeric=["age"]) for frame in (real, drawn)]
    unique, replicated = find_replicated_uniques(classes[0], [classes[1]])
    # the two of 41 are no one's alone; of the others 77 is alone among the synthetic too, 60 is not; in a replicate of its own it is
    assert list(unique) == [False, False, True, True]
    assert list(replicated) == [False, False, False, True]
    assert list(find_replicated_uniques(classes[0], [classes[1][:1], classes[1][1:]])[1]) == [False, False, True, True]


def test_anonymity_of_a_release() -> None:
    one, two = np.array([1, 1, 2, 2, 2], dtype=np.uint64), np.array([1, 1, 1, 2, 2], dtype=np.uint64)
    secret = [np.array([5, 6, 7, 8, 9], dtype=np.uint64), np.array([5, 6, 7, 8, 8], dtype=np.uint64)]
    found = measure_anonymity([one, two], [secret])
    assert (found.k, found.l) == (2.0, 1.0)
    assert np.isnan(measure_anonymity([one], []).l)


def test_outliers_and_the_rarest() -> None:
    line = np.zeros((20, 1), dtype=np.float32)
    line[[3, 11]] = [[5.0], [-7.0]]
    assert list(np.flatnonzero(find_outliers(line))) == [3, 11]
    real = pd.DataFrame({"c": pd.array(["a"] * 17 + ["b", "b", None], dtype="string")})
    # one of twenty has no level, two have b: the tenth with the rarest is the one that lies above the eighteenth
    assert list(np.flatnonzero(find_rare(real, ["c"]))) == [19]
    assert not find_outliers(np.ones((20, 2), dtype=np.float32)).any()  # all alike: nobody stands out


def test_distance_ratios() -> None:
    # from 0: 1 and 3; from 10: 7 and 9; two at zero
    assert list(find_distance_ratios(records((0,), (10,)), records((1,), (3,)))) == [pytest.approx(1 / 3), pytest.approx(7 / 9)]
    assert list(find_distance_ratios(records((1,)), records((1,), (1,)))) == [1.0]


def test_axes_of_columns() -> None:
    real = pd.DataFrame({"age": [0.0, 2.0], "weight": [1.0, nan], "sex": pd.array(["f", "m"], dtype="string")})
    space = RecordSpace.of([real], numeric=["age", "weight"], categorical=["sex"])
    placed = space.place(real)
    # values, then whether they are missing, then levels and a missing one
    assert list(space.axes(["weight"])) == [1, 3]
    assert list(space.axes(["age", "sex"])) == [0, 2, 4, 5, 6]
    assert placed.shape[1] == 7


def judged(row: dict[str, object]) -> tuple[object, str]:
    passed = row["passed"]
    return None if pd.isna(passed) else passed, str(row["reason"] or "")


def test_an_attack_no_better_than_guessing_is_not_informative() -> None:
    passed, reason = judged(judge_risk("linkability", Outcome(Trials(2, 500), Trials(2, 500), Trials(2, 500)), 500, GATES))
    assert (passed, reason.startswith(NOT_INFORMATIVE)) == (None, True)


def test_an_attack_that_gets_everybody_is_not_informative() -> None:
    passed, reason = judged(judge_risk("linkability", Outcome(Trials(160, 160), Trials(40, 40), Trials(1, 160)), 40, GATES))
    assert (passed, reason.startswith(NOT_INFORMATIVE)) == (None, True)


def test_risks_pass_fail_or_have_too_few_patients() -> None:
    guess = Trials(0, 2000)
    assert judged(judge_risk("inference", Outcome(Trials(800, 2000), Trials(800, 2000), guess), 2000, GATES)) == (True, "")
    assert judged(judge_risk("inference", Outcome(Trials(1400, 2000), Trials(800, 2000), guess), 2000, GATES))[0] is False
    few = judged(judge_risk("inference", Outcome(Trials(24, 40), Trials(20, 40), Trials(0, 40)), 40, GATES))
    assert few == (None, f"{NOT_INFORMATIVE}the patients are too few: a harmless generator would often exceed the threshold")
    ten = judged(judge_risk("inference", Outcome(Trials(800, 2000), Trials(4, 10), guess), 10, GATES))
    assert ten == (None, f"{NOT_INFORMATIVE}fewer than 30 patients were kept from the generator")


def test_no_sensitive_column_hides_behind_one_with_a_wider_interval() -> None:
    guess = Trials(400, 2000)
    wide = Outcome(Trials(1990, 2000), Trials(1135, 1147), guess)  # 0.51, from 0.20 to 0.83: no answer
    sure = Outcome(Trials(1160, 2000), Trials(450, 1147), guess)  # 0.31, from 0.27: fails
    kept = Outcome(Trials(800, 2000), Trials(460, 1147), guess)
    assert judge_worst_risk("inference", {"wide": wide, "sure": sure, "kept": kept}, GATES)["reason"] == "of sure"
    assert judged(judge_worst_risk("inference", {"wide": wide, "sure": sure}, GATES))[0] is False
    undecided = judged(judge_worst_risk("inference", {"kept": kept, "wide": wide}, GATES))
    assert undecided[0] is None
    assert undecided[1].startswith(NOT_INFORMATIVE)
    assert judged(judge_worst_risk("inference", {"kept": kept}, GATES)) == (True, "")


def test_excess_of_copies() -> None:
    assert judged(judge_excess("excess_copies", flags(0, 4588), flags(0, 1147), GATES)) == (True, "")
    assert judged(judge_excess("excess_copies", flags(46, 4588), flags(0, 1147), GATES))[0] is False
    assert judged(judge_excess("excess_copies", flags(46, 4588), flags(1, 1147), GATES))[0] is False
    assert judged(judge_excess("excess_copies", flags(5, 549), flags(0, 137), GATES))[0] is None
    assert NOT_INFORMATIVE not in judged(judge_excess("excess_copies", flags(5, 549), flags(0, 137), GATES))[1]
    assert judged(judge_excess("excess_copies", flags(0, 100), flags(0, 25), GATES))[1].startswith(NOT_INFORMATIVE)
    assert judged(judge_excess("excess_copies", flags(50, 100), flags(12, 25), GATES))[1].startswith(NOT_INFORMATIVE)
    assert judged(judge_excess("excess_copies", flags(0, 0), flags(0, 25), GATES))[1].startswith(NOT_INFORMATIVE)


def test_areas_of_few_patients_are_undecided() -> None:
    wide, narrow = Bounded(0.55, 0.45, 0.65), Bounded(0.585, 0.55, 0.62)  # 2.57 margins would reach from 0.5 to 0.59
    assert judged(judge_auc("membership_auc", wide, 200, GATES))[0] is None
    assert judged(judge_auc("membership_auc", narrow, 200, GATES))[0] is False
    assert judged(judge_auc("membership_auc", Bounded(0.5, 0.48, 0.52), 20, GATES))[0] is None  # ten each: never a pass
    assert judged(judge_auc("membership_auc", Bounded(0.9, 0.8, 1.0), 20, GATES))[0] is False  # but a plain failure
    assert judged(judge_auc("outlier_auc", Bounded(0.6, 0.4, 0.8), 200, GATES, vital=False))[1].startswith(NOT_INFORMATIVE)
    assert GATES.membership_auc_upper < inf
