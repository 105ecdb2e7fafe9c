"""The attack by shadow models, and the F1 score of membership disclosure, on a handful of patients."""

from __future__ import annotations

from fractions import Fraction
from math import log

import numpy as np
import pandas as pd
import pytest

from parallax.errors import NotEstimable, StatisticsError
from parallax.protocol.validation import Gates
from parallax.tables import SHADOW, empty_table
from parallax.validation.disclosure_f1 import measure_f1
from parallax.validation.metrics import NOT_INFORMATIVE, SHADOWED
from parallax.validation.records import RecordColumns
from parallax.validation.shadow_attack import ShadowAttack, attack_by_shadows, attack_pairs, measure_shadow_auc, measure_shadow_positives
from parallax.validation.shadows import measure_nearness

Z95 = 1.6448536269514722  # the normal distribution's 95 % quantile, from any table
T95 = np.tan(0.45 * np.pi)  # Student's with one degree of freedom, which is Cauchy's: 6.314

# two patients in four models: the first saw A, the second B, the third both, the fourth none
STATISTICS = np.array([[1.0, 5.0], [3.0, 1.0], [2.0, 4.0], [6.0, 4.0]])[:, :, None]
MEMBER = np.array([[True, False], [False, True], [True, True], [False, False]])


def test_nearness_of_two_replicates() -> None:
    # ages 0 and 2 have standard deviation 1; the first replicate copies the first patient, the second lies one unit from either
    real = pd.DataFrame({"patient_id": pd.array(["a", "b"], dtype="string"), "age": [0.0, 2.0]})
    drawn = pd.DataFrame({"replicate": [0, 1], "age": [0.0, 1.0]})
    columns = RecordColumns(numeric=("age",), categorical=())
    found = measure_nearness(real, np.array([True, False]), drawn, columns=columns, rng=np.random.default_rng(1))
    assert list(found["patient_id"]) == ["a", "b"]
    assert list(found["member"]) == [True, False]
    assert list(found["nearest"]) == pytest.approx([log(0.001), 0.0])
    assert list(found["typical"]) == pytest.approx([log(0.001) / 2, log(2) / 2])
    with pytest.raises(NotEstimable, match="no synthetic patients"):
        measure_nearness(real, np.array([True, False]), drawn.head(0), columns=columns, rng=np.random.default_rng(1))


def test_likelihood_ratios_of_two_pairs() -> None:
    # of the first pair, from the second: μ = 4 and 4, changes −4 and 0, so δ = −2, 2Σ = 8, and a ratio is −(t − 4)/2: 3/2, 3/2 and 1/2, −1/2
    # of the second, from the first: μ = 2 and 3, changes −2 and −4, so δ = −3, 2Σ = 2, and a ratio is −3(t − μ): 0, −3 and −12, −3
    attack = attack_pairs(STATISTICS, MEMBER)
    assert attack.members.tolist() == [[3 / 4, 3 / 4], [7 / 8, 1 / 2]]
    assert attack.others.tolist() == [[3 / 8, 1 / 8], [1 / 8, 1 / 2]]


def test_area_with_the_patient_as_unit() -> None:
    found = measure_shadow_auc(attack_pairs(STATISTICS, MEMBER))
    # three members above all four others, the last above three and tied with one
    assert found.value == pytest.approx(15.5 / 16)
    # placement sums A 1 + 1, 1 + 1, B 1 + 1, 7/8 + 7/8: patients' means 2 and 15/8, variance 1/128 over two; the pairs' means vary by no more
    assert found.lower == pytest.approx(15.5 / 16 - Z95 / 16)
    assert found.upper == 1.0


def test_what_pairs_vary_by_is_added() -> None:
    # the first pair tells of ten of 50 patients, the second of none: placement 1 or 1/2, and every other passes 1/10 and ties with 9/10: 0.55
    members = np.zeros((2, 50))
    members[0, :10] = 1.0
    found = measure_shadow_auc(ShadowAttack(members, np.zeros((2, 50))))
    assert found.value == pytest.approx(0.55)
    # sums 1.55 of the ten in the first pair, else 1.05. By patient: variance 0.25²·0.2·0.8·50/49 over 50
    own = 0.25**2 * 0.16 * 50 / 49 / 50
    # pairs' means 1.15 and 1.05: variance 0.005 over two, less that of single scores, 0.5²·0.16·50/49 and 0, over 100
    shared = 0.005 / 2 - 0.25 * 0.16 * 50 / 49 / 2 / 100
    assert found.lower == pytest.approx(0.55 - np.sqrt(Z95**2 * own + T95**2 * shared))


def test_true_positives_take_each_patient_once() -> None:
    # 100 patients in two pairs: others 1 … 200 of whom 1 % may be exceeded: above the third largest, 198; of 200 members' scores 198.5 eight times
    others = np.arange(1.0, 201).reshape(2, 100)
    members = np.where(np.arange(200) < 8, 198.5, np.where(np.arange(200) < 14, 195.5, 0.0)).reshape(2, 100)
    found = measure_shadow_positives(ShadowAttack(members, others))
    assert found.value == pytest.approx(8 / 200)
    # P(Binomial(100, 0.01) < 4) = 0.98, < 3: 0.92. So the fourth of 100, the eighth of 200 (193): 14 of 200; and Wilson's bound of 4/100
    z2 = Z95**2
    wilson = (0.04 + z2 / 200 + Z95 * np.sqrt(0.04 * 0.96 / 100 + z2 / 40000)) / (1 + z2 / 100)
    # all eight are in the first pair: the pairs' means 0.08 and 0 have variance 0.0032 over two, less 0.08·0.92·100/99 of single scores over 400
    shared = 0.0032 / 2 - 0.08 * 0.92 * 100 / 99 / 2 / 200
    assert found.upper == pytest.approx(0.04 + np.sqrt(0.03**2 + (wilson - 0.04) ** 2 + Z95**2 * shared))


@pytest.mark.parametrize(
    ("statistics", "member"),
    [
        (STATISTICS[:2], MEMBER[:2]),
        (STATISTICS[:3], MEMBER[:3]),
        (STATISTICS, np.ones_like(MEMBER)),
    ],
    ids=["one pair", "half a pair", "no halves"],
)
def test_models_that_are_no_pairs(statistics: np.ndarray, member: np.ndarray) -> None:
    with pytest.raises(StatisticsError, match="two complementary halves"):
        attack_pairs(statistics, member)


def nearness(statistics: np.ndarray, member: np.ndarray) -> pd.DataFrame:
    identity = {"patient_id": [str(number) for number in range(len(member))], "member": member, "outlier": False, "rare": False}
    return SHADOW.validate(pd.DataFrame(identity | {"nearest": statistics, "typical": statistics}))


def test_without_shadow_models_nothing_is_judged() -> None:
    rows = attack_by_shadows([], Gates())
    assert [row["metric"] for row in rows] == list(SHADOWED)
    assert all("not asked for" in row["reason"] and np.isnan(row["threshold"]) for row in rows)


def test_a_shadow_model_that_failed_leaves_the_gates_open() -> None:
    tables = [nearness(values[:, 0], seen) for values, seen in zip(STATISTICS, MEMBER, strict=True)]
    rows = attack_by_shadows([*tables[:3], empty_table(SHADOW)], Gates())
    assert all(np.isnan(row["value"]) and pd.isna(row["passed"]) and "could not be fitted" in row["reason"] for row in rows)
    assert {row["metric"]: row["threshold"] for row in rows}["shadow_auc"] == Gates().membership_auc_upper
    assert "fewer than two patients" in attack_by_shadows([empty_table(SHADOW)] * 4, Gates())[0]["reason"]


def test_few_patients_are_no_pass() -> None:
    rows = {row["metric"]: row for row in attack_by_shadows([nearness(v[:, 0], m) for v, m in zip(STATISTICS, MEMBER, strict=True)], Gates())}
    assert rows["shadow_auc"]["value"] == pytest.approx(15.5 / 16)  # two equal statistics tell what one does
    assert pd.isna(rows["shadow_tpr_at_1pct_fpr"]["passed"])
    assert rows["shadow_outlier_auc"]["reason"].startswith(NOT_INFORMATIVE)


def test_f1_of_the_nearest_record() -> None:
    # within 4: all four seen and one of two not seen. With a member share of 1/2: F1 = 2·(1/2)/(1/2 + 1/2 + 1/4) = 4/5; naming everybody: 2/3
    seen, unseen = np.array([1.0, 2.0, 3.0, 4.0]), np.array([2.5, 5.0])
    found = measure_f1(seen, unseen, member_share=0.5)
    assert (found.f1, found.naive, found.relative) == pytest.approx((4 / 5, 2 / 3, 2 / 5))
    # of one in ten a member: F1 within 2 is 2·0.05/(0.1 + 0.05) = 2/3, within 4 0.2/(0.1 + 0.1 + 0.45) = 4/13; naive 2/11
    found = measure_f1(seen, unseen, member_share=0.1)
    relative = (Fraction(2, 3) - Fraction(2, 11)) / (1 - Fraction(2, 11))
    assert (found.f1, found.naive, found.relative) == pytest.approx((2 / 3, 2 / 11, float(relative)))


def test_f1_of_an_attack_that_tells_all_or_nothing() -> None:
    near, far = np.zeros(5), np.ones(5)
    assert measure_f1(near, far, member_share=0.3).relative == pytest.approx(1.0)
    assert measure_f1(near, near, member_share=0.3).relative == pytest.approx(0.0)
    assert measure_f1(far, near, member_share=0.3).relative == pytest.approx(0.0)
